"""Requests made ahead of whoever takes their answers, so that waiting for one doesn't hold up the next."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

WORKERS = 16
WINDOW = 64
"""How many answers may wait to be taken, which bounds the memory they need."""


def ahead[Item, Answer](
    action: Callable[[Item], Answer], items: Iterable[Item], wanted: Callable[[Item], bool] = lambda _item: True
) -> Iterator[tuple[Item, Answer | None]]:
    """Each item with the action's answer, in order; items that aren't `wanted` have None and cost no thread.

    Raises what the action raises, where its item comes.
    """
    waiting: deque[tuple[Item, Future[Any] | None]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(action, item) if wanted(item) else None))
                while waiting and (waiting[0][1] is None or len(waiting) > WINDOW):
                    yield _taken(waiting.popleft())
            while waiting:
                yield _taken(waiting.popleft())
        finally:
            for _, future in waiting:
                if future is not None:
                    future.cancel()


def _taken[Item](one: tuple[Item, Future[Any] | None]) -> tuple[Item, Any]:
    item, future = one
    return item, None if future is None else future.result()
