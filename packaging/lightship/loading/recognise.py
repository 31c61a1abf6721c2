"""What a file is, told from its bytes. The name only helps to word an error."""

import io
import zipfile
from pathlib import PurePath
from typing import Literal

from lightship.loading.errors import CorruptModelError, NotAModelError
from lightship.loading.onnx_file import looks_like_onnx
from lightship.loading.skops_file import SCHEMA

type FileKind = Literal["skops", "onnx", "lightgbm", "xgboost", "pickle"]

_KNOWN = "skops, ONNX, LightGBM (text), XGBoost (JSON or UBJSON), joblib and pickle files"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_COMPRESSED = (*_ZLIB, b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18")
_OTHER = (
    (b"PAR1", "a Parquet file, which holds data; name it with --sample"),
    (b"\x93NUMPY", "a NumPy array, which holds data; name it with --sample"),
    (b"\x89HDF", "an HDF5 file (Keras?); export the model to ONNX"),
    (b"CBM1", "a CatBoost model; export it with model.save_model(path, format='onnx')"),
    (b"binf", "XGBoost's old binary format; save it again as JSON or UBJSON with a newer XGBoost"),
    (b"<?xml", "XML (PMML?); export the model to ONNX"),
    (b"{\"name\":\"tree\"", "LightGBM's JSON dump, which it can't read back; use Booster.save_model(path)"),
)  # fmt: skip
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".p", ".sav"})
# Protocols 0 and 1 have no magic number. A model pickled with them begins by importing its class.
_OLD_PICKLE_STARTS = (b"c", b"(", b"i")


def recognise(data: bytes, file: str) -> FileKind:
    """The kind of `data`. Raises NotAModelError for anything Lightship doesn't read, saying what it seems to be."""
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data, file)
    if data.startswith(b"tree\n") and b"version=" in data[:200]:
        return "lightgbm"
    if _is_xgboost(data):
        return "xgboost"
    if data.startswith(_COMPRESSED) or (data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05"):
        return "pickle"
    if looks_like_onnx(data):
        return "onnx"
    for start, what in _OTHER:
        if data.startswith(start):
            raise NotAModelError(f"{file} is {what}. Lightship reads {_KNOWN}.")
    if PurePath(file).suffix.lower() in _PICKLE_SUFFIXES or _is_old_pickle(data):
        return "pickle"
    raise NotAModelError(
        f"{file} is not a model file: it begins with {data[:16]!r}. Lightship reads {_KNOWN}; "
        "for a scikit-learn model: skops.io.dump(model, 'model.skops')."
    )


def _zip_kind(data: bytes, file: str) -> FileKind:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise CorruptModelError(
            f"{file} is a damaged or truncated zip, as a skops file is ({error}). Save the model again."
        ) from error
    if SCHEMA in names:
        return "skops"
    if any(name.endswith("/data.pkl") for name in names):
        what = "a PyTorch file; export the model to ONNX"
    elif "config.json" in names or "model.weights.h5" in names:
        what = "a Keras file; export the model to ONNX"
    elif names and all(name.endswith(".npy") for name in names):
        what = "a NumPy .npz file, which holds data"
    else:
        what = f"a zip without {SCHEMA}, so not a skops file"
    raise NotAModelError(f"{file} is {what}. Lightship reads {_KNOWN}.")


def _is_xgboost(data: bytes) -> bool:
    """XGBoost's JSON or UBJSON: an object with "learner" near its start (UBJSON types the length of a key)."""
    head = data[:4096]
    if head.lstrip()[:1] != b"{":
        return False
    return b'"learner"' in head or (head[1:2] in b"iUIlL" and b"learner" in head[:200])


def _is_old_pickle(data: bytes) -> bool:
    return data.startswith(_OLD_PICKLE_STARTS) and data.rstrip().endswith(b".") and b"\n" in data
