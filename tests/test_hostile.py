"""Files that mean harm: doors that must all be held, references to other files, small files that unfold to giants."""

from __future__ import annotations

import ast
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from outlets import plan
from reels import frame_of, textures, write_film

from streams import patience
from streams.errors import FilmError, InputError
from streams.guard import gate_options
from streams.patience import within_reason
from streams.sink import read_mark
from streams.source import VideoSource
from streams.writing.command import build

ROOT = Path(__file__).parents[1]
CANARY_TIME = 1_000_000_000
SHIPPED = sorted(path for room in ("streams", "vidcolor", "demo") for path in (ROOT / room).rglob("*.py"))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A film whose opening would show in its time of access."""
    path = write_film(tmp_path / "canary.mkv", [frame_of(luma) for luma in textures(2)])
    os.utime(path, (CANARY_TIME, 2 * CANARY_TIME))
    yield path
    assert path.stat().st_atime == CANARY_TIME, "a neighbour file was opened"


def refuse(path: Path, words: str = "") -> None:
    """Every way in refuses a film, in one sentence."""
    for way in (lambda: VideoSource(path).close(), lambda: read_mark(path)):
        with pytest.raises(InputError, match=words) as refused:
            way()
        assert "\n" not in str(refused.value)


# ------------------------------------------------------------------ doors


def calls(path: Path, name: str) -> Iterator[ast.Call]:
    """Calls of `module.name` in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def guesses(call: ast.Call) -> bool:
    """Tell an open that looks at a file to find out what it is: none that writes, or that names one format."""
    writes = len(call.args) > 1 and isinstance(call.args[1], ast.Constant) and call.args[1].value == "w"
    is_named = any(word.arg == "format" for word in call.keywords)
    return not writes and not is_named


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_films_are_opened_behind_the_gate_only(path: Path) -> None:
    if path != ROOT / "streams" / "guard.py":
        assert not any(guesses(call) for call in calls(path, "av.open")), "an open without allow-lists"
    for call in calls(path, "Image.open"):
        is_own = path.parent.name in ("evaluate", "train")  # pictures that a person collected to teach and measure
        assert is_own or any(word.arg == "formats" for word in call.keywords), "Pillow guesses"


def test_the_original_that_ffmpeg_reads_is_held_to_the_same_lists(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(2)])
    with VideoSource(film) as source:
        words = build(plan(film, tmp_path / "b.mkv"), source.info, "mark", tmp_path / "b.mkv").words
    inputs = [at for at, word in enumerate(words) if word == "-i"]
    assert [words[at + 1] for at in inputs] == ["pipe:0", f"file:{film}"]
    between = words[inputs[0] + 2 : inputs[1]]
    for name, value in gate_options().items():
        assert between[between.index(f"-{name}") + 1] == value
    assert not {"-enable_drefs", "-use_absolute_path", "-f"} & set(between)


# ------------------------------------------------- references to other files


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, name) + body


def with_reference(data: bytes, entry: bytes) -> bytes:
    """A film whose pictures are said to lie elsewhere: its `dref` replaced, and all boxes around it made to fit.

    The index must lie behind the pictures, or its places would have to move too.
    """
    path, begin, end, holders = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"), 0, len(data), []
    for name in path:
        while data[begin + 4 : begin + 8] != name:
            begin += int.from_bytes(data[begin : begin + 4], "big")
            assert begin < end
        holders.append(begin)
        end = begin + int.from_bytes(data[begin : begin + 4], "big")
        begin += 8
    new = box(b"dref", struct.pack(">II", 0, 1), entry)
    changed = bytearray(data[: holders[-1]] + new + data[end:])
    for place in holders[:-1]:
        size = int.from_bytes(changed[place : place + 4], "big") + len(new) - (end - holders[-1])
        changed[place : place + 4] = size.to_bytes(4, "big")
    return bytes(changed)


def alias(target: str) -> bytes:
    """A Macintosh alias that names a file in the same folder, as QuickTime's references do."""
    name, path = target.encode(), f"volume:{target}".encode()
    head = bytes(10) + b"\x06volume".ljust(28, b"\0") + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\0")
    levels = bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    said = struct.pack(">hH", 2, len(path)) + path + bytes(len(path) % 2) + struct.pack(">hH", -1, 0)
    return box(b"alis", bytes(4), head, levels, said, bytes(40))


