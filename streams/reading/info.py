"""What is known of a film before its second picture is decoded: streams, clocks, tags, shape."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streams.formats import PictureFormat
from streams.side import SideType, side_data

UNKNOWN = "unknown"
"""What the codec of a stream is called that FFmpeg has no name for."""
_MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream as its container describes it; times are in ticks of `time_base`, None where unstated."""

    index: int
    kind: str
    codec: str
    tags: Mapping[str, str]
    disposition: frozenset[str]
    time_base: Fraction | None
    start: int | None
    duration: int | None

    @property
    def is_cover(self) -> bool:
        """Say whether it is cover art: a picture beside the film, not the film."""
        return self.kind == "video" and bool({"attached_pic", "timed_thumbnails"} & self.disposition)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named part of a film; start and end are in ticks of `time_base`."""

    start: int
    end: int
    time_base: Fraction
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cut:
    """The part that was asked for, in seconds from the film's beginning; `origin` is that beginning on its clock."""

    start: Fraction
    stop: Fraction | None
    origin: Fraction


@dataclass(frozen=True, slots=True)
class FilmInfo:
    """A film before it is read: `path` is None for a pipe, `start` the time of the first picture in seconds.

    `main` is the index of the main picture stream. `display_matrix` has the nine whole numbers of the container.
    `frames_from_header` and `duration_from_header` are what the container claims; only a decoder knows.
    `side_data` holds what the first picture carries for all (HDR light data), by FFmpeg's names, as bytes.
    With a `cut`, times of frames count from its start, and `start` does too.
    """

    path: Path | None
    name: str
    container: str
    streams: tuple[StreamInfo, ...]
    main: int
    format: PictureFormat
    time_base: Fraction
    frames_from_header: int | None = None
    duration_from_header: Fraction | None = None
    average_rate: Fraction | None = None
    sample_aspect_ratio: Fraction | None = None
    rotation: int = 0
    display_matrix: tuple[int, ...] | None = None
    start: Fraction = Fraction(0)
    interlaced: bool = False
    top_field_first: bool = False
    chapters: tuple[Chapter, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    side_data: Mapping[str, bytes] = field(default_factory=dict)
    is_still: bool = False
    cut: Cut | None = None


def describe_streams(container: InputContainer) -> tuple[StreamInfo, ...]:
    """List all streams in their order."""
    return tuple(_describe(stream) for stream in container.streams)


def _describe(stream: Stream) -> StreamInfo:
    name = stream.codec_context.name if stream.codec_context else getattr(stream, "name", None)
    return StreamInfo(
        stream.index,
        stream.type,
        name or UNKNOWN,
        MappingProxyType(dict(stream.metadata)),
        frozenset(flag.name for flag in av.stream.Disposition if flag.name and flag & stream.disposition),
        stream.time_base,
        stream.start_time,
        stream.duration,
    )


def main_stream(streams: tuple[StreamInfo, ...]) -> StreamInfo | None:
    """Choose the main picture stream: the first flagged default that is no cover, else the first that is no cover."""
    pictures = [stream for stream in streams if stream.kind == "video" and not stream.is_cover]
    flagged = [stream for stream in pictures if "default" in stream.disposition]
    return next(iter(flagged + pictures), None)


def describe_chapters(container: InputContainer) -> tuple[Chapter, ...]:
    """List chapters; those without a clock are left out."""
    return tuple(
        Chapter(one["start"], one["end"], one["time_base"], MappingProxyType(dict(one["metadata"])))
        for one in container.chapters()
        if one["time_base"]
    )


def header_duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return how long the pictures (else the whole file) are said to last, in seconds."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return container.duration * _MICROSECOND if container.duration else None


def film_origin(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the clock reading that counts as the film's beginning, in seconds.

    The container's own start has microseconds; where the picture stream starts it, the stream's ticks are exact.
    """
    exact = stream.start_time * stream.time_base if stream.start_time is not None and stream.time_base else Fraction(0)
    if container.start_time is None:
        return exact
    origin = container.start_time * _MICROSECOND
    return exact if abs(exact - origin) <= _MICROSECOND else origin


def display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    """Return the nine 16.16 and 2.30 fixed-point numbers that say how a picture is turned for display, if any."""
    try:
        return struct.unpack("=9i", bytes(side_data(frame)[SideType.DISPLAYMATRIX])[:36])
    except (KeyError, struct.error):
        return None


def light_data(frame: VideoFrame) -> Mapping[str, bytes]:
    """Return HDR mastering and light-level data of a picture."""
    kinds = (SideType.MASTERING_DISPLAY_METADATA, SideType.CONTENT_LIGHT_LEVEL, SideType.DYNAMIC_HDR_PLUS)
    carried = side_data(frame)
    return {kind.name: bytes(carried[kind]) for kind in kinds if kind in carried}
