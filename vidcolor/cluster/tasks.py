"""What a task does, wherever it runs: look at a film, find its segments, make one, join all; knows no cluster."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import EncoderError, FilmError, InputError, OutputError, printable
from streams.pieces import JoiningSink, Piece, Trail, ruler_of
from streams.segments import Record, Seam
from streams.shots import Gatherer, Pace
from streams.source import Frame, VideoSource
from vidcolor.archive.done import sha256_of
from vidcolor.brake import Brake
from vidcolor.cluster.copies import Fetch, located, own_room
from vidcolor.cluster.values import End, Film, Head, Made, Place, Section, Weights, Written
from vidcolor.films import FilmJob, Studio
from vidcolor.job import Warnings, check_told, load_model, mark_of
from vidcolor.options import Options
from vidcolor.pipeline import Shelf, prepare
from vidcolor.resume import ResumableJob, program_of
from vidcolor.stills import StillJob
from vidcolor.watch import Watcher

if TYPE_CHECKING:
    from streams.sink import OutputPlan
    from streams.source import FilmInfo
    from vidcolor.checkpoint import Checkpoint
    from vidcolor.colorizer import Spec
    from vidcolor.zoo import LoadedModel


def settle(device: str, precision: str) -> Place:
    """Choose device and precision as this machine would; raises ModelError where it has no such device."""
    from vidcolor.device import choose

    found = choose(device, precision)
    return Place(found.device.type, found.precision)


def network(film: Film, weights: Weights | None) -> LoadedModel:
    """The film's network, loaded once by each process; raises ModelError."""
    return _loaded(film.options.model, weights, film.place, film.options.runtime)


def _described(film: Film, weights: Weights | None) -> LoadedModel:
    """The network as it is called and measured, on a machine that may have no place for it to work."""
    import torch

    from vidcolor import device

    idle = _loaded(film.options.model, weights, Place("cpu", "fp32"), "torch")
    return replace(idle, place=device.Place(torch.device(film.place.device), film.place.precision))


@lru_cache(maxsize=2)
def _loaded(model: str, weights: Weights | None, place: Place, runtime: str) -> LoadedModel:
    import torch

    torch.set_num_threads(1)  # a task is given one processor; tasks are what runs side by side
    file = model if weights is None else str(_file_of(model, weights))
    return load_model(Options(model=file, device=place.device, precision=place.precision, runtime=runtime))


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _file_of(model: str, weights: Weights) -> Path:
    """The network's file: the one that was named, if this machine has it, else a copy that lives as this process does.

    It may be read again, where half precision turns out not to do.
    """
    path = Path(model)
    with suppress(OSError):
        if sha256_of(path) == weights.sha256:
            return path
    _kept.append(tempfile.TemporaryDirectory(prefix="vidcolor-weights-"))
    copy = Path(_kept[-1].name) / weights.name
    copy.write_bytes(weights.data)
    return copy


# --- a look, and what is no film ---


def look(film: Film, weights: Weights | None) -> Head:
    """Open the film, where its output goes, and settle all that its tasks have to agree on; raises FilmError."""
    with _prepared(film) as job:
        target = job.target
        assert target is not None
        if job.is_taken and film.keep:
            return Head(target, "kept", {})
        job.check_free()
        if isinstance(job, StillJob):
            return Head(target, "still", {})
        assert isinstance(job, ResumableJob)
        ears = Warnings(Watcher(), film.options.strict)
        ears.tell(job.losses(), OutputError)
        model = _described(film, weights)
        check_told(model, film.options)
        source = job.source
        return Head(
            target,
            "film",
            job.identity(model),
            str(mark_of(model, film.options, source.info.path)),
            job.total,
            source.is_seekable,
            tuple(ears.told),
            source.info,
            job.plan,
        )


@contextmanager
def _prepared(film: Film) -> Iterator[FilmJob | StillJob]:
    entry = film.entry
    place = entry.target or Shelf(entry.folder, entry.stem)
    with prepare(entry.source, place, film.options) as job:
        assert isinstance(job, FilmJob | StillJob)
        yield job


def whole(film: Film, weights: Weights | None) -> Written:
    """Restore a still picture."""
    with _prepared(film) as job:
        assert job.target is not None
        ears = Warnings(Watcher(), film.options.strict)
        ears.tell(job.losses(), OutputError)
        model = network(film, weights)
        check_told(model, film.options)
        frames = job.work(model, ears, Watcher(), Brake())
        return Written(frames, tuple(ears.told), _hashes(film, job.target, model.sha256))


def _hashes(film: Film, target: Path, model: str) -> tuple[tuple[str, str], ...]:
    found = [("model", model)]
    for name, path in (("input", film.entry.source), ("output", target)):
        with suppress(OSError):  # taken away since: the report has no hash of it
            found.append((name, sha256_of(path)))
    return tuple(sorted(found))


# --- where the segments are ---


