"""What the tests of packaging share: random tables, the judgement that a program does as its model does, a release, an
emulated AWS."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from lightship import package
from lightship.compile import Compiled, compile_model
from lightship.describe import Described, describe
from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Distinct, Engine, Outputs
from lightship_runtime.engines import array, pure
from lightship_runtime.engines.estimator import outputs_of
from lightship_runtime.engines.inputs import model_input

if TYPE_CHECKING:
    from lightship.rehearsal.aws import EmulatedAws
    from lightship.rehearsal.emulator.clients import Clients

type Reproduces = Callable[..., Compiled]


@pytest.fixture
def table() -> Callable[..., tuple[pd.DataFrame, np.ndarray[Any, Any]]]:
    """Mixed columns with missing values, and a target that depends on some of them."""

    def make(seed: int = 0, rows: int = 240, *, missing: float = 0.1) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({f"x{i}": rng.normal(size=rows) * 10.0 ** rng.integers(-3, 5) for i in range(4)})
        frame["count"] = rng.integers(-4, 40, rows)
        frame["flag"] = rng.random(rows) < 0.4
        frame["city"] = rng.choice(["Ålesund", "Lima", "Oslo", "東京"], rows)
        frame["code"] = rng.choice([f"c{i}" for i in range(15)], rows)
        frame["kind"] = pd.Categorical(rng.choice(list("pqrs"), rows))
        y = frame["x0"] / frame["x0"].std() + (frame["city"] == "Oslo") + frame["flag"] + rng.normal(size=rows) / 2
        for name in ("x0", "x2", "city", "kind"):
            frame.loc[rng.random(rows) < missing, name] = np.nan
        return frame, y.to_numpy()

    return make


@pytest.fixture
def reproduces(tmp_path: Path) -> Reproduces:
    """Compile the model; both engines must give its outputs on the sample, on edges of it, and on single rows."""

    def check(
        model: Any,
        sample: Any,
        *,
        tolerance: float = 1e-9,
        is_pure: bool = True,
        edges: bool = True,
        callable_as: Any = None,
        task: Any = None,
    ) -> Compiled:
        frame = sample if isinstance(sample, pd.DataFrame) else pd.DataFrame(sample)
        original = model if callable_as is None else callable_as
        described = describe(original, frame.rename(columns=str), task)
        contract = Contract.from_json(described.contract.to_json())
        folder = tmp_path / f"program{len(list(tmp_path.iterdir()))}"
        compiled = compile_model(model, contract, folder)
        assert compiled.pure is is_pure, compiled.pure_reason
        columns, expected = _with_edges(original, described, edges=edges)
        engines: list[Engine] = [array.open_engine(folder, contract)]
        if compiled.pure:
            engines.append(pure.open_engine(folder, contract))
        assert_equal(engines[0].predict([_distinct(values) for values in columns]), engines[0].predict(columns), 0)
        for engine in engines:
            assert_equal(engine.predict(columns), expected, tolerance)
            for row in {0, len(columns[0]) - 1}:
                single = engine.predict([values[row : row + 1] for values in columns])
                assert_equal(single, _row(expected, row), tolerance)
        return compiled

    return check


@dataclass(frozen=True)
class Signs:
    """A small classifier of two numbers, its 900 rows (`id`, `a`, `b`), and a release of it."""

    model: Any
    rows: pd.DataFrame
    release: Path


@pytest.fixture(scope="session")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Signs:
    """Packaged once a session: it has a real realtime.zip and batch.zip."""
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(2)
    rows = pd.DataFrame({"id": np.arange(900), "a": draw.normal(size=900), "b": draw.normal(size=900)})
    model = LogisticRegression().fit(rows[["a", "b"]], rows["a"] + rows["b"] > 0)
    out = tmp_path_factory.mktemp("signs")
    return Signs(model, rows, package(model, sample=rows[["a", "b"]][:200], out=out, name="signs").path)


@pytest.fixture(scope="module")
def aws() -> "Iterator[EmulatedAws]":
    """An emulated AWS of the module's own."""
    from lightship.rehearsal.aws import EmulatedAws

    with EmulatedAws.start() as running:
        yield running


