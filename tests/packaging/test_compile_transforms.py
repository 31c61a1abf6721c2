"""Transforms of numbers compile to the same numbers."""

from typing import Any

import numpy as np
import pytest
from sklearn import decomposition, random_projection
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it adds the imputer
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
TRANSFORMS = [
    PowerTransformer(),
    PowerTransformer(standardize=False),
    QuantileTransformer(n_quantiles=50),
    QuantileTransformer(n_quantiles=1000, output_distribution="normal"),
    KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform"),
    KBinsDiscretizer(4, encode="onehot", strategy="kmeans"),
    PolynomialFeatures(2),
    PolynomialFeatures(3, include_bias=False),
    PolynomialFeatures((2, 3), interaction_only=True),
    SplineTransformer(),
    SplineTransformer(degree=2, extrapolation="linear", include_bias=False),
    SplineTransformer(n_knots=7, extrapolation="periodic", knots="quantile"),
    SplineTransformer(extrapolation="continue", sparse_output=True),
    SplineTransformer(degree=1, extrapolation="error"),
    Binarizer(threshold=0.25),
    Normalizer(),
    Normalizer("l1"),
    Normalizer("max"),
    decomposition.PCA(3),
    decomposition.PCA(2, whiten=True),
    decomposition.IncrementalPCA(2),
    decomposition.TruncatedSVD(2),
    decomposition.FastICA(2, random_state=0),
    decomposition.FactorAnalysis(2),
    decomposition.SparsePCA(2, random_state=0),
    BernoulliRBM(3, n_iter=3, random_state=0),
    random_projection.GaussianRandomProjection(3, random_state=0),
    random_projection.SparseRandomProjection(3, random_state=0),
]


@pytest.mark.filterwarnings("ignore:n_quantiles:UserWarning", "ignore:.*did not converge")
@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_transforms(table: Any, reproduces: Any, transform: Any) -> None:
    frame, _ = table(missing=0)
    numbers = StandardScaler().fit_transform(frame[NUMBERS])
    reproduces(transform.fit(numbers), numbers)


@pytest.mark.filterwarnings("ignore:n_quantiles:UserWarning")
@pytest.mark.parametrize(
    "transform", [PowerTransformer(), QuantileTransformer(), SplineTransformer(handle_missing="zeros")], ids=repr
)
def test_transforms_of_missing_values(table: Any, reproduces: Any, transform: Any) -> None:
    frame, _ = table(5)
    numbers = StandardScaler().fit_transform(frame[NUMBERS])
    reproduces(transform.fit(numbers), numbers)


def test_box_cox_of_positive_numbers(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    positive = np.abs(frame[["x0", "x1"]]) + 0.1
    reproduces(PowerTransformer("box-cox").fit(positive), positive)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["absolute", "cbrt", "ceil", "expm1", "log1p", "rint", "sign", "sin", "sinh", "sqrt"])
def test_functions(table: Any, reproduces: Any, name: str) -> None:
    frame, _ = table(missing=0)
    reproduces(FunctionTransformer(getattr(np, name)).fit(frame[["x0", "x1"]]), frame[["x0", "x1"]])


@pytest.mark.parametrize("target", ["continuous", "binary", "multiclass"])
def test_target_encoder(table: Any, reproduces: Any, target: str) -> None:
    frame, y = table(2)
    labels = {"continuous": y, "binary": y > 0, "multiclass": np.digitize(y, [0, 1])}[target]
    columns = ["city", "code", "kind", "count"]
    reproduces(TargetEncoder(random_state=0).fit(frame[columns], labels), frame[columns])


@pytest.mark.parametrize(
    "selector",
    [
        SelectKBest(k=2),
        VarianceThreshold(0.1),
        SelectFromModel(Ridge()),
        RFE(LogisticRegression(), n_features_to_select=2),
        SequentialFeatureSelector(Ridge(), n_features_to_select=2, cv=2),
    ],
    ids=repr,
)
def test_selectors(table: Any, reproduces: Any, selector: Any) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), selector, LogisticRegression())
    reproduces(model.fit(frame[NUMBERS], y > 0), frame[NUMBERS])


def test_recursive_selection_predicts(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    numbers = StandardScaler().fit_transform(frame[NUMBERS])
    reproduces(RFE(LogisticRegression(), n_features_to_select=2).fit(numbers, y > 0), numbers)


@pytest.mark.parametrize("model", [PLSRegression(2), PLSCanonical(1), CCA(1), PLSSVD(1)], ids=repr)
def test_partial_least_squares(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(missing=0)
    reproduces(model.fit(frame[NUMBERS], y), frame[NUMBERS], task="transform")


def test_partial_least_squares_of_several_targets(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    reproduces(PLSRegression(2).fit(frame[NUMBERS], np.stack([y, frame["x3"]], axis=1)), frame[NUMBERS])


def test_union(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    union = make_union(StandardScaler(), KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), "passthrough")
    union.set_params(transformer_weights={"standardscaler": 0.5})
    reproduces(make_pipeline(union, Ridge()).fit(frame[NUMBERS], y), frame[NUMBERS])


def test_missing_indicator(table: Any, reproduces: Any) -> None:
    frame, _ = table(1)
    reproduces(MissingIndicator(error_on_new=False).fit(frame[NUMBERS]), frame[NUMBERS], tolerance=0)
    reproduces(MissingIndicator(features="all").fit(frame[NUMBERS]), frame[NUMBERS], tolerance=0)


def test_expansion_of_sparse_flags(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), PolynomialFeatures(2), Normalizer(), Ridge())
    with pytest.raises(Exception, match="sparse"):
        reproduces(model.fit(frame[["city"]], y), frame[["city"]])
    model = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), PolynomialFeatures(2), Binarizer(threshold=0.5), Ridge()
    )
    reproduces(model.fit(frame[["city"]], y), frame[["city"]])


def test_neighborhood_components(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    numbers = MinMaxScaler().fit_transform(frame[NUMBERS])
    model = NeighborhoodComponentsAnalysis(2, random_state=0, max_iter=5)
    reproduces(model.fit(numbers, y > 0), numbers)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_imputing_from_neighbors(table: Any, reproduces: Any, weights: str) -> None:
    frame, _ = table(4, missing=0.3)
    numbers = frame[NUMBERS].astype(float)
    numbers.iloc[5] = np.nan
    imputer = KNNImputer(n_neighbors=4, weights=weights, add_indicator=weights == "uniform")
    reproduces(imputer.fit(numbers), numbers, is_pure=False)


@pytest.mark.filterwarnings("ignore:.*convergence")
@pytest.mark.parametrize("settings", [{}, {"add_indicator": True, "initial_strategy": "median", "max_value": 3.0}])
def test_imputing_by_regression(table: Any, reproduces: Any, settings: dict[str, Any]) -> None:
    frame, _ = table(4, missing=0.3)
    numbers = StandardScaler().fit_transform(frame[NUMBERS])
    reproduces(IterativeImputer(max_iter=3, random_state=0, **settings).fit(numbers), numbers)
