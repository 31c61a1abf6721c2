"""Requests made ahead: in order, at the same time, and no more of them than fit into memory."""

import threading

import pytest

from lightship_runtime.batch.ahead import WINDOW, WORKERS, ahead


def test_answers_come_in_order_and_items_that_need_none_pass_by() -> None:
    threads: set[str] = set()

    def squared(number: int) -> int:
        threads.add(threading.current_thread().name)
        return number * number

    found = list(ahead(squared, range(500), lambda number: number % 3 == 0))
    assert found == [(i, i * i if i % 3 == 0 else None) for i in range(500)]
    assert threading.current_thread().name not in threads
    list(ahead(squared, range(50), lambda _number: False))


def test_as_many_are_asked_at_once_as_there_are_workers() -> None:
    together = threading.Barrier(WORKERS, timeout=10)
    assert len(list(ahead(lambda _item: together.wait(), range(WORKERS * 3)))) == WORKERS * 3


def test_no_more_are_asked_than_may_wait() -> None:
    asked: list[int] = []
    answers = ahead(asked.append, range(1_000))
    for taken in range(5):
        next(answers)
        assert len(asked) <= taken + WINDOW + 2
    answers.close()  # type: ignore[attr-defined] # it is a generator
    assert len(asked) < 2 * WINDOW


def test_an_error_comes_where_its_item_does() -> None:
    answers = ahead(lambda number: 1 // (3 - number), range(10))
    assert [next(answers)[1] for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(answers)
