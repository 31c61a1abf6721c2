"""Teaches moto's distributed map to fail as AWS's does, and to run again only the children that didn't succeed.

By itself moto ends a map well whatever its children do. Here no child starts once more of them failed than is
tolerated, those that run are let end and count as aborted, and the map fails.
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lightship.rehearsal.emulator.seams import replace

CAUSE = "The specified tolerated failure threshold was exceeded"


@dataclass
class Children:
    """What a map runs over, and the outputs of those children that succeeded, by the place of their item."""

    items: list[Any]
    outputs: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """As the definition has it; without either no failure is tolerated."""

    count: int = 0
    percent: float = 0.0

    def is_exceeded(self, failed: int, items: int) -> bool:
        if not self.count and not self.percent:
            return failed > 0
        over_count = self.count > 0 and failed > self.count
        return over_count or (self.percent > 0 and failed * 100 > self.percent * items)


class Pool:
    """Hands a map's children to moto's workers: those without an output, in order.

    `make` gives the job of a place; `goes_on` tells whether the execution wasn't stopped.
    """

    def __init__(
        self, children: Children, tolerance: Tolerance, make: Callable[[int], Any], goes_on: Callable[[], bool]
    ) -> None:
        self._children = children
        self._tolerance = tolerance
        self._goes_on = goes_on
        waiting = [place for place in range(len(children.items)) if place not in children.outputs]
        self._waiting = [make(place) for place in reversed(waiting)]
        self._running = 0
        self._failed = 0
        self._changed = threading.Condition()

    def next_job(self) -> Any:
        """The next child, from then on running; None where no more may start."""
        with self._changed:
            if not self._may_start():
                return None
            self._running += 1
            return self._waiting.pop()

    def settle(self, place: int, *, succeeded: bool, output: Any) -> None:
        """A child's program ended. What ends when the map has already failed is aborted."""
        with self._changed:
            if self.has_failed:
                return
            if succeeded:
                self._children.outputs[place] = output
            else:
                self._failed += 1

    def close_job(self, _job: Any) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def await_jobs(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._running and not self._may_start())

    @property
    def has_failed(self) -> bool:
        return self._tolerance.is_exceeded(self._failed, len(self._children.items))

    def _may_start(self) -> bool:
        return bool(self._waiting) and not self.has_failed and self._goes_on()


def install(children_of: Callable[[Any, list[Any]], Children]) -> None:
    """Put the seams in place. `children_of` gives a map's children from its environment and the items that it read."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import distributed_iteration_component
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
        distributed_item_processor_worker,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError

    component = distributed_iteration_component.DistributedIterationComponent
    worker = distributed_item_processor_worker.DistributedItemProcessorWorker
    evaluate = worker._eval_job

    def new_eval_job(self: Any, env: Any, job: Any) -> None:
        evaluate(self, env, job)
        ended = env.program_state()
        if isinstance(ended, ProgramError):
            sys.stderr.write(f"The item {job.job_index} of {self._work_name} failed: {ended.error}\n")
        self._job_pool.settle(job.job_index, succeeded=isinstance(ended, ProgramEnded), output=job.job_output)

    def new_map_run(self: Any, env: Any, eval_input: Any) -> None:
        children = children_of(env, env.stack.pop())
        program = self._get_iteration_program()
        pool = Pool(
            children,
            Tolerance(eval_input.tolerated_failure_count, eval_input.tolerated_failure_percentage),
            lambda place: Job(job_index=place, job_program=program, job_input=children.items[place]),
            env.is_running,
        )
        for _ in range(eval_input.map_run_record.max_concurrency or len(children.items)):
            self._launch_worker(env=env, eval_input=eval_input, job_pool=pool)
        pool.await_jobs()
        if pool.has_failed:
            raise _threshold_exceeded(env)
        env.stack.append([children.outputs.get(place) for place in range(len(children.items))])

    replace(worker, "_eval_job", new_eval_job)
    replace(component, "_map_run", new_map_run)


def _threshold_exceeded(env: Any) -> Exception:
    from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType

    kind = StatesErrorNameType.StatesExceedToleratedFailureThreshold
    details: Any = {"executionFailedEventDetails": ExecutionFailedEventDetails(error=kind.to_name(), cause=CAUSE)}
    event = FailureEvent(
        env=env,
        error_name=StatesErrorName(typ=kind),
        event_type=HistoryEventType.MapRunFailed,
        event_details=details,
    )
    raised: Exception = FailureEventException(failure_event=event)
    return raised
