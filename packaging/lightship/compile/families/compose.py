"""Pipelines, column transformers and unions: nothing of their own, only the order of what they hold."""

from dataclasses import replace
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers("sklearn.pipeline.Pipeline", params="steps transform_input memory verbose")
class PipelineLowering(Lowering):
    """Transforms with every step but the last, then whatever the last one is asked for."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        return transformed(c, model.steps[-1][1], self._before_last(c, model, x))

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict(model.steps[-1][1], self._before_last(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict_proba(model.steps[-1][1], self._before_last(c, model, x))

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.decision_function(model.steps[-1][1], self._before_last(c, model, x))

    def score_samples(self, c: Context, model: Any, x: Value) -> Value:
        return c.lower("score_samples", model.steps[-1][1], self._before_last(c, model, x))

    def _before_last(self, c: Context, model: Any, x: Value) -> Value:
        for _, step in model.steps[:-1]:
            x = transformed(c, step, x)
        return x


def transformed(c: Context, step: Any, x: Value) -> Value:
    """What a step, which may be None or "passthrough", makes of x."""
    return x if step is None or (isinstance(step, str) and step == "passthrough") else c.transform(step, x)


@lowers(
    "sklearn.compose.ColumnTransformer",
    params="transformers remainder sparse_threshold n_jobs transformer_weights verbose verbose_feature_names_out",
)
class ColumnTransformerLowering(Lowering):
    """Each transformer gets the columns it was fitted on; the results stand side by side."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        parts = []
        weights = model.transformer_weights or {}
        for name, transformer, chosen in model.transformers_:
            places = model._transformer_to_input_indices[name]
            if len(places) == 0 or (isinstance(transformer, str) and transformer == "drop"):
                continue
            given = replace(c.pick(x, places), is_series=isinstance(chosen, str | int | np.integer))
            part = transformed(c, transformer, given)
            if name in weights:
                part = c.with_constant("multiply", part if part.kind == "sparse" else c.floats(part), weights[name])
            if part.width:
                parts.append(part)
        if not parts:
            raise UnsupportedModelError(model, "it leaves no column")
        joined = c.concat(parts)
        if joined.kind == "sparse" and not model.sparse_output_:
            joined = c.dense(joined)
        return replace(joined, stored_sparse=bool(model.sparse_output_))


@lowers(
    "sklearn.pipeline.FeatureUnion",
    params="transformer_list n_jobs transformer_weights verbose verbose_feature_names_out",
)
class FeatureUnionLowering(Lowering):
    """Every transformer gets the same columns; the results stand side by side."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        parts = []
        weights = model.transformer_weights or {}
        for name, transformer in model.transformer_list:
            if isinstance(transformer, str) and transformer == "drop":
                continue
            part = transformed(c, transformer, x)
            if weights.get(name) is not None:
                part = c.with_constant("multiply", part if part.kind == "sparse" else c.floats(part), weights[name])
            if part.width:
                parts.append(part)
        if not parts:
            raise UnsupportedModelError(model, "it leaves no column")
        return c.concat(parts)