@pytest.mark.parametrize("kind", ["alias", "address"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_pictures_that_lie_in_another_file_are_not_fetched(
    tmp_path: Path, canary: Path, kind: str, suffix: str
) -> None:
    film = write_film(tmp_path / f"a{suffix}", [frame_of(luma) for luma in textures(4)], "mpeg4")
    entry = alias(canary.name) if kind == "alias" else box(b"url ", bytes(4), canary.as_uri().encode() + b"\0")
    film.write_bytes(with_reference(film.read_bytes(), entry))
    try:
        with VideoSource(film) as source:
            assert all(frame.luma.shape == (72, 96) for frame in source), "pictures of another file"
    except FilmError as error:
        assert isinstance(error, InputError)


def riff(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def avi_with_subtitles(subtitles: bytes) -> bytes:
    """An AVI of three grey pictures with a subtitle stream, in one packet as DivX keeps it (`GAB2`)."""
    width, height = 32, 24
    picture = bytes([120]) * (width * height * 3)
    main = struct.pack("<14I", 40_000, 0, 0, 0, 3, 0, 2, 0, width, height, 0, 0, 0, 0)
    video = b"vids" + b"DIB " + struct.pack("<10I4H", 0, 0, 0, 1, 25, 0, 3, 0, 0, 0, 0, 0, width, height)
    form = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(picture), 0, 0, 0, 0)
    text = b"txts" + bytes(4) + struct.pack("<10I4H", 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    block = b"GAB2\0" + struct.pack("<HI", 2, 2) + b"x\0" + struct.pack("<HI", 4, len(subtitles)) + subtitles
    streams = riff(b"LIST", b"strl", riff(b"strh", video), riff(b"strf", form)) + riff(
        b"LIST", b"strl", riff(b"strh", text), riff(b"strf", b"")
    )
    head = riff(b"LIST", b"hdrl", riff(b"avih", main), streams)
    movie = riff(b"LIST", b"movi", riff(b"01tx", block), *(riff(b"00db", picture) for _ in range(3)))
    return riff(b"RIFF", b"AVI ", head, movie)


@pytest.mark.parametrize(
    "hidden",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2.0,\ncanary.mkv\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile canary.mkv\n",
        b"1\n00:00:00,000 --> 00:00:00,080\nOld film\n",
    ],
    ids=["hls", "ffconcat", "true subtitles"],
)
def test_a_playlist_in_a_subtitle_block_is_not_followed(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch, hidden: bytes
) -> None:
    (tmp_path / "a.avi").write_bytes(avi_with_subtitles(hidden))
    monkeypatch.chdir(tmp_path)
    with VideoSource(Path("a.avi")) as source:
        frames = list(source)
        assert {stream.kind for stream in source.info.streams} <= {"video", "subtitle"}
    assert [frame.luma.shape for frame in frames] == [(24, 32)] * 3


# ------------------------------------------------------------------- bombs


def zeros(count: int) -> bytes:
    """`count` zeros, deflated a thousandfold."""
    packer, piece = zlib.compressobj(9), bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(count >> 20)), packer.flush()])


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*extra: bytes, moving: bool = True) -> bytes:
    rows = zlib.compress(b"".join(b"\0" + bytes(range(row, row + 32)) for row in range(24)))
    control = chunk(b"acTL", struct.pack(">II", 1, 0)) if moving else b""
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 32, 24, 0, 0, 1, 25, 0, 0)) if moving else b""
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 24, 8, 0, 0, 0, 0))
    return head + control + b"".join(extra) + frame + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda body: chunk(b"zTXt", b"Comment\0\0" + body),
    "international text": lambda body: chunk(b"iTXt", b"Comment\0\1\0en\0word\0" + body),
    "profile": lambda body: chunk(b"iCCP", b"x\0\0" + body),
}


@pytest.mark.parametrize("moving", [True, False], ids=["moving", "still"])
@pytest.mark.parametrize("kind", PACKED)
def test_packed_texts_of_a_png_do_not_unfold_beyond_measure(tmp_path: Path, kind: str, moving: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(PACKED[kind](zeros(200 << 20)), moving=moving))
    with pytest.raises(InputError):
        VideoSource(path).close()
    path.write_bytes(png(PACKED[kind](zlib.compress(b"an honest text")), moving=moving))
    if kind != "profile":
        with VideoSource(path) as source:
            assert len(list(source)) == 1


@pytest.mark.parametrize("holder", [b"moov", b"free"])
def test_a_packed_head_does_not_unfold_beyond_measure(tmp_path: Path, holder: bytes) -> None:
    packed = box(b"cmvd", struct.pack(">I", 200 << 20), zeros(200 << 20))
    data = box(b"ftyp", b"qt  \0\0\2\0qt  ") + box(holder, box(b"cmov", box(b"dcom", b"zlib"), packed))
    (tmp_path / "a.mov").write_bytes(data)
    refuse(tmp_path / "a.mov", "unfolds to 200 MiB")


