"""Text vectorizers with scikit-learn's own token rules."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_TOKENS = (
    "analyzer binary decode_error dtype encoding input lowercase ngram_range preprocessor stop_words strip_accents"
    " token_pattern tokenizer"
)
_VOCABULARY = f"{_TOKENS} max_df max_features min_df vocabulary"


def _analyzer(model: Any) -> dict[str, Any]:
    """The parameters of the token rules. Raises UnsupportedModelError for functions of the user's own."""
    for name in ("analyzer", "tokenizer", "preprocessor", "strip_accents"):
        value = getattr(model, name)
        if callable(value) or (name in {"tokenizer", "preprocessor"} and value is not None):
            raise UnsupportedModelError(model, f"{name}={value!r} is a function")
    if model.input != "content":
        raise UnsupportedModelError(model, f"input={model.input!r} reads files")
    if np.dtype(model.dtype) == np.float32:
        raise UnsupportedModelError(model, "it counts in single precision")
    return {
        "analyzer": model.analyzer,
        "lowercase": bool(model.lowercase),
        "accents": model.strip_accents or "",
        "pattern": model.token_pattern or "",
        "stop_words": sorted(model.get_stop_words() or ()) if model.analyzer == "word" else [],
        "ngrams": [int(n) for n in model.ngram_range],
        "binary": bool(model.binary),
    }


def _texts(model: Any, x: Value) -> Value:
    """x, which must be one column of texts given by itself, not as a table."""
    if x.kind != "raw" or x.width != 1 or not x.is_series:
        raise UnsupportedModelError(model, "it would get a table, of which it reads the column names")
    (column,) = x.columns
    if column.type not in {"text", "category"} or column.dtype == "category":
        raise UnsupportedModelError(model, f"it would get a {column.type} column of dtype {column.dtype}")
    return x


def _counted(c: Context, model: Any, x: Value) -> Value:
    terms = sorted(model.vocabulary_, key=model.vocabulary_.__getitem__)
    params = {**_analyzer(model), "vocabulary": terms}
    return c.emit(
        "text.count",
        [_texts(model, x)],
        kind="sparse",
        width=len(terms),
        dtype=np.dtype(model.dtype).name,
        params=params,
        stored_sparse=True,
    )


def normalized(c: Context, x: Value, norm: str | None) -> Value:
    if norm is None:
        return x
    return c.emit(
        "rows.normalize", [x], kind=x.kind, width=x.width, dtype=x.dtype, params={"norm": norm}, stored_sparse=True
    )


@lowers("sklearn.feature_extraction.text.CountVectorizer", params=_VOCABULARY)
class CountVectorizerLowering(Lowering):
    """How often each term occurs."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        return _counted(c, model, x)


@lowers("sklearn.feature_extraction.text.TfidfTransformer", params="norm use_idf smooth_idf sublinear_tf")
class TfidfTransformerLowering(Lowering):
    """Counts weighted by how rare a term is."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if x.kind != "sparse" or x.is_single:
            raise UnsupportedModelError(model, "it would get other than counts of a vectorizer")
        if model.sublinear_tf:
            params = {"function": "log"}
            x = c.emit("links.apply", [x], kind="sparse", width=x.width, params=params, stored_sparse=True)
            x = c.with_constant("add", x, 1.0)
        if hasattr(model, "idf_"):
            x = c.with_constant("multiply", x, model.idf_)
        x = Value(x.position, "sparse", x.width, "float64", stored_sparse=True)
        return normalized(c, x, model.norm)


@lowers("sklearn.feature_extraction.text.TfidfVectorizer", params=f"{_VOCABULARY} norm use_idf smooth_idf sublinear_tf")
class TfidfVectorizerLowering(Lowering):
    """Both at once."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        return c.transform(model._tfidf, _counted(c, model, x))


@lowers("sklearn.feature_extraction.text.HashingVectorizer", params=f"{_TOKENS} n_features norm alternate_sign")
class HashingVectorizerLowering(Lowering):
    """Terms counted by their hash."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        params = {**_analyzer(model), "signed": bool(model.alternate_sign)}
        counted = c.emit(
            "text.hash", [_texts(model, x)], kind="sparse", width=model.n_features, params=params, stored_sparse=True
        )
        return normalized(c, counted, model.norm)
