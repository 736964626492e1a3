"""How a run is stopped from outside: heard at the next picture, and at once by what must be cleared away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from streams.errors import EXIT_SIGINT, Interrupted


class Brake:
    """Stops a run from another thread.

    A step that stands in C code (a read of a pipe, an encoder that takes no more) hears nothing; so what must not
    be left behind is registered with `guarding`, and cleared by whoever pulls.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guards: list[Callable[[], None]] = []
        self.code: int | None = None

    def pull(self, code: int = EXIT_SIGINT) -> None:
        """Stop the run: the next `check` raises, and what is guarded is cleared now."""
        with self._lock:
            self.code = self.code or code
            guards, self._guards = self._guards, []
        for clear in guards:
            with suppress(Exception):  # the run is over: the other guards still have to be called
                clear()

    def check(self) -> None:
        """Raise Interrupted if the brake was pulled."""
        if self.code is not None:
            raise Interrupted("interrupted", self.code)

    @contextmanager
    def guarding(self, clear: Callable[[], None]) -> Iterator[None]:
        """Have `clear` called if the brake is pulled while the block runs (at once if it was already)."""
        with self._lock:
            pulled = self.code is not None
            if not pulled:
                self._guards.append(clear)
        if pulled:
            clear()
        try:
            yield
        finally:
            with self._lock:
                self._guards = [guard for guard in self._guards if guard != clear]
