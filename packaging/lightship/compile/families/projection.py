"""Linear projections."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_PCA = (
    "n_components copy whiten svd_solver tol iterated_power n_oversamples power_iteration_normalizer random_state"
    " batch_size"
)
_RANDOM = "n_components density eps dense_output compute_inverse_components random_state"


@lowers("sklearn.decomposition.PCA", "sklearn.decomposition.IncrementalPCA", params=_PCA)
class PCALowering(Lowering):
    """Components of the row less those of the mean; of variance 1 where whitened."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        components = np.asarray(model.components_)
        offset = -(np.reshape(model.mean_, (1, -1)) @ components.T)[0]
        x = x if x.kind == "sparse" else c.floats(x)
        projected = c.product(x, components, offset)
        if not model.whiten:
            return projected
        scale = np.sqrt(model.explained_variance_)
        return c.with_constant("divide", projected, np.maximum(scale, np.finfo(scale.dtype).eps))


@lowers(
    "sklearn.decomposition.TruncatedSVD",
    params="n_components algorithm n_iter n_oversamples power_iteration_normalizer random_state tol",
)
@lowers("sklearn.random_projection.GaussianRandomProjection", params=_RANDOM)
@lowers("sklearn.random_projection.SparseRandomProjection", params=_RANDOM)
@lowers(
    "sklearn.neighbors.NeighborhoodComponentsAnalysis",
    params="n_components init warm_start max_iter tol callback verbose random_state",
)
class ProjectionLowering(Lowering):
    """The components of the row."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        components = model.components_
        weights = np.asarray(components.toarray() if hasattr(components, "toarray") else components)
        x = x if x.kind == "sparse" else c.floats(x)
        return c.product(x, weights, 0.0)


@lowers(
    "sklearn.decomposition.FastICA",
    params="n_components algorithm whiten fun fun_args max_iter tol w_init whiten_solver random_state",
)
class FastICALowering(Lowering):
    """The components of the row less the mean."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = in_doubles(c, model, x)
        if model.whiten:
            x = c.with_constant("subtract", x, model.mean_)
        return c.product(x, np.asarray(model.components_, dtype=np.float64), 0.0)


@lowers(
    "sklearn.decomposition.SparsePCA",
    "sklearn.decomposition.MiniBatchSparsePCA",
    params="n_components alpha ridge_alpha max_iter tol method n_jobs U_init V_init verbose random_state callback"
    " batch_size shuffle max_no_improvement",
)
class SparsePCALowering(Lowering):
    """Ridge regression of the centred row on the components, which is linear in the row."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        components = np.asarray(model.components_, dtype=np.float64)
        gram = components @ components.T + model.ridge_alpha * np.eye(len(components))
        x = c.with_constant("subtract", in_doubles(c, model, x), model.mean_)
        return c.product(x, np.linalg.solve(gram, components), 0.0)


@lowers(
    "sklearn.decomposition.FactorAnalysis",
    params="n_components tol copy max_iter noise_variance_init svd_method iterated_power rotation random_state",
)
class FactorAnalysisLowering(Lowering):
    """The expected latent variables (Barber, Bayesian Reasoning and Machine Learning, 21.2.33)."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        loadings = np.asarray(model.components_) / np.asarray(model.noise_variance_)
        covariance = np.linalg.inv(np.eye(len(loadings)) + loadings @ model.components_.T)
        x = c.with_constant("subtract", in_doubles(c, model, x), model.mean_)
        return c.product(c.product(x, loadings.astype(np.float64), 0.0), covariance.T.astype(np.float64), 0.0)


@lowers(
    "sklearn.cross_decomposition.PLSRegression",
    "sklearn.cross_decomposition.PLSCanonical",
    "sklearn.cross_decomposition.CCA",
    params="n_components scale algorithm max_iter tol copy",
)
class PLSLowering(Lowering):
    """Rotations of the scaled row; predictions are linear in the centred one."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = c.with_constant("subtract", in_doubles(c, model, x), model._x_mean)
        x = c.with_constant("divide", x, model._x_std)
        return c.product(x, np.asarray(model.x_rotations_, dtype=np.float64).T, 0.0)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        x = c.with_constant("subtract", in_doubles(c, model, x), model._x_mean)
        return c.product(x, np.asarray(model.coef_, dtype=np.float64), model.intercept_)


@lowers("sklearn.cross_decomposition.PLSSVD", params="n_components scale copy")
class PLSSVDLowering(Lowering):
    """Weights times the scaled row."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = c.with_constant("subtract", in_doubles(c, model, x), model._x_mean)
        x = c.with_constant("divide", x, model._x_std)
        return c.product(x, np.asarray(model.x_weights_, dtype=np.float64).T, 0.0)
