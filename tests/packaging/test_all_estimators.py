"""Every estimator that scikit-learn lists and that can be fitted on simple data, judged as `lightship check` judges it.

`pytest -s tests/packaging/test_all_estimators.py` prints the table.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model, tree
from sklearn.base import is_regressor
from sklearn.utils import all_estimators

from lightship import choose
from lightship.choose import Verdict, judge
from lightship.describe import describe
from lightship.goldens import GoldenError, make_golden, with_jumps
from lightship.study import quiet_and_single
from lightship_runtime.engines.native import NativeEngine

ROWS = 60
LOGISTIC = linear_model.LogisticRegression()
RIDGE = linear_model.Ridge()

SETTINGS: dict[str, Callable[[type], Any]] = {
    "AdaBoostClassifier": lambda cls: cls(n_estimators=4, random_state=0),
    "AdaBoostRegressor": lambda cls: cls(n_estimators=4, random_state=0),
    "BaggingClassifier": lambda cls: cls(n_estimators=3, random_state=0),
    "BaggingRegressor": lambda cls: cls(n_estimators=3, random_state=0),
    "ClassifierChain": lambda cls: cls(LOGISTIC),
    "ColumnTransformer": lambda cls: cls([("same", "passthrough", ["x0", "count"])]),
    "DictionaryLearning": lambda cls: cls(2, max_iter=5, random_state=0),
    "FeatureUnion": lambda cls: cls([("same", "passthrough")]),
    "FixedThresholdClassifier": lambda cls: cls(LOGISTIC),
    "FrozenEstimator": lambda cls: cls(fitted(RIDGE)),
    "CCA": lambda cls: cls(1),
    "PLSCanonical": lambda cls: cls(1),
    "PLSSVD": lambda cls: cls(1),
    "ExtraTreesClassifier": lambda cls: cls(n_estimators=5, random_state=0),
    "ExtraTreesRegressor": lambda cls: cls(n_estimators=5, random_state=0),
    "RandomForestClassifier": lambda cls: cls(n_estimators=5, random_state=0),
    "RandomForestRegressor": lambda cls: cls(n_estimators=5, random_state=0),
    "RandomTreesEmbedding": lambda cls: cls(n_estimators=5, random_state=0),
    "GradientBoostingClassifier": lambda cls: cls(n_estimators=5, random_state=0),
    "GradientBoostingRegressor": lambda cls: cls(n_estimators=5, random_state=0),
    "HistGradientBoostingClassifier": lambda cls: cls(max_iter=5, min_samples_leaf=5),
    "HistGradientBoostingRegressor": lambda cls: cls(max_iter=5, min_samples_leaf=5),
    "GridSearchCV": lambda cls: cls(RIDGE, {"alpha": [0.1, 1.0]}, cv=2),
    "HashingVectorizer": lambda cls: cls(n_features=64),
    "IsolationForest": lambda cls: cls(n_estimators=5, random_state=0),
    "LatentDirichletAllocation": lambda cls: cls(2, max_iter=3, random_state=0),
    "LocalOutlierFactor": lambda cls: cls(novelty=True),
    "MiniBatchDictionaryLearning": lambda cls: cls(2, max_iter=5, random_state=0),
    "MiniBatchSparsePCA": lambda cls: cls(2, max_iter=5, random_state=0),
    "MultiOutputClassifier": lambda cls: cls(LOGISTIC),
    "MultiOutputRegressor": lambda cls: cls(RIDGE),
    "OneVsOneClassifier": lambda cls: cls(LOGISTIC),
    "OneVsRestClassifier": lambda cls: cls(LOGISTIC),
    "OutputCodeClassifier": lambda cls: cls(LOGISTIC, random_state=0),
    "Pipeline": lambda cls: cls([("ridge", RIDGE)]),
    "RandomizedSearchCV": lambda cls: cls(RIDGE, {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
    "RANSACRegressor": lambda cls: cls(RIDGE, min_samples=10, random_state=0),
    "RadiusNeighborsClassifier": lambda cls: cls(4.0),
    "RadiusNeighborsRegressor": lambda cls: cls(4.0),
    "TheilSenRegressor": lambda cls: cls(max_subpopulation=50, random_state=0),
    "RegressorChain": lambda cls: cls(RIDGE),
    "RFE": lambda cls: cls(LOGISTIC),
    "RFECV": lambda cls: cls(LOGISTIC, cv=2),
    "SelectFromModel": lambda cls: cls(RIDGE),
    "SelfTrainingClassifier": lambda cls: cls(LOGISTIC),
    "SequentialFeatureSelector": lambda cls: cls(RIDGE, cv=2),
    "SparseCoder": lambda cls: cls(np.eye(5)),
    "SparsePCA": lambda cls: cls(2, max_iter=5, random_state=0),
    "SparseRandomProjection": lambda cls: cls(3, random_state=0),
    "GaussianRandomProjection": lambda cls: cls(3, random_state=0),
    "StackingClassifier": lambda cls: cls([("tree", tree.DecisionTreeClassifier()), ("linear", LOGISTIC)], cv=2),
    "StackingRegressor": lambda cls: cls([("tree", tree.DecisionTreeRegressor()), ("linear", RIDGE)], cv=2),
    "TunedThresholdClassifierCV": lambda cls: cls(LOGISTIC, cv=2),
    "VotingClassifier": lambda cls: cls([("tree", tree.DecisionTreeClassifier()), ("linear", LOGISTIC)]),
    "VotingRegressor": lambda cls: cls([("tree", tree.DecisionTreeRegressor()), ("linear", RIDGE)]),
}
"""How to make those that can't be made without arguments, or that take long with the default ones."""

