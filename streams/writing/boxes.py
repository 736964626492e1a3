"""The few bytes of an MP4 or QuickTime file that no ffmpeg option sets: display matrix, tags of one's own.

Boxes are changed in place and never change their size, so no offset in the file moves.
ISO/IEC 14496-12 (boxes, `tkhd`); the QuickTime File Format specification (`meta`, `ilst`, `----`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from streams.errors import EncoderError

_MEAN = b"org.vidcolor"
_FULL = 4  # version and flags of a full box
_DATA_HEAD = 16  # size, name, type, locale
_MATRIX = 36  # nine numbers of four bytes


@dataclass(frozen=True, slots=True)
class Box:
    """A box of a file: its name, and where its content begins and ends, in bytes."""

    name: bytes
    begin: int
    end: int


def boxes(file: BinaryIO, begin: int, end: int) -> Iterator[Box]:
    """List the boxes that lie between two places of a file; stops at what is no box."""
    while begin + 8 <= end:
        file.seek(begin)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            head, size = 16, struct.unpack(">Q", file.read(8))[0]
        stop = begin + size if size else end
        if stop < begin + head or stop > end:
            return
        yield Box(name, begin + head, stop)
        begin = stop


def find(file: BinaryIO, path: Sequence[bytes]) -> Iterator[Box]:
    """List the boxes at a path such as (b"moov", b"trak", b"tkhd")."""
    yield from _below(file, Box(b"", 0, file.seek(0, 2)), path)


def _below(file: BinaryIO, box: Box, path: Sequence[bytes]) -> Iterator[Box]:
    if not path:
        yield box
        return
    begin = box.begin + (_FULL if box.name == b"meta" else 0)
    for child in boxes(file, begin, box.end):
        if child.name == path[0]:
            yield from _below(file, child, path[1:])


def set_matrix(file: BinaryIO, track: int, matrix: Sequence[int]) -> None:
    """Write a display matrix (nine numbers as FFmpeg gives them) into the header of a track, counted from zero."""
    heads = list(find(file, (b"moov", b"trak", b"tkhd")))
    if track >= len(heads):
        raise EncoderError("the written file lacks the track of the pictures")
    file.seek(heads[track].begin)
    is_long = file.read(1) == b"\x01"
    file.seek(heads[track].begin + (52 if is_long else 40))
    file.write(struct.pack(">9i", *matrix))


def freeform(tags: Mapping[str, str]) -> bytes:
    """Build `----` boxes, iTunes' own way to hold tags that have no name of four letters."""
    return b"".join(
        _freeform(name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
        for name, value in tags.items()
    )


def _freeform(name: bytes, value: bytes) -> bytes:
    mean = _box(b"mean", bytes(_FULL) + _MEAN)
    data = _box(b"data", struct.pack(">II", 1, 0) + value)
    return _box(b"----", mean + _box(b"name", bytes(_FULL) + name) + data)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def placeholder(tags: Mapping[str, str], filler: str) -> str:
    """Return a value for any ilst tag that takes exactly the room `tags` will need as `----` boxes."""
    room = len(freeform(tags)) - 8 - _DATA_HEAD
    return (filler * (room // len(filler) + 1))[:room]


def replace_placeholder(file: BinaryIO, tags: Mapping[str, str], filler: str) -> None:
    """Put `tags` where ffmpeg wrote their placeholder; raises EncoderError where it is not to be found."""
    wanted = placeholder(tags, filler).encode()
    for item in _items(file):
        file.seek(item.begin + _DATA_HEAD)
        if item.end - item.begin == _DATA_HEAD + len(wanted) and file.read(len(wanted)) == wanted:
            file.seek(item.begin - 8)
            file.write(freeform(tags))
            return
    raise EncoderError("the written file lacks its tags")


def _items(file: BinaryIO) -> Iterator[Box]:
    for holder in find(file, (b"moov", b"udta", b"meta", b"ilst")):
        yield from boxes(file, holder.begin, holder.end)
