"""Where a container keeps the mark, written and read back: a tag, a box, a message in the pictures, or stuffing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import quote, unquote
from uuid import UUID

import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame

from streams.errors import InputError, printable
from streams.guard import open_film
from streams.inlet import Inlet
from streams.side import messages

TAG = "vidcolor"
_HEAD = f"{TAG}: "
# Drawn once at random; it tells our messages from those of encoders (ITU-T H.264, D.2.6: user data unregistered).
MESSAGE_UUID = UUID("5d0f1c63-9b0e-4c58-8f0b-2d6c1f6e7a94")
_PICTURES_SEARCHED = 4
_NULL_HEAD = b"\x47\x1f\xff\x10"
_NULL_ROOM = 184
_TAIL = 188 * 16
# RIFF INFO chunks that films hardly use; the first that is free takes the mark.
_INFO_CHUNKS = ("ISRF", "IKEY", "ISBJ", "ISRC")
# iTunes tags likewise: one lends its room until ours is written in its place.
_ATOM_TAGS = ("network", "episode_id", "keywords", "grouping", "show", "lyrics", "synopsis")


def is_mark(name: str, value: str) -> bool:
    """Tell a tag that is a mark, whatever container it comes from."""
    return name.lower() == TAG or value.startswith(_HEAD)


def tagged(mark: str) -> str:
    """Return the mark as it lies in a place that others may use as well."""
    return _HEAD + mark


def free_chunk(tags: Mapping[str, str]) -> str:
    """Name a RIFF INFO chunk that no tag of the film takes; one that holds an older mark is free."""
    used = {name.upper() for name, value in tags.items() if not value.startswith(_HEAD)}
    return next((name for name in _INFO_CHUNKS if name not in used), _INFO_CHUNKS[-1])


def free_atom(tags: Mapping[str, str]) -> str:
    """Name an iTunes tag that no tag of the film takes."""
    used = {name.lower() for name in tags}
    return next((name for name in _ATOM_TAGS if name not in used), _ATOM_TAGS[-1])


def message(mark: str) -> str:
    """Return the mark as h264_metadata takes it: a UUID and a text without any character that steers ffmpeg."""
    return f"{MESSAGE_UUID}+{quote(_HEAD + mark, safe='')}"


def read_mark(path: Path) -> str | None:
    """Read the mark of a film back; None where it has none.

    Raises InputError where the file cannot be read as a film.
    """
    try:
        with Inlet(path) as inlet, open_film(inlet) as film:
            found = _in_tags(film) or _in_pictures(film) or _in_stuffing(path)
        # Tags need not be text: what comes out of them must be.
        return found and found.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{printable(path)} cannot be read as a film") from error


def _in_tags(film: InputContainer) -> str | None:
    for tags in (film.metadata, *(stream.metadata for stream in film.streams)):
        for name, value in tags.items():
            if is_mark(name, value):
                return value.removeprefix(_HEAD)
    return None


def _in_pictures(film: InputContainer) -> str | None:
    """Look for our message in the first pictures of each picture stream."""
    for stream in film.streams.video:
        if stream.codec_context is None or stream.codec_context.name not in ("h264", "hevc"):
            continue
        for text in _messages(film, stream.index):
            return text
    return None


def _messages(film: InputContainer, index: int) -> Iterator[str]:
    for frame in islice(film.decode(film.streams[index]), _PICTURES_SEARCHED):
        for content in messages(frame) if isinstance(frame, VideoFrame) else ():
            if content.startswith(MESSAGE_UUID.bytes):
                yield unquote(content[16:].rstrip(b"\0").decode("ascii", "replace")).removeprefix(_HEAD)


def stuffing(muxer: str, mark: str) -> bytes:
    """Return packets to append to an MPEG stream, which every reader skips, with the mark in them.

    Null packets of a transport stream, padding of a program stream (ITU-T H.222.0, 2.4.3.3 and 2.4.3.7).
    """
    content = MESSAGE_UUID.bytes + (_HEAD + mark).encode()
    if muxer == "mpegts":
        pieces = [content[at : at + _NULL_ROOM] for at in range(0, len(content), _NULL_ROOM)]
        return b"".join(_NULL_HEAD + piece.ljust(_NULL_ROOM, b"\xff") for piece in pieces)
    return b"\0\0\1\xbe" + len(content).to_bytes(2, "big") + content


def _in_stuffing(path: Path) -> str | None:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _TAIL))
        tail = file.read()
    if len(tail) % 188 == 0 and tail.startswith(b"\x47"):
        tail = b"".join(tail[at + 4 : at + 188] for at in range(0, len(tail), 188) if tail[at : at + 4] == _NULL_HEAD)
    found = tail.rpartition(MESSAGE_UUID.bytes)[2].rstrip(b"\xff") if MESSAGE_UUID.bytes in tail else b""
    return found.decode("ascii", "replace").removeprefix(_HEAD) or None
