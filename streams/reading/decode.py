"""Packets to pictures: decodes one stream, lives with damage, and keeps count of what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streams.guard import MAX_SAMPLES

# What PyAV raises for broken data. `ValueError` and `RuntimeError` come from its own checks of odd headers.
_BROKEN = (av.error.FFmpegError, ValueError, RuntimeError, MemoryError, OverflowError)
_SLACK = Fraction(1, 4)
# AVI has no time stamps: its packets are numbered, and what FFmpeg makes of that for B pictures runs to and fro.
_ORDERED = frozenset({"avi"})
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(slots=True)
class Damage:
    """What a film lacks.

    Pictures that did not decode, or only in part; pictures that its index promised; seconds before its stated end.
    """

    undecoded: int = 0
    marred: int = 0
    absent: int = 0
    missing_seconds: Fraction = Fraction(0)
    broke_off: bool = False

    def sentence(self, name: str) -> str | None:
        """Say it in one sentence; None where nothing is amiss."""
        return f"{name} is damaged: {self.count}" if self.count else None

    @property
    def count(self) -> str:
        """What is amiss, counted; nothing where nothing is."""
        parts = []
        if self.undecoded:
            parts.append(f"{self.undecoded} {_pictures(self.undecoded)} could not be decoded")
        if self.marred:
            parts.append(f"{self.marred} {_pictures(self.marred)} decoded only in part")
        if self.absent:
            parts.append(f"{self.absent} {_pictures(self.absent)} of its index are not in the file")
        elif self.missing_seconds:
            parts.append(f"it ends {float(self.missing_seconds):.1f} s before its stated length")
        if self.broke_off and not parts:
            parts.append("it cannot be read to its end")
        return ", ".join(parts)


def _pictures(count: int) -> str:
    return "picture" if count == 1 else "pictures"


# Decoders that conceal what is damaged, but not with threads for slices (libavcodec switches that off): then a picture
# shows what its memory held before, which depends on who else still looks at which picture.
_NAMES = """
    flv flv1 h261 h263 h263i h263p h264 mpeg1video mpeg2video mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4 rv10 rv20 rv30 rv40 svq3
    vc1 wmv1 wmv2 wmv3
"""
_CONCEALING = frozenset(_NAMES.split())


@dataclass(slots=True)
class Decoder:
    """The pictures of one stream, as the decoder gives them: display order, raw time stamps.

    `is_patient` allows frame threads. They are fast, but hold back as many pictures as there are threads (delay on a
    live pipe), and PyAV drops what follows an error while the last ones are fetched: then `lost_tail` is set.
    `is_exact`: damaged pictures come out the same every time.
    """

    container: InputContainer
    stream: VideoStream
    is_patient: bool
    damage: Damage = field(default_factory=Damage)
    _packets: int = 0
    _shown: int = 0
    _frames: int = 0
    _last_end: Fraction | None = None
    _last_due: int | None = None
    _is_whole: bool = True
    _last_place: int | None = None
    _is_continued: bool = False
    lost_tail: bool = False
    is_exact: bool = False

    def __post_init__(self) -> None:
        """Ready the codec."""
        context = self.stream.codec_context
        context.options = {"max_pixels": str(MAX_SAMPLES)}
        context.thread_type = "AUTO" if self.is_patient else "SLICE"
        if self.is_exact and context.name in _CONCEALING:
            context.thread_count = 1

    def seek(self, ticks: int, *, is_continued: bool = False) -> bool:
        """Go to a key picture at or before `ticks` of the stream's clock; False where the film cannot.

        `is_continued`: everything before was read by another run, and nothing was amiss; so its end is judged.
        """
        self._is_whole, self._is_continued = is_continued, is_continued
        try:
            self.container.seek(ticks, stream=self.stream)
        except _BROKEN:
            return False
        return True

    def pictures(self) -> Iterator[VideoFrame]:
        """Decode up to the end; damage is counted, never raised."""
        for packet in self._demuxed():
            yield from self._decoded(packet)
        yield from self._decoded(None)
        self.lost_tail = self.is_patient and self._frames + self.damage.undecoded < self._shown
        self._judge_end()

    def _demuxed(self) -> Iterator[Packet[Stream]]:
        """Read packets of the stream. All streams are watched, so that an early end shows."""
        packets = self.container.demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, IndexError):
                # IndexError: at the end PyAV stumbles over streams that turned up on the way (FLV, MPEG).
                return
            except _BROKEN:
                self.damage.broke_off = True
                return
            if packet.size:
                self._note_end(packet)
                if packet.stream_index == self.stream.index:
                    self._packets += 1
                    self._shown += not packet.is_discard
                    self._last_due = packet.dts if packet.dts is not None else self._last_due
                    yield packet

    def _decoded(self, packet: Packet[Stream] | None) -> list[VideoFrame]:
        try:
            frames = self.stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except _BROKEN:
            self.damage.undecoded += 1
            return []
        if self.container.format.name in _ORDERED:
            self._count_times(frames)
        self._frames += len(frames)
        self.damage.marred += sum(frame.is_corrupt for frame in frames)
        return frames

    def _count_times(self, frames: list[VideoFrame]) -> None:
        """Time pictures by the place of their packets; the last ones come out when no packet is left."""
        for frame in frames:
            after = 0 if self._last_place is None else self._last_place + (frame.duration or 1)
            frame.pts = self._last_place = after if frame.dts is None else frame.dts

    def _note_end(self, packet: Packet[Stream]) -> None:
        if packet.pts is None or not packet.time_base:
            return
        end = (packet.pts + (packet.duration or 0)) * packet.time_base
        self._last_end = end if self._last_end is None else max(end, self._last_end)

    def _expected(self) -> int:
        """Count the packets that the index promises: all, or those that should have come after a seek."""
        entries = self.stream.index_entries
        if not self._is_continued:
            return len(entries)
        last = self._last_due
        return self._packets + sum(last is None or entry.timestamp > last for entry in entries)

    def _judge_end(self) -> None:
        """Compare what came with what the head of the file promised, where it is known to be true to it."""
        if not self._is_whole:
            return
        if "mov" in self.container.format.name:
            self.damage.absent = max(0, self._expected() - self._packets)
        elif self.container.duration and self._last_end is not None and self.container.format.name != "mpegts":
            # Heads count from zero, also where the first picture comes late.
            stated_end = (self.container.duration + min(0, self.container.start_time or 0)) * _MICROSECOND
            missing = stated_end - self._last_end
            self.damage.missing_seconds = missing if missing > _SLACK else Fraction(0)
