"""Every picture once, in display order, at its exact time, with the luma that was coded."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray
from outlets import ffmpeg
from PIL import Image
from reels import frame_of, textures, write_film, y4m

from streams.errors import InputError, UsageError
from streams.source import Frame, VideoSource, digest_of
from streams.writing.ffmpeg import find_ffmpeg

LOSSLESS = {"ffv1": {}, "libx264": {"qp": "0", "bf": "2", "g": "9"}}


def read(path: Path, **options: Any) -> list[Frame]:  # noqa: ANN401 - VideoSource's own
    with VideoSource(path, **options) as source:
        return list(source)


def film(path: Path, lumas: Sequence[NDArray[Any]], codec: str = "ffv1", pixels: str = "yuv420p", **kw: Any) -> Path:  # noqa: ANN401
    return write_film(path, [frame_of(luma, pixels) for luma in lumas], codec, options=LOSSLESS.get(codec), **kw)


def assert_lumas(frames: Sequence[Frame], lumas: Sequence[NDArray[Any]]) -> None:
    assert len(frames) == len(lumas)
    for frame, luma in zip(frames, lumas, strict=True):
        np.testing.assert_array_equal(frame.luma, luma)


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "top"),
    [
        ("film.mkv", "ffv1", "yuv420p", 219),
        ("film.mp4", "libx264", "yuv420p", 219),
        ("film.mov", "libx264", "yuv422p10le", 876),
        ("film.mkv", "ffv1", "gray10le", 876),
        ("film.mkv", "ffv1", "gray16le", 65000),
        ("film.mkv", "ffv1", "yuv444p12le", 4000),
        ("film.mkv", "ffv1", "yuv411p", 219),
        ("film.avi", "rawvideo", "yuv420p", 219),
        ("film.nut", "ffv1", "gray", 239),
    ],
)
def test_every_picture_comes_once_in_order_with_its_luma(
    tmp_path: Path, name: str, codec: str, pixels: str, top: int
) -> None:
    lumas = textures(25, top=top)
    path = film(tmp_path / name, lumas, codec, pixels)
    frames = read(path)
    assert_lumas(frames, lumas)
    assert [frame.index for frame in frames] == list(range(25))
    with VideoSource(path) as source:
        assert source.info.format.pixels == pixels
        assert source.warnings == []


@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_films_are_whole(tmp_path: Path, count: int) -> None:
    assert_lumas(read(film(tmp_path / "film.mp4", textures(count), "libx264")), textures(count))


@pytest.mark.parametrize("stamps", [[0, 7, 90, 91, 500, 5500], [500, 540, 580, 700, 701, 702]])
def test_times_are_the_films_own_whatever_its_rate(tmp_path: Path, stamps: list[int]) -> None:
    frames = read(film(tmp_path / "film.mkv", textures(6), stamps=stamps))
    assert [frame.time for frame in frames] == [Fraction(stamp, 1000) for stamp in stamps]


def test_packed_b_pictures_of_avi_are_timed_by_their_place(tmp_path: Path) -> None:
    if "libxvid" not in find_ffmpeg().encoders:
        pytest.skip("this ffmpeg has no encoder that packs B pictures")
    film(tmp_path / "plain.mkv", textures(12))
    ffmpeg("-i", tmp_path / "plain.mkv", "-c:v", "libxvid", "-q:v", "3", "-bf", "2", tmp_path / "film.avi")
    with VideoSource(tmp_path / "film.avi") as source:
        stamps = [frame.pts for frame in source]
        assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))
        assert source.warnings == []


def test_a_film_whose_pictures_carry_what_the_library_cannot_name_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Plate Works"
    for luma in textures(3):
        with (tmp_path / "film.mjpeg").open("ab") as file:
            Image.fromarray(luma).save(file, "JPEG", exif=exif)
    with VideoSource(tmp_path / "film.mjpeg") as source:
        assert len(list(source)) == 3


@pytest.mark.parametrize("name", ["film.mkv", "film.nut"])
def test_a_film_that_begins_late_is_not_taken_for_damaged(tmp_path: Path, name: str) -> None:
    path = film(tmp_path / name, textures(4), stamps=[5000, 5040, 5080, 5120])
    with VideoSource(path) as source:
        assert len(list(source)) == 4
        assert source.warnings == []


def test_captions_inside_pictures_are_not_lost_without_a_word(tmp_path: Path) -> None:
    film(tmp_path / "plain.mkv", textures(4))
    ffmpeg("-i", tmp_path / "plain.mkv", "-c:v", "mpeg2video", "-q:v", "2", tmp_path / "plain.m2v")
    # ATSC A/53 part 4, 6.2.3: user data of a picture, behind its coding extension (00 00 01 B5 8.).
    captions = b"\0\0\1\xb2GA94\x03\x41\xff\xfc\x94\x2c\xff"
    data, at = (tmp_path / "plain.m2v").read_bytes(), 0
    while (at := data.find(b"\0\0\1\xb5", at + 1)) >= 0:
        slices = data.find(b"\0\0\1\x01", at)
        if data[at + 4] >> 4 == 8:
            data = data[:slices] + captions + data[slices:]
    (tmp_path / "film.m2v").write_bytes(data)
    for name, said in (("plain.m2v", []), ("film.m2v", ["captions inside the pictures (4 pictures)"])):
        with VideoSource(tmp_path / name) as source:
            assert len(list(source)) == 4
            assert [text.partition(": ")[2] for text in source.warnings if "captions" in text] == said


def test_colours_of_a_stream_that_cannot_state_them_are_its_containers(tmp_path: Path) -> None:
    film(tmp_path / "plain.mkv", textures(3))
    stated = ["-vf", "setparams=range=pc:colorspace=bt709:color_primaries=bt709:color_trc=bt709", "-color_range", "pc"]
    ffmpeg("-i", tmp_path / "plain.mkv", *stated, "-c:v", "libvpx", "-b:v", "1M", tmp_path / "film.webm")
    with VideoSource(tmp_path / "film.webm") as source:
        form = source.info.format
    assert (form.full_range, form.stated.range, form.stated.matrix, form.matrix) == (True, "pc", "bt709", "bt709")


def test_pictures_outlive_the_source_and_cannot_be_written_to(tmp_path: Path) -> None:
    lumas = textures(5)
    frames = read(film(tmp_path / "film.mkv", lumas))
    assert_lumas(frames, lumas)
    with pytest.raises(ValueError, match="read-only"):
        frames[0].luma[0, 0] = 1


@pytest.mark.parametrize(
    ("start", "stop", "kept"),
    [
        (None, None, range(50)),
        ("0.4", "1.2", range(10, 30)),
        ("0.41", None, range(11, 50)),
        (None, "0.4", range(10)),
        ("1.96", "99", range(49, 50)),
        ("0", "0.04", range(1)),
    ],
)
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
def test_a_cut_keeps_exactly_the_pictures_between_its_times(
    tmp_path: Path, name: str, start: str | None, stop: str | None, kept: range
) -> None:
    lumas = textures(50)
    path = film(tmp_path / name, lumas, "libx264")
    times = {"start": Fraction(start) if start else None, "stop": Fraction(stop) if stop else None}
    frames = read(path, **times)
    assert_lumas(frames, [lumas[number] for number in kept])
    if start is not None:
        expected = [Fraction(number, 25) - Fraction(start) for number in kept]
        got = [frame.time for frame in frames]
        assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= frames[0].time_base
        assert got[0] >= 0


def test_a_cut_without_pictures_is_said(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", textures(5))
    with pytest.raises(InputError, match="between the times"):
        VideoSource(path, start=Fraction(5))
    Image.fromarray(textures(1)[0]).save(tmp_path / "still.png")
    with pytest.raises(UsageError, match="still picture"):
        VideoSource(tmp_path / "still.png", start=Fraction(1))


def test_alpha_comes_with_the_picture(tmp_path: Path) -> None:
    luma, alpha = textures(2)
    path = write_film(tmp_path / "film.mkv", [frame_of(luma, "yuva420p", alpha)])
    (frame,) = read(path)
    assert frame.alpha is not None
    np.testing.assert_array_equal(frame.alpha, alpha)


@pytest.mark.parametrize(("letter", "fields"), [(b"t", (True, True)), (b"b", (True, False)), (b"p", (False, False))])
def test_interlaced_pictures_say_so_and_which_field_is_first(
    tmp_path: Path, letter: bytes, fields: tuple[bool, bool]
) -> None:
    path = tmp_path / "film.y4m"
    path.write_bytes(b"".join(y4m(textures(3))).replace(b" Ip ", b" I" + letter + b" ", 1))
    assert [(frame.interlaced, frame.top_field_first) for frame in read(path)] == [fields] * 3
    with VideoSource(path) as source:
        assert (source.info.interlaced, source.info.top_field_first) == fields


def two_streams(path: Path, flags: tuple[int, int]) -> Path:
    """A film with a bright and a dark picture stream, flagged as given."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in flags]
        for stream, flag in zip(streams, flags, strict=True):
            stream.width, stream.height, stream.pix_fmt, stream.disposition = 32, 32, "yuv420p", flag
        for stream, light in zip(streams, (200, 50), strict=True):
            picture = frame_of(np.full((32, 32), light, np.uint8))
            picture.pts, picture.time_base = 0, Fraction(1, 25)
            container.mux([*stream.encode(picture), *stream.encode(None)])
    return path


