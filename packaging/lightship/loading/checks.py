"""Is what came out of the file a model that can serve: of this scikit-learn, with predictions to give, and fitted?"""

from collections.abc import Iterable
from typing import Any

import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from lightship.loading.errors import NotAModelError, UnfittedModelError, VersionMismatchError

_ANSWERS = ("predict", "transform")


def check_sklearn_version(recorded: Iterable[str], file: str) -> None:
    """Raises VersionMismatchError when an estimator recorded another scikit-learn than the one installed."""
    for fitted in recorded:
        if fitted != sklearn.__version__:
            raise VersionMismatchError(file, fitted, sklearn.__version__)


def check_model(model: Any, what: str) -> None:
    """Raises NotAModelError or UnfittedModelError; `what` names the model in the message."""
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    if isinstance(model, type):
        raise NotAModelError(f"{what} is the class {model.__qualname__} itself. Fit an instance of it and save that.")
    if not any(hasattr(type(model), method) or hasattr(model, method) for method in _ANSWERS):
        raise NotAModelError(
            f"{what} holds a {kind}, which has neither predict nor transform{_without_predict(model)}. "
            "Save the fitted estimator or pipeline itself."
        )
    _check_fitted(model, what, kind)
    # GridSearchCV and Pipeline offer a method only when what they hold has it.
    if not any(hasattr(model, method) for method in _ANSWERS):
        raise NotAModelError(f"{what} holds a {kind} whose last step has neither predict nor transform.")


def _without_predict(model: Any) -> str:
    if hasattr(model, "fit_predict") or hasattr(model, "fit_transform"):
        return " (it labels only the rows it was fitted on)"
    if isinstance(model, dict):
        return f" (its keys: {', '.join(map(repr, list(model)[:5]))})"
    return ""


def _check_fitted(model: Any, what: str, kind: str) -> None:
    if not hasattr(model, "fit"):
        return
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise UnfittedModelError(
            f"{what} holds a {kind} that was never fitted. Call fit before saving it. "
            "(If it needs no fitting, give its class the method __sklearn_is_fitted__.)"
        ) from error
    except TypeError:
        # Not written for scikit-learn: it has fit, and nothing by which to tell.
        return