TARGETS = {
    **dict.fromkeys(["FixedThresholdClassifier", "TunedThresholdClassifierCV"], "binary"),
    **dict.fromkeys(["ClassifierChain", "MultiOutputClassifier"], "labels"),
    **dict.fromkeys(["MultiOutputRegressor", "RegressorChain", "MultiTaskElasticNet", "MultiTaskLasso"], "values2"),
    **dict.fromkeys(["MultiTaskElasticNetCV", "MultiTaskLassoCV"], "values2"),
    **dict.fromkeys(["FrozenEstimator", "GridSearchCV", "RandomizedSearchCV", "Pipeline", "PLSSVD"], "values"),
    **dict.fromkeys(["SelectFromModel", "SequentialFeatureSelector"], "values"),
}
"""The kind of target, where it isn't `classes` for classifiers and transforms or `values` for regressors."""

INPUTS = {
    "CategoricalNB": "codes",
    "IsotonicRegression": "column",
    "KernelCenterer": "kernel",
    **dict.fromkeys(["CountVectorizer", "HashingVectorizer", "TfidfVectorizer"], "texts"),
    **dict.fromkeys(["OneHotEncoder", "OrdinalEncoder", "TargetEncoder"], "categories"),
    **dict.fromkeys(["KNNImputer", "MissingIndicator", "SimpleImputer"], "gaps"),
}
"""The kind of input, where it isn't a frame of positive numbers."""

UNPACKAGEABLE = {
    **dict.fromkeys(
        ["AgglomerativeClustering", "DBSCAN", "HDBSCAN", "OPTICS", "SpectralClustering"],
        "it labels only the rows it was fitted on",
    ),
    **dict.fromkeys(["SpectralBiclustering", "SpectralCoclustering"], "it labels only the matrix it was fitted on"),
    **dict.fromkeys(["ClassicalMDS", "MDS", "SpectralEmbedding", "TSNE"], "it places only the rows it was fitted on"),
    **dict.fromkeys(
        ["EmpiricalCovariance", "GraphicalLasso", "GraphicalLassoCV", "LedoitWolf", "MinCovDet", "OAS"],
        "it estimates a covariance and has neither predict nor transform",
    ),
    "ShrunkCovariance": "it estimates a covariance and has neither predict nor transform",
    **dict.fromkeys(["KernelDensity", "NearestNeighbors"], "it has neither predict nor transform"),
    **dict.fromkeys(["LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"], "it takes targets, not rows"),
    **dict.fromkeys(["DictVectorizer", "FeatureHasher"], "it takes dictionaries, not columns"),
    "PatchExtractor": "it takes images and gives more rows than it got",
}
"""What can't be a model behind an endpoint, and why."""

