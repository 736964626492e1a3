"""Segments become one film: their packets go through a pipe to ffmpeg, which copies them beside all other streams."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from streams.errors import EncoderError, printable
from streams.writing.child import Child
from streams.writing.command import Coded
from streams.writing.feed import BUFFER, Feed
from streams.writing.output import Output
from streams.writing.plain import Ending, y4m_head
from streams.writing.segment import Ruler, opened, packets_of
from streams.writing.target import writing

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.writing.plan import OutputPlan


class Joiner(Ending, Protocol):
    """What takes segments, one after the other."""

    def put(self, path: Path) -> None:
        """Take one segment."""


class JoiningSink(Output):
    """Writes a film from its segments; it appears whole or not at all, as any other."""

    def __init__(self, plan: OutputPlan, info: FilmInfo, mark: str, parts: Sequence[Path], ruler: Ruler) -> None:
        """`parts` are the files in order, `ruler` has the times of all their pictures."""
        self._parts = parts
        self._ruler = ruler
        super().__init__(plan, info, mark)

    def _opened(self, mark: str) -> Joiner:
        assert self._file is not None
        self._joiner: Joiner
        if self._plan.ffmpeg is None:
            self._joiner = PlainJoiner(y4m_head(self._plan, self._info), self._file.path)
        else:
            form = _form(self._plan)
            coded = Coded(form, self._ruler.tick, -self._ruler.due(0) * self._ruler.tick)
            self._joiner = PacketWriter(self._ffmpeg(mark, coded), form, self._parts[0], self._ruler)
        return self._joiner

    def join(self) -> int:
        """Copy all segments and finish; returns the number of pictures.

        Raises OutputError or EncoderError; then nothing of the output is left, and the segments are as they were.
        """
        for path in self._parts:
            self._joiner.put(path)
        self._frames = len(self._ruler.ticks)
        return self.finish()


def _form(plan: OutputPlan) -> str:
    """The container for the pipe: NUT would lose decoding times, where a codec may have any, and has no ProRes."""
    keeps_order = ("bf", "0") in plan.container.fixed
    is_reordered = plan.codec.name in ("h264", "hevc") and not keeps_order
    return "mov" if is_reordered or plan.codec.name == "prores" else "nut"


def _likeness(out: OutputContainer, stream: VideoStream) -> VideoStream:
    try:
        made = out.add_stream_from_template(stream)
    except UnknownCodecError:  # there is no encoder of that name here: its description is copied unread
        made = out.add_stream_from_template(stream, opaque=True)
    if stream.codec_context.name == "rawvideo":
        made.codec_context.codec_tag = stream.codec_context.codec_tag  # nothing else says what the samples are
    return made


class PacketWriter(Feed):
    """Sends packets of many segments as one stream to an ffmpeg.

    QuickTime in fragments carries decoding times, NUT does not; but NUT holds nearly every codec, as it is. Times
    begin at zero there, and the command moves them back to where they belong.
    """

    def __init__(self, child: Child, form: str, first: Path, ruler: Ruler) -> None:
        """Begin the stream, in the likeness of the first segment."""
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if form == "mov" else {}
        super().__init__(child, form, options)
        self._ruler = ruler
        self._count = 0
        with opened(first) as film:
            self._head = film.streams.video[0].codec_context.extradata
            self._stream = _likeness(self._out, film.streams.video[0])
        self._stream.time_base = ruler.tick

    def put(self, path: Path) -> None:
        """Copy one segment; raises EncoderError where it does not fit, or what ffmpeg died of."""
        self._check_head(path)
        packets = list(packets_of(path))
        ranks = {time: rank for rank, time in enumerate(sorted(packet.pts or 0 for packet in packets))}
        first = self._count
        for packet in packets:
            self._send(packet, first + ranks[packet.pts or 0])

    def _check_head(self, path: Path) -> None:
        with opened(path) as film:
            if film.streams.video[0].codec_context.extradata != self._head:
                raise EncoderError(f"the segment {printable(path.name)} was coded otherwise than the first")

    def _send(self, coded: Packet[Stream], shown: int) -> None:
        packet, zero = Packet(bytes(coded)), self._ruler.due(0)
        packet.stream, packet.time_base = self._stream, self._ruler.tick
        packet.pts, packet.dts = self._ruler.ticks[shown] - zero, self._ruler.due(self._count) - zero
        packet.duration = self._ruler.length(self._count)
        packet.is_keyframe = coded.is_keyframe
        self._count += 1
        self._mux(packet)


class PlainJoiner:
    """Puts plain pictures one after the other, behind their head."""

    def __init__(self, head: bytes, target: Path) -> None:
        """Begin the file; raises OutputError where that fails."""
        self._target = target
        with writing(target):
            target.write_bytes(head)

    def put(self, path: Path) -> None:
        """Append one segment; raises OutputError where that fails."""
        with writing(self._target), path.open("rb") as part, self._target.open("ab") as whole:
            shutil.copyfileobj(part, whole, BUFFER)

    def finish(self) -> None:
        """Do nothing: every part was closed."""

    def kill(self) -> None:
        """Do nothing: every part was closed."""
