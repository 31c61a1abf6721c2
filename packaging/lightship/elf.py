"""Reads what the dynamic loader will ask of an ELF file: its machine, needed libraries, search paths and versions.

64-bit little-endian only, which is all that AWS Lambda runs. The layout is the System V ABI's and the GNU versioning
extension's (https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html).
Everything is found through the program headers, as the loader does it: a stripped file may have no section headers.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from lightship_runtime.errors import LightshipError

MAGIC = b"\x7fELF"
MACHINES = {62: "x86_64", 183: "arm64"}

_PT_LOAD, _PT_DYNAMIC = 1, 2
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 10, 14, 15, 29
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_WEAK = 2
_MOST = 100_000

type Bytes = bytes | mmap


class ElfError(LightshipError):
    """A file begins as an ELF file and can't be read as one."""


@dataclass(frozen=True, slots=True)
class Elf:
    """`machine` is Lambda's name for it, or the ELF number where it has none. `runpath` are the folders of DT_RUNPATH,
    or else of DT_RPATH. `versions` are the symbol versions required of each needed library, without the weak ones,
    which the loader lets be missing. `defines` are the versions this library itself offers."""

    machine: str
    needed: tuple[str, ...] = ()
    soname: str | None = None
    runpath: tuple[str, ...] = ()
    versions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    defines: frozenset[str] = frozenset()


def read_elf(path: Path) -> Elf | None:
    """The file at `path`, or None where it isn't ELF. Raises ElfError."""
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            return None
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return parse_elf(data, path.name)


def parse_elf(data: Bytes, name: str) -> Elf:
    """The file `name` with this content. Raises ElfError where it is cut short, or says what can't be."""
    try:
        return _parse(data)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ElfError(f"{name} is a damaged ELF file ({error}). Fetch its wheel again, or build it anew.") from error


@dataclass(frozen=True, slots=True)
class _Dynamic:
    """The dynamic section's entries in their order, and how to get at what they point to."""

    data: Bytes
    entries: tuple[tuple[int, int], ...]
    offset: Callable[[int], int]

    def value(self, tag: int) -> int | None:
        return next((value for found, value in self.entries if found == tag), None)

    def text(self, index: int) -> str:
        start, size = self.value(_STRTAB), self.value(_STRSZ)
        if start is None or size is None or index >= size:
            raise ValueError(f"there is no string {index}")
        begin = self.offset(start) + index
        end = self.data.find(b"\0", begin, begin + size - index)
        if end < 0:
            raise ValueError(f"the string {index} has no end")
        return self.data[begin:end].decode()


def _parse(data: Bytes) -> Elf:
    if data[4] != 2 or data[5] != 1:
        raise ValueError("it is not 64-bit little-endian")
    machine = struct.unpack_from("<H", data, 18)[0]
    named = MACHINES.get(machine, f"machine {machine}")
    dynamic = _dynamic(data)
    if dynamic is None:
        return Elf(named)
    soname = dynamic.value(_SONAME)
    path = dynamic.value(_RUNPATH) or dynamic.value(_RPATH)
    return Elf(
        machine=named,
        needed=tuple(dynamic.text(value) for tag, value in dynamic.entries if tag == _NEEDED),
        soname=None if soname is None else dynamic.text(soname),
        runpath=() if path is None else tuple(each for each in dynamic.text(path).split(":") if each),
        versions=tuple(_required(dynamic)),
        defines=frozenset(_defined(dynamic)),
    )


def _dynamic(data: Bytes) -> _Dynamic | None:
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", data, start + i * size) for i in range(count)]
    loads = [(address, offset, length) for kind, _, offset, address, _, length, *_ in segments if kind == _PT_LOAD]

    def file_offset(address: int) -> int:
        for begin, offset, length in loads:
            if begin <= address < begin + length:
                return int(address - begin + offset)
        raise ValueError(f"the address {address:#x} is in no segment")

    for kind, _, offset, _, _, length, *_ in segments:
        if kind == _PT_DYNAMIC:
            entries = tuple(_entries(data, offset, length))
            return _Dynamic(data, entries, file_offset)
    return None


def _entries(data: Bytes, offset: int, length: int) -> Iterator[tuple[int, int]]:
    for place in range(offset, offset + length, 16):
        tag, value = struct.unpack_from("<QQ", data, place)
        if tag == 0:
            return
        yield tag, value


def _required(dynamic: _Dynamic) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(library, versions) of each Elf64_Verneed with its Elf64_Vernaux."""
    for place in _chain(dynamic, _VERNEED, _VERNEEDNUM, "<12xI"):
        _, count, file, aux = struct.unpack_from("<HHII", dynamic.data, place)
        names = []
        at = place + aux
        for _ in range(count):
            _, flags, _, name, step = struct.unpack_from("<IHHII", dynamic.data, at)
            if not flags & _WEAK:
                names.append(dynamic.text(name))
            at += step
        yield dynamic.text(file), tuple(names)


def _defined(dynamic: _Dynamic) -> Iterator[str]:
    """The first name of each Elf64_Verdef; the others are the versions it inherits from."""
    for place in _chain(dynamic, _VERDEF, _VERDEFNUM, "<16xI"):
        (aux,) = struct.unpack_from("<12xI", dynamic.data, place)
        (name,) = struct.unpack_from("<I", dynamic.data, place + aux)
        yield dynamic.text(name)


def _chain(dynamic: _Dynamic, first: int, number: int, step: str) -> Iterator[int]:
    """Where each record of a chain lies. `step` unpacks the distance to the next."""
    address, count = dynamic.value(first), dynamic.value(number) or 0
    if address is None:
        return
    if count > _MOST:
        raise ValueError(f"it says it has {count} versions")
    place = dynamic.offset(address)
    for _ in range(count):
        yield place
        (distance,) = struct.unpack_from(step, dynamic.data, place)
        place += distance
