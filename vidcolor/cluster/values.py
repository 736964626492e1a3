"""What travels between the run and its tasks: films, what is known of them, segments to make and segments made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streams.segments import Record, Seam
from streams.shots import CutMemory
from vidcolor.archive.entries import Entry
from vidcolor.options import Options

if TYPE_CHECKING:
    from streams.sink import OutputPlan
    from streams.source import FilmInfo


@dataclass(frozen=True, slots=True)
class Place:
    """Where the network runs, settled once for the whole run, so that no machine chooses for itself."""

    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class Weights:
    """A network that is no packaged one: its name's stem, the hash of its file, and the file."""

    name: str
    sha256: str
    data: bytes = field(compare=False, repr=False)  # the hash says which


@dataclass(frozen=True, slots=True)
class Film:
    """One film of a run.

    Attributes:
        entry: where it lies and where its output belongs, both absolute on the machine that began the run.
        options: how it is restored; always in segments.
        place: where the network runs.
        size: of the file, in bytes.
        print: fingerprint of the file: a task that finds another one under its name does not take it for this film.
        pace: fewest and most pictures of a segment.
        keep: an output that is there already is left.
        is_shared: tasks may find its paths, and use them; else everything travels.
    """

    entry: Entry
    options: Options
    place: Place
    size: int
    print: str
    pace: tuple[int, int]
    keep: bool = False
    is_shared: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """What a look at a film settled.

    Attributes:
        target: where its output goes.
        kind: "film"; "still": a picture, which is restored whole; "kept": nothing is to be done.
        identity: all that its pictures depend on.
        mark: what is written into the output.
        total: pictures, as the header claims.
        is_seekable: whether tasks can begin in the middle of it.
        said: what the output cannot hold.
        info: the film, as all tasks are to see it.
        plan: how it is written; which ffmpeg does that is each machine's own affair.
    """

    target: Path
    kind: str
    identity: dict[str, str]
    mark: str = ""
    total: int | None = None
    is_seekable: bool = False
    said: tuple[str, ...] = ()
    info: FilmInfo | None = None
    plan: OutputPlan | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A segment that is to be made.

    Attributes:
        number: in the film.
        frames: how many pictures it has; None = all that are left, segment after segment.
        seam: where it begins; None = at the film's beginning.
        cuts: what is known for finding cuts there; None = nothing.
        is_free: it begins with a shot (or the film), so that no memory has to come from the segment before.
    """

    number: int
    frames: int | None
    seam: Seam | None
    cuts: CutMemory | None
    is_free: bool


@dataclass(frozen=True, slots=True)
class End:
    """The film has been read to its end: what was amiss in it, and how much of it is lost."""

    said: tuple[str, ...]
    damage: str


@dataclass(frozen=True, slots=True)
class Made:
    """A segment that was made.

    Attributes:
        number: in the film.
        record: what is known of it, still without the digests that the folder gives it.
        file: its name in the film's folder, where the task could write there.
        data: its bytes, where it could not.
        sha256: of the bytes.
        is_fp32: half precision had to be given up on the way.
        said: what was warned of.
        passed: pictures that had to be decoded to get to its beginning.
        end: set where these are the last pictures, and the task itself read to the film's end.
    """

    number: int
    record: Record
    file: str
    data: bytes | None
    sha256: str
    is_fp32: bool
    said: tuple[str, ...]
    passed: int
    end: End | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """An output that is whole: its pictures, what was warned of, and the hashes for the report."""

    frames: int
    said: tuple[str, ...]
    hashes: tuple[tuple[str, str], ...]
    damage: str = ""
