"""A film written in segments is the film written at once; a run that was stopped goes on to the very same pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from outlets import MARK, colors, rewrite, times
from reels import frame_of, textures, write_film

from streams.segments import Folder, SegmentedSink
from streams.sink import EncodeOptions, plan_output, read_mark
from streams.source import VideoSource

MakeFilm = Callable[..., Path]
STAMPS = [0, 40, 45, 200, 201, 280, 320, 900, 940, 980, 1020, 1060, 1100, 1500, 1540, 1580, 1620]

# Every container with the codecs that are ours in it, and pictures a second that all of them know.
KINDS = [
    ("a.mkv", "h264"),
    ("a.mkv", "hevc"),
    ("a.mkv", "ffv1"),
    ("a.mkv", "vp9"),
    ("a.mkv", "av1"),
    ("a.mkv", "prores"),
    ("a.mkv", "mpeg2"),
    ("a.mkv", "mpeg4"),
    ("a.mkv", "theora"),
    ("a.mp4", "h264"),
    ("a.mp4", "hevc"),
    ("a.mp4", "mpeg4"),
    ("a.mov", "h264"),
    ("a.mov", "prores"),
    ("a.mov", "ffv1"),
    ("a.webm", "vp9"),
    ("a.avi", "h264"),
    ("a.avi", "ffv1"),
    ("a.avi", "mpeg4"),
    ("a.ts", "h264"),
    ("a.ts", "mpeg2"),
    ("a.mpg", "mpeg2"),
    ("a.mpg", "h264"),
    ("a.flv", "h264"),
    ("a.ogv", "theora"),
    ("a.nut", "h264"),
    ("a.nut", "rawvideo"),
    ("a.wmv", "h264"),
    ("a.3gp", "h264"),
    ("a.y4m", "rawvideo"),
]
EXACT = {"h264", "hevc", "ffv1", "vp9", "rawvideo"}


def in_segments(film: Path, target: Path, borders: set[int], **options: Any) -> int:  # noqa: ANN401
    """Write a film with plain colours, a segment beginning at each border."""
    with VideoSource(film) as source:
        plan = plan_output(source.info, target, EncodeOptions(**options))
        planes = colors(plan.coded)
        with (
            Folder(target, {"test": "yes"}) as folder,
            SegmentedSink(plan, source.info, MARK, folder, lambda: source.is_sound) as sink,
        ):
            for frame in source:
                if frame.index in borders:
                    sink.cut(b"state")
                sink.write(frame, *planes)
            return sink.finish(source.warnings)


def facts(path: Path) -> dict[str, Any]:
    """What is stated of the pictures."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        context = stream.codec_context
        frame = next(film.decode(stream))
        return {
            "codec": context.name,
            "profile": context.profile,
            "tag": context.codec_tag,
            "pixels": context.pix_fmt,
            "colour": (frame.colorspace, frame.color_range, context.color_primaries, context.color_trc),
            "shape": stream.sample_aspect_ratio,
            "tick": stream.time_base,
            "start": stream.start_time,
            "length": stream.duration,
            "tags": {name: value for name, value in stream.metadata.items() if name.lower() != "encoder"},
            "film": {name: value for name, value in film.metadata.items() if name.lower() != "encoder"},
        }


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventeen pictures at 25 a second, with tags and a pixel shape, in a container that everything can come from."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    frames = [frame_of(luma) for luma in textures(17, (64, 96))]
    for frame in frames:
        frame.colorspace, frame.color_range = 5, 1
    return write_film(path, frames, "libx264", options={"qp": "0"})


@pytest.mark.parametrize(("name", "codec"), KINDS, ids=lambda value: str(value))
def test_a_film_in_segments_is_the_film(film: Path, tmp_path: Path, name: str, codec: str) -> None:
    whole, parts = tmp_path / f"whole_{name}", tmp_path / f"parts_{name}"
    options = {"codec": codec, "lossless": codec in EXACT and name != "a.ogv"}
    assert rewrite(film, whole, **options) == in_segments(film, parts, {5, 6, 12}, **options) == 17
    assert times(parts) == times(whole)
    one, two = facts(parts), facts(whole)
    if name.endswith(".mpg"):  # a program stream tells the time of some pictures only, and those are others
        one["length"] = two["length"]
    assert one == two
    assert read_mark(parts) == read_mark(whole)
    if options["lossless"]:
        assert pictures(parts) == pictures(whole)
    assert {path.name for path in tmp_path.iterdir()} == {whole.name, parts.name}