@dataclass(frozen=True, slots=True)
class Start:
    """Where work that was begun is gone on with: number of the segment, the seam before it, the state there."""

    number: int
    seam: Seam
    state: bytes


class Changed(InputError):
    """A film does not give the pictures again that it gave before."""


def scout(film: Film, weights: Weights | None, start: Start | None, fetch: Fetch | None) -> Iterator[Section | End]:
    """Decode the film and find where its segments begin, as a run on one machine would set them.

    A section is given when the next begins, or the film ends; then `End`. Raises Changed where the film does not give
    the pictures that another run saw before `start`, ModelError where the state there is damaged.
    """
    from vidcolor.checkpoint import Checkpoint

    cuts = Checkpoint.from_bytes(start.state).cuts if start else None
    with _opened(film, fetch) as source:
        _passed_over(source, start.seam if start else None)
        spec = _described(film, weights).colorizer.spec
        begin = Section(start.number, 0, start.seam, cuts, False) if start else Section(0, 0, None, None, True)
        yield from _sections(film, source, spec, begin)
        if film.options.strict and source.warnings:
            raise InputError(f"{source.warnings[0]} (and the run is --strict)")
        yield End(tuple(source.warnings), source.damage)


def _sections(film: Film, source: VideoSource, spec: Spec, begin: Section) -> Iterator[Section]:
    from vidcolor.planes import network_size

    form = source.info.format
    size = network_size((form.height, form.width), film.options.side or spec.side, spec.stride)
    trail, count, before = Trail(), 0, begin.seam.frames if begin.seam else 0
    for batch in Gatherer(size, 1, Pace(*film.pace), begin.cuts).batches(source):
        if batch.opens is not None:
            yield replace(begin, frames=count)
            before += count
            seam = trail.seam(before, source.is_sound)
            begin, count = Section(begin.number + 1, 0, seam, batch.opens, batch.begins_shot), 0
        for frame in batch.frames:
            trail.note(frame)
            count += 1
    yield replace(begin, frames=count)


@contextmanager
def _opened(film: Film, fetch: Fetch | None) -> Iterator[VideoSource]:
    path, options = located(film, fetch), film.options
    with closing(VideoSource(path, start=options.start, stop=options.stop, is_exact=True)) as source:
        yield source


# --- one segment, or all that are left ---


class _Part:
    """The next few pictures of a film, as a film."""

    def __init__(self, source: VideoSource, frames: int | None) -> None:
        self.info = source.info
        self._source = source
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        return islice(iter(self._source), self._frames)


@dataclass(frozen=True, slots=True)
class Room:
    """Where a task puts its segments: the film's folder if this machine sees it, else a place of its own."""

    folder: Path
    is_shared: bool

    def new(self, number: int) -> Path:
        """A new name for a segment: another try at the same one may be alive, or have died over it."""
        return self.folder / f"{number:06d}.{secrets.token_hex(4)}.part"


@contextmanager
def room_of(folder: Path, identity: str, is_shared: bool = True) -> Iterator[Room]:
    """The folder itself where this machine sees it: it says of itself whose it is. Else one that goes away."""
    try:
        is_it = is_shared and (folder / "work.json").read_text() == identity
    except OSError:
        is_it = False
    if is_it:
        yield Room(folder, True)
        return
    with own_room() as own:
        yield Room(Path(own), False)


@dataclass(frozen=True, slots=True)
class Errand:
    """One film's segments, as every task of it must know them: the film, its head, and the folder that takes them."""

    film: Film
    head: Head
    folder: Path
    identity: str  # of the folder, as its own file has it

    @property
    def info(self) -> FilmInfo:
        """The film as the first look saw it."""
        assert self.head.info is not None
        return self.head.info

    def plan(self) -> OutputPlan:
        """How this machine writes it; raises EncoderError where other versions are installed here."""
        from streams.writing.ffmpeg import find_ffmpeg

        plan = self.head.plan
        assert plan is not None
        here = plan if plan.ffmpeg is None else replace(plan, ffmpeg=find_ffmpeg(self.film.options.ffmpeg))
        if program_of(here) != self.head.identity["program"]:
            raise EncoderError(
                f"a machine of the cluster has {program_of(here)}, the run began with {self.head.identity['program']}"
            )
        return here


Means = tuple[Weights | None, Fetch | None]


def colour(errand: Errand, section: Section, state: bytes, means: Means) -> Iterator[tuple[Made, bytes]]:
    """Make a segment, or all that are left; gives each with the state that it ends in.

    `state` is the one that the segment before ended in; empty where nothing is remembered. `means` are the weights and
    the way to the film, where they may not be on this machine. Raises FilmError.
    """
    from vidcolor.checkpoint import Checkpoint
    from vidcolor.memory import State

    film, since = errand.film, None
    if state:
        since = Checkpoint.from_bytes(state)
    elif section.cuts is not None:
        since = Checkpoint(State(), section.cuts)
    weights, fetch = means
    model = network(film, weights)
    with _opened(film, fetch) as source, room_of(errand.folder, errand.identity, film.is_shared) as room:
        passed = _passed_over(source, section.seam)
        yield from _Maker(errand, section, source, room, passed).made(model, since)


