"""The queue between threads: bounded, in order, honest about errors, gone when it is not needed."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from streams.prefetch import prefetch


def wait_until(is_so: object, seconds: float = 5.0) -> None:
    assert callable(is_so)
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def test_items_come_in_order_and_all_of_them() -> None:
    assert list(prefetch(range(100), 3)) == list(range(100))


def test_never_more_than_its_depth_waits() -> None:
    made = []

    def maker() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    queue = prefetch(maker(), 4)
    wait_until(lambda: len(made) == 5)
    time.sleep(0.05)
    # Four wait, and one is made and finds no room.
    assert len(made) == 5
    assert next(queue) == 0
    wait_until(lambda: len(made) == 6)
    queue.close()


def test_an_error_crosses_after_the_items_before_it() -> None:
    def maker() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("the third is missing")

    queue = prefetch(maker(), 8)
    assert [next(queue), next(queue)] == [1, 2]
    with pytest.raises(LookupError, match="third"):
        next(queue)
    assert list(queue) == []


def test_ready_says_whether_a_take_would_wait() -> None:
    gate = threading.Event()

    def maker() -> Iterator[int]:
        yield 1
        gate.wait(5)
        yield 2

    queue = prefetch(maker(), 2)
    wait_until(queue.ready)
    assert next(queue) == 1
    assert not queue.ready()
    gate.set()
    wait_until(queue.ready)
    assert list(queue) == [2]
    assert queue.ready()


def test_closing_stops_the_maker_and_runs_its_finally() -> None:
    closed = threading.Event()

    def maker() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with prefetch(maker(), 2) as queue:
        next(queue)
    assert closed.wait(5)
    assert list(queue) == []


def test_a_forgotten_queue_stops_its_maker() -> None:
    closed = threading.Event()

    def maker() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    queue = prefetch(maker(), 2)
    next(queue)
    del queue
    gc.collect()
    assert closed.wait(5)


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0"):
        prefetch([], 0)
