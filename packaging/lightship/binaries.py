"""Checks every ELF file of an artifact against what the target has, before anything is booted.

A build machine hides what is missing: Debian has the libgomp that LightGBM's wheel wants and doesn't bring, Lambda
hasn't. What the target has is in data/al2023.json. AWS says that its images for Python 3.12 and later are the minimal
container image of Amazon Linux 2023, and lists that image's packages (the addresses are in the file): glibc 2.34,
libgcc and libstdc++ 11.4, zlib 1.2.11; no libgomp, libxcrypt or expat. Libraries of packages that wheels are not
meant to link to are left out of the file although the image has them. The highest symbol versions are those of GCC
11.4 and zlib 1.2.11 (https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html).
"""

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from lightship.elf import MACHINES, Elf, ElfError, read_elf
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Target

SHOWN = 5
# Where Lambda lets the loader look inside the artifact:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (LD_LIBRARY_PATH).
LOADER_FOLDERS = ("", "lib")


class BinaryError(LightshipError):
    """Machine code in the artifact can't run on the target."""


@dataclass(frozen=True)
class System:
    """What a target provides: libraries by file name, and the highest symbol version of each family, such as GLIBC."""

    libraries: frozenset[str]
    highest: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, target: Target) -> "System":
        """Both of Lambda's Pythons that are targets run on Amazon Linux 2023; the target names its glibc."""
        document = json.loads(resources.files("lightship").joinpath("data/al2023.json").read_text())
        highest = {**document["versions"], "GLIBC": target.glibc.replace("_", ".")}
        return cls(
            frozenset(name for names in document["libraries"].values() for name in names),
            {family: _number(version) for family, version in highest.items()},
        )


@dataclass(frozen=True)
class Binaries:
    """What the ELF files of an artifact ask of the target: how many there are, the newest glibc, which libraries."""

    files: int
    glibc: str
    libraries: tuple[str, ...]


def check_binaries(root: Path, target: Target) -> Binaries:
    """Raises BinaryError naming the files that are for another machine, want symbols that the target's libraries don't
    have, or need a library that is neither in the artifact nor on the target."""
    system = System.of(target)
    files, problems = read_binaries(root)
    for path, elf in files.items():
        problems += [f"{path} {problem}" for problem in _problems(path, elf, files, system, target)]
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise BinaryError(
            f"The artifact doesn't fit {target.architecture} Lambda with glibc {target.glibc.replace('_', '.')}: "
            f"{'; '.join(problems[:SHOWN])}{more}. {_remedy(problems)}"
        )
    used = {name for elf in files.values() for name in elf.needed if name in system.libraries}
    return Binaries(len(files), _newest(files.values()), tuple(sorted(used)))


def read_binaries(root: Path) -> tuple[dict[str, Elf], list[str]]:
    """Every ELF file by its path in the artifact, and what is wrong with those that can't be read."""
    files: dict[str, Elf] = {}
    problems = []
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        name = path.relative_to(root).as_posix()
        try:
            elf = read_elf(path)
        except ElfError as error:
            problems.append(f"{name}: {error}")
            continue
        if elf is not None:
            files[name] = elf
        elif path.suffix == ".so":
            problems.append(f"{name} is machine code of another system than Linux")
    return files, problems


def provider(path: str, needed: str, files: Mapping[str, Elf]) -> str | None:
    """The file of the artifact that the loader would take for a needed library, or None.

    It looks where the file's own run path says, then in the folders that Lambda has it look in; and it finds what a
    package has loaded before, which is taken to be any library of that name in the same package or its `.libs`.
    """
    folder = posixpath.dirname(path)
    origins = [each.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", folder or ".") for each in files[path].runpath]
    for place in (*origins, *LOADER_FOLDERS):
        found = posixpath.normpath(posixpath.join(place, needed))
        if found in files:
            return found
    package = path.split("/", maxsplit=1)[0]
    for other, elf in files.items():
        if needed in (elf.soname, posixpath.basename(other)) and _same_package(package, other.split("/")[0]):
            return other
    return None


def _same_package(package: str, other: str) -> bool:
    return package.removesuffix(".libs") == other.removesuffix(".libs")


def _problems(path: str, elf: Elf, files: Mapping[str, Elf], system: System, target: Target) -> Iterator[str]:
    if elf.machine != target.architecture:
        yield f"is for {elf.machine}, not {target.architecture}"
        return
    for needed in elf.needed:
        found = None if needed in system.libraries else provider(path, needed, files)
        wanted = next((versions for library, versions in elf.versions if library == needed), ())
        if needed in system.libraries:
            if missing := [version for version in wanted if not _has(system, version)]:
                yield f"wants {', '.join(missing)} of {needed}"
        elif found is None:
            yield f"needs {needed}"
        elif missing := [version for version in wanted if version not in files[found].defines and files[found].defines]:
            yield f"wants {', '.join(missing)} of {needed}, which {found} doesn't have"


def _has(system: System, version: str) -> bool:
    """Whether the target's libraries define a symbol version. A family that isn't known isn't there."""
    family, _, number = version.partition("_")
    try:
        return _number(number) <= system.highest[family]
    except (KeyError, ValueError):
        return False


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _newest(files: Iterable[Elf]) -> str:
    versions = [
        version.removeprefix("GLIBC_")
        for elf in files
        for _, names in elf.versions
        for version in names
        if version.startswith("GLIBC_")
    ]
    return max(versions, key=_number, default="")


def _remedy(problems: list[str]) -> str:
    text = " ".join(problems)
    if " needs " in text:
        return (
            "A wheel wants a system library that it doesn't bring. Put that library's file into a folder lib and name "
            "that under `include`, add a package that brings it, or take an engine without that package "
            "(`lightship check` lists them)."
        )
    if any(f" is for {machine}," in text for machine in MACHINES.values()) or "another system" in text:
        return "Build `include`d code for the target, or set [package] architecture to what it was built for."
    return "Pin an older version of that package, whose wheels were built for an older system."
