"""The film as it is written: pictures in, a whole and checked file out, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streams.errors import EncoderError
from streams.writing.beat import Beat
from streams.writing.choice import EncodeOptions
from streams.writing.marks import read_mark
from streams.writing.output import Output
from streams.writing.pipe import FfmpegWriter
from streams.writing.plain import PlainWriter, Writer
from streams.writing.plan import OutputPlan, default_target, moved, plan_output

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.source import Frame
    from streams.writing.planar import Plane

__all__ = ["EncodeOptions", "OutputPlan", "VideoSink", "default_target", "moved", "plan_output", "read_mark"]


class VideoSink(Output):
    """Writes one film from pictures, which come one after the other, in the order of their time."""

    def __init__(self, plan: OutputPlan, info: FilmInfo, mark: str) -> None:
        """Open the output; `mark` is one line that says how the colours were made.

        Raises OutputError where the place cannot be written, EncoderError where ffmpeg does not start.
        """
        self._beat = Beat(plan, info)
        super().__init__(plan, info, mark)

    def _opened(self, mark: str) -> Writer:
        if self._plan.ffmpeg is None:
            self._writer: Writer = PlainWriter(self._plan, self._info, mark, self._file.path if self._file else None)
        else:
            facts = replace(self._info, time_base=self._beat.clock(self._info.time_base))
            self._writer = FfmpegWriter(self._plan, facts, self._ffmpeg(mark))
        return self._writer

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Write one picture: its luma as it is, and two chroma planes of `plan.coded.chroma_size`.

        Raises OutputError or EncoderError where it cannot be written; then the output is lost.
        """
        if not self._is_open:
            raise EncoderError("the output is closed")
        self._writer.write(self._beat.placed(frame), cb, cr)
        self._frames += 1

    @property
    def warnings(self) -> list[str]:
        """What the pictures written so far have lost, in sentences."""
        said = self._beat.sentence()
        return [said] if said else []
