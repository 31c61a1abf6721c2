"""Support vector machines and other kernel methods compile to the same numbers."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

NUMBERS = ["x0", "x1", "x2", "x3", "count"]


def classes(y: Any, count: int) -> Any:
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly", "sigmoid"])
@pytest.mark.parametrize("count", [2, 4])
def test_support_classifiers(table: Any, reproduces: Any, kernel: str, count: int) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), SVC(kernel=kernel))
    reproduces(model.fit(frame[NUMBERS], classes(y, count)), frame[NUMBERS], is_pure=(kernel, count) == ("linear", 2))


@pytest.mark.parametrize(
    "model",
    [SVC(decision_function_shape="ovo"), SVC(break_ties=True), SVC(class_weight="balanced", C=50), NuSVC(nu=0.2)],
    ids=repr,
)
def test_decisions_of_support_classifiers(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), model)
    reproduces(model.fit(frame[NUMBERS], classes(y, 3)), frame[NUMBERS], is_pure=False)


@pytest.mark.filterwarnings("ignore:.*probability.*:FutureWarning")
@pytest.mark.parametrize("count", [2, 3, 5])
def test_probabilities_of_support_classifiers(table: Any, reproduces: Any, count: int) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))
    reproduces(model.fit(frame[NUMBERS], classes(y, count)), frame[NUMBERS], is_pure=False)


@pytest.mark.parametrize("model", [SVR(C=10), SVR(kernel="poly", degree=2), NuSVR(), SVR(kernel="linear")], ids=repr)
def test_support_regressors(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(missing=0)
    pure = model.kernel == "linear"
    reproduces(make_pipeline(StandardScaler(), model).fit(frame[NUMBERS], y), frame[NUMBERS], is_pure=pure)


def test_one_class(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    reproduces(make_pipeline(StandardScaler(), OneClassSVM(nu=0.1)).fit(frame[NUMBERS]), frame[NUMBERS], is_pure=False)


KERNELS = [
    None,
    kernels.RBF([1.0, 2.0, 1.0, 1.0, 3.0]) + kernels.WhiteKernel(0.1),
    kernels.ConstantKernel(2.0) * kernels.Matern(nu=1.5) + kernels.WhiteKernel(0.1),
    kernels.Matern(nu=2.5) + kernels.WhiteKernel(),
    kernels.Matern(nu=0.5) + kernels.WhiteKernel(),
    kernels.RationalQuadratic() + kernels.WhiteKernel(),
    kernels.DotProduct() ** 2 + kernels.WhiteKernel(),
    kernels.ExpSineSquared(5.0, 30.0) + kernels.WhiteKernel(2.0),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_gaussian_process_regressor(table: Any, reproduces: Any, kernel: Any) -> None:
    frame, y = table(missing=0, rows=80)
    process = GaussianProcessRegressor(kernel, alpha=1e-3, normalize_y=True, optimizer=None)
    reproduces(make_pipeline(StandardScaler(), process).fit(frame[NUMBERS], y), frame[NUMBERS], is_pure=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kernel", KERNELS[:3] + KERNELS[6:7], ids=repr)
@pytest.mark.parametrize("count", [2, 3])
def test_gaussian_process_classifier(table: Any, reproduces: Any, kernel: Any, count: int) -> None:
    frame, y = table(missing=0, rows=80)
    process = GaussianProcessClassifier(kernel, optimizer=None)
    model = make_pipeline(StandardScaler(), process).fit(frame[NUMBERS], classes(y, count))
    reproduces(model, frame[NUMBERS], is_pure=False)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", "laplacian", "cosine"])
def test_kernel_ridge(table: Any, reproduces: Any, kernel: str) -> None:
    frame, y = table(missing=0)
    numbers = StandardScaler().fit_transform(frame[NUMBERS])
    targets = y if kernel == "rbf" else np.stack([y, -y], axis=1)
    reproduces(KernelRidge(kernel=kernel).fit(numbers, targets), numbers, is_pure=False)


@pytest.mark.parametrize("kernel", ["rbf", "chi2", "additive_chi2"])
def test_kernel_maps(table: Any, reproduces: Any, kernel: str) -> None:
    frame, _ = table(missing=0)
    numbers = MinMaxScaler((0.1, 1), clip=True).fit_transform(frame[NUMBERS])
    model = make_pipeline(MinMaxScaler((0.1, 1), clip=True), Nystroem(kernel, n_components=20, random_state=0))
    reproduces(model.fit(numbers), numbers, is_pure=False)


def test_random_kernel_map(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    reproduces(
        make_pipeline(StandardScaler(), RBFSampler(random_state=0)).fit(frame[NUMBERS][:50]), frame[NUMBERS][:50]
    )


@pytest.mark.parametrize("kernel", ["rbf", "poly", "cosine"])
def test_kernel_components(table: Any, reproduces: Any, kernel: str) -> None:
    frame, _ = table(missing=0)
    model = make_pipeline(MinMaxScaler(), KernelPCA(3, kernel=kernel))
    reproduces(model.fit(frame[NUMBERS]), frame[NUMBERS], is_pure=False)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("model", [LabelPropagation(gamma=0.5), LabelSpreading(gamma=0.5)], ids=repr)
def test_label_propagation(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(missing=0)
    labels = classes(y, 3)
    labels[::3] = -1
    reproduces(make_pipeline(StandardScaler(), model).fit(frame[NUMBERS], labels), frame[NUMBERS], is_pure=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_networks(table: Any, reproduces: Any, activation: str) -> None:
    frame, y = table(missing=0)
    settings = {"activation": activation, "hidden_layer_sizes": (7, 5), "max_iter": 15, "random_state": 0}
    for target in (y > 0, classes(y, 3), np.stack([y > 0, y > 1], axis=1)):
        model = make_pipeline(StandardScaler(), MLPClassifier(**settings))
        reproduces(model.fit(frame[NUMBERS], target.astype(int)), frame[NUMBERS])
    for target in (y, np.stack([y, -y], axis=1)):
        model = make_pipeline(StandardScaler(), MLPRegressor(**settings))
        reproduces(model.fit(frame[NUMBERS], target), frame[NUMBERS])
