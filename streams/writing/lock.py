"""A file that one process holds as long as it lives: the system lets go of it, however the process ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)


class Lock:
    """Held from its making to `release`."""

    def __init__(self, path: Path) -> None:
        """Take it; raises BlockingIOError where another process holds it, OSError where there can be no such file."""
        self._descriptor: int | None = os.open(path, _FLAGS, 0o666)
        try:
            _take(self._descriptor)
        except OSError as error:
            self.release()
            raise BlockingIOError(f"{path} is held") from error

    def release(self) -> None:
        """Let go. Twice does no harm."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # nothing was written through it
                os.close(descriptor)


def _take(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
