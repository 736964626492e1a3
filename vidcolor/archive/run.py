"""A run over many films: some at a time, each in a process of its own, and one that fails stops no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from streams.errors import EXIT_SIGINT, FilmError, Interrupted, OutputError, printable
from vidcolor import threads
from vidcolor.archive.done import Finder, sha256_of
from vidcolor.archive.ear import Ear, Event
from vidcolor.archive.entries import Entry, expected
from vidcolor.archive.hand import PATIENCE, Hand
from vidcolor.archive.order import Order
from vidcolor.archive.result import Result
from vidcolor.brake import Brake
from vidcolor.options import Options


@dataclass(frozen=True, slots=True)
class Plan:
    """How the films of a run are restored.

    Attributes:
        options: of each film.
        command: starts the process for one film, which reads an order.
        keep: leave outputs that are there already.
        jobs: films at a time.
        dry: only say what would be done.
    """

    options: Options
    command: tuple[str, ...]
    keep: bool = False
    jobs: int = 1
    dry: bool = False

    @property
    def threads(self) -> int:
        """That each film's arithmetic gets."""
        return threads.share(self.jobs)


class Run:
    """Deals with every film once."""

    def __init__(self, entries: Sequence[Entry], plan: Plan, ear: Ear, brake: Brake) -> None:
        """Raises UsageError or ModelError where the network is none."""
        self._finder = Finder(plan.options)
        self._plan = plan
        self._ear = ear
        self._brake = brake
        self._lock = threading.RLock()
        self._hands: set[Hand] = set()
        self._waiting: SimpleQueue[tuple[int, Entry]] = SimpleQueue()
        self._results: dict[int, Result] = {}
        self._failure: BaseException | None = None
        for numbered in enumerate(entries):
            self._waiting.put(numbered)

    def perform(self) -> list[Result]:
        """Deal with all films; returns what became of each, in their order. A stopped run leaves some out."""
        workers = [threading.Thread(target=self._work, name=f"film {n}", daemon=True) for n in range(self._plan.jobs)]
        with self._brake.guarding(self._stop):
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        if self._failure is not None:
            raise self._failure
        return [result for _, result in sorted(self._results.items())]

    def _work(self) -> None:
        try:
            while self._brake.code is None and self._failure is None:
                number, entry = self._waiting.get_nowait()
                result = self._dealt_with(entry)
                with self._lock:
                    self._results[number] = result
                    self._ear.ended(result)
        except Empty:
            return
        except BaseException as error:  # noqa: BLE001 - it is raised again by `perform`
            self._failure = error

    def _dealt_with(self, entry: Entry) -> Result:
        try:
            done = self._finder.done(entry)
            if done is not None:
                return Result(entry, "skipped", output=done)
            unmarked = self._finder.unmarked(entry)
            if unmarked is not None:
                return Result(entry, "kept", output=unmarked)
            if self._plan.dry:
                return Result(entry, "due", output=expected(entry))
            return self._restored(entry)
        except Interrupted as error:
            return Result(entry, "stopped", error.exit_code)
        except FilmError as error:
            return Result(entry, "failed", error.exit_code, error=str(error))

    def _restored(self, entry: Entry) -> Result:
        begun = time.monotonic()
        with self._lock:
            self._ear.begun(entry)
        story = _Story(entry, self._finder.model_sha256)
        with self._hand(entry) as hand:
            code = hand.listen(lambda event: self._passed_on(story, event))
        result = story.ending(code, hand.last_words, self._brake.code)
        return replace(result, seconds=time.monotonic() - begun)

    def _passed_on(self, story: _Story, event: Event) -> None:
        story.heard(event)
        with self._lock:
            self._ear.heard(story.entry, event)

    @contextmanager
    def _hand(self, entry: Entry) -> Iterator[Hand]:
        if entry.target is None:
            make_folder(entry.folder)
        order = Order(entry, self._plan.options, self._plan.keep)
        with self._lock:
            self._brake.check()
            hand = Hand(self._plan.command, order, self._plan.threads)
            self._hands.add(hand)
        try:
            yield hand
        finally:
            hand.close()
            with self._lock:
                self._hands.discard(hand)

    def _stop(self) -> None:
        """End all films in good order, and wait for them."""
        with self._lock:
            hands = list(self._hands)
        for hand in hands:
            hand.tell_to_end()
        limit = time.monotonic() + PATIENCE
        for hand in hands:
            hand.wait(max(0.0, limit - time.monotonic()))


@dataclass(slots=True)
class _Story:
    """What a film's process has said so far."""

    entry: Entry
    model_sha256: str
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    done: Event | None = None

    def heard(self, event: Event) -> None:
        kind = event["event"]
        if kind == "warning":
            self.warnings.append(str(event.get("message", "")))
        elif kind == "error":
            self.error = str(event.get("message", ""))
        elif kind == "done":
            self.done = event

    def ending(self, code: int, last_words: str, stopped: int | None) -> Result:
        """What became of it, by what it said and how its process ended."""
        warnings = tuple(self.warnings)
        if code == 0 and self.done is not None:
            return self._whole(self.done, warnings)
        if stopped is not None:
            return Result(self.entry, "stopped", stopped, warnings=warnings)
        if code in (2, 3, 4, 5) and self.error:
            return Result(self.entry, "failed", code, warnings=warnings, error=self.error)
        if code >= EXIT_SIGINT:
            return Result(self.entry, "failed", 5, warnings=warnings, error="its process was stopped from outside")
        words = f": {printable(last_words)}" if last_words else ""
        error = f"its process crashed ({f'signal {-code}' if code < 0 else f'exit code {code}'}){words}"
        return Result(self.entry, "failed", 5, warnings=warnings, error=error)

    def _whole(self, done: Event, warnings: tuple[str, ...]) -> Result:
        output = Path(done["output"])
        if done.get("kept"):
            return Result(self.entry, "kept", output=output, warnings=warnings)
        hashes = (*_hashes(self.entry.source, output), ("model", self.model_sha256))
        return Result(self.entry, "done", 0, output, int(done["frame"]), warnings=warnings, hashes=hashes)


def _hashes(source: Path, output: Path) -> Iterator[tuple[str, str]]:
    for name, path in (("input", source), ("output", output)):
        try:
            yield name, sha256_of(path)
        except OSError:  # taken away since: the report has no hash of it
            continue


def make_folder(folder: Path) -> None:
    """Make the folder of an output; raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {printable(folder)} cannot be made: {error.strerror}") from error
