"""Several workers of one function behind one queue, as Lambda has several execution environments."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Self

from lightship.lambda_host import Function, Invocation, Worker
from lightship_runtime.errors import LightshipError


class WorkerPool:
    """`size` workers, each driven by a thread of its own. A worker that crashed is started again at once.

    Make it with `start`; end it with `stop` or as a context manager.
    """

    def __init__(self, workers: list[Worker], log: Callable[[str], None]) -> None:
        self.workers = workers
        self._log = log
        self._queue: SimpleQueue[tuple[bytes, Future[Invocation]] | None] = SimpleQueue()
        self._stopped = False
        self._threads = [threading.Thread(target=self._drive, args=(worker,), daemon=True) for worker in workers]
        for thread in self._threads:
            thread.start()

    @classmethod
    def start(cls, function: Function, size: int, log: Callable[[str], None]) -> Self:
        """Boot all workers side by side. Raises InitError, with none left running, when one doesn't come up."""
        with ThreadPoolExecutor(size) as executor:
            futures = [executor.submit(Worker.start, function, log=log) for _ in range(size)]
        errors = [error for future in futures if (error := future.exception())]
        started = [future.result() for future in futures if not future.exception()]
        if errors:
            for worker in started:
                worker.stop()
            raise errors[0]
        return cls(started, log)

    @property
    def init_ms(self) -> float:
        """The slowest worker's start."""
        return max(worker.init_ms for worker in self.workers)

    def submit(self, event: bytes) -> Future[Invocation]:
        """Have the next free worker run the event."""
        if self._stopped:
            raise LightshipError("The workers were stopped. Start the server again.")
        future: Future[Invocation] = Future()
        self._queue.put((event, future))
        return future

    def stop(self) -> None:
        """End all workers, invocations under way included."""
        self._stopped = True
        for worker in self.workers:
            worker.stop()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _drive(self, worker: Worker) -> None:
        while item := self._queue.get():
            event, future = item
            try:
                future.set_result(worker.invoke(event))
            except LightshipError as error:
                future.set_exception(error)
            if not worker.alive and not self._stopped:
                self._revive(worker)

    def _revive(self, worker: Worker) -> None:
        try:
            worker.restart()
        except LightshipError as error:
            # The next invocation tries again and, failing, tells its caller.
            if not self._stopped:
                self._log(str(error))
