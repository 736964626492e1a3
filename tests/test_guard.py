"""What may be opened: films of one file, by content, of bearable size, and whatever name they have."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from reels import frame_of, textures, write_film, y4m

from streams.errors import FilmError, InputError, UsageError, printable
from streams.guard import check_size, gate_options, open_film
from streams.inlet import Inlet
from streams.source import VideoSource

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\ncanary.mkv\n#EXT-X-ENDLIST\n",
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\ncanary.m3u8\n",
    "ffconcat": "ffconcat version 1.0\nfile canary.mkv\n",
    "ffconcat after a mark": "\ufeff\n ffconcat version 1.0\nfile canary.mkv\n",
    "dash": '<?xml version="1.0"?><MPD type="static"><Period><BaseURL>canary.mkv</BaseURL></Period></MPD>',
    "smil": '<smil><body><video src="canary.mkv"/></body></smil>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "pls": "[playlist]\nFile1=canary.mkv\n",
}


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A film beside the file under test whose opening would show in its time of access."""
    path = write_film(tmp_path / "canary.mkv", [frame_of(luma) for luma in textures(2)])
    (tmp_path / "canary.m3u8").write_text(PLAYLISTS["hls"])
    os.utime(path, (1_000_000_000, 2_000_000_000))
    yield path
    assert path.stat().st_atime == 1_000_000_000, "a neighbour file was opened"


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".mkv", ""])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_are_refused_whatever_their_suffix_and_nothing_they_name_is_opened(
    tmp_path: Path, canary: Path, kind: str, suffix: str
) -> None:
    path = tmp_path / f"film{suffix}"
    path.write_text(PLAYLISTS[kind], encoding="utf-8")
    with pytest.raises(InputError, match="film"):
        VideoSource(path)


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_the_libraries_refuse_playlists_too_should_one_pass_the_first_look(
    tmp_path: Path, canary: Path, kind: str
) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(PLAYLISTS[kind] + "\n" * 4000, encoding="utf-8")
    with Inlet(path) as inlet, pytest.raises(InputError):
        open_film(inlet)


def test_the_gate_names_no_playlist_and_no_network() -> None:
    options = gate_options()
    allowed = set(options["format_whitelist"].split(","))
    assert not allowed & {"hls", "concat", "dash", "sdp", "rtsp", "image2", "lavfi", "applehttp", "tee", "rtp", "imf"}
    assert options["protocol_whitelist"] == "file,pipe"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"This is not a film.\n" * 50, "is text"),
        (bytes(30000), "only zeros"),
        (b"YUV4MPEG2 W96 H72 F25:1 Ip A1:1 C420jpeg\n", "no pictures"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), "stored as HEIC"),
        (b"\x00\x01\x02\x03noise" * 999, "not a film|kind that is not opened"),
    ],
)
def test_files_with_nothing_to_see_are_refused_in_words(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        VideoSource(path)


def test_sound_without_pictures_is_said(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame("s16", "mono", 800)
        frame.rate = 8000
        film.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(InputError, match="sound only"):
        VideoSource(path)


@pytest.mark.parametrize("size", [(40000, 2), (2, 40000), (32767, 32767), (65536, 65537), (0, 5)])
def test_giants_are_refused_before_anything_is_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        check_size(*size, "it")
    path = tmp_path / "film.y4m"
    path.write_bytes(f"YUV4MPEG2 W{size[0]} H{size[1]} F25:1 C420jpeg\nFRAME\n".encode() + bytes(1000))
    with pytest.raises(InputError):
        VideoSource(path)


def test_a_png_that_claims_to_be_a_giant_is_refused_unread(tmp_path: Path) -> None:
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(bytes(4000)))
    path = tmp_path / "huge.png"
    coded = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(coded))
    with pytest.raises(InputError, match="60000x60000"):
        VideoSource(path)


def test_the_largest_allowed_picture_is_allowed() -> None:
    check_size(32767, 8192, "it")


@pytest.mark.skipif(sys.platform == "win32", reason="these characters cannot be in names there")
@pytest.mark.parametrize(
    "name",
    [
        "http:host",
        "concat:a|b.mkv",
        "pipe:0",
        "-",
        "a%d.mkv",
        "a b'\"\n.mkv",
        "[*?].mkv",
        "映画🎞.mkv",
        "x:y",
        "data:,a",
    ],
)
def test_a_name_is_only_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_film(tmp_path / "film.mkv", [frame_of(luma) for luma in textures(2)])
    (tmp_path / "film.mkv").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with VideoSource(Path(name)) as source:
        assert len(list(source)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there only")
def test_a_name_that_is_not_text_is_a_name_too(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.mkv")
    write_film(tmp_path / "film.mkv", [frame_of(luma) for luma in textures(2)]).rename(path)
    with VideoSource(path) as source:
        assert len(list(source)) == 2
        source.info.name.encode()


def test_missing_files_folders_and_odd_names_are_told_apart(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.mkv", "no file"), (tmp_path, "folder"), (Path("a\0b"), "cannot be opened")):
        with pytest.raises(InputError, match=words):
            VideoSource(path)


def test_names_cannot_steer_a_terminal() -> None:
    assert printable("\x1b]0;owned\x07\nred\u202e\u2028é映") == r"\x1b]0;owned\x07\nred\u202e\u2028é映"
    assert printable(os.fsdecode(b"\xff")).encode()


def test_a_format_that_is_named_must_be_an_allowed_one(tmp_path: Path) -> None:
    path = tmp_path / "film.bin"
    path.write_bytes(b"".join(y4m(textures(3))))
    with VideoSource(path, format="y4m") as source:
        assert len(list(source)) == 3
    for form in ("concat", "lavfi", "nothing"):
        with pytest.raises(UsageError, match=form):
            VideoSource(path, format=form)


@pytest.mark.parametrize("seed", range(40))
def test_any_bytes_give_pictures_or_one_sentence(tmp_path: Path, seed: int) -> None:
    import random

    chance = random.Random(seed)
    path = tmp_path / "film.mkv"
    codec, name = chance.choice([("libx264", "a.mp4"), ("ffv1", "a.mkv"), ("mpeg4", "a.avi"), ("libx264", "a.ts")])
    made = write_film(tmp_path / name, [frame_of(luma) for luma in textures(8)], codec)
    data = bytearray(made.read_bytes())
    for _ in range(chance.choice([1, 5, 50])):
        data[chance.randrange(chance.choice([600, len(data)]))] = chance.randrange(256)
    path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
    try:
        with VideoSource(path) as source:
            assert sum(1 for _ in source) > 0
    except FilmError as error:
        assert isinstance(error, InputError)
        assert "\n" not in str(error)
