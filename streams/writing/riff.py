"""The few bytes of an AVI file that no ffmpeg option sets: the place at which a stream begins.

Microsoft's AVI RIFF File Reference (`strh`, `dwStart`). FFmpeg's muxer would put the first picture at place 0 and
leave the places before it empty after it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from streams.errors import EncoderError

_START = 28  # of a stream header: type, handler, flags, priorities, first frames, scale and rate come before


def set_start(file: BinaryIO, stream: int, slot: int) -> None:
    """Let the `stream`th stream begin at place `slot`; raises EncoderError where the file has no such stream."""
    heads = [at for _, at, _ in _headers(file)]
    if stream >= len(heads):
        raise EncoderError("the written file lacks the header of its pictures")
    file.seek(heads[stream] + _START)
    file.write(struct.pack("<I", slot))


def _headers(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """List the stream headers in the order of their streams."""
    for name, begin, end in _chunks(file, 12, file.seek(0, 2)):
        if name != b"hdrl":
            return
        for inner, first, last in _chunks(file, begin, end):
            if inner == b"strl":
                yield from (chunk for chunk in _chunks(file, first, last) if chunk[0] == b"strh")


def _chunks(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """List chunks between two places: name (of a list: what it lists), and where the content begins and ends."""
    while begin + 12 <= end:
        file.seek(begin)
        name, size, kind = struct.unpack("<4sI4s", file.read(12))
        is_list = name == b"LIST"
        yield (kind, begin + 12, begin + 8 + size) if is_list else (name, begin + 8, begin + 8 + size)
        begin += 8 + size + size % 2
