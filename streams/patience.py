"""A limit on the work that library code may spend on one file: some heads are made to be read for hours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Of the processor, in one thread: honest films need a hundredth. A disk or a pipe may be slow for as long as it likes.
_MOST_WORK_SECONDS = 8.0
# Where the work of a thread cannot be measured (macOS, Windows), the clock on the wall has to do.
_MOST_WALL_SECONDS = 120.0
_LOOK_SECONDS = 0.25


def within_reason(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; raises TimeoutError when it works too long.

    It is then left behind in its thread, for nothing can end it: whoever hears of the error should end the process.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            errors.append(error)

    worker = threading.Thread(target=run, name="opener", daemon=True)
    worker.start()
    _wait(worker)
    if errors:
        raise errors[0]
    return results[0]


def _wait(worker: threading.Thread) -> None:
    began = time.monotonic()
    while True:
        worker.join(_LOOK_SECONDS)
        if not worker.is_alive():
            return
        work = _work_of(worker)
        spent, most = (time.monotonic() - began, _MOST_WALL_SECONDS) if work is None else (work, _MOST_WORK_SECONDS)
        if spent > most:
            raise TimeoutError


def _work_of(worker: threading.Thread) -> float | None:
    """Return the seconds of the processor that a thread has used; None where the system does not say."""
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    if clock_of is None or worker.ident is None:
        return None
    try:
        return time.clock_gettime(clock_of(worker.ident))
    except OSError:
        return None
