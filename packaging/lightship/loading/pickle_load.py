"""Load a pickle or a joblib file that was trusted and scanned, importing only what the policy or the user allows.

The unpickler is Python's own one in Python, so that every import and every call passes through here: should the scan
and the load ever disagree about what a pickle says, the load still refuses.
"""

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from lightship.loading.array_wrapper import ARRAY_WRAPPER
from lightship.loading.errors import CorruptModelError, MissingPackageError, ModelLoadError, UntrustedModelError
from lightship.loading.pickle_policy import is_allowed, is_what_it_says, may_be_called
from lightship.loading.pickle_scan import Global, PickleScan, canonical


def refuse_untrusted(scan: PickleScan, file: str, *, trust: Sequence[str], trust_pickle: bool) -> None:
    """Raises UntrustedModelError unless pickles are trusted and every import is allowed or named in `trust`."""
    if scan.outside:
        raise UntrustedModelError(
            f"{file} is a pickle that loads {', '.join(scan.outside)}, which can't be checked beforehand. "
            "Save the model as skops: skops.io.dump(model, 'model.skops').",
            scan.outside,
        )
    refused = [str(found) for found in scan.imports if not _trusted(found, trust)]
    if not trust_pickle:
        names = [*refused, *sorted(str(found) for found in scan.imports if str(found) not in refused)]
        warning = f" Not part of any modelling package: {', '.join(refused)}." if refused else ""
        raise UntrustedModelError(
            f"{file} is a pickle: loading it runs what it says. It would import {', '.join(names) or 'nothing'}."
            f"{warning} Save the model as skops instead (skops.io.dump(model, 'model.skops')), "
            "or, if you know who made the file, pass --trust-pickle (trust_pickle=True).",
            names,
        )
    if refused:
        main = any(found.module == "__main__" for found in scan.imports)
        advice = (
            " What is defined in a notebook or script (__main__) can't be imported anywhere else: move it to a module."
            if main
            else ""
        )
        raise UntrustedModelError(
            f"{file} would import {', '.join(refused)}, which Lightship doesn't know as a part of models.{advice} "
            f"If you wrote them or know them, name each: {' '.join(f'--trust {name}' for name in refused)}",
            refused,
        )


def load_pickle(data: bytes, file: str, trust: Sequence[str]) -> Any:
    """The object in a scanned, trusted pickle. `data` is already decompressed.

    Raises ModelLoadError for an import that fails, CorruptModelError for anything else that does.
    """
    try:
        return _Unpickler(io.BytesIO(data), frozenset(trust), file).load()
    except ModelLoadError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        raise MissingPackageError(file, package, package) from error
    except (ImportError, AttributeError) as error:
        raise ModelLoadError(
            f"{file} asks for something that the installed packages don't have ({error}). Install the versions the "
            "model was fitted with, or fit and save it again."
        ) from error
    except Exception as error:
        raise CorruptModelError(
            f"{file} is a pickle that fails to load: {type(error).__name__}: {error}. Save the model again."
        ) from error


def _trusted(found: Global, trust: Sequence[str]) -> bool:
    return str(found) in trust or is_allowed(found.module, found.name)


class _ArrayWrapper:
    """Takes the place of joblib's NumpyArrayWrapper: BUILD fills it, and the array itself then takes its place."""

    shape: tuple[int, ...]
    order: str
    dtype: "np.dtype[Any]"
    numpy_array_alignment_bytes: int | None = None


_PurePythonUnpickler: Any = pickle._Unpickler


class _Unpickler(_PurePythonUnpickler):  # type: ignore[misc]  # its methods are undocumented, so typeshed has none
    """Imports by the policy; calls classes, known rebuilding functions and what the user named, and nothing else."""

    def __init__(self, stream: io.BytesIO, trust: frozenset[str], file: str) -> None:
        super().__init__(stream, fix_imports=False)
        self._stream = stream
        self._trust = trust
        self._file_name = file
        self._imported: dict[int, Any] = {}
        self._callable: dict[int, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        wanted = canonical(module, name, self.proto)
        if (wanted.module, wanted.name) == ARRAY_WRAPPER:
            return _ArrayWrapper
        if not _trusted(wanted, tuple(self._trust)):
            raise self._refusal(f"import {wanted}", str(wanted))
        found = super().find_class(wanted.module, wanted.name)
        named = str(wanted) in self._trust
        if not named and not is_what_it_says(wanted.module, wanted.name, found):
            raise self._refusal(f"import {wanted}, which is really {found!r}", str(wanted))
        self._imported[id(found)] = found
        if named or may_be_called(wanted.module, wanted.name, found):
            self._callable[id(found)] = found
        return found

    def get_extension(self, code: int) -> None:
        raise self._refusal(f"import the extension code {code}", f"extension {code}")

    def _refusal(self, what: str, name: str) -> UntrustedModelError:
        return UntrustedModelError(
            f"{self._file_name} would {what}, which was not trusted. "
            f"Save the model as skops, or name it: --trust {name}",
            [name],
        )

    def _check_call(self, maker: Any) -> None:
        if maker is not _ArrayWrapper and id(maker) not in self._callable:
            name = f"{getattr(maker, '__module__', None)}.{getattr(maker, '__qualname__', repr(maker))}"
            raise self._refusal(f"call {name} while loading", name)

    def _instantiate(self, klass: Any, args: Any) -> None:
        self._check_call(klass)
        super()._instantiate(klass, args)

    def load_reduce(self) -> None:
        self._check_call(self.stack[-2])
        super().load_reduce()

    def load_newobj(self) -> None:
        self._check_call(self.stack[-2])
        super().load_newobj()

    def load_newobj_ex(self) -> None:
        self._check_call(self.stack[-3])
        super().load_newobj_ex()

    def load_build(self) -> None:
        target = self.stack[-2]
        if target is _ArrayWrapper or id(target) in self._imported:
            raise self._refusal(f"change the imported {target!r}", repr(target))
        super().load_build()
        if isinstance(target, _ArrayWrapper):
            self.stack[-1] = self._read_array(target)

    def _read_array(self, wrapper: _ArrayWrapper) -> Any:
        """The array that follows its wrapper: raw elements after padding, or a pickle when they are objects."""
        if wrapper.dtype.hasobject:
            return _Unpickler(self._stream, self._trust, self._file_name).load()
        if wrapper.numpy_array_alignment_bytes is not None:
            self._stream.seek(self._stream.read(1)[0], io.SEEK_CUR)
        count = int(np.prod(wrapper.shape, dtype=np.int64))
        raw = self._stream.read(count * wrapper.dtype.itemsize)
        flat = np.frombuffer(bytearray(raw), dtype=wrapper.dtype, count=count)
        flat = flat.astype(wrapper.dtype.newbyteorder("="), copy=False)
        if wrapper.order == "F":
            return flat.reshape(wrapper.shape[::-1]).transpose()
        return flat.reshape(wrapper.shape)

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **_PurePythonUnpickler.dispatch,
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.NEWOBJ_EX[0]: load_newobj_ex,
        pickle.BUILD[0]: load_build,
    }
