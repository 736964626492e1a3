"""A film written in segments that outlive a crash, kept in a hidden folder beside the output, and joined at the end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from streams.errors import EncoderError
from streams.source import Frame, Seam, digest_of
from streams.writing.folder import Folder, Record, clear, fingerprint
from streams.writing.join import JoiningSink
from streams.writing.segment import Ruler, SegmentWriter, Times, ruler, times_of

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.writing.plan import OutputPlan
    from streams.writing.planar import Plane

__all__ = ["Folder", "Seam", "SegmentedSink", "clear", "fingerprint"]

# Pictures before a seam that must come again as they were, or a seek is not believed.
_WITNESSES = 3
# A segment whose pictures are all there may end in good order even when the run is stopped, if it is quick.
_PATIENCE_SECONDS = 1.0


@dataclass(slots=True)
class _Segment:
    """The segment that is being written: its encoder, and the times and the last pictures that went into it."""

    writer: SegmentWriter
    path: Path
    pts: list[int] = field(default_factory=list)
    last: deque[Frame] = field(default_factory=lambda: deque(maxlen=_WITNESSES))


class SegmentedSink:
    """Writes one film in segments. Leaving the `with` block without `finish` keeps every whole segment.

    A segment is ended in a thread while the next is written; it counts once its record is on the disk.
    """

    def __init__(
        self, plan: OutputPlan, info: FilmInfo, mark: str, folder: Folder, is_sound: Callable[[], bool]
    ) -> None:
        """Go on in `folder`; `is_sound` says whether the film was read without anything amiss so far."""
        self._plan = plan
        self._info = info
        self._mark = mark
        self._folder = folder
        self._is_sound = is_sound
        self._segment: _Segment | None = None
        self._begun_so_far = len(folder.records)
        self._ending: threading.Thread | None = None
        self._ended: _Segment | None = None
        self._error: BaseException | None = None
        self._joining: JoiningSink | None = None
        self._guard = threading.RLock()
        self._is_over = False

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Write one picture, of the current segment; raises OutputError or EncoderError."""
        segment = self._begun()
        segment.writer.write(frame, cb, cr)
        segment.pts.append(frame.pts)
        segment.last.append(frame)

    def _begun(self) -> _Segment:
        with self._guard:
            if self._is_over:
                raise EncoderError("the output is closed")
            if self._error is not None:
                self._wait()
            if self._segment is None:
                room = self._folder.room(self._begun_so_far)
                self._segment = _Segment(SegmentWriter(self._plan, self._info, room), room)
                self._begun_so_far += 1
            return self._segment

    def cut(self, state: bytes) -> None:
        """End the current segment, which `state` belongs to the end of; raises what ended the one before."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._end(segment, state, None)

    def _end(self, segment: _Segment, state: bytes, said: tuple[str, ...] | None) -> None:
        self._wait()
        seam = self._seam(segment)
        work = (segment, seam, state, said)
        self._ended = segment
        self._ending = threading.Thread(target=self._keep, args=work, name="end of segment", daemon=True)
        self._ending.start()

    def _seam(self, segment: _Segment) -> Seam:
        last = tuple((frame.pts, digest_of(frame)) for frame in segment.last)
        return Seam(self._folder.frames + len(segment.pts), last, self._is_sound())

    def _keep(self, segment: _Segment, seam: Seam, state: bytes, said: tuple[str, ...] | None) -> None:
        try:
            segment.writer.finish()
            times = self._times(segment)
            if times.packets != len(segment.pts):
                raise EncoderError(f"ffmpeg wrote {times.packets} pictures of {len(segment.pts)}")
            self._folder.keep(Record(tuple(segment.pts), times.delay, seam, ("", ""), said), state)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that writes
            self._error = error
            segment.writer.kill()

    def _times(self, segment: _Segment) -> Times:
        if self._plan.ffmpeg is None:
            return Times(len(segment.pts), 0)
        return times_of(segment.path)

    def _wait(self) -> None:
        """Wait for the end of the segment before; raises what it failed of."""
        if self._ending is not None:
            self._ending.join()
            self._ending = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    @property
    def warnings(self) -> list[str]:
        """What the pictures written so far have lost, in sentences."""
        self._wait()
        now = self._segment.pts if self._segment else []
        said = self._ruler(now, 0).said
        return [said] if said else []

    def _ruler(self, now: Sequence[int], delay: int) -> Ruler:
        before = chain.from_iterable(record.pts for record in self._folder.records)
        return ruler(self._plan, self._info, [*before, *now], delay)

    def finish(self, said: Sequence[str]) -> int:
        """End the last segment, join all, give the film its name; returns the number of its pictures.

        `said` is what was amiss in the film. Raises OutputError or EncoderError; then the segments are kept.
        """
        segment, self._segment = self._segment, None
        if segment is not None:
            self._end(segment, b"", tuple(said))
        self._wait()
        count = self._joined()
        self._folder.remove()
        return count

    def _joined(self) -> int:
        records = self._folder.records
        if not records:
            raise EncoderError("there are no pictures to join")
        times = self._ruler((), max(record.delay for record in records))
        with self._guard:
            if self._is_over:
                raise EncoderError("the output is closed")
            self._joining = JoiningSink(self._plan, self._info, self._mark, self._folder.parts, times)
        with self._joining:
            return self._joining.join()

    def abort(self) -> None:
        """End at once; whole segments stay. Twice does no harm."""
        with self._guard:
            self._is_over = True
            segment, self._segment = self._segment, None
            joining = self._joining
        if segment is not None:
            segment.writer.kill()
        if joining is not None:
            joining.abort()

    def __enter__(self) -> SegmentedSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
        if self._ending is not None and self._ended is not None:
            self._ending.join(_PATIENCE_SECONDS)
            if self._ending.is_alive():
                self._ended.writer.kill()
                self._ending.join()
