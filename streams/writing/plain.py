"""Plain pictures, written without ffmpeg: YUV4MPEG2 and raw video, each picture out as soon as it is there."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from streams.errors import FilmError, OutputError, ReaderLeft, printable
from streams.writing.planar import Packer
from streams.writing.target import plain_reason

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.source import Frame
    from streams.writing.plan import OutputPlan
    from streams.writing.planar import Plane

_SITES = {"left": "mpeg2", "center": "jpeg", "topleft": "paldv"}


class Ending(Protocol):
    """What something goes into until it ends well or is killed."""

    def finish(self) -> None:
        """End well."""

    def kill(self) -> None:
        """End at once."""


class Writer(Ending, Protocol):
    """What takes coloured pictures, one after the other."""

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Take one picture."""


class PlainWriter:
    """Writes planes one after the other, with Y4M's words before them or with none."""

    def __init__(
        self, plan: OutputPlan, info: FilmInfo, mark: str, target: Path | None, *, has_head: bool = True
    ) -> None:
        """Open `target` (None: standard output); raises OutputError where that fails."""
        is_y4m = plan.muxer == "yuv4mpegpipe"
        self._head = y4m_head(plan, info) if is_y4m and has_head else b""
        self._between = b"FRAME\n" if is_y4m else b""
        self._packer = Packer(plan.coded, plan.luma_shift)
        self._target = target
        self._is_live = target is None
        self._descriptor: int | None = _descriptor(target)
        self._room = np.empty(self._packer.size, np.uint8)

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Write one picture; raises OutputError where nobody reads, or no space is left."""
        self._packer.pack(self._room, frame.luma, cb, cr, frame.alpha)
        self._put(self._head + self._between)
        self._head = b""
        self._put(self._room.data)

    def _put(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest and self._descriptor is not None:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                raise self._failure(error) from error

    def _failure(self, error: OSError) -> FilmError:
        # Windows says EINVAL where others say EPIPE.
        if self._is_live and error.errno in (errno.EPIPE, errno.EINVAL):
            return ReaderLeft("whoever read standard output has stopped reading")
        name = "standard output" if self._target is None else printable(self._target.name)
        return OutputError(f"{name} cannot be written: {plain_reason(error)}")

    def finish(self) -> None:
        """Close a file; standard output stays open. Raises OutputError: some disks complain only now."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and not self._is_live:
            try:
                os.close(descriptor)
            except OSError as error:
                raise self._failure(error) from error

    def kill(self) -> None:
        """Close a file; standard output stays open. Twice does no harm."""
        with suppress(OutputError):
            self.finish()


def _descriptor(target: Path | None) -> int:
    if target is None:
        # The descriptor itself: a buffer would hold pictures back, and complain at exit when the reader has left.
        sys.stdout.flush()
        return sys.stdout.fileno()
    return os.open(target, os.O_WRONLY | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))


def y4m_head(plan: OutputPlan, info: FilmInfo) -> bytes:
    """Return the header line of a YUV4MPEG2 stream (mjpegtools' yuv4mpeg(5), with FFmpeg's names beyond 8 bits).

    It stays under 96 bytes, the most that FFmpeg before version 6 reads: no room for a mark.
    """
    coded, rate, ratio = plan.coded, info.average_rate or Fraction(25), info.sample_aspect_ratio
    fields = ("t" if info.top_field_first else "b") if info.interlaced else "p"
    words = [
        "YUV4MPEG2",
        f"W{coded.width}",
        f"H{coded.height}",
        f"F{rate.numerator}:{rate.denominator}",
        f"I{fields}",
        f"A{ratio.numerator}:{ratio.denominator}" if ratio else "A0:0",
        f"C{_form(plan)}",
        f"XCOLORRANGE={'FULL' if coded.full_range else 'LIMITED'}",
    ]
    return " ".join(words).encode() + b"\n"


def _form(plan: OutputPlan) -> str:
    coded = plan.coded
    sampling = coded.pixels.removeprefix("yuva").removeprefix("yuv").partition("p")[0]
    if coded.has_alpha:
        return f"{sampling}alpha"
    if coded.depth > 8:
        return f"{sampling}p{coded.depth}"
    if sampling == "420":
        return sampling + _SITES.get(coded.stated.location or "center", "jpeg")
    return sampling
