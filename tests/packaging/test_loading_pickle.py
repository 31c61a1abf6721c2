"""Pickles and joblib files: hostile ones are told from harmless ones, and nothing of them runs unless trusted."""

import io
import os
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lightship.loading import (
    CorruptModelError,
    ModelLoadError,
    NotAModelError,
    TooLargeError,
    UnfittedModelError,
    UntrustedModelError,
    VersionMismatchError,
    load_model,
)
from lightship.loading.files import decompressed
from lightship.loading.pickle_load import load_pickle
from lightship.loading.pickle_scan import scan_pickle

ROWS = np.random.default_rng(7).normal(size=(60, 3))
LABELS = (ROWS[:, 0] > 0).astype(int)


def fitted() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)


class Runs:
    """Pickles into a call: what REDUCE is for."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.reduced


def text(value: str) -> bytes:
    raw = value.encode()
    return pickle.SHORT_BINUNICODE + struct.pack("<B", len(raw)) + raw


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def hostile_pickles(canary: Path) -> dict[str, bytes]:
    """One pickle for each way an opcode can bring a call about; each would make the canary when loaded."""
    command = f"touch {canary}"
    proto, stop = b"\x80\x04", pickle.STOP
    system = text("os") + text("system") + pickle.STACK_GLOBAL
    with_arguments = text(command) + pickle.TUPLE1
    ends_in_call = pickle.REDUCE + stop
    memoised = text("system") + pickle.MEMOIZE + pickle.POP + text("os") + pickle.MEMOIZE + pickle.POP
    recalled = pickle.BINGET + b"\x01" + pickle.BINGET + b"\x00" + pickle.STACK_GLOBAL
    dotted = text("numpy") + text("f2py.os.system") + pickle.STACK_GLOBAL
    return {
        "reduce": pickle.dumps(Runs(os.system, command)),
        "eval": pickle.dumps(Runs(eval, f"__import__('os').system({command!r})")),
        "old protocol": pickle.dumps(Runs(os.system, command), 0),
        "global": proto + b"cos\nsystem\n" + with_arguments + ends_in_call,
        "inst": b"(S'%s'\nios\nsystem\n." % command.encode(),
        "obj": b"(cos\nsystem\nS'%s'\no." % command.encode(),
        "newobj_ex": proto + system + with_arguments + pickle.EMPTY_DICT + pickle.NEWOBJ_EX + stop,
        "memoised names": proto + memoised + recalled + with_arguments + ends_in_call,
        "inside a model": pickle.dumps({"model": fitted(), "extra": Runs(os.system, command)}),
        "second pickle": pickle.dumps(fitted()) + pickle.dumps(Runs(os.system, command)),
        "python 2 name": b'c__builtin__\neval\n(S\'__import__("os").system("%s")\'\ntR.' % command.encode(),
        "dotted name": proto + dotted + with_arguments + ends_in_call,
    }


HOSTILE_NAMES = sorted(hostile_pickles(Path("canary")))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("trust_pickle", [False, True])
@pytest.mark.parametrize("suffix", [".pkl", ".skops", ""])
def test_a_hostile_pickle_is_named_and_never_run(
    tmp_path: Path, canary: Path, name: str, trust_pickle: bool, suffix: str
) -> None:
    file = tmp_path / f"model{suffix}"
    file.write_bytes(hostile_pickles(canary)[name])
    with pytest.raises(UntrustedModelError) as caught:
        load_model(file, trust_pickle=trust_pickle)
    assert {"os.system", "posix.system", "builtins.eval", "numpy.f2py.os.system"} & set(caught.value.names)
    assert str(file) in str(caught.value)
    assert not canary.exists()


@pytest.mark.parametrize("name", sorted(set(HOSTILE_NAMES) - {"second pickle", "newobj_ex"}))
def test_the_hostile_pickles_are_real(canary: Path, name: str) -> None:
    try:
        pickle.loads(hostile_pickles(canary)[name])
    except (AttributeError, TypeError):
        assert name == "dotted name"
        return
    assert canary.exists()


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_a_call_hidden_behind_the_arrays_of_a_joblib_file(tmp_path: Path, canary: Path, compress: Any) -> None:
    file = tmp_path / "model.joblib"
    hidden = np.array([Runs(os.system, f"touch {canary}"), 1], dtype=object)
    joblib.dump([np.arange(1000.0), fitted(), hidden], file, compress)
    with pytest.raises(UntrustedModelError, match=r"posix\.system"):
        load_model(file, trust_pickle=True)
    assert not canary.exists()


@pytest.mark.parametrize(
    "end",
    [
        pickle.EXT1 + b"\x01",
        pickle.EXT2 + b"\x01\x00",
        pickle.PERSID + b"id\n",
        text("id") + pickle.BINPERSID,
        text("o") + text("s") + pickle.TUPLE2 + text("system") + pickle.STACK_GLOBAL,
    ],
)
def test_what_comes_from_outside_the_file_is_refused(tmp_path: Path, end: bytes) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(b"\x80\x04" + end + pickle.STOP)
    with pytest.raises(UntrustedModelError, match="can't be checked beforehand"):
        load_model(file, trust_pickle=True, trust=["os.system"])


def test_without_trust_the_error_names_the_imports_and_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(fitted()))
    with pytest.raises(UntrustedModelError) as caught:
        load_model(file)
    message = str(caught.value)
    assert "sklearn.linear_model._logistic.LogisticRegression" in message
    assert "skops.io.dump" in message
    assert "--trust-pickle" in message


@pytest.mark.parametrize("save", ["pickle", "joblib", "joblib-zlib"])
@pytest.mark.parametrize(
    "model",
    [
        fitted(),
        RandomForestClassifier(4, random_state=0).fit(ROWS, LABELS),
        HistGradientBoostingClassifier(max_iter=3, random_state=np.random.RandomState(1)).fit(ROWS, LABELS),
        KNeighborsClassifier(algorithm="kd_tree").fit(ROWS, LABELS.astype(str).astype(object)),
        make_pipeline(FunctionTransformer(np.arctan), StandardScaler(), LogisticRegression()).fit(ROWS, LABELS),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_trusted_model_predicts_what_it_did(tmp_path: Path, model: Any, save: str) -> None:
    file = tmp_path / "model.bin"
    if save == "pickle":
        file.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, file, ("zlib", 3) if save.endswith("zlib") else 0)
    loaded = load_model(file, trust_pickle=True)
    assert loaded.format == save.removesuffix("-zlib")
    assert re.fullmatch(r"[0-9a-f]{64}", loaded.digest)
    np.testing.assert_array_equal(loaded.model.predict_proba(ROWS), model.predict_proba(ROWS))


def test_a_named_class_is_trusted_and_only_that(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(make_pipeline(FunctionTransformer(os.path.join), StandardScaler())))
    with pytest.raises(UntrustedModelError, match=r"--trust posixpath\.join"):
        load_model(file, trust_pickle=True)
    with pytest.raises(UnfittedModelError):
        load_model(file, trust_pickle=True, trust=["posixpath.join"])


def test_the_load_refuses_by_itself_what_the_scan_let_through(canary: Path) -> None:
    for name, data in hostile_pickles(canary).items():
        if name != "second pickle":
            with pytest.raises(UntrustedModelError):
                load_pickle(data, "model.pkl", ())
    assert not canary.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [("sklearn.base", "warnings"), ("sklearn.utils.validation", "check_array"), ("sklearn.pipeline", "deepcopy")],
)
def test_modules_and_plain_functions_of_allowed_packages_are_not_called(module: str, name: str) -> None:
    data = (
        b"\x80\x04" + text(module) + text(name) + pickle.STACK_GLOBAL + text("x") + pickle.TUPLE1 + pickle.REDUCE + b"."
    )
    with pytest.raises((UntrustedModelError, ModelLoadError)):
        load_pickle(data, "model.pkl", ())


def test_an_imported_class_is_not_changed() -> None:
    state = pickle.NONE + pickle.EMPTY_DICT + text("fit") + text("oops") + pickle.SETITEM + pickle.TUPLE2
    data = b"\x80\x04csklearn.pipeline\nPipeline\n" + state + pickle.BUILD + b"."
    with pytest.raises(UntrustedModelError, match="change the imported"):
        load_pickle(data, "model.pkl", ())
    assert callable(Pipeline.fit)


def test_another_scikit_learn_is_named_with_the_exact_way_out(tmp_path: Path) -> None:
    installed = sklearn.__version__.encode()
    other = b"1.2.2".ljust(len(installed), b"0")
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(fitted()).replace(installed, other))
    with pytest.raises(VersionMismatchError, match=rf"uv pip install scikit-learn=={re.escape(other.decode())}"):
        load_model(file, trust_pickle=True)


@pytest.mark.parametrize(
    ("thing", "error", "says"),
    [
        (LogisticRegression(), UnfittedModelError, "never fitted"),
        (make_pipeline(StandardScaler(), LogisticRegression()), UnfittedModelError, "never fitted"),
        ({"model": 1, "columns": 2}, NotAModelError, "its keys: 'model', 'columns'"),
        (LogisticRegression, NotAModelError, "the class LogisticRegression itself"),
        (np.arange(3), NotAModelError, "neither predict nor transform"),
    ],
    ids=str,
)
def test_what_is_no_fitted_model(tmp_path: Path, thing: Any, error: type[ModelLoadError], says: str) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(thing))
    with pytest.raises(error, match=says):
        load_model(file, trust_pickle=True)


def test_a_pickle_of_a_notebooks_own_class(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(b"\x80\x04c__main__\nMyModel\n)\x81.")
    with pytest.raises(UntrustedModelError, match="move it to a module"):
        load_model(file, trust_pickle=True)


def _joblib_bytes() -> bytes:
    buffer = io.BytesIO()
    joblib.dump(KNeighborsClassifier().fit(ROWS, LABELS.astype(str).astype(object)), buffer)
    return buffer.getvalue()


WHOLE = {"pickle": pickle.dumps(fitted()), "joblib": _joblib_bytes()}


@settings(derandomize=True, max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(WHOLE)), share=st.floats(0, 1, exclude_max=True))
def test_truncated_anywhere_is_a_clear_error(tmp_path_factory: pytest.TempPathFactory, kind: str, share: float) -> None:
    data = WHOLE[kind][: int(share * len(WHOLE[kind]))]
    file = tmp_path_factory.getbasetemp() / f"truncated.{kind}.pkl"
    file.write_bytes(data)
    with pytest.raises(CorruptModelError, match="again"):
        load_model(file, trust_pickle=True)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**9), changes=st.integers(1, 8), kind=st.sampled_from(sorted(WHOLE)))
@example(seed=1000, changes=6, kind="pickle")
def test_damaged_bytes_load_or_fail_clearly(
    tmp_path_factory: pytest.TempPathFactory, seed: int, changes: int, kind: str
) -> None:
    """The scan alone: a damaged array in C code is for the isolated process."""
    chance = np.random.default_rng(seed)
    data = bytearray(WHOLE[kind])
    for _ in range(changes):
        data[chance.integers(len(data))] = chance.integers(256)
    try:
        scan = scan_pickle(bytes(data), "model.pkl")
    except CorruptModelError:
        return
    assert scan.imports


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=200),
    prefix=st.sampled_from([b"", b"\x80\x04", b"PK\x03\x04", b"\x78\x9c", b"tree\n"]),
)
def test_random_bytes_are_a_clear_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, prefix: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "random.bin"
    file.write_bytes(prefix + data)
    with pytest.raises(ModelLoadError):
        load_model(file, trust_pickle=True)


def test_a_compressed_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "bomb.joblib"
    joblib.dump(np.zeros(1_000_000), file, ("gzip", 9))
    assert file.stat().st_size < 10_000
    with pytest.raises(TooLargeError, match="unpacks to more than 100,000 bytes"):
        decompressed(file.read_bytes(), "bomb.joblib", limit=100_000)


@pytest.mark.parametrize("keep", [3, 50, 200])
@pytest.mark.parametrize("compress", ["zlib", "gzip", "bz2", "lzma", "xz"])
def test_a_truncated_compressed_file(tmp_path: Path, compress: str, keep: int) -> None:
    file = tmp_path / "model.joblib"
    joblib.dump(fitted(), file, (compress, 3))
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CorruptModelError):
        load_model(file, trust_pickle=True)
