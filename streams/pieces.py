"""Segments of a film that are made apart, wherever that is, and the film that becomes of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import EncoderError
from streams.source import Frame, Seam, digest_of
from streams.writing.folder import Record
from streams.writing.join import JoiningSink
from streams.writing.segment import Ruler, SegmentWriter, Times, ruler, times_of

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.writing.plan import OutputPlan
    from streams.writing.planar import Plane

__all__ = ["JoiningSink", "Piece", "Record", "Ruler", "Trail", "ruler_of"]

# Pictures before a seam that must come again as they were, or a seek is not believed.
_WITNESSES = 3


class Trail:
    """The last few pictures that went by: a seam behind them can prove itself by them."""

    def __init__(self) -> None:
        self._last: deque[Frame] = deque(maxlen=_WITNESSES)

    def note(self, frame: Frame) -> None:
        """Take the next picture."""
        self._last.append(frame)

    def seam(self, frames: int, is_sound: bool) -> Seam:
        """The seam behind the last picture, which was number `frames` of the film, counted from one."""
        return Seam(frames, tuple((frame.pts, digest_of(frame)) for frame in self._last), is_sound)


class Piece:
    """One segment in the making: its encoder, and what must be known of the pictures that went into it."""

    def __init__(self, plan: OutputPlan, info: FilmInfo, path: Path) -> None:
        """Begin the file; raises EncoderError where ffmpeg does not start."""
        self.pts: list[int] = []
        self._plan = plan
        self._path = path
        self._writer = SegmentWriter(plan, info, path)
        self._trail = Trail()

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Write one picture; raises OutputError or EncoderError."""
        self._writer.write(frame, cb, cr)
        self.pts.append(frame.pts)
        self._trail.note(frame)

    def seam(self, before: int, is_sound: bool) -> Seam:
        """Where reading goes on, if `before` pictures of the film came before this segment."""
        return self._trail.seam(before + len(self.pts), is_sound)

    def end(self, seam: Seam, said: tuple[str, ...] | None) -> Record:
        """End the file; returns its record, still without digests. Raises EncoderError if pictures are missing."""
        self._writer.finish()
        times = Times(len(self.pts), 0) if self._plan.ffmpeg is None else times_of(self._path)
        if times.packets != len(self.pts):
            raise EncoderError(f"ffmpeg wrote {times.packets} pictures of {len(self.pts)}")
        return Record(tuple(self.pts), times.delay, seam, ("", ""), said)

    def kill(self) -> None:
        """End the encoder at once. Twice does no harm."""
        self._writer.kill()


def ruler_of(plan: OutputPlan, info: FilmInfo, records: Sequence[Record], more: Sequence[int] = ()) -> Ruler:
    """The times of all pictures of these segments, and of `more` that follow them."""
    before = chain.from_iterable(record.pts for record in records)
    delay = max((record.delay for record in records), default=0)
    return ruler(plan, info, [*before, *more], delay)
