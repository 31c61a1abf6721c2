"""The real function's answers to real rows, changed as an incident says: a small sample of each kind, run once."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightship.drill import rows
from lightship.drill.cloudwatch.series import MetricId
from lightship.drill.cloudwatch.template import Resource
from lightship.drill.deployment import Deployment, variables_of
from lightship.drill.faults import KEY, with_faults
from lightship.drill.incident import Change
from lightship.gateway.http_api import to_event, to_response
from lightship.gateway.messages import HttpRequest
from lightship.lambda_host import Function, Invocation
from lightship.rehearsal.emulator.emf import metrics_in
from lightship.rehearsal.emulator.filter_patterns import matches
from lightship.serving import unpacked_function
from lightship.worker_pool import WorkerPool
from lightship_runtime.contract import Contract
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release, read_contract
from lightship_runtime.replay import instances_of

if TYPE_CHECKING:
    from concurrent.futures import Future

type Row = Mapping[str, Any]

WORKERS = 3
HEALTHY, FEW = 48, 6
ROWS_A_REQUEST = 2
HANG_TIMEOUT_S = 0.5
# What a caller waits for besides the function: API Gateway's own share.
GATEWAY_MS = 12.0
MAX_SECONDS_SLEPT = 28.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request. `metrics` are those of the lines that the function printed.

    `duration_ms` is as Lambda reports it, `init_ms` what the caller waited for a cold start besides. `error` says that
    the function crashed or timed out.
    """

    status: int
    duration_ms: float
    error: bool = False
    init_ms: float = 0.0
    metrics: tuple[tuple[MetricId, float], ...] = ()
    lines: tuple[str, ...] = ()
    body: bytes = b""


@dataclass
class Answers:
    """Asks the function behind a release's realtime.zip, once for each kind of fault."""

    deployment: Deployment
    release: Release
    contract: Contract
    rows: Sequence[Row]
    objective_ms: float
    function: Function
    pool: WorkerPool
    _known: dict[tuple[object, ...], list[Answer]] = field(default_factory=dict)

    def healthy(self) -> list[Answer]:
        """Answers of a warm function to rows as they were when the model was packaged."""
        return self._once(("healthy",), lambda: self._ask([{}] * HEALTHY))

    def cold(self) -> list[Answer]:
        """First answers of freshly started functions."""
        self.healthy()
        return self._known[("cold",)]

    def under(self, change: Change) -> list[Answer]:
        """Answers under a change of requests."""
        key = (change.kind, json.dumps(dict(change.options), sort_keys=True))
        return self._once(key, lambda: self._under(change))

    def seconds_of(self, change: Change) -> float:
        """How long a slow model takes, in terms of what the service promises and of its timeout."""
        objectives = change.number("objectives", 0.0) * self.objective_ms / 1000
        return max(objectives, change.number("timeouts", 0.0) * self.deployment.timeout_s)

    def score(self, sent: Sequence[Row], at_ms: int) -> Answer:
        """One request with many rows, at a time of the incident's own."""
        (answer,) = self._sent([(sent, {"at_ms": at_ms})])
        return answer

    def asked(self, count: int) -> list[tuple[Answer, Sequence[Row]]]:
        """Healthy answers, each with the rows that were asked."""
        sent = [self.rows[ROWS_A_REQUEST * number :][:ROWS_A_REQUEST] for number in range(count)]
        return list(zip(self._sent([(each, {}) for each in sent]), sent, strict=True))

    def _once(self, key: tuple[object, ...], ask: Any) -> list[Answer]:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]

    def _under(self, change: Change) -> list[Answer]:
        match change.kind:
            case "model-raises":
                return self._ask([{"raises": True}] * FEW)
            case "function-dies":
                died = self._ask([{"dies": True}] * FEW)
                # What is asked next must not be told of the starts that follow.
                self._first_answers()
                return died
            case "function-times-out":
                return self._hang()
            case "slow":
                seconds = self.seconds_of(change)
                # Asleep for no longer than API Gateway waits; each worker once.
                return self._ask([{"seconds": min(seconds, MAX_SECONDS_SLEPT)}] * WORKERS)
            case "bad-requests":
                return self._ask([{}] * FEW, broken=True)
            case kind if kind in rows.KINDS:
                hit = rows.changed(self.rows[: FEW * ROWS_A_REQUEST], change, self.contract, hours=math.inf)
                return self._sent(
                    [(hit[place : place + ROWS_A_REQUEST], {}) for place in range(0, len(hit), ROWS_A_REQUEST)]
                )
            case kind:
                raise ValueError(f"{kind} is no change of requests")

    def _ask(self, drills: Sequence[Mapping[str, Any]], *, broken: bool = False) -> list[Answer]:
        asked = []
        for number, drill in enumerate(drills):
            sent = [self.rows[(ROWS_A_REQUEST * number + place) % len(self.rows)] for place in range(ROWS_A_REQUEST)]
            if broken:
                # A caller that lost a column of the contract.
                sent = [dict(list(row.items())[1:]) for row in sent]
            asked.append((sent, drill))
        return self._sent(asked)

    def _sent(self, asked: Sequence[tuple[Sequence[Row], Mapping[str, Any]]]) -> list[Answer]:
        futures = [self.pool.submit(_event(sent, drill)) for sent, drill in asked]
        return [self._answer(future) for future in futures]

    def _answer(self, future: "Future[Invocation]") -> Answer:
        done = future.result()
        response = to_response(done.payload, error=done.error)
        printed = tuple(_printed(done.logs, self.deployment, self.deployment.predict))
        lines = tuple(line for line in done.logs if line.startswith("{"))
        return Answer(response.status, done.ms, done.error, metrics=printed, lines=lines, body=response.body)

    def _hang(self) -> list[Answer]:
        """A function that runs out of time: run with a short timeout, and reported as long as the deployed one."""
        short = replace(self.function, timeout_s=HANG_TIMEOUT_S)
        with WorkerPool.start(short, 1, _unheard) as pool:
            done = pool.submit(_event(self.rows[:1], {"hangs": True})).result()
        response = to_response(done.payload, error=done.error)
        return [Answer(response.status, 1000 * self.deployment.timeout_s, done.error)]

    def warm_up(self) -> None:
        """Take each worker's first answer, which tells of its cold start."""
        self._known[("cold",)] = self._first_answers()

    def _first_answers(self) -> list[Answer]:
        answers = []
        for worker in self.pool.workers:
            done = worker.invoke(_event(self.rows[:1], {}))
            printed = tuple(_printed(done.logs, self.deployment, self.deployment.predict))
            response = to_response(done.payload, error=done.error)
            answers.append(Answer(response.status, done.ms, done.error, worker.init_ms, printed))
        return answers


