"""The desk: takes orders up to a limit, gives them to a fixed number of worker processes, tells each one's place.

Quick orders (previews, pictures, frames) go before long ones, and one worker does nothing else, so that nobody's
feature film keeps others from a first look. A cancelled order frees its worker: the worker stops it, or is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from demo.options import Limits
from demo.rooms import Refused, Visitor
from vidcolor.threads import settings, share

Lane = Literal["quick", "long", "live", "camera"]
_PATIENCE = 3.0  # seconds that a worker has to stop an order before it is ended
_LONGEST: dict[Lane, float] = {"quick": 300.0, "long": 12 * 3600.0, "live": 180.0, "camera": 30.0}  # seconds of work
_LINE = 1 << 24  # bytes of one line of news, a picture among them
_OWN_LINE: tuple[Lane, ...] = ("live", "camera")  # each has a line and a worker of its own
_LIVE_WAITING = 6
_OVER = ("done", "failed", "cancelled")
_numbers = itertools.count(1)


@dataclass(eq=False, slots=True)
class Job:
    """An order and what became of it.

    Attributes:
        visitor: who ordered it.
        page: the page that he ordered it from; when that closes, the job is cancelled.
        lane: how it queues.
        order: what the worker is told.
        news: what the worker says; ends with one of done, failed, cancelled.
    """

    visitor: Visitor
    page: str
    lane: Lane
    order: Mapping[str, Any]
    number: int = field(default_factory=lambda: next(_numbers))
    news: asyncio.Queue[dict[str, Any]] = field(default_factory=lambda: asyncio.Queue(256))
    state: Literal["waiting", "working", "over"] = "waiting"

    def tell(self, news: dict[str, Any]) -> None:
        """Pass news on; what nobody reads in time is lost, but never the end."""
        if self.news.full():
            self.news.get_nowait()
        self.news.put_nowait(news)
        if news["event"] in _OVER:
            self.state = "over"


class Desk:
    """Where orders are given. All of it runs in one event loop."""

    def __init__(self, limits: Limits) -> None:
        """Nothing is started until `open`."""
        self._limits = limits
        self._waiting: list[Job] = []
        self._workers = [_Worker(self, takes) for takes in _lanes(limits.workers)]
        self._late = [_Worker(self, (lane,)) for lane in _OWN_LINE]
        self._is_open = False
        self.threads = share(limits.workers)

    def open(self) -> None:
        """Start the workers; those for live pictures wait until they are wanted."""
        self._is_open = True
        for worker in self._workers:
            worker.wake()

    def give(self, visitor: Visitor, page: str, lane: Lane, order: Mapping[str, Any]) -> Job:
        """Take an order; raises Refused at once where too many wait, or this visitor has too many."""
        self._check(visitor, lane)
        job = Job(visitor, page, lane, order)
        self._waiting.append(job)
        self._hand_out()
        return job

    def _check(self, visitor: Visitor, lane: Lane) -> None:
        most = _LIVE_WAITING if lane in _OWN_LINE else self._limits.queue
        if not self._is_open or sum(_line(job.lane) == _line(lane) for job in self._waiting) >= most:
            raise Refused("The page is busy: as many films wait as may. Try again in a few minutes.")
        if len(self.jobs_of(visitor)) >= self._limits.share:
            raise Refused(f"You have {self._limits.share} orders here already: wait for one to end, or cancel it.")

    def place(self, job: Job) -> int:
        """How many go before a waiting job, and itself; 0 once it is worked on."""
        ahead = [other for other in self._in_order() if _line(other.lane) == _line(job.lane)]
        return ahead.index(job) + 1 if job in ahead else 0

    def jobs_of(self, visitor: Visitor) -> list[Job]:
        """A visitor's jobs that are not over."""
        return [job for job in (*self._waiting, *self._working()) if job.visitor is visitor]

    def counts(self) -> dict[str, int]:
        """How many wait, and how many are worked on."""
        return {"waiting": len(self._waiting), "working": len(self._working())}

    def cancel(self, job: Job) -> None:
        """End a job, waiting or not. Twice does no harm."""
        if job in self._waiting:
            self._waiting.remove(job)
            job.tell({"event": "cancelled", "reason": ""})
        for worker in self._all():
            if worker.job is job:
                worker.stop()

    def leave(self, visitor: Visitor, page: str | None = None) -> None:
        """Cancel what a visitor ordered, or just what one of his pages did."""
        for job in self.jobs_of(visitor):
            if page is None or job.page == page:
                self.cancel(job)

    async def follow(self, job: Job) -> AsyncIterator[dict[str, Any]]:
        """News of a job until it is over, its place while it waits. Who stops listening cancels it."""
        told = -1
        try:
            while True:
                with suppress(TimeoutError):
                    news = await asyncio.wait_for(job.news.get(), 0.4)
                    yield news
                    if news["event"] in _OVER:
                        return
                if job.state == "waiting" and (place := self.place(job)) != told:
                    told = place
                    yield {"event": "waiting", "place": place}
        finally:
            self.cancel(job)

    async def result(self, job: Job) -> dict[str, Any]:
        """What a job gave; raises Refused with the reason where it failed."""
        last = await last_of(self.follow(job))
        if last["event"] != "done":
            raise Refused(last.get("reason") or "Cancelled.")
        return last

    def close(self) -> None:
        """End all workers now. Twice does no harm; safe from any thread."""
        self._is_open = False
        for worker in self._all():
            worker.kill()

    @property
    def processes(self) -> list[int]:
        """The numbers of the processes that run."""
        return [worker.process.pid for worker in self._all() if worker.process and worker.process.returncode is None]

    def _all(self) -> list[_Worker]:
        return [*self._workers, *self._late]

    def _working(self) -> list[Job]:
        return [worker.job for worker in self._all() if worker.job is not None]

    def _in_order(self) -> list[Job]:
        return sorted(self._waiting, key=lambda job: job.lane == "long")  # stable: first come, first served

    def _hand_out(self) -> None:
        for job in self._in_order():
            free = next((worker for worker in self._all() if worker.can_take(job)), None)
            if free is not None and self._is_open:
                self._waiting.remove(job)
                free.take(job)