def test_the_main_stream_is_the_first_default_one_that_is_no_cover(tmp_path: Path) -> None:
    default = int(av.stream.Disposition.default)
    for number, (flags, light) in enumerate((((0, default), 50), ((default, 0), 200), ((default, default), 200))):
        path = two_streams(tmp_path / f"{number}.mkv", flags)
        (frame,) = read(path)
        assert frame.luma[0, 0] == light


def test_what_the_container_says_is_in_the_info(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", textures(10), "libx264")
    with VideoSource(path) as source:
        info = source.info
    assert (info.frames_from_header, info.average_rate, info.duration_from_header) == (10, 25, Fraction(2, 5))
    assert (info.path, info.main, [stream.kind for stream in info.streams]) == (path, 0, ["video"])
    assert info.streams[0].codec == "h264"
    assert not info.is_still


def test_a_film_cut_short_gives_what_is_there_and_one_warning(tmp_path: Path) -> None:
    lumas = textures(40)
    for name, codec in (("film.mkv", "ffv1"), ("fast.mp4", "libx264")):
        pictures = [frame_of(luma) for luma in lumas]
        whole = write_film(tmp_path / f"whole-{name}", pictures, codec, options=LOSSLESS[codec])
        data = whole.read_bytes()
        if name == "fast.mp4":
            whole = moved_index(whole, tmp_path / "faststart.mp4")
            data = whole.read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) * 6 // 10])
        with VideoSource(tmp_path / name) as source:
            frames = list(source)
            assert len(source.warnings) == 1
            assert "damaged" in source.warnings[0]
        assert 10 < len(frames) < 40
        assert_lumas(frames[:10], lumas[:10])


