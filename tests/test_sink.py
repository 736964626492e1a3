"""Light stays, time stays, nothing is lost: what comes out of an encode, read back."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import MakeFilm
from outlets import HALF_TICK, MARK, colors, ffmpeg, kinds, lumas, packets, plan, rewrite, times, worst_slip
from reels import frame_of, textures, write_film

from streams.errors import EncoderError, OutputError
from streams.sink import EncodeOptions, VideoSink, plan_output, read_mark
from streams.source import VideoSource
from streams.writing.containers import CONTAINERS

# A name is a name, on every system that allows it.
ODD_NAMES = ["-y.mkv", "%d_%03d.mkv", "quote'\".mkv", "concat:a|b.mkv", "pipe:1.mkv", "[a]*{b}.mkv", ".hidden.mkv"]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="such names, modes and devices are POSIX's")


# ------------------------------------------------------------------- light


@pytest.mark.parametrize(
    ("source", "target", "pixels", "top"),
    [
        ("a.mkv", "b.mkv", "yuv420p", 219),
        ("a.mkv", "b.mp4", "gray", 239),
        ("a.mkv", "b.mov", "yuv422p10le", 876),
        ("a.mkv", "b.avi", "yuv420p", 219),
        ("a.mkv", "b.nut", "yuv444p", 219),
        ("a.mkv", "b.ts", "yuv420p10le", 876),
        ("a.mkv", "b.webm", "yuv420p", 219),
        ("a.mkv", "b.flv", "yuv420p", 219),
        ("a.mkv", "b.mp4", "yuv420p12le", 3500),
        ("a.mkv", "b.mkv", "gray16le", 65000),
        ("a.mkv", "b.mkv", "yuv420p14le", 14000),
        ("a.mkv", "b.mkv", "yuv411p", 219),
        ("a.mkv", "b.y4m", "yuv422p10le", 876),
    ],
)
def test_lossless_keeps_every_luma_value(tmp_path: Path, source: str, target: str, pixels: str, top: int) -> None:
    pictures = textures(5, size=(48, 64), top=top)
    write_film(tmp_path / source, [frame_of(luma, pixels) for luma in pictures])
    assert rewrite(tmp_path / source, tmp_path / target, lossless=True) == 5
    assert all(np.array_equal(*pair) for pair in zip(lumas(tmp_path / target), pictures, strict=True))


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (16, 16), (1, 1)])
def test_odd_sizes_stay_as_they_are(tmp_path: Path, size: tuple[int, int]) -> None:
    pictures = textures(3, size=size)
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in pictures])
    rewrite(tmp_path / "a.mkv", tmp_path / "b.mkv", lossless=True)
    assert all(np.array_equal(*pair) for pair in zip(lumas(tmp_path / "b.mkv"), pictures, strict=True))


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("height", "lossless"), [(48, True), (46, True), (46, False)])
def test_interlaced_film_stays_interlaced_and_exact(tmp_path: Path, order: str, height: int, lossless: bool) -> None:
    write_film(tmp_path / "plain.mkv", [frame_of(luma) for luma in textures(6, size=(height, 64))])
    flags = ["-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct"]
    ffmpeg("-i", tmp_path / "plain.mkv", "-vf", f"setfield={order}", *flags, tmp_path / "a.mkv")
    rewrite(tmp_path / "a.mkv", tmp_path / "b.mkv", lossless=lossless)
    with VideoSource(tmp_path / "b.mkv") as film:
        read = [(frame.interlaced, frame.top_field_first) for frame in film]
    assert read == [(True, order == "tff")] * 6
    if lossless:
        assert all(
            np.array_equal(*pair) for pair in zip(*map(lumas, (tmp_path / "a.mkv", tmp_path / "b.mkv")), strict=True)
        )


def test_default_quality_keeps_light_within_coding_noise(tmp_path: Path) -> None:
    pictures = textures(12)
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in pictures])
    rewrite(tmp_path / "a.mkv", tmp_path / "b.mp4")
    difference = np.stack(lumas(tmp_path / "b.mp4")).astype(float) - np.stack(pictures)
    # 38 dB and a quarter of a code value: no slip of range or rounding can hide in noise that small.
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 38
    assert abs(difference.mean()) < 0.25


def test_alpha_is_kept_bit_for_bit_where_a_codec_can(tmp_path: Path) -> None:
    pictures = textures(3, size=(48, 64))
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    write_film(tmp_path / "a.mkv", [frame_of(luma, "yuva420p", alpha) for luma in pictures])
    rewrite(tmp_path / "a.mkv", tmp_path / "b.mkv")
    with VideoSource(tmp_path / "b.mkv") as film:
        for frame in film:
            assert frame.alpha is not None
            np.testing.assert_array_equal(frame.alpha, alpha)


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4"])
def test_hdr_light_data_is_kept_in_the_pictures(tmp_path: Path, target: str) -> None:
    write_film(tmp_path / "plain.mkv", [frame_of(luma, "yuv420p10le") for luma in textures(3, top=876)])
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    stated = "setparams=range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084"
    words = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"log-level=error:{light}"]
    ffmpeg("-i", tmp_path / "plain.mkv", "-vf", stated, *words, tmp_path / "a.mkv")
    rewrite(tmp_path / "a.mkv", tmp_path / target)
    with VideoSource(tmp_path / "a.mkv") as one, VideoSource(tmp_path / target) as two:
        assert one.info.side_data == two.info.side_data
        assert len(one.info.side_data) == 2


@pytest.mark.parametrize(
    ("target", "shape", "curve"),
    [
        ("b.mkv", "64/45", "smpte170m"),
        ("b.mp4", "64/45", "bt470m"),
        ("b.mkv", "4/3", "bt470bg"),
        ("b.webm", "4/3", "log100"),
    ],
)
def test_colour_tags_and_shape_are_stated_as_they_were(tmp_path: Path, target: str, shape: str, curve: str) -> None:
    write_film(tmp_path / "plain.mkv", [frame_of(luma) for luma in textures(3)])
    stated = f"setparams=range=pc:colorspace=bt470bg:color_primaries=bt470bg:color_trc={curve}"
    ffmpeg(
        "-i",
        tmp_path / "plain.mkv",
        "-vf",
        f"{stated},setsar={shape}",
        "-color_range",
        "pc",
        "-c:v",
        "libx264",
        tmp_path / "a.mkv",
    )
    rewrite(tmp_path / "a.mkv", tmp_path / target)
    with VideoSource(tmp_path / "a.mkv") as one, VideoSource(tmp_path / target) as two:
        assert two.info.format.stated == one.info.format.stated
        assert one.info.format.stated.range == "pc"
        assert two.info.sample_aspect_ratio == one.info.sample_aspect_ratio == Fraction(shape)


def test_a_display_matrix_is_kept_number_for_number(tmp_path: Path) -> None:
    write_film(tmp_path / "plain.mkv", [frame_of(luma) for luma in textures(3)])
    ffmpeg("-i", tmp_path / "plain.mkv", "-c:v", "libx264", tmp_path / "flat.mp4")
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "a.mp4")
    rewrite(tmp_path / "a.mp4", tmp_path / "b.mp4")
    rewrite(tmp_path / "a.mp4", tmp_path / "b.mkv")
    with VideoSource(tmp_path / "a.mp4") as one, VideoSource(tmp_path / "b.mp4") as two:
        assert one.info.display_matrix == two.info.display_matrix is not None
    with VideoSource(tmp_path / "b.mkv") as three:
        assert three.info.rotation == one.info.rotation


# -------------------------------------------------------------------- time

UNEVEN = [0, 40, 95, 96, 200, 1200, 1230, 1290]


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4", "b.mov", "b.ts", "b.flv", "b.nut", "b.webm"])
def test_every_time_stamp_comes_out_again(tmp_path: Path, target: str) -> None:
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(8)], stamps=UNEVEN)
    rewrite(tmp_path / "a.mkv", tmp_path / target)
    stamps = times(tmp_path / target)
    assert worst_slip([stamp - stamps[0] for stamp in stamps], [Fraction(t, 1000) for t in UNEVEN]) <= HALF_TICK


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4", "b.mov"])
def test_a_late_start_stays_late(tmp_path: Path, target: str) -> None:
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(4)], stamps=[500, 540, 580, 620])
    rewrite(tmp_path / "a.mkv", tmp_path / target)
    assert abs(times(tmp_path / target)[0] - Fraction(1, 2)) <= HALF_TICK


def test_a_late_start_stays_late_in_avi_and_sound_stays_where_it_was(tmp_path: Path, make_film: MakeFilm) -> None:
    source = make_film(frames=8, sound=True, stamps=[120 + 40 * number for number in range(8)])
    rewrite(source, tmp_path / "b.avi")
    assert times(tmp_path / "b.avi") == [Fraction(3 + number, 25) for number in range(8)]
    assert packets(tmp_path / "b.avi", 1)[0][0] == packets(source, 1)[0][0] == 0


def test_flash_video_begins_where_the_film_does_and_is_as_long(tmp_path: Path) -> None:
    write_film(tmp_path / "plain.mkv", [frame_of(luma) for luma in textures(8)])
    ffmpeg("-i", tmp_path / "plain.mkv", "-c:v", "libx264", "-bf", "2", tmp_path / "a.flv")
    for name in ("a.flv", "plain.mkv"):
        rewrite(tmp_path / name, tmp_path / "b.flv", lossless=True)
        assert times(tmp_path / "b.flv")[0] == times(tmp_path / name)[0]
        with av.open(str(tmp_path / name)) as one, av.open(str(tmp_path / "b.flv")) as two:
            assert one.duration == two.duration


def test_speex_travels_along_in_flash_video(tmp_path: Path, make_film: MakeFilm) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("the ffmpeg that is brought along has no encoder of Speex")
    sound = ["-f", "lavfi", "-i", "sine=d=0.5:sample_rate=16000", "-c:a", "libspeex", "-ac", "1"]
    words = ["ffmpeg", "-v", "error", "-i", str(make_film()), *sound, "-c:v", "libx264", str(tmp_path / "a.flv")]
    if subprocess.run(words, check=False).returncode:
        pytest.skip("no ffmpeg here encodes Speex")
    rewrite(tmp_path / "a.flv", tmp_path / "b.flv")
    assert kinds(tmp_path / "b.flv")[1] == kinds(tmp_path / "a.flv")[1]


@pytest.mark.parametrize(
    ("target", "stamps", "said"),
    [
        ("b.avi", [0, 40, 80, 120, 160, 200], None),
        ("b.avi", [7, 47, 87, 127, 167, 207], None),
        ("b.avi", [0, 40, 95, 110, 160, 400], "2 pictures move by up to 15 ms"),
        ("b.y4m", [0, 40, 80, 400, 440, 480], "3 pictures move by up to 280 ms"),
        ("b.mkv", [0, 40, 95, 96, 160, 400], None),
    ],
)
def test_times_that_a_counting_container_loses_are_named(
    tmp_path: Path, target: str, stamps: list[int], said: str | None
) -> None:
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(6)], stamps=stamps)
    with VideoSource(tmp_path / "a.mkv") as film:
        info = replace(film.info, average_rate=Fraction(25))
        made = plan_output(info, tmp_path / target, EncodeOptions())
        with VideoSink(made, info, MARK) as sink:
            for frame in film:
                sink.write(frame, *colors(made.coded))
            assert sink.finish() == 6
            assert [said in text for text in sink.warnings] == [True] if said else sink.warnings == []


def test_a_rate_that_no_decimal_holds_is_kept(tmp_path: Path) -> None:
    write_film(tmp_path / "plain.mkv", [frame_of(luma) for luma in textures(9)])
    ffmpeg("-r", "24000/1001", "-i", tmp_path / "plain.mkv", "-c:v", "libx264", tmp_path / "a.mp4")
    rewrite(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert times(tmp_path / "b.mp4") == [Fraction(1001 * n, 24000) for n in range(9)]


# ---------------------------------------------------------------- the rest


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A Matroska film with two sounds, two subtitles, chapters, tags, a font and a cover."""
    write_film(tmp_path / "plain.mkv", [frame_of(luma) for luma in textures(25)])
    (tmp_path / "text.srt").write_text("1\n00:00:00,200 --> 00:00:00,800\nGröße, 映画\n", encoding="utf-8")
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Straße – 街道\nscanner=one of its own\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\ntitle=二\n",
        encoding="utf-8",
    )
    (tmp_path / "plain.ttf").write_bytes(b"\0\1\0\0" + bytes(range(256)))
    ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", "1", tmp_path / "cover.jpg")
    tone = ["-f", "lavfi", "-i"]
    words: list[str | Path] = [
        "-i",
        tmp_path / "plain.mkv",
        *tone,
        "sine=440:d=1",
        *tone,
        "sine=660:d=1",
        "-i",
        tmp_path / "text.srt",
    ]
    words += ["-i", tmp_path / "text.srt", "-i", tmp_path / "chapters.txt", "-map_metadata", "5", "-map_chapters", "5"]
    words += [word for spot in ("1:a", "0:v", "2:a", "3:s", "4:s") for word in ("-map", spot)]
    words += ["-c:v", "libx264", "-bf", "2", "-c:a:0", "aac", "-c:a:1", "libopus", "-c:s:0", "subrip", "-c:s:1", "ass"]
    words += ["-metadata:s:a:0", "language=deu", "-metadata:s:a:0", "title=Klavier", "-metadata:s:s:0", "language=eng"]
    words += ["-disposition:a:0", "comment", "-disposition:v:0", "default", "-disposition:s:1", "forced"]
    for name, kind in (("plain.ttf", "font/ttf"), ("cover.jpg", "image/jpeg")):
        words += ["-attach", tmp_path / name]
        words += [f"-metadata:s:t:{int(kind == 'image/jpeg')}", f"mimetype={kind}"]
    ffmpeg(*words, tmp_path / "rich.mkv")
    return tmp_path / "rich.mkv"