async def last_of(stream: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The last word of a stream."""
    last: dict[str, Any] = {}
    async for word in stream:
        last = word
    return last


def _line(lane: Lane) -> str:
    """Which line a lane waits in."""
    return lane if lane in _OWN_LINE else "films"


def _lanes(workers: int) -> list[tuple[Lane, ...]]:
    both: tuple[Lane, ...] = ("quick", "long")
    return [both] if workers == 1 else [("quick",), *[both] * (workers - 1)]


class _Worker:
    """One worker process: started when it is wanted, again when it broke, ended when it does not listen."""

    def __init__(self, desk: Desk, takes: tuple[Lane, ...]) -> None:
        self._desk = desk
        self._takes = takes
        self._loop: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.job: Job | None = None
        self._is_stopping = False

    def can_take(self, job: Job) -> bool:
        """Whether it is free for such a job."""
        return self.job is None and job.lane in self._takes

    def wake(self) -> None:
        """Have a process running."""
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._live())

    def take(self, job: Job) -> None:
        """Work on a job."""
        self.job, job.state, self._is_stopping = job, "working", False
        self._limit(_LONGEST[job.lane])
        self.wake()
        if self.process is not None and self.process.returncode is None:
            self._send({**job.order, "id": job.number})

    def stop(self) -> None:
        """Ask for the job to be stopped; whoever does not in time is ended."""
        if self.job is not None and not self._is_stopping:
            self._is_stopping = True
            self._send({"cancel": self.job.number})
            self._limit(_PATIENCE)

    def kill(self) -> None:
        """End the process now."""
        if self.process is not None:
            end(self.process)

    def _limit(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.kill)

    def _send(self, order: Mapping[str, Any]) -> None:
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError, RuntimeError):
                self.process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _live(self) -> None:
        self.process = await _start(self._desk.threads)
        if not self._desk._is_open:
            self.kill()
        if self.job is not None:
            self._send({**self.job.order, "id": self.job.number})
        assert self.process.stdout is not None
        with suppress(ValueError):  # a line too long
            async for line in self.process.stdout:
                with suppress(ValueError):
                    self._hear(json.loads(line))
        self.kill()
        await self.process.wait()
        self.process = None
        self._loop = None
        was_idle = self.job is None
        reason = (
            "" if self._is_stopping else "The work ended unexpectedly: this film seems to be more than it can take."
        )
        self._over({"event": "cancelled" if self._is_stopping else "failed", "reason": reason})
        if self._desk._is_open and not was_idle and self._takes[0] not in _OWN_LINE and self.job is None:
            self.wake()

    def _hear(self, news: dict[str, Any]) -> None:
        if self.job is None or news.get("id") != self.job.number:
            return
        if news["event"] in _OVER:
            self._over(news)
        else:
            self.job.tell(news)

    def _over(self, news: dict[str, Any]) -> None:
        job, self.job = self.job, None
        if self._timer is not None:
            self._timer.cancel()
        if job is not None:
            job.tell(news)
        self._desk._hand_out()


def end(process: asyncio.subprocess.Process) -> None:
    """End a process now, if it still runs."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, OSError):
        if sys.platform == "win32":
            process.kill()
        else:  # asyncio's own way looks whether it ended, and so takes its exit code from who waits for it
            os.kill(process.pid, signal.SIGKILL)


async def _start(threads: int) -> asyncio.subprocess.Process:
    """Start a worker, with the code that runs here.

    Its arithmetic gets a share of the processors: several workers on few would else mostly wait for one another.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "demo.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE,
        env=environment() | settings(threads),
    )


def environment() -> dict[str, str]:
    """The environment of a process of ours: it finds the code that runs here, wherever it was started."""
    home = str(Path(__file__).parents[1])
    old = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": home if not old else home + os.pathsep + old}
