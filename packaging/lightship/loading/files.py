"""Bytes of a model file: read under a limit, decompressed under the same limit."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from lightship.loading.errors import CorruptModelError, ModelLoadError, TooLargeError

MAX_MODEL_BYTES = 1_000_000_000
"""The largest file read, and the most that a compressed one may unpack to. AWS Lambda holds 250 MB."""

_CHUNK = 1 << 20

type _Stream = io.BufferedIOBase | io.RawIOBase


def read_model_file(path: Path, *, limit: int = MAX_MODEL_BYTES) -> bytes:
    """The bytes of `path`. Raises ModelLoadError when it can't be read, TooLargeError over `limit` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError as error:
        raise ModelLoadError(f"There is no model file at {path}. Check the path.") from error
    except IsADirectoryError as error:
        raise ModelLoadError(
            f"{path} is a folder, not a model file. Name the file itself, such as model.skops or model.onnx."
        ) from error
    except OSError as error:
        raise ModelLoadError(
            f"The model file {path} can't be read: {error.strerror}. Check its permissions."
        ) from error
    if len(data) > limit:
        raise TooLargeError(
            f"{path} is larger than {limit:,} bytes, the limit for a model file (AWS Lambda takes 250 MB unzipped). "
            "Fit a smaller model: fewer or shallower trees, fewer stored rows."
        )
    if not data:
        raise CorruptModelError(f"{path} is empty. Save the model again.")
    return data


def decompressed(data: bytes, file: str, *, limit: int = MAX_MODEL_BYTES) -> bytes:
    """`data` with joblib's compression (zlib, gzip, bz2, lzma, xz) undone, or `data` itself.

    Raises TooLargeError when more than `limit` bytes come out, CorruptModelError when the stream is broken.
    """
    opener = _opener(data, file)
    if opener is None:
        return data
    parts: list[bytes] = []
    total = 0
    try:
        with opener(io.BytesIO(data)) as stream:
            while chunk := stream.read(_CHUNK):
                total += len(chunk)
                if total > limit:
                    raise TooLargeError(
                        f"{file} unpacks to more than {limit:,} bytes, the limit for a model file. "
                        "Fit a smaller model, or check that this is the file you meant."
                    )
                parts.append(chunk)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise CorruptModelError(f"{file} is compressed and damaged or cut short ({error}). Save it again.") from error
    return b"".join(parts)


def _opener(data: bytes, file: str) -> Callable[[io.BytesIO], _Stream] | None:
    match data[:6]:
        case head if head.startswith(b"\x1f\x8b"):
            return lambda raw: gzip.GzipFile(fileobj=raw)
        case head if head.startswith(b"BZh"):
            return bz2.BZ2File
        case head if head.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
            return lzma.LZMAFile
        case head if head[:1] == b"\x78" and int.from_bytes(head[:2]) % 31 == 0:
            return _ZlibStream
        case head if head.startswith(b"\x04\x22\x4d\x18"):
            raise ModelLoadError(f"{file} is compressed with lz4. Save it again with joblib.dump(model, path, 'gzip').")
        case _:
            return None


class _ZlibStream(io.RawIOBase):
    """A bare zlib stream as a readable file."""

    def __init__(self, raw: io.BytesIO) -> None:
        self._raw = raw
        self._inflate = zlib.decompressobj()

    def read(self, size: int = -1) -> bytes:
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail or self._raw.read(_CHUNK)
            if not data:
                raise EOFError("the stream ends early")
            if out := self._inflate.decompress(data, max(size, 1)):
                return out
        return b""