@contextmanager
def answers_of(folder: Path, deployment: Deployment, objective_ms: float) -> Iterator[Answers]:
    """The function of a release folder, booted with the environment that the template gives it."""
    release = Release.read(folder)
    golden = read_golden(folder / GOLDEN)
    contract = read_contract(folder)
    # The rest of the golden rows were made to find silent errors, and are like no caller's.
    golden_rows = instances_of(golden.select(range(golden.sampled)) if golden.sampled else golden, contract)
    variables = {key: text for key, text in variables_of(deployment.predict).items() if key.startswith("LIGHTSHIP_")}
    with ExitStack() as stack:
        plain = stack.enter_context(
            unpacked_function(folder, release, timeout_s=MAX_SECONDS_SLEPT + 2, environment=variables)
        )
        function = with_faults(plain, release)
        pool = stack.enter_context(WorkerPool.start(function, WORKERS, _unheard))
        answers = Answers(deployment, release, contract, golden_rows, objective_ms, function, pool)
        answers.warm_up()
        yield answers


def _unheard(_line: str) -> None:
    """Crashes are what a drill is about; their tracebacks are in the answers."""


def _event(sent: Sequence[Row], drill: Mapping[str, Any]) -> bytes:
    body = json.dumps({"instances": list(sent)}).encode()
    request = HttpRequest("POST", "/predict", headers=(("content-type", "application/json"),), body=body)
    return json.dumps({**to_event(request), KEY: drill}).encode()


def _printed(lines: Sequence[str], deployment: Deployment, function: Resource) -> Iterator[tuple[MetricId, float]]:
    """The metrics in what a function printed: embedded ones, and those of its log group's metric filters."""
    group = function.properties.get("LoggingConfig", {}).get("LogGroup")
    filters = [
        each for each in deployment.stack.of_type("AWS::Logs::MetricFilter") if each.properties["LogGroupName"] == group
    ]
    for line in lines:
        yield from embedded(line)
        for each in filters:
            if matches(each.properties["FilterPattern"], line):
                yield from _filtered(json.loads(line), each)


def embedded(line: str) -> Iterator[tuple[MetricId, float]]:
    """The metrics of a line in embedded metric format."""
    for namespace, datum in metrics_in(line):
        metric = MetricId.of(namespace, datum["MetricName"], {d["Name"]: d["Value"] for d in datum["Dimensions"]})
        yield from ((metric, float(value)) for value in datum["Values"])


def _filtered(document: Mapping[str, Any], made: Resource) -> Iterator[tuple[MetricId, float]]:
    for transformation in made.properties["MetricTransformations"]:
        dimensions = {each["Key"]: _selected(document, each["Value"]) for each in transformation.get("Dimensions", ())}
        value = str(transformation["MetricValue"])
        number = float(_selected(document, value)) if value.startswith("$") else float(value)
        names = {key: str(text) for key, text in dimensions.items()}
        yield MetricId.of(transformation["MetricNamespace"], transformation["MetricName"], names), number


def _selected(document: Mapping[str, Any], selector: str) -> Any:
    value: Any = document
    for part in selector.removeprefix("$.").split("."):
        value = value[part]
    return value
