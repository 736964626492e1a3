"""Which field of an interlaced picture comes first: decoders know it, PyAV does not pass it on, a filter tells."""

from __future__ import annotations

from fractions import Fraction

import av.error
from av.filter import Graph
from av.video.frame import VideoFrame

_ANY_CLOCK = Fraction(1, 1_000_000)


class FieldOrder:
    """Asks FFmpeg's `select` filter, which lets a picture through when its top field is shown first."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def is_top_first(self, frame: VideoFrame) -> bool:
        """Say whether the top field of `frame` is shown first; False for progressive pictures. Copies nothing."""
        if not frame.interlaced_frame:
            return False
        graph = self._ready(frame)
        try:
            graph.push(frame)
            graph.pull()
        except av.error.FFmpegError:
            # BlockingIOError: the filter held the picture back. Anything else: it could not be asked.
            return False
        return True

    def _ready(self, frame: VideoFrame) -> Graph:
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is None or shape != self._shape:
            graph = Graph()
            source = graph.add_buffer(width=shape[0], height=shape[1], format=frame.format, time_base=_ANY_CLOCK)
            select = graph.add("select", "eq(interlace_type,TOPFIRST)".replace(",", r"\,"))
            sink = graph.add("buffersink")
            source.link_to(select)
            select.link_to(sink)
            graph.configure()
            self._graph, self._shape = graph, shape
        return self._graph
