"""Calibrated probabilities: a classifier's scores through a fitted curve."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers("sklearn.calibration.CalibratedClassifierCV", params="estimator method cv n_jobs ensemble")
class CalibratedClassifierLowering(Lowering):
    """The mean of the calibrated classifiers' probabilities."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.argmax(self.predict_proba(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        parts = [_calibrated(c, each, x) for each in model.calibrated_classifiers_]
        return c.average(parts, [1.0] * len(parts), len(parts))


def _calibrated(c: Context, model: Any, x: Value) -> Value:
    known = list(model.estimator.classes_)
    if known != list(model.classes) and known != list(range(len(model.classes))):
        raise UnsupportedModelError(model, "one of its classifiers lacks a class")
    scores, method = c.response(model.estimator, x, ["decision_function", "predict_proba"])
    scores = c.doubles(scores)
    if model.method == "temperature":
        return _tempered(c, model, scores, method)
    if model.method not in {"sigmoid", "isotonic"}:
        raise UnsupportedModelError(model, f"the method {model.method!r} is not known")
    parts = [_curve(c, model, calibrator, c.pick(scores, [i])) for i, calibrator in enumerate(model.calibrators)]
    if len(model.classes) == 2:
        return c.complement(parts[0])
    return c.normalize(c.concat(parts), empty=1 / len(parts))


def _curve(c: Context, model: Any, calibrator: Any, x: Value) -> Value:
    match type(calibrator).__name__:
        case "_SigmoidCalibration":
            slope = c.with_constant("add", c.with_constant("multiply", x, calibrator.a_), calibrator.b_)
            return c.apply("expit", c.apply("negative", slope))
        case "IsotonicRegression":
            return c.predict(calibrator, x)
        case other:
            raise UnsupportedModelError(model, f"its calibrator {other} is not known")


def _tempered(c: Context, model: Any, scores: Value, method: str) -> Value:
    (calibrator,) = model.calibrators
    if type(calibrator).__name__ != "_TemperatureScaling":
        raise UnsupportedModelError(model, f"its calibrator {type(calibrator).__name__} is not known")
    if method == "predict_proba":
        both = c.complement(scores) if scores.width == 1 else scores
        logits = c.apply("log", c.with_constant("add", both, float(np.finfo(np.float64).eps)))
    else:
        logits = c.concat([c.apply("negative", scores), scores]) if scores.width == 1 else scores
    return c.softmax(c.with_constant("multiply", logits, calibrator.beta_))


@lowers("sklearn.isotonic.IsotonicRegression", params="y_min y_max increasing out_of_bounds")
class IsotonicRegressionLowering(Lowering):
    """Straight lines between the fitted points; outside of them the nearest value, or none."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        if model.out_of_bounds not in {"clip", "nan"}:
            raise UnsupportedModelError(model, f"out_of_bounds={model.out_of_bounds!r} is not known")
        points = np.asarray(model.X_thresholds_)
        if points.dtype != np.float64:
            raise UnsupportedModelError(model, f"it was fitted in {points.dtype}")
        arrays = {"x": points, "y": np.asarray(model.y_thresholds_, dtype=np.float64)}
        params = {"bounded": model.out_of_bounds == "nan" and len(points) > 1}
        return c.emit("piecewise.linear", [c.doubles(x)], width=1, params=params, arrays=arrays)

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        return self.predict(c, model, x)
