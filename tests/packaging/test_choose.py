"""Which engine answers requests, and which scores batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lightship import check, package
from lightship.candidates import Candidate
from lightship.choose import NoEngineError, Verdict, _chosen, choose
from lightship.describe import describe
from lightship.goldens import make_golden
from lightship.samples import as_sample
from lightship_runtime.engines.native import NativeEngine

X = np.random.default_rng(2).normal(size=(120, 3))
MODEL = LogisticRegression().fit(X, X[:, 0] > 0)


def verdict(engine: str, row_us: float, rows_per_s: float) -> Verdict:
    candidate = Candidate(engine, Path("nowhere"), 1e-9)
    return Verdict(engine, True, "holds", candidate=candidate, row_us=row_us, batch_rows_per_s=rows_per_s)


@pytest.mark.parametrize(
    ("timings", "chosen"),
    [
        ([("pure", 40, 2e4), ("array", 20, 5e4)], ("pure", "pure")),
        ([("pure", 40, 2e4), ("array", 20, 7e4), ("native", 900, 9e4)], ("pure", "array")),
        ([("pure", 9_000, 1e2), ("array", 800, 5e4)], ("array", "array")),
        ([("array", 100, 1e5), ("onnx", 10, 2.9e5)], ("array", "array")),
    ],
)
def test_the_first_wins_unless_another_is_three_times_better(
    timings: list[tuple[str, float, float]], chosen: tuple[str, str]
) -> None:
    request, batch = _chosen([verdict(*each) for each in timings])
    assert (request.engine, batch.engine) == chosen


def test_every_engine_gets_a_verdict_and_the_choice_is_one_of_those_that_hold() -> None:
    document = check(MODEL, X).to_dict()
    assert set(document["engines"]) == {"pure", "array", "onnx", "native"}
    for engine in document["engines"].values():
        assert set(engine) == {"accepted", "reason", "max_abs_diff", "label_flips", "row_us", "batch_rows_per_s"}
    for use in ("request", "batch"):
        assert document["engines"][document["choice"][use]]["accepted"]


def test_an_engine_that_was_asked_for_and_fails_is_an_error(tmp_path: Path) -> None:
    class Own(LogisticRegression):
        """Unknown to the compiler, though it predicts the same."""

    model = Own().fit(X, X[:, 0] > 0)
    described = describe(model, as_sample(X))
    golden = make_golden(NativeEngine(model, described.contract), described)
    with pytest.raises(NoEngineError, match=r"pure.*--upgrade"):
        choose(model, described, golden, tmp_path, fixed=("pure", "pure"), say=lambda _text: None)


CUSTOM = '''
from sklearn.base import BaseEstimator, ClassifierMixin


class Sign(ClassifierMixin, BaseEstimator):
    """Predicts by the sign of the first column."""

    def fit(self, X, y):
        self.classes_ = [0, 1]
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)
'''


@pytest.mark.slow
def test_the_users_own_code_is_packaged_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_sign.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    import own_sign

    model: Any = own_sign.Sign().fit(X, X[:, 0] > 0)
    packaged = package(model, sample=X, out=tmp_path / "out", name="own", include=[tmp_path / "own_sign.py"])
    assert packaged.release.engine.request == "native"
    assert packaged.release.proof is not None
    assert packaged.release.proof.label_flips == 0
