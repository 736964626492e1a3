"""A process that restores one film of many: started, listened to, and ended; a crash of it costs no other film."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from vidcolor.archive.ear import Event
from vidcolor.archive.order import Order
from vidcolor.threads import settings

PATIENCE = 3.0  # seconds that a process has to end in good order once it is told to
_LONGEST_LINE = 1 << 16


class Hand:
    """Restores one film in a process of its own.

    The process reads its order from stdin and then watches it: when it is closed, because this run is stopped or
    because it died, the process ends its film in good order. So no signal has to be sent, on any system.
    """

    def __init__(self, command: Sequence[str], order: Order, threads: int) -> None:
        """Start `command`; its arithmetic gets so many threads. Raises OSError where it cannot be started."""
        self.last_words = ""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(threads),
            # Ctrl-C in a terminal reaches the whole group: it would be a second signal, which ends at once.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        with suppress(OSError):  # it died at once: its exit code will tell
            assert self._process.stdin is not None
            self._process.stdin.write(order.to_line().encode())
            self._process.stdin.flush()

    def listen(self, heard: Callable[[Event], None]) -> int:
        """Pass on what it says until it ends; returns its exit code, below zero for a signal."""
        assert self._process.stderr is not None
        while line := self._process.stderr.readline(_LONGEST_LINE):
            event = _event(line)
            if event is not None:
                heard(event)
            elif line.strip():
                self.last_words = line.decode(errors="replace").strip()
        return self._process.wait()

    def tell_to_end(self) -> None:
        """Have the film ended in good order."""
        with self._lock, suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it if it does not come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Leave nothing of it behind."""
        self.tell_to_end()
        self.wait(PATIENCE)
        if self._process.stderr is not None:
            self._process.stderr.close()


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:  # a library below Python said it
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _environment(threads: int) -> dict[str, str]:
    """Arithmetic gets a share of the processors."""
    return {**os.environ, **settings(threads)}


def command_of(module: str) -> list[str]:
    """The command that runs `module`'s `entry` with the code that runs here, wherever it was found."""
    code = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import entry; entry()"
    return [sys.executable, "-P", "-c", code, json.dumps(sys.path)]
