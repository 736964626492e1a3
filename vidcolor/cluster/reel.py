"""One film of a run on a cluster: which of its tasks may begin, and what becomes of what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from streams.errors import FilmError, InputError, OutputError, printable
from streams.segments import Folder
from streams.writing.target import sweep, writing
from vidcolor.cluster.tasks import Changed, Errand, Start
from vidcolor.cluster.values import End, Film, Head, Made, Section, Written

if TYPE_CHECKING:
    from vidcolor.cluster.engine import Engine, Ticket

Event = dict[str, Any]
AHEAD = 256  # segments that may be finished before their turn: a run that dies makes them again
# Where a task had to decode this many pictures to get to its own, the next go on where it stops instead.
_MOST_PASSED = 1000
_CHANGED = "the film does not give the same pictures again"


@dataclass(frozen=True, slots=True)
class Means:
    """What the films of a run share: the cluster, their network in its memory, and threads that wait for the disk."""

    engine: Engine
    weights: Any
    disk: Executor


class Reel:
    """A film that is being restored.

    Segments that begin with a shot are made whenever there is room; one that goes on with a shot gets the state of the
    one before it, which Ray brings it when that is done. They are kept in their order, so that whatever ends the run,
    a run on one machine too can go on behind the last one that was kept.
    """

    def __init__(self, film: Film, means: Means, tell: Callable[[Event], None]) -> None:
        """`tell` hears events as of a film alone."""
        self.film = film
        self.result: Written | None = None
        self.tickets: dict[Ticket, None] = {}  # in the order in which they were begun
        self.kept_output: Head | None = None
        self._engine = means.engine
        self._weights = means.weights
        self._disk = means.disk
        self._keeping: Future[None] | None = None  # of the segment whose turn it is
        self._writing: dict[int, Future[None]] = {}
        self._tell = tell
        self._head: Head | None = None
        self._folder: Folder | None = None
        self._errand: Any = None
        self._sections: dict[int, Section] = {}
        self._states: dict[int, Any] = {}  # what a segment ends in, until the next has begun
        self._made: dict[int, Made] = {}  # that wait for their turn
        self._begun: dict[int, Ticket] = {}
        self._waiting: set[int] = set()  # begun, though the one before is still being made
        self._end: End | None = None
        self._open: int | None = None  # from here on, one task makes all
        self._is_shared = True
        self._is_resting = False
        self._is_anew = False
        self._told: set[str] = set()

    # --- what may begin ---

    def begin(self) -> Ticket:
        """Begin with a look at it."""
        return self._noted(self._engine.look(self, self.film, self._weights))

    def next(self) -> Ticket | None:
        """Begin one more of its tasks, if one may begin now."""
        if self._folder is None or self._head is None:
            return None
        if self._open is not None and self._open == len(self._folder.records) and not self._is_resting:
            return self._rest()
        for number in self._candidates():
            section = self._sections[number]
            if section.is_free or self._is_followable(number - 1):
                return self._one(section)
        return None

    def _candidates(self) -> Iterator[int]:
        """Segments that nobody makes yet, the first first."""
        assert self._folder is not None
        first = len(self._folder.records)
        for number in range(first, first + AHEAD):
            if number not in self._sections or (self._open is not None and number >= self._open):
                return
            if number not in self._begun and number not in self._made:
                yield number

    def _is_followable(self, number: int) -> bool:
        """Whether the segment behind this one may begin: this one is done, or at work and waits for nobody."""
        return number in self._states and number not in self._waiting

    def _one(self, section: Section) -> Ticket:
        state = b"" if section.is_free else self._states[section.number - 1]
        ticket = self._engine.one(self, section.number, self._errand, section, state, self._weights)
        if not section.is_free and section.number - 1 in self._begun:
            self._waiting.add(section.number)
        self._begun[section.number] = ticket
        self._states[section.number] = ticket.state
        return self._noted(ticket)

    def _rest(self) -> Ticket:
        assert self._folder is not None
        self._is_resting = True
        records = self._folder.records
        section = Section(len(records), None, records[-1].seam if records else None, None, not records)
        args = (self._errand, section, self._folder.state(), self._weights)
        return self._noted(self._engine.rest(self, *args, is_here=self.film.options.is_guided))

    def _noted(self, ticket: Ticket) -> Ticket:
        self.tickets[ticket] = None
        return ticket

    # --- what tasks give ---

    def heard(self, ticket: Ticket) -> None:
        """Take what a task gives; raises FilmError where the film is lost."""
        from vidcolor.cluster.engine import Over

        try:
            value = self._engine.value(ticket)
        except Over:
            self.tickets.pop(ticket, None)
            return
        except Changed as error:
            self._changed(ticket, error)
            return
        if ticket.kind not in ("scout", "rest"):
            self.tickets.pop(ticket, None)
        getattr(self, f"_heard_{ticket.kind}")(value, ticket)

    def _heard_look(self, head: Head, ticket: Ticket) -> None:
        del ticket
        if head.kind == "kept":
            self.kept_output = head
        elif head.kind == "still":
            self._head = head
            self._noted(self._engine.whole(self, self.film, self._weights))
        else:
            self._opened(head)

    def _opened(self, head: Head) -> None:
        self._head = head
        self._warn(head.said)
        self._folder = folder = Folder(head.target, head.identity)
        if folder.sentences and self.film.options.strict:
            raise OutputError(f"{folder.sentences[0]} (and the run is --strict)")
        self._warn(folder.sentences)
        identity = (folder.path / "work.json").read_text()
        self._errand = self._engine.share(Errand(self.film, head, folder.path, identity))
        self._tell({"event": "start", "total": head.total, "resumed_from": folder.frames})
        self._go_on()

    def _go_on(self) -> None:
        """Begin behind the last segment that is there."""
        assert self._folder is not None and self._head is not None
        records = self._folder.records
        if self._folder.is_complete:
            self._end = End(records[-1].said or (), "")
            self._join()
        elif not self._head.is_seekable or (records and not records[-1].seam.is_sound) or self.film.options.is_guided:
            # A key is carried back to frames of segments before its own: one task makes them all.
            self._open = len(records)
        else:
            start = Start(len(records), records[-1].seam, self._folder.state()) if records else None
            self._states = {len(records) - 1: self._folder.state()} if records else {}
            self._noted(self._engine.scout(self, self.film, self._weights, start))

    def _changed(self, ticket: Ticket, error: FilmError) -> None:
        """Begin anew where the pictures are not those that another run saw; once only."""
        assert self._folder is not None and self._head is not None
        if not self._folder.records or self._is_anew or ticket.kind == "one":
            raise error
        self._is_anew, self._is_resting = True, False
        self._cancel(lambda other: True)
        text = f"work begun on {printable(self._head.target)} is not used: {_CHANGED}"
        if self.film.options.strict:
            raise InputError(f"{text} (and the run is --strict)")
        self._warn([text])
        self._folder.restart()
        self._sections, self._made, self._begun, self._states, self._open = {}, {}, {}, {}, None
        self._waiting = set()
        self._go_on()

    def _heard_scout(self, found: Section | End, ticket: Ticket) -> None:
        if isinstance(found, End):
            self._end = found
            self._keep_all()
        elif found.seam is not None and not found.seam.is_sound:
            # Where something was amiss only reading on gives what a run on one machine gives.
            self._turn_open(found.number)
            self._keep_all()
        else:
            self._sections[found.number] = found
            self._keep_all()
        del ticket

    def _turn_open(self, number: int) -> None:
        """Have one task make all segments from here on; what was made of them already is not used."""
        self._open, self._end = number, None
        self._cancel(lambda ticket: ticket.kind == "scout" or ticket.number >= number)
        known: dict[int, Any]
        for known in (self._sections, self._made, self._begun, self._states, self._writing):
            for late in [one for one in known if one >= number]:
                del known[late]
        self._waiting = {one for one in self._waiting if one < number}

    def _heard_one(self, made: Made, ticket: Ticket) -> None:
        if self._begun.pop(made.number, None) is not ticket:
            return
        self._waiting.discard(made.number + 1)
        self._receive(made)
        self._keep_all()
        assert self._folder is not None
        if made.passed > _MOST_PASSED and self._open is None and self._end is None:
            self._turn_open(next(self._candidates(), max(self._sections, default=made.number) + 1))
            self._keep_all()

    def _heard_rest(self, given: tuple[Made, bytes], ticket: Ticket) -> None:
        del ticket
        made, state = given
        self._receive(made)
        self._states[made.number] = state
        self._end = made.end or self._end
        self._keep_all()

    def _receive(self, made: Made) -> None:
        """Bring a segment's bytes to the folder, if its task could not."""
        assert self._folder is not None and self._head is not None
        self._warn(made.said)
        if made.data is not None:
            self._is_shared = False
            self._writing[made.number] = self._disk.submit(self._written, made.file, made.data)
        self._made[made.number] = replace(made, data=None)

    def _written(self, name: str, data: bytes) -> None:
        assert self._folder is not None and self._head is not None
        with writing(self._head.target):
            (self._folder.path / name).write_bytes(data)

    def _keep_all(self) -> None:
        """Have the next segment kept, if it is there: one after the other, on a thread that may wait for the disk."""
        assert self._folder is not None
        number = len(self._folder.records)
        if self._keeping is not None or number not in self._made:
            return
        is_last = self._is_last(number)
        if is_last is not None:
            self._keeping = self._disk.submit(self._keep, self._made[number], is_last)

    @property
    def is_keeping(self) -> bool:
        """Whether a segment is on its way to the disk."""
        return self._keeping is not None

    def settle(self) -> None:
        """Go on where a segment has reached the disk; raises FilmError where it could not."""
        keeping = self._keeping
        if keeping is None or not keeping.done():
            return
        self._keeping = None
        keeping.result()
        assert self._folder is not None and self._head is not None
        made = self._made.pop(len(self._folder.records) - 1)
        self._states.pop(made.number - 1, None)
        self._tell({"event": "progress", "frame": self._folder.frames, "total": self._head.total})
        if self._folder.is_complete:
            self._join()
            return
        if made.is_fp32 and self.film.place.precision != "fp32" and self._open is None:
            self._turn_open(made.number + 1)
        self._keep_all()

    def _is_last(self, number: int) -> bool | None:
        """Whether a segment is the film's last; None while nobody knows."""
        if self._end is None:
            return False if number + 1 in self._sections or self._open is not None else None
        return number + 1 not in self._sections and number + 1 not in self._made

    def _keep(self, made: Made, is_last: bool) -> None:
        assert self._folder is not None and self._head is not None
        if made.number in self._writing:
            self._writing.pop(made.number).result()
        state = b"" if is_last else self._engine.state(self._states[made.number])
        said = self._end.said if is_last and self._end else None
        with writing(self._head.target):
            (self._folder.path / made.file).replace(self._folder.room(made.number))
        self._folder.keep(replace(made.record, said=said), state, made.sha256)

    def _join(self) -> None:
        assert self._folder is not None and self._end is not None
        self._cancel(lambda ticket: True)
        args = (self._errand, self._folder.records, self._end.said)
        self._noted(self._engine.join(self, *args, is_anywhere=self._is_shared))

    def _heard_join(self, written: Written | None, ticket: Ticket) -> None:
        del ticket
        assert self._folder is not None
        if written is None:
            if not self._is_shared:
                raise OutputError("the folder with the film's segments is gone")
            self._is_shared = False
            self._join()
            return
        self._folder.remove()
        self._warn(written.said)
        self.result = written

    def _heard_whole(self, written: Written, ticket: Ticket) -> None:
        del ticket
        self._warn(written.said)
        self.result = written

    def _warn(self, said: Any) -> None:  # noqa: ANN401 - sentences
        for text in said:
            if text not in self._told:
                self._told.add(text)
                self._tell({"event": "warning", "message": text})

    # --- the end ---

    @property
    def output(self) -> Any:  # noqa: ANN401 - a path, once it is known
        """Where its output goes, once that is known."""
        head = self._head or self.kept_output
        return head.target if head else None

    @property
    def frames(self) -> int:
        """Pictures that are done and kept."""
        return self._folder.frames if self._folder else 0

    @property
    def total(self) -> int | None:
        """Pictures, as the header claims."""
        return self._head.total if self._head else None

    def _cancel(self, is_meant: Callable[[Ticket], bool]) -> None:
        for ticket in [one for one in self.tickets if is_meant(one)]:
            self._engine.cancel(ticket)
            self.tickets.pop(ticket, None)

    def give_up(self) -> None:
        """Have its tasks ended; what is whole of it is kept for a run that goes on."""
        self._cancel(lambda ticket: True)

    def close(self) -> None:
        """Let go of its folder, and clear away what a task that was ended left, once no task of it lives."""
        if self._keeping is not None:
            wait([self._keeping])
        if self._folder is not None:
            self._folder.close()
        if self._head is not None and self.result is None:
            with suppress(OSError):
                sweep(self._head.target)
