"""A run over many films on a cluster: a bounded number of tasks at a time, and one film that fails stops no other."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from streams.errors import FilmError, InputError, OutputError, printable
from vidcolor import resume, zoo
from vidcolor.archive.done import Finder
from vidcolor.archive.ear import Ear
from vidcolor.archive.entries import Entry
from vidcolor.archive.result import Result
from vidcolor.archive.run import make_folder
from vidcolor.brake import Brake
from vidcolor.cluster.engine import Engine, Lost, Ticket
from vidcolor.cluster.reel import Means, Reel
from vidcolor.cluster.values import Film, Place, Weights
from vidcolor.job import fingerprint_of
from vidcolor.options import Options

_TICK = 0.2  # seconds between two looks at the brake
_SHORT_TICK = 0.02  # while segments are on their way to the disk
_DISK = 16  # threads that bring them there: a disk that makes sure takes its time, but many at once
_BEAT = 0.5  # seconds after which a film's progress is told again
_LOOKS = 4  # threads that look for what is done already
_CENSUS = 10.0  # seconds between two looks at what the cluster has
_PATIENCE = 4.0  # seconds that a stopped run may take to end its tasks
_WAITING = 2  # tasks for each that can run: one at work, and one that Ray can send at once


@dataclass(frozen=True, slots=True)
class Plan:
    """How the films of a run are restored.

    Attributes:
        options: of each film; they are always restored in segments.
        address: of the cluster, HOST:PORT; None starts one on this machine.
        jobs: tasks at a time; None = as many as there are processors.
        keep: leave outputs that are there already.
        is_shared: tasks may use the films' paths where they lead to them; else films and segments travel through Ray.
    """

    options: Options
    address: str | None = None
    jobs: int | None = None
    keep: bool = False
    is_shared: bool = True


@dataclass(slots=True)
class _Story:
    """A film that is at work, and what it has said."""

    reel: Reel
    number: int
    begun: float
    told: float = 0.0
    warnings: list[str] = field(default_factory=list)


class ClusterRun:
    """Deals with every film once. Looks, joins and still pictures run where the films are, all else anywhere."""

    def __init__(self, entries: Sequence[Entry], plan: Plan, ear: Ear, brake: Brake) -> None:
        """Raises UsageError or ModelError where the network is none."""
        self._finder = Finder(plan.options)
        self._plan = replace(
            plan, options=replace(_absolute_guides(plan.options), resume=True, model=_model(plan.options.model))
        )
        self._ear = ear
        self._brake = brake
        self._entries = [_absolute(entry) for entry in entries]
        self._shown = list(entries)
        self._results: dict[int, Result] = {}
        self._stories: dict[Reel, _Story] = {}
        self._engine: Engine | None = None
        self._slots, self._until = 0, 0.0
        self._is_over = threading.Event()
        self._disk = ThreadPoolExecutor(_DISK)
        self.most_flying = 0

    def perform(self) -> list[Result]:
        """Deal with all films; returns what became of each, in their order. A stopped run leaves some out."""
        with ThreadPoolExecutor(_LOOKS) as pool, self._brake.guarding(self._stop):
            looks = [pool.submit(self._finder.done, entry) for entry in self._entries]
            try:
                due = self._due(looks)
                try:
                    self._work(due)
                except Lost as lost:
                    self._lose(due, lost)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                self._over()
        return [result for _, result in sorted(self._results.items())]

    def _due(self, looks: Sequence[Future[Path | None]]) -> Iterator[int]:
        """Numbers of the films that are not done already."""
        for number, look in enumerate(looks):
            done = look.result()
            kept = None if done else self._finder.unmarked(self._entries[number])
            if done or kept:
                self._ended(number, Result(self._shown[number], "skipped" if done else "kept", output=done or kept))
            else:
                yield number

    # --- the loop ---

    def _work(self, due: Iterator[int]) -> None:
        while self._brake.code is None:
            is_keeping = self._settle()
            self._fill(due)
            flying = self._flying()
            self.most_flying = max(self.most_flying, len(flying))
            if flying:
                self._listen(flying, _SHORT_TICK if is_keeping else _TICK)
            elif is_keeping:
                time.sleep(_SHORT_TICK)
            else:
                self._give_up()
                return
            self._beat()

    def _lose(self, due: Iterator[int], lost: Lost) -> None:
        """No film can be gone on with, and none begun."""
        for story in list(self._stories.values()):
            self._fail(story, lost)
        for number in due:
            self._ended(number, Result(self._shown[number], "failed", lost.exit_code, error=str(lost)))

    def _settle(self) -> bool:
        """Go on with films whose segments have reached the disk; whether some are still on their way."""
        for story in list(self._stories.values()):
            self._tried(story, Reel.settle)
        return any(reel.is_keeping for reel in self._stories)

    def _give_up(self) -> None:
        for story in list(self._stories.values()):
            self._fail(story, FilmError("none of its tasks can begin: this is a fault of vidcolor itself"))

    def _flying(self) -> list[Ticket]:
        return [ticket for reel in self._stories for ticket in reel.tickets]

    def _window(self) -> int:
        """How many tasks may be begun and not ended: so many results, at most, wait in the cluster's memory."""
        if self._engine is None:
            return 1
        if time.monotonic() >= self._until:
            self._slots, self._until = self._engine.slots, time.monotonic() + _CENSUS
        return self._plan.jobs or self._slots * _WAITING

    def _fill(self, due: Iterator[int]) -> None:
        """Begin tasks while there is room, those of the films that were begun first before any other."""
        while len(self._flying()) < self._window() and self._brake.code is None:
            if self._began_another():
                continue
            number = next(due, None)
            if number is None:
                return
            self._begin(number)

    def _began_another(self) -> bool:
        return any(self._tried(story, Reel.next) is not None for story in list(self._stories.values()))

    def _listen(self, flying: Sequence[Ticket], seconds: float) -> None:
        assert self._engine is not None
        for ticket in self._engine.ready(flying, seconds):
            story = self._stories.get(ticket.owner)
            if story is not None and self._brake.code is None:
                self._tried(story, partial(Reel.heard, ticket=ticket))

    def _tried(self, story: _Story, work: Callable[[Reel], Ticket | None]) -> Ticket | None:
        """Do something for a film; what fails, fails that film alone."""
        reel = story.reel
        try:
            given = work(reel)
        except Lost:
            raise
        except FilmError as error:
            if self._brake.code is None:
                self._fail(story, error)
            return None
        if reel.result is not None or reel.kept_output is not None:
            self._finish(story)
        return given

    def _begin(self, number: int) -> None:
        entry = self._entries[number]
        try:
            film = self._film(entry)
            if entry.target is None:
                make_folder(entry.folder)
        except FilmError as error:
            code = error.exit_code
            self._ended(number, Result(self._shown[number], "failed", code, error=str(error)))
            return
        assert self._engine is not None
        means = Means(self._engine, self._weights, self._disk)
        story = _Story(Reel(film, means, lambda event: self._heard(story, event)), number, time.monotonic())
        self._stories[story.reel] = story
        self._ear.begun(self._shown[number])
        self._tried(story, Reel.begin)

    def _film(self, entry: Entry) -> Film:
        try:
            size = entry.source.stat().st_size
        except OSError as error:
            raise InputError(f"{printable(entry.source)} cannot be read: {error.strerror or error}") from error
        mark = fingerprint_of(entry.source)
        if mark is None:
            raise InputError(f"{printable(entry.source)} is no file")
        self._start()
        pace = (resume.SHORTEST, resume.LONGEST)
        plan = self._plan
        return Film(entry, plan.options, self._place, size, mark, pace, plan.keep, plan.is_shared)

    def _start(self) -> None:
        """Join the cluster, at the first film that is due: where all is done already none is needed."""
        if self._engine is not None:
            return
        self._engine = engine = Engine(self._plan.address, self._plan.jobs)
        self._brake.check()
        options = self._plan.options
        self._place: Place = engine.settle(options.device, options.precision)
        self._weights = engine.share(_weights(options.model))

    # --- what films say ---

    def _heard(self, story: _Story, event: dict[str, Any]) -> None:
        if event["event"] == "warning":
            story.warnings.append(str(event["message"]))
        elif event["event"] == "progress":
            story.told = now = time.monotonic()
            event["fps"] = round(event["frame"] / max(now - story.begun, 1e-3), 2)
        self._ear.heard(self._shown[story.number], event)

    def _beat(self) -> None:
        """Tell the progress of films whose segments take long."""
        now = time.monotonic()
        for story in self._stories.values():
            if story.told and now - story.told >= _BEAT:
                reel = story.reel
                self._heard(story, {"event": "progress", "frame": reel.frames, "total": reel.total})

    def _finish(self, story: _Story) -> None:
        reel, entry = story.reel, self._shown[story.number]
        if reel.result is None:
            result = Result(entry, "kept", output=_as_given(entry, reel.output))
        else:
            written = reel.result
            output = _as_given(entry, reel.output)
            result = Result(entry, "done", 0, output, written.frames, hashes=written.hashes)
        self._close(story, result)

    def _fail(self, story: _Story, error: FilmError) -> None:
        story.reel.give_up()
        entry, whole = self._shown[story.number], printable(story.reel.film.entry.source)
        said = str(error).replace(whole, printable(entry.source))
        self._close(story, Result(entry, "failed", error.exit_code, error=said))

    def _close(self, story: _Story, result: Result) -> None:
        del self._stories[story.reel]
        story.reel.close()
        if self._engine is not None:
            self._engine.forget(story.reel.film)
        seconds = time.monotonic() - story.begun
        self._ended(story.number, replace(result, seconds=seconds, warnings=tuple(story.warnings)))

    def _ended(self, number: int, result: Result) -> None:
        self._results[number] = result
        self._ear.ended(result)

    # --- the end ---

    def _stop(self) -> None:
        """Wait until the run has ended all tasks: it has heard the brake."""
        self._is_over.wait(_PATIENCE)

    def _over(self) -> None:
        if self._engine is not None:
            for reel in self._stories:
                reel.give_up()
                self._engine.forget(reel.film)
            self._engine.end()
        for story in list(self._stories.values()):
            self._close(story, Result(self._shown[story.number], "stopped", self._brake.code or 5))
        self._disk.shutdown(wait=False, cancel_futures=True)
        self._is_over.set()