@pytest.fixture(scope="module")
def clients(aws: "EmulatedAws") -> "Clients":
    from lightship.rehearsal.clients import clients_of

    return clients_of(aws)


@dataclass(frozen=True)
class Deploy:
    """Deploys templates to an emulated AWS as the CDK does, through change sets."""

    clients: "Clients"

    def to(self, clients: "Clients") -> "Deploy":
        """The same for another AWS."""
        return Deploy(clients)

    def __call__(self, name: str, template: dict[str, Any], **parameters: str) -> dict[str, Any]:
        """The stack as it ended."""
        cloudformation = self.clients("cloudformation")
        living = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
        change_set = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"change-{time.monotonic_ns()}",
            ChangeSetType="UPDATE" if name in living else "CREATE",
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": text} for key, text in parameters.items()],
        )
        cloudformation.execute_change_set(ChangeSetName=change_set["Id"], StackName=name)
        return self.wait(name)

    def wait(self, name: str) -> dict[str, Any]:
        """The stack once nothing is under way, by its name or id."""
        for _ in range(300):
            stack: dict[str, Any] = self.clients("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.05)
        raise AssertionError(f"{name} is still busy")


@pytest.fixture(scope="module")
def deploy(clients: "Clients") -> Deploy:
    return Deploy(clients)


def _distinct(values: list[Any]) -> Any:
    """A column of texts as batches have it, with values that no row has."""
    if not all(value is None or isinstance(value, str) for value in values):
        return values
    distinct = ["in no row", *dict.fromkeys(values), None]
    return Distinct(distinct, np.array([distinct.index(value) for value in values], dtype=np.int32))


def assert_equal(found: Outputs, expected: Outputs, tolerance: float) -> None:
    """The same outputs, values within the tolerance; NaN equals NaN."""
    for name in ("predictions", "probabilities", "scores"):
        want, got = getattr(expected, name), getattr(found, name)
        assert (want is None) == (got is None), name
        if want is not None:
            want, got = np.asarray(want, dtype=np.float64), np.asarray(got, dtype=np.float64)
            assert got.shape == want.shape, name
            with np.errstate(invalid="ignore"):
                near = np.abs(got - want) <= tolerance * (1 + np.abs(want))
            assert (near | (got == want) | (np.isnan(got) & np.isnan(want))).all(), (name, got, want)


def _row(outputs: Outputs, row: int) -> Outputs:
    def one(values: Any) -> Any:
        return None if values is None else values[row : row + 1]

    return Outputs(one(outputs.predictions), one(outputs.probabilities), one(outputs.scores))


def _with_edges(model: Any, described: Described, *, edges: bool) -> tuple[list[list[Any]], Outputs]:
    """The sample's columns with edge rows that the model answers, and what it answers to all."""
    contract = described.contract
    rows = list(zip(*described.columns, strict=True))
    more = []
    for place, column in enumerate(contract.columns):
        for value in _edges(column) if edges else ():
            row = list(rows[place % len(rows)])
            row[place] = value
            more.append(tuple(row))
    if _answers(model, contract, rows + more) is None:
        more = [row for row in more if _answers(model, contract, [row]) is not None]
    answers = _answers(model, contract, rows + more)
    assert answers is not None
    return [list(values) for values in zip(*rows, *more, strict=True)], answers


def _answers(model: Any, contract: Contract, rows: list[tuple[Any, ...]]) -> Outputs | None:
    columns = [list(values) for values in zip(*rows, strict=True)]
    try:
        with np.errstate(all="ignore"):
            return outputs_of(model, model_input(contract, columns), contract)
    except (ValueError, TypeError, IndexError):
        return None


def _edges(column: Column) -> Sequence[Any]:
    edges: list[Any] = [None] if column.nullable else []
    match column.type:
        case "number":
            low, high = column.minimum or 0.0, column.maximum or 0.0
            edges += [0.0, -0.0, 1e-300, -1e30, 1e30, low, high, math.nextafter(high, math.inf), (low + high) / 2]
        case "integer":
            edges += [0, -1, 2**31 - 1]
        case "category":
            edges += ["never seen", ""] if isinstance((column.categories or [""])[0], str) else [-99]
        case "text":
            edges += ["", "çà et là 東京 🙂", "a"]
        case _:
            pass
    return edges
