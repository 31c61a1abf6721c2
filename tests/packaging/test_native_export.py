"""The native engine's files: the same bytes for the same model, and a model that still predicts."""

from pathlib import Path

import numpy as np
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lightship.loading.harmless import HARMLESS
from lightship.native_export import canonical, export

RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 3))
Y = np.where(X[:, 0] > 0, "a", "b")


def fitted() -> object:
    columns = make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=4, random_state=0)).fit(X, Y)


def test_two_fits_of_the_same_model_give_the_same_file(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        export(fitted(), folder)
    first, second = [(folder / "model.skops").read_bytes() for folder in folders]
    assert first == second


def test_the_canonical_file_predicts_what_the_model_predicts() -> None:
    model = fitted()
    loaded = skops.io.loads(canonical(skops.io.dumps(model)), trusted=sorted(HARMLESS))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))  # type: ignore[attr-defined]
