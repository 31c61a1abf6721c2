"""Teaches moto's Step Functions RedriveExecution, which it lacks.

A failed execution goes on under its ARN, its name and its input, in the state that failed, with the input which that
state had; attempts, and the time that the definition allows, are counted anew. Of a distributed map only the children
without success run again, over the items that it read first. The map within a map, the iterations of an inline map and
the branches of a parallel state all run again; in ListMapRuns the redriven map is another one.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import copy
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lightship.rehearsal.emulator import map_runs
from lightship.rehearsal.emulator.map_runs import Children
from lightship.rehearsal.emulator.seams import replace

REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass
class Run:
    """What a redrive needs to know of an execution: the state that was entered last, with its input, and of a
    distributed map its children. `again`: that state is being redriven."""

    state: str | None = None
    given: Any = None
    children: Children | None = None
    again: bool = False
    redrives: int = 0
    redriven: datetime | None = None
    tokens: dict[str, datetime] = field(default_factory=dict)

    def enter(self, state: str, given: Any) -> None:
        self.again = self.again and state == self.state
        self.state, self.given = state, given

    def children_of(self, state: str, items: list[Any]) -> Children:
        """Those that there are where the map is redriven. A map within a map's child isn't remembered."""
        if state != self.state:
            return Children(items)
        if self.children is None or not self.again:
            self.children = Children(items)
        self.again = False
        return self.children

    def redrive(self, now: datetime) -> datetime:
        self.again = True
        self.redrives += 1
        self.redriven = now
        return now

    def told(self) -> dict[str, Any]:
        """As ListExecutions and DescribeExecution have it."""
        date = {"redriveDate": self.redriven} if self.redriven else {}
        return {"redriveCount": self.redrives, **date}


def why_not(status: str) -> str | None:
    """Why an execution can't be redriven, as DescribeExecution words it; None where it can."""
    return None if status in REDRIVABLE else f"Execution is {status} and cannot be redriven."


class Runs:
    """The executions by ARN."""

    def __init__(self) -> None:
        self._by_arn: dict[str, Run] = {}
        self.lock = threading.Lock()

    def __getitem__(self, arn: str) -> Run:
        return self._by_arn.setdefault(arn, Run())

    def of(self, env: Any) -> Run:
        return self[env.states.context_object.context_object_data["Execution"]["Id"]]


def install() -> None:
    """Put the seams in place."""
    runs = Runs()
    _remember(runs)
    _answer(runs)


def _remember(runs: Runs) -> None:
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    evaluate = CommonStateField._eval_body

    def enter(self: Any, env: Any) -> None:
        if not env.is_frame():
            runs.of(env).enter(self.name, env.states.get_input())
        evaluate(self, env)

    def children_of(env: Any, items: list[Any]) -> Children:
        return runs.of(env).children_of(env.states.context_object.context_object_data["State"]["Name"], items)

    replace(CommonStateField, "_eval_body", enter)
    map_runs.install(children_of)


def _answer(runs: Runs) -> None:
    """RedriveExecution, and what DescribeExecution and ListExecutions say of it."""
    from moto.core.exceptions import AWSError
    from moto.core.responses import ActionResult
    from moto.stepfunctions.responses import StepFunctionResponse

    class ExecutionNotRedrivable(AWSError):  # noqa: N818 - AWS's own name
        TYPE = "ExecutionNotRedrivable"
        STATUS = 400

    describe: Any = StepFunctionResponse.describe_execution
    list_them: Any = StepFunctionResponse.list_executions

    def redrive(self: Any) -> Any:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        run, token = runs[execution.exec_arn], self._get_param("clientToken")
        with runs.lock:
            if token not in run.tokens:
                if reason := why_not(execution.status):
                    raise ExecutionNotRedrivable(reason)
                run.tokens[token] = run.redrive(datetime.now(UTC))
                _go_on(execution, run)
        return ActionResult({"redriveDate": run.tokens[token]})

    def new_describe(self: Any) -> Any:
        told = describe(self).result
        reason = why_not(told["status"])
        status = {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason} if reason else {}
        return ActionResult({**told, **runs[told["executionArn"]].told(), "redriveStatus": "REDRIVABLE", **status})

    def new_list(self: Any) -> Any:
        told = list_them(self).result
        executions = [{**each, **runs[each["executionArn"]].told()} for each in told["executions"]]
        return ActionResult({**told, "executions": executions})

    replace(StepFunctionResponse, "redrive_execution", redrive)
    replace(StepFunctionResponse, "describe_execution", new_describe)
    replace(StepFunctionResponse, "list_executions", new_list)


def _go_on(execution: Any, run: Run) -> None:
    """Start the execution's program at the state that failed, in an environment that continues the last one."""
    from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt

    before = execution.exec_worker.env
    worker = execution._get_start_execution_worker()
    env = worker._get_evaluation_environment()
    for kept in ("event_manager", "event_history_context", "map_run_record_pool_manager", "variable_store"):
        setattr(env, kept, getattr(before, kept))
    env.states.context_object.context_object_data["Execution"] |= {
        "RedriveCount": run.redrives,
        "RedriveTime": str(run.redriven and run.redriven.isoformat()),
    }
    program = worker._get_evaluation_entrypoint()
    if run.state is not None:
        program.start_at = StartAt(run.state)
        env.states.reset(copy.deepcopy(run.given))
    worker.env = env
    execution.exec_worker = worker
    execution.stop_date = execution.error = execution.cause = None
    execution.exec_status = ExecutionStatus.RUNNING

    def go_on() -> None:
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details={"executionRedrivenEventDetails": {"redriveCount": run.redrives}},
        )
        program.eval(env)
        worker._execution_communication.terminated()

    threading.Thread(target=go_on, name="redrive", daemon=True).start()
