"""Gives a wheel the system library that it wants and doesn't bring, out of another wheel that does bring it.

LightGBM's Linux wheels need libgomp.so.1 (https://github.com/lightgbm-org/LightGBM/issues/7141), which Lambda doesn't
have. scikit-learn's wheels carry GCC's own libgomp under a name of auditwheel's making. A copy of it as
lib/libgomp.so.1 is found by the loader, because Lambda puts the artifact's lib folder on LD_LIBRARY_PATH, and it
defines the same symbol versions. Taken from the artifact's own scikit-learn where there is one, else from the wheel
that Lightship's lock names by its hash.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lightship.binaries import System, provider, read_binaries
from lightship.wheels import install, pinned_lines
from lightship_runtime.manifest import Target

FOLDER = "lib"


@dataclass(frozen=True, slots=True)
class Lender:
    """A distribution that carries a system library, and the file in it as a glob."""

    distribution: str
    pattern: str


LENDERS: Mapping[str, Lender] = {"libgomp.so.1": Lender("scikit-learn", "scikit_learn.libs/libgomp-*.so.*")}


@dataclass(frozen=True, slots=True)
class Lent:
    """`file` in the artifact is a copy of `original` out of `requirement`, because `wanted_by` needs it."""

    file: str
    original: str
    requirement: str
    wanted_by: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def lend(root: Path, target: Target, python: Path, lock: str) -> tuple[Lent, ...]:
    """Copy into `root` what its ELF files want and no file there provides, where a lender has it.

    What no lender has is left to `check_binaries`, which says so. Raises ResolutionError when the lender's wheel can't
    be had.
    """
    return tuple(_lend(root, name, path, target, python, lock) for name, path in missing(root, target).items())


def missing(root: Path, target: Target) -> dict[str, str]:
    """The libraries that can be lent and are wanted in vain, with the first file that wants each."""
    files, _ = read_binaries(root)
    system = System.of(target)
    found: dict[str, str] = {}
    for path, elf in files.items():
        for name in elf.needed:
            if name in LENDERS and name not in system.libraries and provider(path, name, files) is None:
                found.setdefault(name, path)
    return found


def _lend(root: Path, name: str, wanted_by: str, target: Target, python: Path, lock: str) -> Lent:
    lender = LENDERS[name]
    place = root / FOLDER / name
    place.parent.mkdir(exist_ok=True)
    if own := next(root.glob(lender.pattern), None):
        shutil.copyfile(own, place)
        original, pins = own.name, pinned_lines(lender.distribution, lock)
    else:
        pins = pinned_lines(lender.distribution)
        with tempfile.TemporaryDirectory(prefix="lightship-lender-") as folder:
            install(pins, target, python, Path(folder))
            found = next(Path(folder).glob(lender.pattern))
            shutil.copyfile(found, place)
            original = found.name
    requirement = pins.split(" \\")[0].strip()
    return Lent(f"{FOLDER}/{name}", original, requirement, wanted_by)