def test_every_stream_comes_out_in_order_with_its_name_and_flags(rich: Path, tmp_path: Path) -> None:
    rewrite(rich, tmp_path / "b.mkv")
    assert kinds(tmp_path / "b.mkv") == kinds(rich)
    with av.open(str(rich)) as one, av.open(str(tmp_path / "b.mkv")) as two:
        for a, b in zip(one.streams, two.streams, strict=True):
            assert a.disposition == b.disposition
            for name in ("language", "title", "filename", "mimetype"):
                assert a.metadata.get(name) == b.metadata.get(name)


def test_sound_and_subtitles_are_copied_byte_for_byte_and_stay_in_step(rich: Path, tmp_path: Path) -> None:
    rewrite(rich, tmp_path / "b.mkv")
    slip = times(tmp_path / "b.mkv")[0] - times(rich)[0]
    for index in (0, 2, 3, 4):
        one, two = packets(rich, index), packets(tmp_path / "b.mkv", index)
        assert [data for _, data in one] == [data for _, data in two] != []
        assert worst_slip([t + slip for t, _ in one], [t for t, _ in two]) <= HALF_TICK


def test_attachments_and_covers_keep_their_bytes(rich: Path, tmp_path: Path) -> None:
    rewrite(rich, tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as film:
        font = next(stream for stream in film.streams if stream.type == "attachment")
        cover = next(stream for stream in film.streams.video if stream.disposition & av.stream.Disposition.attached_pic)
        assert bytes(font.data) == (tmp_path / "plain.ttf").read_bytes()  # type: ignore[attr-defined]
        assert bytes(next(film.demux(cover))) == (tmp_path / "cover.jpg").read_bytes()


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4"])
def test_chapters_and_tags_are_kept_those_of_ones_own_too(rich: Path, tmp_path: Path, target: str) -> None:
    rewrite(rich, tmp_path / target)
    with VideoSource(rich) as one, VideoSource(tmp_path / target) as two:
        kept = {name.lower(): value for name, value in two.info.tags.items()}
        assert (kept["title"], kept["scanner"]) == ("Straße – 街道", "one of its own")
        assert len(one.info.chapters) == len(two.info.chapters) == 2
        for a, b in zip(one.info.chapters, two.info.chapters, strict=True):
            assert a.tags["title"] == b.tags["title"]
            assert abs(a.start * a.time_base - b.start * b.time_base) <= HALF_TICK


def test_only_the_asked_span_is_written_with_its_sound_and_times_from_zero(rich: Path, tmp_path: Path) -> None:
    start, stop = Fraction("0.4"), Fraction("0.8")
    assert rewrite(rich, tmp_path / "b.mkv", (start, stop), lossless=True) == 10
    assert all(np.array_equal(*pair) for pair in zip(lumas(tmp_path / "b.mkv"), lumas(rich)[10:20], strict=True))
    whole, cut = packets(rich, 2), packets(tmp_path / "b.mkv", 2)
    first = next(at for at, (stamp, _) in enumerate(whole) if stamp >= start)
    part = whole[first : first + len(cut)]
    assert [data for _, data in cut] == [data for _, data in part]
    assert worst_slip([stamp - start for stamp, _ in part], [stamp for stamp, _ in cut]) <= HALF_TICK
    # A packet of Opus lasts 20 ms.
    assert abs(cut[0][0]) <= Fraction(1, 50)
    assert abs(cut[-1][0] - (stop - start)) <= Fraction(1, 50)


# ---------------------------------------------------------------- the mark


@pytest.mark.parametrize("name", [row.suffixes[0] for row in CONTAINERS.values()])
def test_every_container_is_written_whole_in_step_and_with_the_mark(
    name: str, tmp_path: Path, make_film: MakeFilm
) -> None:
    source, target = make_film(frames=10, sound=True), tmp_path / f"out{name}"
    assert read_mark(source) is None
    assert rewrite(source, target) == 10
    assert len(lumas(target)) == 10
    planned = plan(source, target)
    assert (read_mark(target) == MARK) == (planned.container.marks != "none")
    has_sound = any(kind == "audio" for kind, _ in kinds(target))
    assert has_sound or any("stream 1 (audio" in text for text in planned.warnings)


@pytest.mark.parametrize(
    ("source", "target"), [("b.mp4", "c.mkv"), ("b.mp4", "c.mp4"), ("b.mkv", "c.mp4"), ("b.ts", "c.mkv")]
)
def test_the_mark_outlives_a_stream_copy(tmp_path: Path, make_film: MakeFilm, source: str, target: str) -> None:
    rewrite(make_film(), tmp_path / source)
    ffmpeg("-i", tmp_path / source, "-c", "copy", tmp_path / target)
    assert read_mark(tmp_path / target) == MARK


@pytest.mark.parametrize("codec", ["hevc", "mpeg2"])
def test_a_stream_without_tags_or_messages_keeps_the_mark_too(tmp_path: Path, make_film: MakeFilm, codec: str) -> None:
    rewrite(make_film(), tmp_path / "b.ts", codec=codec)
    assert read_mark(tmp_path / "b.ts") == MARK


# ----------------------------------------------------------- all or nothing


@pytest.mark.parametrize("name", [*ODD_NAMES, "x" * 246 + ".mkv", os.fsdecode(b"bytes\xff\xfe.mkv"), "new\nline.mkv"])
@posix_only
def test_any_name_is_just_a_name(tmp_path: Path, make_film: MakeFilm, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    make_film(frames=2).rename(tmp_path / "in" / name)
    rewrite(tmp_path / "in" / name, tmp_path / "out" / name)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_the_name_appears_only_when_the_film_is_whole(tmp_path: Path, make_film: MakeFilm) -> None:
    source, target = make_film(frames=8), tmp_path / "out" / "b.mkv"
    target.parent.mkdir()
    with VideoSource(source) as film:
        made = plan_output(film.info, target, EncodeOptions())
        with VideoSink(made, film.info, MARK) as sink:
            for frame in film:
                sink.write(frame, *colors(made.coded))
                inside = [path.name for path in target.parent.iterdir()]
                assert len(inside) == 1
                assert inside[0].startswith(".b.vidcolor-")
            sink.finish()
    assert [path.name for path in target.parent.iterdir()] == ["b.mkv"]


def test_leaving_without_finish_leaves_nothing(tmp_path: Path, make_film: MakeFilm) -> None:
    source, target = make_film(frames=8), tmp_path / "out" / "b.mkv"
    target.parent.mkdir()
    target.write_bytes(b"precious")
    with VideoSource(source) as film:
        made = plan_output(film.info, target, EncodeOptions())
        with VideoSink(made, film.info, MARK) as sink:
            sink.write(next(iter(film)), *colors(made.coded))
    assert [(path.name, path.read_bytes()) for path in target.parent.iterdir()] == [("b.mkv", b"precious")]


def test_an_abort_from_another_thread_frees_a_writer_that_waits(tmp_path: Path) -> None:
    big = textures(2, size=(1080, 1920))
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in big])
    (tmp_path / "out").mkdir()
    with VideoSource(tmp_path / "a.mkv") as film:
        made = plan_output(film.info, tmp_path / "out" / "b.mkv", EncodeOptions(preset="placebo"))
        frame, planes = next(iter(film)), colors(made.coded)
        with VideoSink(made, film.info, MARK) as sink:
            threading.Timer(0.5, sink.abort).start()
            began = time.monotonic()
            with pytest.raises(EncoderError):
                for pts in range(10_000):
                    sink.write(type(frame)(frame.luma, pts, frame.time_base, None, pts), *planes)
    assert time.monotonic() - began < 10
    assert not list((tmp_path / "out").iterdir())


