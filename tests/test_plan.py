"""What will be written is settled, and what will be lost is said, before any picture is coloured."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest

from streams.errors import OutputError, UsageError
from streams.formats import ColorTags, PictureFormat
from streams.reading.info import Chapter, FilmInfo, StreamInfo
from streams.sink import EncodeOptions, default_target, plan_output

NO_TAGS = ColorTags()


def stream(index: int, kind: str = "video", codec: str = "h264", *flags: str) -> StreamInfo:
    return StreamInfo(index, kind, codec, {}, frozenset(flags), Fraction(1, 1000), 0, None)


def film(
    path: Path,
    pixels: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    container: str = "matroska,webm",
    others: tuple[StreamInfo, ...] = (),
    tags: ColorTags = NO_TAGS,
) -> FilmInfo:
    return FilmInfo(
        path=path,
        name=path.name,
        container=container,
        streams=(stream(0), *others),
        main=0,
        format=PictureFormat.of(size, pixels, tags),
        time_base=Fraction(1, 1000),
        average_rate=Fraction(25),
    )


@pytest.mark.parametrize(
    ("pixels", "size", "codec", "coded"),
    [
        ("yuv420p", (64, 48), "h264", "yuv420p"),
        ("gray", (64, 48), "h264", "yuv420p"),
        ("nv12", (64, 48), "h264", "yuv420p"),
        ("yuv422p", (64, 48), "h264", "yuv422p"),
        ("yuv444p10le", (64, 48), "h264", "yuv444p10le"),
        ("yuv420p9le", (64, 48), "h264", "yuv420p10le"),
        ("yuv411p", (64, 48), "h264", "yuv422p"),
        ("yuv440p", (64, 48), "h264", "yuv444p"),
        ("rgb24", (64, 48), "h264", "yuv444p"),
        ("gray12le", (64, 48), "hevc", "yuv420p12le"),
        ("yuv420p", (63, 48), "h264", "yuv444p"),
        ("yuv420p", (64, 47), "h264", "yuv422p"),
        ("yuv422p12le", (15, 48), "ffv1", "yuv422p12le"),
        ("gray16le", (64, 48), "ffv1", "yuv420p16le"),
        ("yuva420p", (64, 48), "ffv1", "yuva420p"),
    ],
)
def test_depth_sampling_size_and_alpha_never_fall(
    tmp_path: Path, pixels: str, size: tuple[int, int], codec: str, coded: str
) -> None:
    plan = plan_output(film(tmp_path / "a.mkv", pixels, size), tmp_path / "b.mkv", EncodeOptions())
    assert (plan.codec.name, plan.coded.pixels, plan.warnings) == (codec, coded, ())
    assert (plan.coded.width, plan.coded.height) == size
    assert plan.luma_shift == (1 if pixels == "yuv420p9le" else 0)


def test_deep_film_in_a_shallow_codec_keeps_twelve_bits_and_says_so(tmp_path: Path) -> None:
    info = film(tmp_path / "a.mkv", "gray16le")
    plan = plan_output(info, tmp_path / "b.mkv", EncodeOptions(codec="hevc"))
    assert (plan.coded.depth, plan.luma_shift) == (12, -4)
    assert any("16 bits" in text for text in plan.warnings)


@pytest.mark.parametrize(("pixels", "coded"), [("yuva444p12le", "yuv444p12le"), ("yuva444p10le", "yuva444p10le")])
def test_alpha_goes_with_a_word_where_only_new_decoders_would_read_it(tmp_path: Path, pixels: str, coded: str) -> None:
    plan = plan_output(film(tmp_path / "a.mov", pixels), tmp_path / "b.mov", EncodeOptions(lossless=True))
    assert plan.coded.pixels == coded
    assert any("alpha" in text for text in plan.warnings) == ("12" in pixels)


def test_lossless_takes_only_what_is_exact(tmp_path: Path) -> None:
    info = film(tmp_path / "a.mkv", "gray16le")
    assert plan_output(info, tmp_path / "b.mkv", EncodeOptions(lossless=True)).codec.name == "ffv1"
    with pytest.raises(OutputError, match="bit for bit"):
        plan_output(info, tmp_path / "b.mp4", EncodeOptions(lossless=True))
    with pytest.raises(OutputError, match="bit for bit"):
        plan_output(film(tmp_path / "a.ogv"), tmp_path / "b.ogv", EncodeOptions(lossless=True))


def test_a_full_range_goes_to_a_codec_that_can_say_so(tmp_path: Path) -> None:
    plan = plan_output(film(tmp_path / "a.mov", "rgba"), tmp_path / "b.mov", EncodeOptions())
    assert plan.codec.name == "h264"
    assert any("alpha" in text for text in plan.warnings)


def test_what_had_to_be_settled_is_stated_and_what_was_unstated_stays_so(tmp_path: Path) -> None:
    grey = plan_output(film(tmp_path / "a.mkv", "gray"), tmp_path / "b.mkv", EncodeOptions()).coded.stated
    rgb = plan_output(film(tmp_path / "a.mkv", "rgb24"), tmp_path / "b.mkv", EncodeOptions()).coded.stated
    plain = plan_output(film(tmp_path / "a.mkv"), tmp_path / "b.mkv", EncodeOptions()).coded.stated
    assert (grey.range, rgb.range, rgb.matrix, plain) == ("pc", "pc", "smpte170m", NO_TAGS)


def test_hdr_goes_to_hevc(tmp_path: Path) -> None:
    tags = ColorTags("tv", "bt2020nc", "bt2020", "smpte2084", "left")
    info = film(tmp_path / "a.mp4", "yuv420p10le", container="mov,mp4,m4a,3gp,3g2,mj2", tags=tags)
    plan = plan_output(info, tmp_path / "b.mp4", EncodeOptions())
    assert (plan.codec.name, plan.coded.stated) == ("hevc", tags)


@pytest.mark.parametrize(
    ("name", "container", "wanted"),
    [
        ("old.mp4", "mov,mp4,m4a,3gp,3g2,mj2", "old.color.mp4"),
        ("UPPER.MKV", "matroska,webm", "UPPER.color.MKV"),
        (".hidden.mkv", "matroska,webm", ".hidden.color.mkv"),
        ("two.dots.avi", "avi", "two.dots.color.avi"),
        ("camcorder.MOD", "mpeg", "camcorder.color.MOD"),
        ("flash.f4v", "mov,mp4,m4a,3gp,3g2,mj2", "flash.color.f4v"),
        ("no suffix", "mpegts", "no suffix.color.ts"),
        ("wrong.avi", "matroska,webm", "wrong.color.mkv"),
        ("moving.gif", "gif", "moving.color.mkv"),
        ("moving.png", "apng", "moving.color.mkv"),
        ("camera.mjpeg", "mjpeg", "camera.color.mkv"),
    ],
)
def test_the_container_is_kept_where_it_can_be_written(tmp_path: Path, name: str, container: str, wanted: str) -> None:
    info = film(tmp_path / name, container=container)
    target = default_target(info)
    assert target == tmp_path / wanted
    moved = [text for text in plan_output(info, target, EncodeOptions()).warnings if "Matroska" in text]
    assert bool(moved) == (container in ("gif", "apng", "mjpeg"))


def test_a_container_that_cannot_be_exact_gives_way_by_default_and_not_when_asked_for(tmp_path: Path) -> None:
    info, options = film(tmp_path / "a.ogv", container="ogg"), EncodeOptions(lossless=True)
    target = default_target(info, options)
    assert target == tmp_path / "a.color.mkv"
    assert any("Ogg" in text for text in plan_output(info, target, options).warnings)
    assert not plan_output(info, tmp_path / "other.mkv", options).warnings


def test_every_stream_that_cannot_be_held_is_named_once(tmp_path: Path) -> None:
    others = (
        stream(1, "audio", "opus"),
        stream(2, "audio", "wmav2"),
        stream(3, "subtitle", "subrip"),
        stream(4, "subtitle", "hdmv_pgs_subtitle"),
        stream(5, "attachment", "ttf"),
        stream(6, "data", "klv"),
        stream(7, "video", "png", "attached_pic"),
    )
    plan = plan_output(film(tmp_path / "a.mkv", others=others), tmp_path / "b.mp4", EncodeOptions())
    assert [(one.stream.index, one.way) for one in plan.manifest.passengers] == [
        (0, "pictures"),
        (1, "copy"),
        (3, "text"),
        (7, "cover"),
    ]
    for index in (2, 3, 4, 5, 6):
        assert sum(f"stream {index} " in text for text in plan.warnings) == 1
    assert len(plan.warnings) == 5


def test_a_timecode_of_the_film_hides_no_other_data(tmp_path: Path) -> None:
    timecode = dataclasses.replace(stream(2, "data", "tmcd"), tags={"timecode": "01:00:00:00"})
    info = film(tmp_path / "a.mxf", container="mxf", others=(stream(1, "data", "smpte_436m_anc"), timecode))
    info = dataclasses.replace(info, tags={"timecode": "01:00:00:00"})
    warnings = plan_output(info, tmp_path / "b.mov", EncodeOptions()).warnings
    assert [any(f"stream {index} " in text for text in warnings) for index in (1, 2)] == [True, False]


def test_from_a_pipe_only_pictures_come_and_the_rest_is_named(tmp_path: Path) -> None:
    info = dataclasses.replace(film(tmp_path / "a.mkv", others=(stream(1, "audio", "aac"),)), path=None)
    plan = plan_output(info, tmp_path / "b.mkv", EncodeOptions())
    assert len(plan.manifest.passengers) == 1
    assert any("pipe" in text and "stream 1" in text for text in plan.warnings)


def test_chapters_tags_and_turns_that_cannot_be_held_are_named(tmp_path: Path) -> None:
    info = dataclasses.replace(
        film(tmp_path / "a.mkv"),
        chapters=(Chapter(0, 1, Fraction(1), {}),),
        tags={"title": "T", "scanner": "S"},
        rotation=90,
        display_matrix=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    )
    warnings = plan_output(info, tmp_path / "b.avi", EncodeOptions()).warnings
    assert [any(word in text for text in warnings) for word in ("chapters", "scanner", "90")] == [True] * 3
    assert not any("title" in text for text in warnings)


@pytest.mark.parametrize(
    "options",
    [
        {"crf": 99},
        {"crf": -1},
        {"codec": "nocodec"},
        {"codec": "ffv1", "crf": 20},
        {"preset": "warp"},
        {"codec": "vp9", "preset": "veryfast"},
    ],
)
def test_options_that_make_no_sense_are_wrong_use(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        plan_output(film(tmp_path / "a.mkv"), tmp_path / "b.mkv", EncodeOptions(**options))  # type: ignore[arg-type]


def test_a_codec_that_the_container_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="theora"):
        plan_output(film(tmp_path / "a.mp4"), tmp_path / "b.mp4", EncodeOptions(codec="theora"))


def test_places_where_no_file_can_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.mkv").mkdir()
    (tmp_path / "file").write_bytes(b"")
    places = ["folder.mkv", "nowhere/b.mkv", "file/b.mkv", "x" * 300 + ".mkv", "b.unknown", "b", "b\0.mkv"]
    for place in (*(tmp_path / name for name in places), Path("/dev/full")):
        with pytest.raises(OutputError):
            plan_output(film(tmp_path / "a.mkv"), place, EncodeOptions())


def test_standard_output_needs_a_format_that_exists(tmp_path: Path) -> None:
    for form in (None, "nothing", "mp4"):
        with pytest.raises(UsageError, match="--format"):
            plan_output(film(tmp_path / "a.mkv"), None, EncodeOptions(format=form))


def test_the_plan_touches_nothing(tmp_path: Path) -> None:
    plan_output(film(tmp_path / "a.mkv"), tmp_path / "b.mkv", EncodeOptions())
    assert not list(tmp_path.iterdir())
