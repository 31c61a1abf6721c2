"""skops, ONNX, LightGBM and XGBoost files, objects from Python, and what is no model at all."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import sklearn
import skops.io
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from skl2onnx import to_onnx
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import DBSCAN
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lightship.loading import (
    CorruptModelError,
    ModelLoadError,
    NotAModelError,
    OnnxModel,
    TooLargeError,
    UnfittedModelError,
    UntrustedModelError,
    VersionMismatchError,
    load_model,
    loaded_object,
)
from lightship.loading.files import read_model_file
from lightship.loading.skops_file import check_archive

ROWS = np.random.default_rng(3).normal(size=(80, 4)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(int)
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)
CLEANER = "numpy.nan_to_num"
CLEANING = FunctionTransformer(np.nan_to_num).fit(ROWS)
FOREST = RandomForestClassifier(3, random_state=0).fit(ROWS, LABELS)


class Always(ClassifierMixin, BaseEstimator):
    """An estimator of somebody's own."""

    def fit(self, _rows: Any, y: Any) -> "Always":
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.repeat(self.classes_[0], len(X))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.bin"


def test_a_skops_model_predicts_what_it_did(file: Path) -> None:
    skops.io.dump(LOGISTIC, file)
    loaded = load_model(file)
    assert loaded.format == "skops"
    np.testing.assert_array_equal(loaded.model.predict_proba(ROWS), LOGISTIC.predict_proba(ROWS))


def test_untrusted_types_are_listed_and_trusted_one_by_one(file: Path) -> None:
    skops.io.dump(CLEANING, file)
    with pytest.raises(UntrustedModelError, match=f"--trust {CLEANER}") as caught:
        load_model(file)
    assert caught.value.names == (CLEANER,)
    with pytest.raises(UntrustedModelError):
        load_model(file, trust=["numpy", "numpy.nan", "*"])
    assert (load_model(file, trust=[CLEANER]).model.transform(ROWS) == CLEANING.transform(ROWS)).all()


def test_what_scikit_learns_own_models_hold_needs_no_trust(file: Path) -> None:
    skops.io.dump(FOREST, file)
    assert (load_model(file).model.predict(ROWS) == FOREST.predict(ROWS)).all()


def test_a_type_of_ones_own_is_untrusted_until_named(file: Path) -> None:
    skops.io.dump(Always().fit(ROWS, LABELS), file)
    with pytest.raises(UntrustedModelError) as caught:
        load_model(file)
    assert any(name.endswith(".Always") for name in caught.value.names)