def _absolute(entry: Entry) -> Entry:
    """The same places, for processes that run in another folder."""
    target = None if entry.target is None else Path(os.path.abspath(entry.target))  # noqa: PTH100 - links stay links
    source, folder = (Path(os.path.abspath(path)) for path in (entry.source, entry.folder))  # noqa: PTH100
    return Entry(source, folder, entry.stem, target)


def _absolute_guides(options: Options) -> Options:
    """What films are coloured by, for processes that run in another folder."""
    keys, hints, guide = (
        None if name is None else os.path.abspath(name)  # noqa: PTH100
        for name in (options.keys, options.hints, options.guide)
    )
    stills = tuple(os.path.abspath(name) for name in options.reference)  # noqa: PTH100
    return replace(options, keys=keys, hints=hints, guide=guide, reference=stills)


def _as_given(entry: Entry, output: Path) -> Path:
    """An output's place in the words of the command line."""
    return entry.target or entry.folder / output.name


def _model(model: str) -> str:
    return model if model in zoo.names() else os.path.abspath(model)  # noqa: PTH100 - links stay links


def _weights(model: str) -> Weights | None:
    """The bytes of a network that other machines need not have."""
    if model in zoo.names():
        return None
    data = b""
    with suppress(OSError):
        data = Path(model).read_bytes()
    if not data:
        raise OutputError(f"{printable(model)} cannot be read")
    return Weights(Path(model).name, hashlib.sha256(data).hexdigest(), data)
