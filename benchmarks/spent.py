"""What a piece of work, or a whole program with all its children, took: wall time, CPU time, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

try:
    import resource
except ImportError:  # Windows: no CPU time of children, so only wall time is told there
    resource = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Spent:
    """What something took.

    Attributes:
        wall: seconds on the clock.
        cpu: seconds of user and system time, children included; None where the system does not tell.
        peak: bytes of the largest process in memory; None where the system does not tell.
        own: the part of ``cpu`` that no child used, for work in this process.
    """

    wall: float
    cpu: float | None
    peak: int | None = None
    own: float | None = None

    def less(self, other: Spent) -> Spent:
        """What was spent beyond ``other``."""
        cpu = _less(self.cpu, other.cpu)
        return Spent(self.wall - other.wall, cpu, self.peak, _less(self.own, other.own))

    def share(self, count: int) -> Spent:
        """What one of ``count`` equal parts took."""
        cpu, own = (None if some is None else some / count for some in (self.cpu, self.own))
        return Spent(self.wall / count, cpu, self.peak, own)


def _less(some: float | None, other: float | None) -> float | None:
    return None if some is None or other is None else some - other


def middle(runs: Sequence[Spent]) -> Spent:
    """Median of each figure on its own."""
    cpus = [run.cpu for run in runs if run.cpu is not None]
    peaks = [run.peak for run in runs if run.peak is not None]
    owns = [run.own for run in runs if run.own is not None]
    wall = median(run.wall for run in runs)
    return Spent(wall, median(cpus) if cpus else None, max(peaks) if peaks else None, median(owns) if owns else None)


def work(task: Callable[[], object]) -> Spent:
    """Do a piece of work in this process; children that it started and waited for are counted."""
    own, children, began = time.process_time(), _children().cpu or 0.0, time.perf_counter()
    task()
    wall, own = time.perf_counter() - began, time.process_time() - own
    return Spent(wall, own + (_children().cpu or 0.0) - children, own=own)


def _children() -> Spent:
    if resource is None:
        return Spent(0.0, None)
    return _told(0.0, resource.getrusage(resource.RUSAGE_CHILDREN))


def program(command: Sequence[str], scratch: Path | None = None) -> Spent:
    """Run a program to its end, temporary files in `scratch`; its children are counted if it waited for them.

    A process begins with its parent's peak of memory on its account (Linux), so a small one stands in between.

    Raises:
        RuntimeError: it ended with an error; its last words are in the message.
    """
    place = {name: str(scratch) for name in ("TMPDIR", "TMP", "TEMP") if scratch}
    words, setting = [sys.executable, str(Path(__file__)), *command], {**os.environ, **place}
    between = subprocess.run(words, capture_output=True, check=False, env=setting)
    if between.returncode != 0:
        raise RuntimeError(between.stderr.decode("utf-8", "replace").strip())
    return Spent(**json.loads(between.stdout))


def child(command: Sequence[str]) -> Spent:
    """Run a program as this process's own child; see ``program``."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        before = _children().cpu
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        usage = _wait(running)
        wall = time.perf_counter() - began
        if running.returncode != 0:
            said.seek(0)
            words = said.read().decode("utf-8", "replace").strip().splitlines()
            raise RuntimeError(f"{command[0]} ended with {running.returncode}: {' / '.join(words[-3:])}")
    if usage is not None:
        return _told(wall, usage)
    after = _children().cpu
    return Spent(wall, None if after is None or before is None else after - before)


def first_words(command: Sequence[str], size: int) -> float:
    """Seconds from a program's start until it has written so many bytes to its stdout; then it is ended.

    Raises:
        RuntimeError: it wrote less.
    """
    began, got = time.perf_counter(), 0
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, bufsize=0) as running:
        assert running.stdout is not None
        try:
            while got < size and (part := running.stdout.read(size - got)):
                got += len(part)
            wall = time.perf_counter() - began
        finally:
            running.kill()
    if got < size:
        raise RuntimeError(f"{command[0]} wrote {got} bytes of {size}")
    return wall


class Watch:
    """Looks, ten times a second, how many bytes a folder holds, until the `with` block ends; ``most`` is the most."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(self.most, sum(map(_size, self._folder.rglob("*"))))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._over.set()
        self._thread.join()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # it went away just now
        return 0


def _wait(running: subprocess.Popen[bytes]) -> Any | None:  # noqa: ANN401 - resource.struct_rusage is not everywhere
    """Wait for a program; what it used, where the system tells that of a single child."""
    if not hasattr(os, "wait4"):
        running.wait()
        return None
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    return usage


def main(command: Sequence[str]) -> int:
    """Run a command and write what it took as JSON; returns the exit code."""
    try:
        sys.stdout.write(json.dumps(asdict(child(command))))
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _told(wall: float, usage: Any) -> Spent:  # noqa: ANN401
    unit = 1 if sys.platform == "darwin" else 1024
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