def test_an_encoder_that_dies_is_told_in_one_sentence(tmp_path: Path, make_film: MakeFilm) -> None:
    source, target = make_film(frames=4), tmp_path / "out" / "b.mkv"
    target.parent.mkdir()
    with VideoSource(source) as film:
        made = plan_output(film.info, target, EncodeOptions())
        # An original that is gone is the simplest thing that ffmpeg chokes on.
        source.unlink()
        with (
            pytest.raises(EncoderError, match="^ffmpeg failed: .*No such file") as caught,
            VideoSink(made, film.info, MARK) as sink,
        ):
            for frame in film:
                sink.write(frame, *colors(made.coded))
            sink.finish()
    assert "\n" not in str(caught.value)
    assert not list(target.parent.iterdir())


@posix_only
def test_mode_follows_the_umask_and_a_link_is_followed(tmp_path: Path, make_film: MakeFilm) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "link.mkv").symlink_to("store/real.mkv")
    before = os.umask(0o027)
    try:
        rewrite(make_film(frames=2), tmp_path / "link.mkv")
    finally:
        os.umask(before)
    assert (tmp_path / "link.mkv").is_symlink()
    assert stat.S_IMODE((tmp_path / "store" / "real.mkv").stat().st_mode) == 0o640
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["real.mkv"]


