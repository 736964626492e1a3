"""Pictures on their way to an ffmpeg: raw ones that it is to encode, through a pipe that keeps their times."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from streams.writing.child import Child
from streams.writing.feed import Feed
from streams.writing.planar import Packer

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.source import Frame
    from streams.writing.plan import OutputPlan
    from streams.writing.planar import Plane


class FfmpegWriter(Feed):
    """Sends pictures as raw video in NUT, which keeps their times exactly, to an ffmpeg that encodes them."""

    def __init__(self, plan: OutputPlan, info: FilmInfo, child: Child) -> None:
        """Begin the stream."""
        super().__init__(child, "nut")
        self._packer = Packer(plan.coded, plan.luma_shift)
        # The rate only tells the encoder what to expect, and how long the last picture lasts.
        self._stream = self._out.add_stream("rawvideo", rate=info.average_rate or Fraction(25))
        self._stream.width, self._stream.height = plan.coded.width, plan.coded.height
        self._stream.pix_fmt = plan.coded.pixels
        self._stream.time_base = info.time_base

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Send one picture; raises what ffmpeg died of."""
        packet = av.Packet(self._packer.size)
        self._packer.pack(np.frombuffer(memoryview(packet), np.uint8), frame.luma, cb, cr, frame.alpha)
        packet.stream = self._stream
        packet.pts = packet.dts = frame.pts
        packet.time_base = frame.time_base
        packet.is_keyframe = True
        self._mux(packet)
