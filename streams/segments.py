"""A film written in segments that outlive a crash, kept in a hidden folder beside the output, and joined at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from streams.errors import EncoderError
from streams.pieces import Piece, ruler_of
from streams.source import Frame, Seam
from streams.writing.folder import Folder, Record, clear, fingerprint
from streams.writing.join import JoiningSink

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.writing.plan import OutputPlan
    from streams.writing.planar import Plane

__all__ = ["Folder", "Record", "Seam", "SegmentedSink", "clear", "fingerprint"]

# A segment whose pictures are all there may end in good order even when the run is stopped, if it is quick.
_PATIENCE_SECONDS = 1.0


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
        self._segment: Piece | None = None
        self._begun_so_far = len(folder.records)
        self._ending: threading.Thread | None = None
        self._ended: Piece | None = None
        self._error: BaseException | None = None
        self._joining: JoiningSink | None = None
        self._guard = threading.RLock()
        self._is_over = False

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Write one picture, of the current segment; raises OutputError or EncoderError."""
        self._begun().write(frame, cb, cr)

    def _begun(self) -> Piece:
        with self._guard:
            if self._is_over:
                raise EncoderError("the output is closed")
            if self._error is not None:
                self._wait()
            if self._segment is None:
                self._segment = Piece(self._plan, self._info, self._folder.room(self._begun_so_far))
                self._begun_so_far += 1
            return self._segment

    def cut(self, state: bytes) -> None:
        """End the current segment, which `state` belongs to the end of; raises what ended the one before."""
        segment, self._segment = self._segment, None
        if segment is not None:
            self._end(segment, state, None)

    def _end(self, segment: Piece, state: bytes, said: tuple[str, ...] | None) -> None:
        self._wait()
        seam = segment.seam(self._folder.frames, self._is_sound())
        work = (segment, seam, state, said)
        self._ended = segment
        self._ending = threading.Thread(target=self._keep, args=work, name="end of segment", daemon=True)
        self._ending.start()

    def _keep(self, segment: Piece, seam: Seam, state: bytes, said: tuple[str, ...] | None) -> None:
        try:
            self._folder.keep(segment.end(seam, said), state)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that writes
            self._error = error
            segment.kill()

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
        now = self._segment.pts if self._segment else ()
        said = ruler_of(self._plan, self._info, self._folder.records, now).said
        return [said] if said else []

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
        times = ruler_of(self._plan, self._info, records)
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
            segment.kill()
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
                self._ended.kill()
                self._ending.join()
