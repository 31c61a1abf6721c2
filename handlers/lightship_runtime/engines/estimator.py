"""Asks a scikit-learn compatible model for its outputs: what the golden rows record and what `native` answers."""

from typing import Any

import numpy as np

from lightship_runtime.contract import Contract
from lightship_runtime.engine import Outputs


def outputs_of(model: Any, X: Any, contract: Contract) -> Outputs:
    """Predict `X`, a frame, matrix or list of n rows, and put the result in the terms of `Outputs`."""
    match contract.output.task:
        case "binary" | "multiclass":
            return _classification(model, X, contract)
        case "multilabel":
            predictions = np.asarray(_dense(model.predict(X))).astype(int)
            return Outputs(predictions, _label_probabilities(model, X) if contract.output.probabilities else None)
        case "outlier":
            score = model.decision_function if hasattr(model, "decision_function") else model.score_samples
            return Outputs(np.asarray(model.predict(X)), scores=np.asarray(score(X), dtype=np.float64))
        case "clustering":
            return Outputs(np.asarray(model.predict(X)))
        case "regression":
            return Outputs(_values(model.predict(X)))
        case "transform":
            # SparsePCA gives a single row without its first dimension.
            return Outputs(_values(_dense(model.transform(X))).reshape(len(X), -1))


def _classification(model: Any, X: Any, contract: Contract) -> Outputs:
    position = {label: index for index, label in enumerate(contract.output.classes)}
    labels = np.asarray(model.predict(X)).ravel().tolist()
    predictions = np.array([position[label] for label in labels])
    if contract.output.probabilities:
        return Outputs(predictions, np.asarray(model.predict_proba(X), dtype=np.float64))
    scores = np.asarray(model.decision_function(X), dtype=np.float64) if hasattr(model, "decision_function") else None
    return Outputs(predictions, scores=scores)


def _label_probabilities(model: Any, X: Any) -> Any:
    """P(label = 1) for each of k labels, (n, k). Forests and neighbours give a list of k (n, 2) arrays."""
    probabilities = model.predict_proba(X)
    if not isinstance(probabilities, list):
        return np.asarray(probabilities, dtype=np.float64)
    classes = model.classes_
    columns = [
        each[:, list(seen).index(1)] if 1 in list(seen) else np.zeros(len(each))
        for each, seen in zip(probabilities, classes, strict=True)
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _values(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64)


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else values
