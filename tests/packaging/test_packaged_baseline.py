"""The baseline of a packaged model: what requests leave is coded and counted as it was made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from lightship.describe import describe
from lightship.loading import loaded_object
from lightship.monitoring.baseline_rows import Rows, rows_of_frame
from lightship.monitoring.errors import BaselineError
from lightship.monitoring.frames import column_codes as frame_column_codes
from lightship.monitoring.packaged import Wanted, baseline_of, write_baseline
from lightship.plan import make_plan
from lightship.samples import as_sample
from lightship.steps.build import Build
from lightship.steps.identify import identify
from lightship.steps.study import study_model
from lightship_runtime.batch.counting import Counter
from lightship_runtime.capture import Recorder
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, RefusedRowsError
from lightship_runtime.engines.native import NativeEngine
from lightship_runtime.manifest import BASELINE, file_digest
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import coders_of, encode_columns, read_bins
from lightship_runtime.monitor.cells import fill_cells
from lightship_runtime.monitor.results import evaluate
from lightship_runtime.monitor.vector import column_codes
from lightship_runtime.predict import Predictor
from lightship_runtime.problems import Problem
from lightship_runtime.telemetry import Source
from lightship_runtime.validation import Validator

ROWS = 600
RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(ROWS, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
LABELS = np.where(X[:, 0] + 0.3 * RANDOM.normal(size=ROWS) > 0, "yes", "no")
MANY = np.clip((X[:, 0] * 4 + 13).round(), 1, 26).astype(int)
WORDS = np.array(["late", "early", "gate", "crew", "fog", "wind", "bag", "seat"])
TEXTS = [" ".join(RANDOM.choice(WORDS, 5)) for _ in range(ROWS)]

MODELS: dict[str, tuple[Callable[[], Any], Any, Any, str]] = {
    "binary": (lambda: LogisticRegression().fit(FRAME, LABELS), FRAME, LABELS, "binary"),
    "boolean": (lambda: LogisticRegression().fit(FRAME, LABELS == "yes"), FRAME, (LABELS == "yes") * 1, "binary"),
    "multiclass": (lambda: DecisionTreeClassifier(max_depth=3).fit(FRAME, MANY % 3), FRAME, MANY % 3, "multiclass"),
    "many classes": (lambda: DecisionTreeClassifier(max_depth=9).fit(X, np.arange(ROWS) % 80), X, None, "none"),
    "no probabilities": (lambda: RidgeClassifier().fit(FRAME, MANY), FRAME, MANY, "labels"),
    "regression": (lambda: LinearRegression().fit(FRAME, X[:, 0] * 1e6), FRAME, X[:, 0] * 1e6, "regression"),
    "several numbers": (lambda: LinearRegression().fit(FRAME, X[:, :2]), FRAME, None, "none"),
    "outlier": (lambda: IsolationForest(n_estimators=20, random_state=0).fit(FRAME), FRAME, None, "binary"),
    "clustering": (lambda: KMeans(4, n_init=1, random_state=0).fit(FRAME), FRAME, None, "labels"),
    "transform": (lambda: PCA(2).fit(FRAME), FRAME, None, "none"),
    "text": (
        lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS),
        TEXTS,
        LABELS,
        "binary",
    ),
}


SCORED = {"binary", "boolean", "multiclass", "outlier", "text"}


@pytest.mark.parametrize("name", MODELS)
def test_requests_leave_what_the_baseline_was_made_of(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, sample, labels, task = MODELS[name]
    model = make()
    described = describe(model, as_sample(sample))
    original = NativeEngine(model, described.contract)
    given_labels = None if labels is None else pd.Series(labels)
    note = write_baseline(tmp_path, original, described, given_labels, Wanted(segments=described.contract.names[:1]))
    assert note["rows"] == ROWS
    assert note["labelled"] == (ROWS if labels is not None else 0)
    baseline = Baseline.from_json((tmp_path / BASELINE).read_bytes())
    assert baseline.outputs.task == task
    recorder = Recorder(described.contract, read_bins(baseline.to_bins()))
    predictor = Predictor(described.contract, original, name="m", source=Source("m", "t", "v1"), recorder=recorder)
    rows = [list(row) for row in zip(*described.columns, strict=True)]
    assert predictor.answer(json.dumps({"instances": rows}).encode(), None).status == 200
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    cells = fill_cells(baseline, capsys.readouterr().out.splitlines(), [], scratch)
    assert cells.problems == {}
    (profile,) = cells.profiles.values()
    result = evaluate(baseline, profile)
    assert profile.rows == ROWS
    counter = Counter.of(Baseline.from_bins(baseline.to_bins(outputs=True)), described.contract)
    columns = [np.array(values, dtype=object) for values in described.columns]
    counted = counter.count(columns, original.predict(described.columns))
    assert (counted.codes == profile.codes).all()
    found = result.to_dict()
    assert result.flagged == ()
    for column in baseline.columns:
        counts = found["columns"][column.name]["counts"]
        assert counts == {track.name: dict(track.counts) for track in column.tracks}
    assert ("score" in found) == (name in SCORED)
    for track in baseline.outputs.tracks:
        assert found[track.name]["counts"]["value"] == dict(track.counts)
    if labels is not None and baseline.outputs.calibration:
        assert found["estimated"]["accuracy"]["value"] == pytest.approx(note["metrics"]["accuracy"], abs=0.06)


CONTRACT = Contract(
    columns=(
        Column("number", "number", "float64", nullable=True),
        Column("integer", "integer", "int64", nullable=True),
        Column("boolean", "boolean", "bool", nullable=True),
        Column("category", "category", "object", nullable=True, categories=("Oslo", "Wrocław", "東京")),
        Column("grade", "category", "category", nullable=True, categories=(1, 2.5, 3)),
        Column("member", "category", "category", nullable=True, categories=(False, True)),
        Column("text", "text", "object", nullable=True),
        Column("when", "datetime", "datetime64[ns]", nullable=True),
        Column("tail", "text", "object", nullable=True),
    ),
    output=Output("regression"),
)


class Constant:
    name = "constant"

    def predict(self, columns: Any) -> Outputs:
        return Outputs([0.5] * len(columns[0]))


@pytest.fixture(scope="module")
def every_kind() -> Baseline:
    random = np.random.default_rng(1)
    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 10**13, ROWS), unit="us")
    columns: list[list[Any]] = [
        random.lognormal(size=ROWS).tolist(),
        random.poisson(3, ROWS).tolist(),
        (random.random(ROWS) < 0.2).tolist(),
        random.choice(["Oslo", "Wrocław", "東京"], ROWS).tolist(),
        random.choice([1, 2.5, 3], ROWS).tolist(),
        (random.random(ROWS) < 0.5).tolist(),
        [f"{text} é{place}" for place, text in enumerate(TEXTS)],
        [moment.isoformat() for moment in moments],
        [f"N{place:04d}" for place in range(ROWS)],
    ]
    for values in columns:
        values[7] = None
    return baseline_of(Constant(), CONTRACT, Rows(columns, None))


def test_the_contract_decides_the_kinds(every_kind: Baseline) -> None:
    kinds = [column.kind for column in every_kind.columns]
    assert kinds == ["numeric", "numeric", "boolean", *["category"] * 3, "text", "datetime", "category"]


JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from([2**53 + 1, -(2**63), 1e308, 5e-324, -0.0, 10**400]),
    st.text(max_size=60),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.dates().map(lambda day: day.isoformat()),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "2024-W01-1", "20240101"]),
)


@given(values=st.lists(JSON_VALUES, min_size=1, max_size=5))
@settings(derandomize=True, max_examples=400, deadline=None)
def test_whatever_the_contract_accepts_has_the_same_code_everywhere(every_kind: Baseline, values: list[Any]) -> None:
    validator = Validator(CONTRACT)
    accepted: list[list[Any]] = [[] for _ in CONTRACT.columns]
    for value in values:
        for place, name in enumerate(CONTRACT.names):
            try:
                row = validator.columns([{**dict.fromkeys(CONTRACT.names), name: value}])
            except Problem:
                continue
            accepted[place].append(row[place][0])
    bins = read_bins(every_kind.to_bins())
    for whole, part, found in zip(every_kind.columns, bins.columns, accepted, strict=True):
        if not found:
            continue
        one_by_one = encode_columns(coders_of([part]), [found])
        assert one_by_one == encode_columns(coders_of([whole]), [found])
        assert all(len(code) == len(part.tracks) and code.isascii() for code in one_by_one)
        blank = next(each for each in Baseline.from_bins(every_kind.to_bins()).columns if each.name == whole.name)
        series = pd.Series(found, dtype=object, name=whole.name)
        for codes in (column_codes(blank, found), frame_column_codes(whole, series)):
            assert [bytes(row).decode() for row in codes] == one_by_one
        if part.kind == "numeric" and None not in found:
            typed = np.array(found, np.int64 if part.name == "integer" else np.float64)
            assert [bytes(row).decode() for row in column_codes(blank, typed)] == one_by_one


@given(moments=st.lists(st.datetimes(pd.Timestamp(1700, 1, 1), pd.Timestamp(2250, 1, 1)), min_size=1, max_size=5))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_timestamps_have_the_codes_of_their_texts(every_kind: Baseline, moments: list[Any]) -> None:
    column = next(each for each in every_kind.columns if each.kind == "datetime")
    together = frame_column_codes(column, pd.Series(pd.to_datetime(moments)).astype("datetime64[ns]"))
    texts = [moment.isoformat() for moment in moments]
    assert [bytes(row).decode() for row in together] == encode_columns(coders_of([column]), [texts])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.drop(columns="b"), "lacks the column 'b'"),
        (lambda frame: frame.assign(b="high"), "has 'high' in row 0; the model takes a finite number"),
        (lambda frame: frame.assign(b=frame["b"].where(frame.index != 3)), "no value in row 3"),
        (lambda frame: frame.assign(label="maybe"), "are like 'maybe', but a prediction is one of no, yes"),
    ],
)
def test_rows_that_are_not_the_models_are_refused(change: Any, told: str, tmp_path: Path) -> None:
    model = MODELS["binary"][0]()
    described = describe(model, FRAME)
    engine = NativeEngine(model, described.contract)
    with pytest.raises(BaselineError, match=told):
        write_baseline(tmp_path, engine, described, None, Wanted(change(FRAME)))
    with pytest.raises(BaselineError, match="no column 'late'"):
        rows_of_frame(FRAME, described.contract, "late")
    with pytest.raises(BaselineError, match="The segment 'city' is no column"):
        write_baseline(tmp_path, engine, described, None, Wanted(segments=("city",)))


def test_other_rows_than_the_samples(tmp_path: Path) -> None:
    model = MODELS["binary"][0]()
    described = describe(model, FRAME)
    more = pd.concat([FRAME.assign(late=LABELS, row=1)] * 40, ignore_index=True)
    note = write_baseline(tmp_path, NativeEngine(model, described.contract), described, None, Wanted(more, "late"))
    assert (note["source"], note["rows"], note["of"], note["labelled"]) == ("file", 20_000, 24_000, 20_000)
    assert note["metrics"]["accuracy"] > 0.8


@pytest.mark.parametrize(("most", "refused"), [(2.5, False), (-1.0, True)])
def test_rows_that_the_model_refuses_are_left_out(most: float, refused: bool) -> None:
    class Choosy(Constant):
        def predict(self, columns: Any) -> Outputs:
            large = [place for place, value in enumerate(columns[0]) if value > most]
            if large:
                raise RefusedRowsError("it is too large", large[:3])
            return super().predict(columns)

    contract = Contract((Column("a", "number", "float64"),), Output("regression"))
    given_rows = Rows([X[:, 0].tolist()], X[:, 1].tolist())
    if refused:
        with pytest.raises(BaselineError, match=r"refuses 5\d\d of the baseline's 600 rows"):
            baseline_of(Choosy(), contract, given_rows)
    else:
        found = baseline_of(Choosy(), contract, given_rows)
        assert found.rows == found.performance.rows == int((X[:, 0] <= most).sum())


@pytest.mark.parametrize("classes", [2, 50])
def test_small_whatever_the_model(classes: int) -> None:
    random = np.random.default_rng(2)
    columns = tuple(Column(f"column_{place}", "number", "float64") for place in range(100))
    contract = Contract(columns, Output("multiclass" if classes > 2 else "binary", tuple(range(classes)), True))
    scores = random.dirichlet(np.full(classes, 0.2), 10_000)

    class Given:
        name = "given"
        start = 0

        def predict(self, columns: Any) -> Outputs:
            part = scores[self.start : self.start + len(columns[0])]
            self.start += len(part)
            return Outputs(part.argmax(axis=1), part)

    true = scores**0.4 + 1e-3
    labels = [int(random.choice(classes, p=row / row.sum())) for row in true]
    rows = Rows([random.normal(size=10_000).tolist() for _ in columns], labels)
    baseline = baseline_of(Given(), contract, rows)
    assert baseline.outputs.task == ("binary" if classes == 2 else "multiclass")
    assert all(each.scores for each in baseline.outputs.calibration)
    assert len(baseline.to_json()) < 200_000


def test_the_version_is_another_when_the_baseline_is(tmp_path: Path) -> None:
    model = MODELS["binary"][0]()
    versions = []
    for name, frame in (("sample", None), ("file", FRAME.assign(late=LABELS)), ("again", FRAME.assign(late=LABELS))):
        folder = tmp_path / name
        folder.mkdir()
        plan = make_plan(
            out=tmp_path, name="m", engine="pure", baseline_label="late" if name != "sample" else None, segments=("a",)
        )
        live = (loaded_object(model), as_sample(FRAME), None)
        build = Build(plan, folder, lambda _text: None, live, None, frame)
        study_model(build)
        build.requirements = {"realtime": "", "batch": ""}
        identify(build)
        versions.append(build.version)
        assert build.files[BASELINE] == file_digest(folder / BASELINE)
        assert build.notes["baseline"]["source"] == ("sample" if name == "sample" else "file")
        assert build.notes["baseline"]["labelled"] == (0 if name == "sample" else ROWS)
        assert build.studied.baseline.segments == ("a",)
    assert versions[0] != versions[1] == versions[2]
