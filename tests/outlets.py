"""Tools for the tests of writing: a film is read, given plain colours, written, and what came out is looked at."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from streams.formats import PictureFormat
from streams.luma import Plane
from streams.sink import EncodeOptions, OutputPlan, VideoSink, plan_output
from streams.source import VideoSource
from streams.writing.ffmpeg import find_ffmpeg

MARK = "machine-made colours; vidcolor=0.0; model=none; sha256=0; settings=%20a:b"
# The clock of Matroska and Flash video has milliseconds: a time is right within half of one.
HALF_TICK = Fraction(1, 2000)


def colors(coded: PictureFormat) -> tuple[Plane, Plane]:
    """Two chroma planes that are not neutral."""
    h, w = coded.chroma_size
    unit = 1 << (coded.depth - 8)
    slope = np.linspace(100 * unit, 150 * unit, w) + np.zeros((h, 1))
    plane = slope.astype(np.uint8 if coded.depth == 8 else np.uint16)
    return plane, plane[:, ::-1]


def plan(source: Path, target: Path | None, **options: Any) -> OutputPlan:  # noqa: ANN401 - EncodeOptions' own
    """Plan, as the pipeline does."""
    with VideoSource(source) as film:
        return plan_output(film.info, target, EncodeOptions(**options))


def rewrite(
    source: Path,
    target: Path,
    span: tuple[Fraction | None, Fraction | None] = (None, None),
    mark: str = MARK,
    **options: Any,  # noqa: ANN401 - EncodeOptions' own
) -> int:
    """Write a film again with plain colours; returns the number of pictures."""
    with VideoSource(source, start=span[0], stop=span[1]) as film:
        made = plan_output(film.info, target, EncodeOptions(**options))
        planes = colors(made.coded)
        with VideoSink(made, film.info, mark) as sink:
            for frame in film:
                sink.write(frame, *planes)
            return sink.finish()


def ffmpeg(*words: str | Path) -> None:
    """Run the ffmpeg that the package brings."""
    command = [find_ffmpeg().path, "-nostdin", "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def lumas(path: Path) -> list[Plane]:
    """Every picture's luma as code values."""
    with VideoSource(path) as film:
        return [np.array(frame.luma) for frame in film]


def times(path: Path) -> list[Fraction]:
    """Presentation times in seconds."""
    with VideoSource(path) as film:
        return [frame.time for frame in film]


def packets(path: Path, index: int) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of every packet of a stream."""
    with av.open(str(path)) as film:
        stream = film.streams[index]
        return [
            ((packet.pts or 0) * packet.time_base, bytes(packet))
            for packet in film.demux(stream)
            if packet.size and packet.time_base
        ]


def kinds(path: Path) -> list[tuple[str, str]]:
    """Kind and codec of every stream, in order."""
    with av.open(str(path)) as film:
        return [(stream.type, stream.codec_context.name if stream.codec_context else "") for stream in film.streams]


def worst_slip(one: Sequence[Fraction], two: Sequence[Fraction]) -> Fraction:
    """Return the largest difference between two lists of times of equal length."""
    assert len(one) == len(two)
    return max((abs(a - b) for a, b in zip(one, two, strict=True)), default=Fraction(0))
