"""Writes zips that are the same bytes for the same files, and checks them against Lambda's limits."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lightship_runtime.errors import LightshipError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED = 250 * 2**20
DATE = (1980, 1, 1, 0, 0, 0)
LEVEL = 6


class TooLargeError(LightshipError):
    """An artifact is over Lambda's limit."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Sizes in bytes."""

    zip_bytes: int
    unzipped_bytes: int


def write_zip(root: Path, archive: Path, base: Path | None = None, *, most: int | None = MAX_UNZIPPED) -> Packed:
    """Zip the files under `root`, which begin with those of the zip `base`: these are copied as they are.

    Raises TooLargeError, naming the largest packages, over `most` bytes unzipped: Lambda's 250 MB.
    """
    files = sorted(
        (path for path in root.rglob("*") if path.is_file()), key=lambda path: path.relative_to(root).as_posix()
    )
    sizes = {path.relative_to(root).as_posix(): path.stat().st_size for path in files}
    unzipped = sum(sizes.values())
    if most is not None and unzipped > most:
        raise TooLargeError(
            f"The artifact has {unzipped / 1e6:.0f} MB unzipped, over Lambda's {most / 1e6:.0f} MB "
            f"(largest: {_largest(sizes)}). Try a smaller engine with --engine, or leave packages out of `include`."
        )
    archive.unlink(missing_ok=True)
    if base is not None:
        shutil.copyfile(base, archive)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as out:
        there = set(out.namelist())
        for path in files:
            name = path.relative_to(root).as_posix()
            if name in there:
                continue
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100755 if path.suffix == ".so" else 0o100644) << 16
            out.writestr(entry, path.read_bytes(), compresslevel=LEVEL)
    return Packed(archive.stat().st_size, unzipped)


def unzipped_bytes(root: Path) -> int:
    """What the files under `root` have together."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def contributors(sizes: dict[str, int]) -> list[tuple[str, int]]:
    """Bytes by top-level package, the largest first."""
    totals: dict[str, int] = {}
    for name, size in sizes.items():
        top = name.split("/")[0]
        totals[top] = totals.get(top, 0) + size
    return sorted(totals.items(), key=lambda item: -item[1])


def _largest(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in contributors(sizes)[:5])
