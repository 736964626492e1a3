"""One segment of a film's pictures, encoded on its own, and how many of them become one stream again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from streams.errors import EncoderError, printable
from streams.guard import open_again
from streams.writing.beat import Beat
from streams.writing.child import Child
from streams.writing.command import build
from streams.writing.containers import Container
from streams.writing.passengers import Manifest, Passenger
from streams.writing.pipe import FfmpegWriter
from streams.writing.plain import PlainWriter, Writer

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.source import Frame
    from streams.writing.plan import OutputPlan
    from streams.writing.planar import Plane


# What an encoder writes depends on how many threads it has, and left alone it has as many as the machine: segments that
# were made on two machines would not be those of one.
_THREADS = "4"


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of the packets of a segment: how many there are, and how far they are from the order of display."""

    packets: int
    delay: int


class SegmentWriter:
    """Encodes pictures to a file of packets whose times begin at zero.

    Times are put right when segments are joined. So a segment depends on its own pictures alone, and equal pictures
    make an equal segment, whoever makes it.
    """

    def __init__(self, plan: OutputPlan, info: FilmInfo, path: Path) -> None:
        """Raises EncoderError where ffmpeg does not start."""
        self._tick = Beat(plan, info).tick
        self._first: int | None = None
        self._count = 0
        self._writer = _writer(plan, replace(info, time_base=self._tick or info.time_base), path)

    def write(self, frame: Frame, cb: Plane, cr: Plane) -> None:
        """Write one picture."""
        if self._first is None:
            self._first = frame.pts
        timed = (
            replace(frame, pts=self._count, time_base=self._tick)
            if self._tick
            else replace(frame, pts=frame.pts - self._first)
        )
        self._writer.write(timed, cb, cr)
        self._count += 1

    def finish(self) -> None:
        """End the file."""
        self._writer.finish()

    def kill(self) -> None:
        """End at once."""
        self._writer.kill()


def _writer(plan: OutputPlan, info: FilmInfo, path: Path) -> Writer:
    if plan.ffmpeg is None:
        path.touch()
        return PlainWriter(plan, info, "", path, has_head=False)
    alone, facts = _alone(plan, path), replace(info, cut=None, chapters=(), tags={}, rotation=0)
    return FfmpegWriter(alone, facts, Child(build(alone, facts, "", path).words, to_stdout=False))


def _alone(plan: OutputPlan, path: Path) -> OutputPlan:
    """The same pictures in the same codec, and nothing else."""
    bare = tuple((name, value) for name, value in plan.container.fixed if name == "bf")
    bare = (*bare, ("threads", _THREADS))
    holder = Container("a segment", "nut", (".nut",), "nut", (plan.codec.name,), marks="none", fixed=bare)
    main = plan.manifest.mapped[plan.manifest.main].stream
    rider = Passenger(replace(main, tags={}, disposition=frozenset()), "pictures")
    return replace(plan, target=path, container=holder, manifest=Manifest((rider,), False, False, ()))


def times_of(path: Path) -> Times:
    """Read all packets of a segment; raises EncoderError where it cannot be read."""
    pts = [packet.pts for packet in packets_of(path)]
    order = {time: rank for rank, time in enumerate(sorted(time for time in pts if time is not None))}
    if len(order) != len(pts):
        raise EncoderError("ffmpeg wrote pictures without times, or with the same one twice")
    delays = [at - order[time] for at, time in enumerate(pts) if time is not None]
    return Times(len(pts), max(delays, default=0))


def packets_of(path: Path) -> Iterator[Packet[Stream]]:
    """Give the packets of a segment in their order; raises EncoderError where it cannot be read."""
    with opened(path) as film:
        try:
            for packet in film.demux(film.streams[0]):
                if packet.size:
                    yield packet
        except (av.error.FFmpegError, IndexError, OSError) as error:
            raise EncoderError(f"the segment {printable(path.name)} cannot be read") from error


def opened(path: Path) -> InputContainer:
    """Open a segment; raises EncoderError where it cannot be read."""
    try:
        return open_again(path, "nut")
    except (av.error.FFmpegError, OSError) as error:
        raise EncoderError(f"the segment {printable(path.name)} cannot be read") from error


@dataclass(frozen=True, slots=True)
class Ruler:
    """The times of all pictures, in order, and the decoding times that follow from them.

    `ticks` of `tick` seconds rise; `delay` is how many pictures a decoder holds back at most. A picture is due for
    decoding when the one `delay` places before it is shown; the first ones that much before the first (as x264 counts).
    `said`: which times were lost, where the output counts pictures.
    """

    ticks: Sequence[int]
    tick: Fraction
    delay: int
    said: str | None = None

    def due(self, at: int) -> int:
        """Decoding time of packet number `at`."""
        if at >= self.delay:
            return self.ticks[at - self.delay]
        if len(self.ticks) > self.delay:
            return self.ticks[at] - (self.ticks[self.delay] - self.ticks[0])
        return self.ticks[0] - (self.delay - at)

    def length(self, at: int) -> int:
        """From packet number `at` to the next; the last is as long as the one before."""
        if len(self.ticks) < 2:
            return 0
        at = min(at, len(self.ticks) - 2)
        return self.due(at + 1) - self.due(at)


def ruler(plan: OutputPlan, info: FilmInfo, pts: Sequence[int], delay: int) -> Ruler:
    """Times on a clock that suits the output.

    Args:
        plan: how the film is written.
        info: whose clock `pts` count on.
        pts: of all pictures; they rise.
        delay: the largest of any segment.
    """
    beat = Beat(plan, info)
    if beat.tick is None:
        return Ruler(pts, info.time_base, delay)
    ticks = [beat.at(time * info.time_base, beat.tick) for time in pts]
    return Ruler(ticks, beat.tick, delay, beat.sentence())