def _passed_over(source: VideoSource, seam: Seam | None) -> int:
    """Go to a seam; returns how many pictures had to be decoded for that."""
    count = 0

    def beat() -> None:
        nonlocal count
        count += 1

    if seam is not None and not source.skip_to(seam, beat):
        raise Changed(f"{source.info.name} does not give the same pictures again")
    return count


class _Maker:
    """Makes segments of one film, one after the other."""

    def __init__(self, errand: Errand, section: Section, source: VideoSource, room: Room, passed: int) -> None:
        self._errand = errand
        self._section = section
        self._source = source
        self._room = room
        self._passed = passed
        self._plan = errand.plan()
        self._ears = Warnings(Watcher(), errand.film.options.strict)
        self._number = section.number
        self._before = section.seam.frames if section.seam else 0

    def made(self, model: LoadedModel, since: Checkpoint | None) -> Iterator[tuple[Made, bytes]]:
        """Give the segments."""
        film = self._errand.film
        studio = Studio(model, film.options, self._ears).guided_for(self._source, Brake())
        is_open = self._section.frames is None
        part, pace = _Part(self._source, self._section.frames), Pace(*film.pace) if is_open else None
        piece = None
        try:
            with closing(studio.colour(part, self._plan.coded, pace, since)) as coloured:
                for picture in coloured:
                    if picture.before and piece:
                        whole, piece = piece, None
                        yield self._ended(whole, picture.before, None)
                    piece = piece or self._begun()
                    piece.piece.write(picture.frame, picture.cb, picture.cr)
            last, piece = piece, None
            yield self._last(last, studio.after, is_open)
        finally:
            if piece:
                piece.discard()

    def _begun(self) -> _Begun:
        path = self._room.new(self._number)
        return _Begun(Piece(self._plan, self._errand.info, path), path)

    def _last(self, piece: _Begun | None, after: Checkpoint, is_open: bool) -> tuple[Made, bytes]:
        wanted = self._section.frames
        if piece is None or (wanted is not None and len(piece.piece.pts) != wanted):
            raise Changed(f"{self._source.info.name} does not give the same pictures again")
        if not is_open:
            return self._ended(piece, after, None)
        if self._errand.film.options.strict and self._source.warnings:
            raise InputError(f"{self._source.warnings[0]} (and the run is --strict)")
        return self._ended(piece, after, End(tuple(self._source.warnings), self._source.damage))

    def _ended(self, begun: _Begun, after: Checkpoint, end: End | None) -> tuple[Made, bytes]:
        try:
            seam = begun.piece.seam(self._before, self._source.is_sound)
            record = begun.piece.end(seam, None if end is None else end.said)
            sha256 = sha256_of(begun.path)
            data = None if self._room.is_shared else begun.path.read_bytes()
        except BaseException:
            begun.discard()
            raise
        said, self._ears.told = tuple(self._ears.told), []
        made = Made(self._number, record, begun.path.name, data, sha256, after.is_fp32, said, self._passed, end)
        self._number, self._before = self._number + 1, self._before + len(record.pts)
        return made, after.to_bytes()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A segment in the making, and its file."""

    piece: Piece
    path: Path

    def discard(self) -> None:
        """End its encoder, and leave nothing of it."""
        self.piece.kill()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


# --- all segments become the film ---


def join(errand: Errand, records: Iterable[Record], said: tuple[str, ...]) -> Written | None:
    """Join a film's segments; None where this machine does not see the folder that they lie in.

    `said`: what was amiss in the film. Raises OutputError or EncoderError; then nothing of the output is left.
    """
    with room_of(errand.folder, errand.identity) as room:
        if not room.is_shared or not errand.head.target.parent.is_dir():
            return None
        plan, whole = errand.plan(), list(records)
        ruler = ruler_of(plan, errand.info, whole)
        ears = Warnings(Watcher(), errand.film.options.strict)
        ears.tell([ruler.said] if ruler.said else [], OutputError)
        parts = [errand.folder / f"{at:06d}.nut" for at in range(len(whole))]
        sink = JoiningSink(plan, errand.info, errand.head.mark, parts, ruler)
        with sink:
            count = sink.join()
        hashes = _hashes(errand.film, errand.head.target, errand.head.identity["model"])
        return Written(count, (*said, *ears.told), hashes)


def sentence_of(error: BaseException) -> FilmError:
    """Any failure of a task as one of the house's own, so that it can be told."""
    if isinstance(error, FilmError):
        return error
    if isinstance(error, MemoryError):
        return FilmError("out of memory: try a smaller --side or --batch")
    return FilmError(f"unexpected {type(error).__name__}: {printable(str(error).partition(chr(10))[0])}")