@posix_only
def test_what_a_killed_run_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path, make_film: MakeFilm
) -> None:
    source, out = make_film(frames=3), tmp_path / "out"
    out.mkdir()
    (out / ".b.vidcolor-0badcafe.mkv").write_bytes(b"left over")
    (out / ".other.vidcolor-0badcafe.mkv").write_bytes(b"of another film")
    with VideoSource(source) as film:
        made = plan_output(film.info, out / "b.mkv", EncodeOptions())
        with VideoSink(made, film.info, MARK) as living:
            rewrite(source, out / "b.mkv")
            names = sorted(path.name for path in out.iterdir())
            assert len(names) == 3
            assert names[1:] == [".other.vidcolor-0badcafe.mkv", "b.mkv"]
            for frame in film:
                living.write(frame, *colors(made.coded))
            assert living.finish() == 3
    assert sorted(path.name for path in out.iterdir()) == [".other.vidcolor-0badcafe.mkv", "b.mkv"]


def test_planes_of_a_wrong_size_are_refused(tmp_path: Path, make_film: MakeFilm) -> None:
    with VideoSource(make_film(frames=2)) as film:
        made = plan_output(film.info, tmp_path / "b.mkv", EncodeOptions())
        cb, cr = colors(made.coded)
        with VideoSink(made, film.info, MARK) as sink, pytest.raises(EncoderError, match="plane"):
            sink.write(next(iter(film)), cb[:-1], cr)
    assert not (tmp_path / "b.mkv").exists()


