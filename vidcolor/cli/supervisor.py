"""Stands by in the main thread while a command works in another, and ends it on a signal, whatever it is doing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from streams.errors import EXIT_SIGINT, EXIT_SIGTERM
from vidcolor.brake import Brake

PATIENCE = 2.0  # seconds that a command has to end in good order after a signal
_CODES = {"SIGINT": EXIT_SIGINT, "SIGTERM": EXIT_SIGTERM, "SIGHUP": EXIT_SIGTERM, "SIGBREAK": EXIT_SIGTERM}


class Supervisor:
    """Takes signals while it is open; `oversee` runs a command under it."""

    def __init__(self) -> None:
        self.brake = Brake()
        self._code: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Supervisor:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handlers
            for name, code in _CODES.items():
                self._take(name, code)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def oversee(self, work: Callable[[], int]) -> int:
        """Run `work` in a thread; return its exit code, or the signal's if it did not end well.

        A thread, because a handler only runs between two steps of Python in the main thread: were the work done
        there, a blocked read or write would not hear the signal.
        """
        codes: list[int] = []
        worker = threading.Thread(target=lambda: codes.append(work()), name="command", daemon=True)
        worker.start()
        while worker.is_alive() and self._code is None:
            worker.join(0.2)  # with a limit: Windows takes no signal in an endless wait
        if self._code is not None:
            self._end(worker)
            return 0 if codes == [0] else self._code
        return codes[0] if codes else 5

    def _end(self, worker: threading.Thread) -> None:
        limit = time.monotonic() + PATIENCE
        self.brake.pull(self._code or EXIT_SIGINT)
        while worker.is_alive() and time.monotonic() < limit:
            worker.join(0.1)

    def _take(self, name: str, code: int) -> None:
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
            return

        def note(_number: int, _frame: FrameType | None) -> None:
            if self._code is not None:
                os._exit(self._code)  # the second signal: at once
            self._code = code

        self._before[number] = signal.signal(number, note)