def moved_index(path: Path, target: Path) -> Path:
    """Copy an MP4 with its index first."""
    with av.open(str(path)) as old, av.open(str(target), "w", options={"movflags": "faststart"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", textures(9), "libx264")
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"moov") - 4])
    with pytest.raises(InputError, match="index"):
        VideoSource(path)


def test_pictures_of_another_size_are_fitted_to_the_first_with_a_warning(tmp_path: Path) -> None:
    one = film(tmp_path / "one.ts", textures(5), "libx264", form="mpegts")
    other = film(tmp_path / "other.ts", textures(5, (48, 64)), "libx264", form="mpegts")
    path = tmp_path / "film.ts"
    path.write_bytes(one.read_bytes() + other.read_bytes())
    with VideoSource(path) as source:
        frames = list(source)
    assert {frame.luma.shape for frame in frames} == {(72, 96)}
    assert len(frames) == 10
    assert sum("64x48" in warning for warning in source.warnings) == 1
    times = [frame.pts for frame in frames]
    assert times == sorted(set(times))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_moving_gif_png_and_webp_are_films(tmp_path: Path, kind: str) -> None:
    pictures = [Image.fromarray(luma) for luma in textures(4)]
    path = tmp_path / f"film.{kind.lower()}"
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:], duration=[40, 80, 120, 40], **options)
    with VideoSource(path) as source:
        frames = list(source)
        assert not source.info.is_still
    assert [frame.time for frame in frames] == [Fraction(t, 1000) for t in (0, 40, 120, 240)]
    for frame, luma in zip(frames, textures(4), strict=True):
        assert np.abs(frame.luma.astype(int) - luma).max() <= 1