def test_no_space_is_said_in_so_many_words(
    tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="space"):
        rewrite(make_film(frames=2), tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


# --------------------------------------------------------- standard output

_PIPED = """
import sys
from pathlib import Path
import numpy as np
from streams.sink import EncodeOptions, VideoSink, plan_output
from streams.source import VideoSource
with VideoSource(Path(sys.argv[1])) as film:
    plan = plan_output(film.info, None, EncodeOptions(format=sys.argv[2], lossless=True))
    grey = np.full(plan.coded.chroma_size, 120, np.uint8)
    with VideoSink(plan, film.info, "mark") as sink:
        for frame in film:
            sink.write(frame, grey, grey)
            if frame.index == 9:
                sys.stdin.read()
        sink.finish()
"""
ROOT = Path(__file__).parents[1]


def piped(source: Path, form: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", _PIPED, str(source), form]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, bufsize=0)


@pytest.mark.parametrize("form", ["y4m", "nut", "matroska"])
def test_a_pipe_carries_the_same_pictures_and_times_as_a_file(tmp_path: Path, make_film: MakeFilm, form: str) -> None:
    source = make_film(frames=12, sound=True)
    out, complaints = piped(source, form).communicate(timeout=60)
    (tmp_path / f"b.{form}").write_bytes(out)
    assert not complaints
    assert all(np.array_equal(*pair) for pair in zip(lumas(tmp_path / f"b.{form}"), lumas(source), strict=True))
    assert worst_slip(times(tmp_path / f"b.{form}"), times(source)) <= HALF_TICK
    assert any(kind == "audio" for kind, _ in kinds(tmp_path / f"b.{form}")) == (form != "y4m")


def test_raw_video_is_planes_and_nothing_else(make_film: MakeFilm) -> None:
    source = make_film(frames=11)
    out, _ = piped(source, "rawvideo").communicate(timeout=60)
    grey = bytes([120]) * (2 * 24 * 32)
    assert out == b"".join(luma.tobytes() + grey for luma in lumas(source))


@pytest.mark.parametrize("form", ["y4m", "nut", "matroska"])
def test_pictures_leave_before_the_film_ends(make_film: MakeFilm, form: str) -> None:
    haste = {"probesize": "2000", "analyzeduration": "0", "fpsprobesize": "0"}
    read: list[int] = []

    def listen() -> None:
        with av.open(child.stdout, "r", format="yuv4mpegpipe" if form == "y4m" else form, options=haste) as film:
            read.extend(packet.size for packet in film.demux(video=0) if packet.size)

    with piped(make_film(frames=12), form) as child:
        assert child.stdin is not None
        listener = threading.Thread(target=listen)
        listener.start()
        deadline = time.monotonic() + 30
        # Ten have gone in, and no eleventh comes: a muxer may hold two back to learn how long they last.
        while len(read) < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        early = len(read)
        child.stdin.close()
        listener.join()
    assert early >= 8
    assert len(read) == 12


@posix_only
@pytest.mark.parametrize("form", ["y4m", "nut", "matroska"])
def test_a_reader_that_leaves_ends_the_run_soon_and_for_that_reason(make_film: MakeFilm, form: str) -> None:
    with piped(make_film(frames=400, size=(96, 128)), form) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.close()
        child.stdout.read(100)
        child.stdout.close()
        complaints = child.stderr.read().decode()
        assert child.wait(20) != 0
    assert "ReaderLeft" in complaints


def test_the_mark_replaces_an_older_one_and_no_tag_of_the_film(tmp_path: Path, make_film: MakeFilm) -> None:
    ffmpeg("-i", make_film(), "-c", "copy", "-metadata", "title=Reel", "-metadata", "scanner=S", tmp_path / "a.mkv")
    source = tmp_path / "a.mkv"
    for number, name in enumerate(("b.mp4", "c.avi", "d.mov", "e.mkv", "f.mp4")):
        rewrite(source, tmp_path / name, mark=f"mark {number}")
        assert read_mark(tmp_path / name) == f"mark {number}"
        with av.open(str(tmp_path / name)) as film:
            tags = {key.lower(): value for key, value in film.metadata.items()}
        assert tags["title"] == "Reel"
        assert sum("mark " in value for value in tags.values()) == 1
        assert tags.get("scanner") == ("S" if number == 0 else None)
        source = tmp_path / name


def test_tags_of_an_avi_come_out_again_or_are_named(tmp_path: Path, make_film: MakeFilm) -> None:
    tags = ["-metadata", "album=Reels", "-metadata", "IENG=Someone", "-metadata", "title=T"]
    ffmpeg("-i", make_film(), "-c", "copy", *tags, tmp_path / "a.avi")
    rewrite(tmp_path / "a.avi", tmp_path / "b.avi")
    with av.open(str(tmp_path / "a.avi")) as one, av.open(str(tmp_path / "b.avi")) as two:
        assert {name: two.metadata.get(name) for name in ("product", "IENG", "title")} == {
            name: one.metadata[name] for name in ("product", "IENG", "title")
        }
    with VideoSource(tmp_path / "a.avi") as film:
        info = replace(film.info, tags={**film.info.tags, "creation_time": "2001"})
        warnings = plan_output(info, tmp_path / "c.avi", EncodeOptions()).warnings
    assert [text for text in warnings if "creation_time" in text] == list(warnings)


def test_tags_come_through_a_pipe_too(tmp_path: Path, make_film: MakeFilm) -> None:
    ffmpeg("-i", make_film(), "-c", "copy", "-metadata", "title=Reel", "-metadata", "scanner=S", tmp_path / "a.mkv")
    with VideoSource(tmp_path / "a.mkv") as film:
        info = replace(film.info, path=None)
        made = plan_output(info, tmp_path / "b.mp4", EncodeOptions())
        with VideoSink(made, info, MARK) as sink:
            for frame in film:
                sink.write(frame, *colors(made.coded))
            sink.finish()
    with av.open(str(tmp_path / "b.mp4")) as written:
        tags = {key.lower(): value for key, value in written.metadata.items()}
    assert (tags["title"], tags["scanner"]) == ("Reel", "S")
