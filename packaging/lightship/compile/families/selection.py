"""Feature selectors: a choice of columns, and the estimator that a recursive one fitted on them."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_SCORED = "score_func k percentile alpha mode param"
_FITTED = (
    "estimator threshold prefit norm_order max_features importance_getter n_features_to_select step verbose"
    " min_features_to_select cv scoring n_jobs tol direction"
)


@lowers(
    "sklearn.feature_selection.SelectKBest",
    "sklearn.feature_selection.SelectPercentile",
    "sklearn.feature_selection.SelectFpr",
    "sklearn.feature_selection.SelectFdr",
    "sklearn.feature_selection.SelectFwe",
    "sklearn.feature_selection.GenericUnivariateSelect",
    params=_SCORED,
)
@lowers("sklearn.feature_selection.VarianceThreshold", params="threshold")
@lowers(
    "sklearn.feature_selection.SelectFromModel", "sklearn.feature_selection.SequentialFeatureSelector", params=_FITTED
)
class SelectorLowering(Lowering):
    """The columns it keeps."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        kept = np.flatnonzero(model.get_support()).tolist()
        if not kept:
            raise UnsupportedModelError(model, "it selects no column")
        return c.pick(x if x.kind == "sparse" else c.dense(x), kept)


@lowers("sklearn.feature_selection.RFE", "sklearn.feature_selection.RFECV", params=_FITTED)
class RecursiveSelectorLowering(SelectorLowering):
    """Its predictions are those of the estimator fitted on the columns it keeps."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict(model.estimator_, self.transform(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict_proba(model.estimator_, self.transform(c, model, x))

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.decision_function(model.estimator_, self.transform(c, model, x))