def test_a_still_is_a_film_of_one_frame_a_page(tmp_path: Path) -> None:
    pages = [Image.fromarray(luma) for luma in textures(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with VideoSource(tmp_path / "pages.tif") as source:
        assert source.info.is_still
        assert source.still is not None
        assert_lumas(list(source), textures(3))


READ_STDIN = (
    "from streams.source import VideoSource\n"
    "with VideoSource(None) as source:\n"
    "    for frame in source: print(int(frame.luma.sum()), flush=True)\n"
)


def read_by_pipe(data: bytes) -> list[int]:
    done = subprocess.run([sys.executable, "-c", READ_STDIN], input=data, capture_output=True, timeout=60, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("name", ["film.mkv", "film.nut", "film.ts", "film.mp4", "film.y4m", "film.mjpeg", "still.png"])
def test_a_pipe_gives_the_pictures_of_the_file(tmp_path: Path, name: str) -> None:
    codec = {".mkv": "ffv1", ".nut": "ffv1", ".y4m": "wrapped_avframe", ".mjpeg": "mjpeg"}.get(
        Path(name).suffix, "libx264"
    )
    path = tmp_path / name
    if name == "film.y4m":
        path.write_bytes(b"".join(y4m(textures(12))))
    elif name == "still.png":
        Image.fromarray(textures(1)[0]).save(path)
    else:
        film(path, textures(12), codec, "yuvj420p" if codec == "mjpeg" else "yuv420p")
    if name == "film.mp4":
        path = moved_index(path, tmp_path / "first.mp4")
    assert read_by_pipe(path.read_bytes()) == [int(frame.luma.sum()) for frame in read(path)]


def test_a_live_pipe_is_not_waited_for() -> None:
    """Each picture comes out before the next goes in."""
    parts = y4m(textures(6))
    with subprocess.Popen([sys.executable, "-c", READ_STDIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        alarm = threading.Timer(60, child.kill)
        alarm.start()
        child.stdin.write(parts[0])
        for part, luma in zip(parts[1:], textures(6), strict=True):
            child.stdin.write(part)
            child.stdin.flush()
            assert int(child.stdout.readline()) == int(luma.sum())
        child.stdin.close()
        alarm.cancel()


def test_noise_and_nothing_on_a_pipe_are_refused() -> None:
    for data in (b"", np.random.default_rng(1).bytes(50000)):
        with pytest.raises(subprocess.CalledProcessError) as caught:
            read_by_pipe(data)
        assert b"InputError" in caught.value.stderr


def test_pictures_are_let_go_without_the_help_of_the_collector(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", textures(12), "libx264", "yuv420p")
    gc.collect()
    gc.disable()
    try:
        seen = [weakref.ref(frame.luma) for frame in VideoSource(tmp_path / "film.mp4")]
        alive = sum(one() is not None for one in seen)
        rings = sum(type(one) is SideDataContainer for one in gc.get_objects())
    finally:
        gc.enable()
    assert len(seen) == 12
    assert alive <= 1
    assert rings == 0


def test_damaged_pictures_come_out_the_same_whoever_still_looks_at_others(tmp_path: Path) -> None:
    path = write_film(
        tmp_path / "old.mkv",
        [frame_of(luma) for luma in textures(40, (64, 96))],
        "libx264",
        options={"g": "10", "x264-params": "bframes=2"},
    )
    data, chance = bytearray(path.read_bytes()), random.Random(5)
    for _ in range(30):
        data[chance.randrange(len(data) // 4, len(data) // 2)] ^= 0x55
    path.write_bytes(data)
    readings = set()
    for held in (1, 2, 3, 5, 8, 13, 21, 40) * 3:
        looked_at: deque[Frame] = deque(maxlen=held)
        digests = []
        with VideoSource(path, is_exact=True) as source:
            for frame in source:
                looked_at.append(frame)
                digests.append(digest_of(frame))
                if chance.random() < 0.2:
                    looked_at.clear()
        assert source.damage
        readings.add(tuple(digests))
    assert len(readings) == 1