REFUSED_TRANSFORMS = 16
"""At most so many transforms aren't compiled."""

UNPACKAGED = dict.fromkeys(
    ["MiniBatchNMF", "NMF"], "its solver stops by the whole batch, so that a row's answer depends on the other rows"
)
"""What no engine takes, and why."""


def inputs(kind: str) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.gamma(2.0 + i, 1.0, ROWS) for i in range(4)})
    frame["count"] = rng.integers(0, 9, ROWS)
    match kind:
        case "numbers":
            return frame
        case "codes":
            return pd.DataFrame(rng.integers(0, 4, (ROWS, 3)), columns=["a", "b", "c"])
        case "column":
            return frame[["x0"]]
        case "kernel":
            matrix = frame.to_numpy(float)[:12]
            return pd.DataFrame(matrix @ matrix.T).rename(columns=str)
        case "texts":
            words = np.array(["sun", "sea", "Straße", "1984", "don't", "東京"])
            return pd.DataFrame({"text": [" ".join(rng.choice(words, 4)) for _ in range(ROWS)]})
        case "categories":
            return pd.DataFrame({name: rng.choice(["Oslo", "Lima", "Ålesund"], ROWS) for name in ("a", "b")})
        case "gaps":
            return frame.mask(rng.random(frame.shape) < 0.1)
        case _:
            raise ValueError(kind)


def target(kind: str, rows: int) -> Any:
    frame = inputs("numbers")[:rows]
    score = frame["x0"] + frame["x1"] / 2 + np.random.default_rng(1).normal(size=rows) / 4
    match kind:
        case "classes":
            return np.digitize(score, np.quantile(score, [0.3, 0.7]))
        case "binary":
            return (score > score.median()).to_numpy()
        case "labels":
            return np.stack([score > score.median(), frame["x3"] > frame["x3"].median()], axis=1).astype(int)
        case "values":
            return score.to_numpy() + 1.0
        case "values2":
            return np.stack([score + 1.0, score - frame["x2"]], axis=1)
        case _:
            raise ValueError(kind)


def made(name: str, cls: type) -> Any:
    estimator = SETTINGS[name](cls) if name in SETTINGS else cls()
    if "random_state" in estimator.get_params(deep=False):
        estimator.set_params(random_state=0)
    return estimator


def fitted(estimator: Any, *, as_matrix: bool = False) -> Any:
    """The estimator, fitted on the data made for its name."""
    name = type(estimator).__name__
    sample = inputs(INPUTS.get(name, "numbers"))
    default = "values" if is_regressor(estimator) else "classes"
    wanted = target(TARGETS.get(name, default), len(sample))
    if INPUTS.get(name) == "texts":
        return estimator.fit(sample["text"].tolist(), wanted)
    return estimator.fit(sample.to_numpy() if as_matrix else sample, wanted)


def verdicts(name: str, cls: type, engines: Sequence[str], folder: Path, *, as_matrix: bool = False) -> list[Verdict]:
    """What becomes of the engines, in their order, until one holds."""
    with quiet_and_single():
        model = fitted(made(name, cls), as_matrix=as_matrix)
        sample = inputs(INPUTS.get(name, "numbers"))
        described = describe(model, sample, None if hasattr(model, "predict") else "transform")
        original = NativeEngine(model, described.contract)
        golden = with_jumps(original, described.contract, make_golden(original, described))
        found: list[Verdict] = []
        for engine in engines:
            found.append(judge(model, described, golden, folder / name / engine, engine))
            if found[-1].accepted:
                break
        return found


