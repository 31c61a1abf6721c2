"""Leaves out of an ELF file what the dynamic loader never reads: symbol and debugging tables behind its segments.

Nothing of what is loaded moves or changes, which is what breaks libraries whose segments were rearranged by auditwheel
when `strip` aligns them anew. It takes no binutils, and is the same for every machine and on every host.
"""

import struct
from pathlib import Path

from lightship.elf import MAGIC

_CLASS_64, _LITTLE_ENDIAN = 2, 1
_HEADER = 64
# Elf64_Ehdr: e_shoff at 40; e_shnum and e_shstrndx at 60 and 62.
_SECTIONS_AT, _SECTION_COUNT_AT = 40, 60


def strip_symbols(path: Path) -> int:
    """Cut the file behind its last segment and make it name no sections; the bytes saved. 0 for any other file.

    A file that is damaged is left alone: the check of the machine code says so.
    """
    data = path.read_bytes()
    end = _end_of_segments(data)
    if end is None or end >= len(data):
        return 0
    kept = bytearray(data[:end])
    struct.pack_into("<Q", kept, _SECTIONS_AT, 0)
    struct.pack_into("<HH", kept, _SECTION_COUNT_AT, 0, 0)
    mode = path.stat().st_mode
    # The installer may have linked the file to its own cache, which isn't ours to write to.
    path.unlink()
    path.write_bytes(kept)
    path.chmod(mode)
    return len(data) - end


def _end_of_segments(data: bytes) -> int | None:
    if data[:4] != MAGIC or len(data) < _HEADER or (data[4], data[5]) != (_CLASS_64, _LITTLE_ENDIAN):
        return None
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    end = max(_HEADER, start + size * count)
    if not count or end > len(data):
        return None
    for place in range(start, start + size * count, size):
        offset, length = struct.unpack_from("<8xQ16xQ", data, place)
        end = max(end, offset + length)
    return end if end <= len(data) else None