def _edited(data: bytes, old: bytes, new: bytes) -> bytes:
    """The skops file with its schema.json changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content.replace(old, new) if name == "schema.json" else content)
    return out.getvalue()


def test_a_forged_import_in_skops_is_untrusted_and_not_imported(file: Path) -> None:
    schema = {
        "__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 1,
        "content": {"module_path": "os", "function": "system"}, "protocol": 2, "_skops_version": "0.12",
    }  # fmt: skip
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    with pytest.raises(UntrustedModelError, match=r"os\.system"):
        load_model(file)


def test_skops_of_another_scikit_learn(file: Path) -> None:
    installed = f'\\"{sklearn.__version__}\\"'.encode()
    file.write_bytes(_edited(skops.io.dumps(LOGISTIC), installed, b'\\"1.3.0\\"'))
    with pytest.raises(VersionMismatchError, match=r"fitted with scikit-learn 1\.3\.0.*scikit-learn==1\.3\.0"):
        load_model(file)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_skops_file(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    whole = skops.io.dumps(LOGISTIC)
    path = tmp_path_factory.getbasetemp() / "truncated.skops"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelLoadError):
        load_model(path)


@pytest.mark.parametrize("schema", [b"", b"[]", b"{}", b"nonsense", b'{"protocol": 99}', b"[" * 100_000])
def test_a_skops_file_with_a_broken_schema(file: Path, schema: bytes) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", schema)
    with pytest.raises(CorruptModelError):
        load_model(file)


def test_a_zip_bomb_is_refused_before_it_unpacks(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 60_000_000)
    assert file.stat().st_size < 100_000
    with pytest.raises(TooLargeError, match="unpacks to 60,000,000 bytes"):
        load_model(file)


def test_the_size_limits_are_stated(file: Path) -> None:
    skops.io.dump(LOGISTIC, file)
    with pytest.raises(TooLargeError, match="larger than 1,000 bytes"):
        read_model_file(file, limit=1000)
    with pytest.raises(TooLargeError, match="the limits are 1,000"):
        check_archive(file.read_bytes(), "model.skops", limit=1000)


def test_an_onnx_file(file: Path) -> None:
    file.write_bytes(to_onnx(LOGISTIC, ROWS[:1], options={"zipmap": False}).SerializeToString())
    loaded = load_model(file)
    assert loaded.format == "onnx"
    assert isinstance(loaded.model, OnnxModel)
    assert loaded.model.data == file.read_bytes()
    assert [(tensor.element_type, tensor.shape) for tensor in loaded.model.inputs] == [("FLOAT", (None, 4))]
    assert [tensor.element_type for tensor in loaded.model.outputs] == ["INT64", "FLOAT"]


@pytest.mark.parametrize("keep", [2, 30, 200, -1])
def test_onnx_cut_short_or_damaged(file: Path, keep: int) -> None:
    file.write_bytes(to_onnx(LOGISTIC, ROWS[:1]).SerializeToString()[:keep])
    with pytest.raises(ModelLoadError):
        load_model(file)


def test_onnx_with_weights_in_other_files(file: Path) -> None:
    model = to_onnx(LOGISTIC, ROWS[:1])
    tensor = model.graph.initializer.add(name="w", data_type=1, data_location=1)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ModelLoadError, match="in other files"):
        load_model(file)


def test_lightgbm_text(file: Path) -> None:
    booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(ROWS, LABELS).booster_
    booster.save_model(file)
    loaded = load_model(file)
    assert loaded.format == "lightgbm"
    np.testing.assert_allclose(loaded.model.predict(ROWS), booster.predict(ROWS), rtol=1e-12)
    whole = file.read_bytes()
    for end in (whole.index(b"end of trees"), whole.index(b"end of parameters")):
        file.write_bytes(whole[:end])
        with pytest.raises(CorruptModelError, match="cut short"):
            load_model(file)


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_xgboost(file: Path, kind: str) -> None:
    model = xgboost.XGBClassifier(n_estimators=3).fit(ROWS, LABELS)
    saved = file.with_suffix(f".{kind}")
    model.save_model(saved)
    saved.rename(file)
    loaded = load_model(file)
    assert loaded.format == "xgboost"
    assert isinstance(loaded.model, xgboost.XGBClassifier)
    np.testing.assert_array_equal(loaded.model.predict_proba(ROWS), model.predict_proba(ROWS))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CorruptModelError, match="damaged XGBoost"):
        load_model(file)


def test_an_xgboost_booster(file: Path) -> None:
    file.write_bytes(bytes(xgboost.train({}, xgboost.DMatrix(ROWS, LABELS), 2).save_raw("ubj")))
    assert isinstance(load_model(file).model, xgboost.Booster)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PAR1....", "a Parquet file"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"CBM1....", "a CatBoost model"),
        (b"binf....", "old binary format"),
        (b"a,b\n1,2\n", "begins with b'a,b"),
        (b"<?xml ?>", "export the model to ONNX"),
    ],
)
def test_other_files_are_told_apart(file: Path, data: bytes, says: str) -> None:
    file.write_bytes(data)
    with pytest.raises(NotAModelError, match=says):
        load_model(file)


def test_missing_empty_and_folder(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ModelLoadError, match="no model file"):
        load_model(file)
    with pytest.raises(ModelLoadError, match="is a folder"):
        load_model(tmp_path)
    file.touch()
    with pytest.raises(CorruptModelError, match="is empty"):
        load_model(file)


@pytest.mark.parametrize(
    ("thing", "error"),
    [
        (LogisticRegression(), UnfittedModelError),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), UnfittedModelError),
        (xgboost.XGBClassifier(), UnfittedModelError),
        (lightgbm.LGBMRegressor(), UnfittedModelError),
        (DBSCAN().fit(ROWS), NotAModelError),
        ([1, 2], NotAModelError),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_objects_that_cannot_serve(thing: Any, error: type[ModelLoadError]) -> None:
    with pytest.raises(error):
        loaded_object(thing)


def test_an_objects_digest_follows_its_state(file: Path) -> None:
    skops.io.dump(LOGISTIC, file)
    again = load_model(file).model
    first = loaded_object(LOGISTIC)
    assert first.format == "object"
    assert loaded_object(again).digest == first.digest
    again[-1].coef_ = again[-1].coef_ * 1.001
    assert loaded_object(again).digest != first.digest


def test_an_objects_digest_is_the_same_in_another_process() -> None:
    script = (
        "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.ensemble import RandomForestClassifier\n"
        "from lightship.loading import loaded_object\n"
        "model = make_pipeline(TfidfVectorizer(), RandomForestClassifier(3, random_state=0))\n"
        "print(loaded_object(model.fit(['good day', 'bad day', 'bad one'] * 9, ['a', 'b', 'c'] * 9)).digest)"
    )
    runs = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1
    assert len(runs.pop()) == 65


def test_an_object_without_a_name_has_no_digest() -> None:
    model = Always().fit(ROWS, LABELS)
    model.hook = lambda: None
    with pytest.raises(ModelLoadError, match="lambda"):
        loaded_object(model)