def judged(
    engines: Sequence[str], folder: Path, names: Sequence[str] | None = None, *, as_matrix: bool = False
) -> pd.DataFrame:
    """One row an estimator: its kind, the first engine that holds, and else why the last didn't."""
    rows = []
    for name, cls in all_estimators():
        if name in UNPACKAGEABLE or (names is not None and name not in names):
            continue
        try:
            last = verdicts(name, cls, engines, folder, as_matrix=as_matrix)[-1]
        except GoldenError as error:
            rows.append((name, kinds().get(name, "other"), "", str(error)))
            continue
        held = last.engine if last.accepted else ""
        rows.append((name, kinds().get(name, "other"), held, "" if held else last.reason))
    return pd.DataFrame(rows, columns=["name", "kind", "engine", "reason"]).set_index("name")


@cache
def kinds() -> dict[str, str]:
    """By the name of an estimator, which of the two kinds of predictors it is."""
    return {name: kind for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)}


@pytest.fixture(scope="module")
def untimed() -> Any:
    """Judging without more than one timing an engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "TIMING_S", 1e-9)
        patch.setattr(choose, "BATCH_ROWS", 1)
        yield


@pytest.fixture(scope="module")
def compiled(untimed: None, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    table = judged(("pure", "array"), tmp_path_factory.mktemp("compiled"))
    print(f"\n{table.to_string(max_colwidth=120)}\n{shares(table)}")  # noqa: T201 - the table is what -s is for
    return table


def shares(table: pd.DataFrame) -> str:
    counts = table.groupby(["kind", "engine"]).size().unstack(fill_value=0)
    return counts.rename(columns={"": "refused"}).to_string()


def predictors(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["kind"] != "other"]


def test_the_reasons_concern_estimators_that_exist() -> None:
    known = {name for name, _ in all_estimators()}
    assert known >= set(UNPACKAGEABLE)
    assert known - set(UNPACKAGEABLE) >= {*SETTINGS, *TARGETS, *INPUTS}


def test_most_predictors_compile(compiled: pd.DataFrame) -> None:
    """At least 70% is what the project promises; what is reached is held."""
    table = predictors(compiled)
    refused = table.index[table["engine"] == ""].tolist()
    assert len(table) > 90
    assert len(refused) <= 0.3 * len(table)
    assert refused == []


def test_what_does_not_compile_is_refused_by_name(compiled: pd.DataFrame) -> None:
    """Never by a difference: what is compiled is right."""
    refused = compiled[compiled["engine"] == ""]
    assert refused["reason"].str.contains("can't be compiled|isn't of single rows").all(), refused
    assert len(refused) <= REFUSED_TRANSFORMS


@pytest.mark.slow
def test_a_matrix_compiles_as_a_frame_does(
    compiled: pd.DataFrame, untimed: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Sums over rows that lie otherwise in memory round otherwise, and searches take other ways."""
    names = compiled.index[compiled["engine"] != ""].difference(["ColumnTransformer"]).tolist()
    table = judged(("array",), tmp_path_factory.mktemp("matrices"), names, as_matrix=True)
    assert table.index[table["engine"] == ""].tolist() == []


@pytest.mark.slow
def test_every_estimator_has_an_engine(
    compiled: pd.DataFrame, untimed: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What isn't compiled goes through onnx or native, but for what `UNPACKAGED` names."""
    rest = compiled.index[compiled["engine"] == ""].tolist()
    table = judged(("onnx", "native"), tmp_path_factory.mktemp("rest"), rest)
    print(f"\n{table.to_string(max_colwidth=120)}")  # noqa: T201 - the table is what -s is for
    assert set(table.index[table["engine"] == ""]) == set(UNPACKAGED)
