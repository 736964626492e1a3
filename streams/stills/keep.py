"""What belongs to a still picture besides its pixels, carried over byte for byte: EXIF, XMP, profile, density, texts.

The pixels are coded anew, the pieces around them (PNG chunks, JPEG segments, WebP chunks) are taken from the
original, but those that describe how its pixels were stored. A grey ICC profile is left out: it cannot describe
colours. The machine-made mark gets a piece of its own.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_KEYWORD = b"vidcolor"

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    (
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"iCCP",
        b"cICP",
        b"mDCV",
        b"cLLI",
        b"pHYs",
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"eXIf",
        b"tIME",
    )
)
_MARK_TEXT = b"iTXt" + _KEYWORD

_JPEG_COMMENT = 0xFE
# Adobe's segment says how components were coded, MPF points at pictures that are not there any more.
_JPEG_DROPPED = 0xEE
_ICC_HEAD = b"ICC_PROFILE\0"
_JPEG_MARK = _KEYWORD + b": "

_WEBP_FLAGS = {b"ICCP": 0x20, b"ALPH": 0x10, b"EXIF": 0x08, b"XMP ": 0x04}
_WEBP_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")
_WEBP_MARK = b"VCMK"

_LARGEST_PROFILE = 1 << 24


def is_grey_profile(profile: bytes) -> bool:
    """Tell whether an ICC profile describes grey (ICC.1, header bytes 16 to 19)."""
    return profile[16:20] == b"GRAY"


def with_png_chunks(encoded: bytes, original: bytes, mark: str | None) -> bytes:
    """Return a PNG with the pixels of `encoded` and the other chunks of `original`."""
    pixels = [chunk for chunk in _png_chunks(encoded) if chunk[:4] in (b"IHDR", b"IDAT", b"IEND")]
    kept = [chunk for chunk in _png_chunks(original) if chunk[:4] in _PNG_KEPT and not _is_left_out(chunk)]
    if mark is not None:
        kept.append(_MARK_TEXT + b"\0\0\0\0\0" + mark.encode())
    chunks = [pixels[0], *kept, *pixels[1:]]
    return _PNG_HEAD + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def _is_left_out(chunk: bytes) -> bool:
    return chunk.startswith(_MARK_TEXT + b"\0") or (chunk[:4] == b"iCCP" and is_grey_profile(_png_profile(chunk)))


def _png_profile(chunk: bytes) -> bytes:
    packed = chunk[4:].partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, _LARGEST_PROFILE)
    except zlib.error:
        return b""


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Split a PNG into chunks, type and body."""
    at = len(_PNG_HEAD)
    while at + 8 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        yield data[at + 4 : at + 8 + length]
        at += 12 + length


def with_jpeg_segments(encoded: bytes, original: bytes, mark: str | None) -> bytes:
    """Return a JPEG with the pixels of `encoded` and the application segments and comments of `original`."""
    kept = [segment for segment in _jpeg_segments(original)[0] if _is_kept(segment)]
    kept = _without_grey_profile(kept)
    first = [segment for segment in kept if segment[1] == 0xE0]
    rest = [segment for segment in kept if segment[1] != 0xE0]
    own = [] if mark is None else [_segment(_JPEG_COMMENT, _JPEG_MARK + mark.encode())]
    tables, at = _jpeg_segments(encoded)
    coded = [segment for segment in tables if not _is_application(segment)]
    # Of several comments many readers know the last only: the original's own comes after the mark.
    return b"\xff\xd8" + b"".join((*first, *own, *rest, *coded)) + encoded[at:]


def _is_application(segment: bytes) -> bool:
    return 0xE0 <= segment[1] <= 0xEF or segment[1] == _JPEG_COMMENT


def _is_kept(segment: bytes) -> bool:
    is_own = segment[1] == _JPEG_COMMENT and segment[4:].startswith(_JPEG_MARK)
    is_index = segment[1] == 0xE2 and segment[4:8] == b"MPF\0"
    return _is_application(segment) and segment[1] != _JPEG_DROPPED and not is_own and not is_index


def _without_grey_profile(segments: list[bytes]) -> list[bytes]:
    """Leave a grey profile out; large profiles come in several segments, the first has the header."""
    parts = [segment for segment in segments if segment[1] == 0xE2 and segment[4:].startswith(_ICC_HEAD)]
    heads = [part[4 + len(_ICC_HEAD) + 2 :] for part in parts if part[4 + len(_ICC_HEAD)] == 1]
    if not any(is_grey_profile(head) for head in heads):
        return segments
    return [segment for segment in segments if segment not in parts]


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jpeg_segments(data: bytes) -> tuple[list[bytes], int]:
    """Split the head of a JPEG into segments; returns them and where the first scan begins."""
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        if data[at + 1] == 0xFF:
            at += 1
            continue
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        if 2 <= length <= len(data) - at - 2:  # a length that lies would spoil all that is put behind it
            segments.append(data[at : at + 2 + length])
        at += 2 + length
    return segments, at


def with_webp_chunks(encoded: bytes, original: bytes, size: tuple[int, int], mark: str | None, alpha: bool) -> bytes:
    """Return a WebP with the pixels of `encoded`, of `size` (width, height), and profile, EXIF, XMP of `original`."""
    kept = [chunk for chunk in _webp_chunks(original) if chunk[:4] in (b"ICCP", b"EXIF", b"XMP ")]
    kept = [chunk for chunk in kept if chunk[:4] != b"ICCP" or not is_grey_profile(chunk[4:])]
    pixels = [chunk for chunk in _webp_chunks(encoded) if chunk[:4] in _WEBP_PIXELS]
    flags = sum({_WEBP_FLAGS.get(chunk[:4], 0) for chunk in (*kept, *pixels)} | ({0x10} if alpha else set()))
    width, height = size
    head = b"VP8X" + struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    profile = [chunk for chunk in kept if chunk[:4] == b"ICCP"]
    rest = [chunk for chunk in kept if chunk[:4] != b"ICCP"]
    own = [] if mark is None else [_WEBP_MARK + mark.encode()]
    body = b"WEBP" + b"".join(_riff_chunk(chunk) for chunk in (head, *profile, *pixels, *rest, *own))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff_chunk(chunk: bytes) -> bytes:
    body = chunk[4:]
    return chunk[:4] + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    """Split a WebP into chunks, name and body."""
    at = 12
    while at + 8 <= len(data):
        length = struct.unpack("<I", data[at + 4 : at + 8])[0]
        yield data[at : at + 4] + data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def mark_in_png(data: bytes) -> str | None:
    """Read the mark of a PNG back."""
    found = (chunk for chunk in _png_chunks(data) if chunk.startswith(_MARK_TEXT + b"\0"))
    return next((chunk[len(_MARK_TEXT) + 5 :].decode("utf-8", "replace") for chunk in found), None)


def mark_in_jpeg(data: bytes) -> str | None:
    """Read the mark of a JPEG back."""
    texts = (segment[4:] for segment in _jpeg_segments(data)[0] if segment[1] == _JPEG_COMMENT)
    found = (text for text in texts if text.startswith(_JPEG_MARK))
    return next((text.removeprefix(_JPEG_MARK).decode("utf-8", "replace") for text in found), None)


def mark_in_webp(data: bytes) -> str | None:
    """Read the mark of a WebP back."""
    found = (chunk[4:] for chunk in _webp_chunks(data) if chunk[:4] == _WEBP_MARK)
    return next((text.decode("utf-8", "replace") for text in found), None)