def test_an_honest_packed_head_is_read(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mov", [frame_of(luma) for luma in textures(4)], "mpeg4")
    data = film.read_bytes()
    place = data.index(b"moov") - 4
    size = int.from_bytes(data[place : place + 4], "big")
    packed = struct.pack(">I", size) + zlib.compress(data[place : place + size])
    film.write_bytes(data[:place] + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", packed))))
    with VideoSource(film) as source:
        assert len(list(source)) == 4


def element(name: bytes, body: bytes) -> bytes:
    return name + b"\x01" + len(body).to_bytes(7, "big") + body


def with_element(film: Path, made: bytes) -> None:
    """Put an element before the pictures of a Matroska film."""
    data = film.read_bytes()
    segment, cluster = data.index(b"\x18\x53\x80\x67"), data.index(b"\x1f\x43\xb6\x75")
    unknown = b"\x01" + b"\xff" * 7
    film.write_bytes(data[: segment + 4] + unknown + data[segment + 12 : cluster] + made + data[cluster:])


def tag(name: bytes, value: bytes) -> bytes:
    return element(b"\x67\xc8", element(b"\x45\xa3", name) + element(b"\x44\x87", value))


def many_tags(count: int) -> bytes:
    tags = b"".join(tag(b"T%d" % number, b"value") for number in range(count))
    return element(b"\x12\x54\xc3\x67", element(b"\x73\x73", tags))


def many_chapters(count: int) -> bytes:
    atoms = (
        element(b"\xb6", element(b"\x73\xc4", (count - n).to_bytes(4, "big")) + element(b"\x91", n.to_bytes(4, "big")))
        for n in range(count)
    )
    return element(b"\x10\x43\xa7\x70", element(b"\x45\xb9", b"".join(atoms)))


def test_a_long_tag_and_many_chapters_do_no_harm(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(3)])
    with_element(film, element(b"\x12\x54\xc3\x67", element(b"\x73\x73", tag(b"COMMENT", b"x" * (4 << 20)))))
    with VideoSource(film) as source:
        assert len(source.info.tags["COMMENT"]) == 4 << 20
    film = write_film(tmp_path / "b.mkv", [frame_of(luma) for luma in textures(3)])
    with_element(film, many_chapters(500))
    with VideoSource(film) as source:
        assert len(source.info.chapters) == 500


@pytest.mark.parametrize("made", [many_tags, many_chapters], ids=["tags", "chapters"])
def test_a_head_that_takes_hours_to_read_is_refused(tmp_path: Path, made: Callable[[int], bytes]) -> None:
    """In a process of its own, which ends with the work still going on, as the command does."""
    film = write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(3)])
    with_element(film, made(60_000))
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom streams import patience\n"
        "from streams.errors import InputError\nfrom streams.source import VideoSource\n"
        "patience._MOST_WORK_SECONDS = patience._MOST_WALL_SECONDS = 0.3\n"
        "try:\n    VideoSource(Path(sys.argv[1]))\n"
        "except InputError as error:\n    print(error, flush=True)\n    os._exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(film)], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "too much work" in done.stdout


def test_ten_thousand_streams_are_a_thousand_at_most(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(3)])
    tracks = (
        element(
            b"\xae",
            element(b"\xd7", (n + 5).to_bytes(3, "big"))
            + element(b"\x73\xc5", (n + 5).to_bytes(3, "big"))
            + element(b"\x83", b"\x11")
            + element(b"\x86", b"S_TEXT/UTF8"),
        )
        for n in range(10_000)
    )
    with_element(film, element(b"\x16\x54\xae\x6b", b"".join(tracks)))
    with VideoSource(film) as source:
        assert len(source.info.streams) <= 1000
        assert len(list(source)) == 3


def test_work_that_ends_in_time_gives_its_result_or_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert within_reason(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within_reason(lambda: 1 // 0)
    monkeypatch.setattr(patience, "_MOST_WORK_SECONDS", 0.2)
    if patience._work_of(__import__("threading").current_thread()) is not None:
        assert within_reason(lambda: time.sleep(0.6)) is None, "waiting is no work"
    with pytest.raises(av.error.FFmpegError):
        within_reason(lambda: av.open(str(ROOT / "no such film")))
