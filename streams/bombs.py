"""Small files that unfold into gigabytes, found before a library unfolds them: packed heads, packed texts."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from streams.errors import InputError
from streams.inlet import Inlet

# Of a head or of all texts together, unfolded; honest ones are a thousand times smaller.
_MOST_UNFOLDED = 1 << 26
_MOST_LOOKED_AT = 1 << 28
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_PACKED = (b"zTXt", b"iTXt", b"iCCP")
# A head may also lie in a box that others skip; FFmpeg looks there.
_MOV_HEADS = (b"moov", b"free", b"skip", b"hoov")
_MOST_BOXES = 1000


def check_unfolding(inlet: Inlet) -> None:
    """Raise InputError for a PNG or QuickTime file whose texts or head would unfold beyond all measure."""
    head = inlet.upto(12)
    if head.startswith(_PNG_HEAD):
        with _file(inlet) as file:
            _check_png(file, inlet.name)
    elif head[4:8] in (b"ftyp", b"wide", b"mdat", *_MOV_HEADS):
        with _file(inlet, 0) as file:
            _check_mov(file, inlet.name)


def _file(inlet: Inlet, most: int = _MOST_LOOKED_AT) -> BinaryIO:
    """Open the file a second time; of a pipe take what was seen, and wait for `most` bytes in all."""
    if inlet.path:
        return inlet.path.open("rb")
    inlet.upto(most)
    return BytesIO(inlet.seen)


def _check_png(file: BinaryIO, name: str) -> None:
    """Unfold packed texts and profiles of a PNG (its specification, 11.3), piece by piece, up to the limit."""
    file.seek(len(_PNG_HEAD))
    left = _MOST_UNFOLDED
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _PNG_PACKED:
            left -= _unfolded(file.read(min(length, _MOST_LOOKED_AT)), left)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
        if left <= 0:
            raise InputError(f"{name} has texts that unfold to more than {_MOST_UNFOLDED >> 20} MiB: it is refused")


def _unfolded(body: bytes, most: int) -> int:
    """Return how many bytes come out of the packed part of a chunk, `most` at most."""
    keyword = body.find(b"\0")
    # Behind the keyword: one byte of method; international texts have more fields, then the packed text.
    for at in (keyword + 2, body.find(b"\0", body.find(b"\0", keyword + 3) + 1) + 1):
        try:
            return len(zlib.decompressobj().decompress(body[at:], most))
        except zlib.error:
            continue
    return 0


def _check_mov(file: BinaryIO, name: str) -> None:
    """Look for a packed head (QuickTime File Format, `cmov`) and at the size that it states."""
    for kind, begin, end in _boxes(file, 0, file.seek(0, 2)):
        if kind not in _MOV_HEADS:
            continue
        for inner, place, stop in _boxes(file, begin, end):
            sizes = [_stated(file, at) for one, at, _ in _boxes(file, place, stop) if one == b"cmvd"]
            if inner == b"cmov" and max(sizes, default=0) > _MOST_UNFOLDED:
                raise InputError(f"{name} has a head that unfolds to {max(sizes) >> 20} MiB: it is refused")


def _stated(file: BinaryIO, place: int) -> int:
    file.seek(place)
    return int.from_bytes(file.read(4), "big")


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """List name, begin and end of the boxes between two places."""
    for _ in range(_MOST_BOXES):
        file.seek(begin)
        head = file.read(16)
        if begin + 8 > end or len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        width = 8
        if size == 1 and len(head) == 16:
            width, size = 16, int.from_bytes(head[8:], "big")
        stop = min(begin + size, end) if size else end
        if stop < begin + width:
            return
        yield kind, begin + width, stop
        begin = stop
