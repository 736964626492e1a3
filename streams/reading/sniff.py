"""Is it one picture or a film? Judged by the first bytes, never by the name."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from streams.inlet import Inlet

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG = b"\xff\xd8\xff"
_WEBP_ANIMATION = 0x02
_MOST_LOOKED_AT = 1 << 26


@dataclass(frozen=True, slots=True)
class Nature:
    """What a file turned out to be; `demuxer` is FFmpeg's name for it where its own guess would go by the name."""

    kind: Literal["film", "still", "moving webp"]
    demuxer: str | None = None


def nature_of(inlet: Inlet) -> Nature:
    """Tell a film from a still picture. Moving GIF, PNG and WebP are films; so are JPEG pictures in a row."""
    head = inlet.upto(21)
    if head.startswith(_TIFFS):
        return Nature("still")
    if head.startswith(b"GIF8"):
        return Nature("film", "gif")
    if head.startswith(_PNG):
        return Nature("film", "apng") if _is_moving_png(inlet) else Nature("still")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        is_moving = head[12:16] == b"VP8X" and len(head) > 20 and head[20] & _WEBP_ANIMATION
        return Nature("moving webp") if is_moving else Nature("still")
    if head.startswith(_JPEG):
        return Nature("film", "mjpeg") if _has_next_jpeg(inlet) else Nature("still")
    return Nature("film")


def _is_moving_png(inlet: Inlet) -> bool:
    """An animated PNG has its `acTL` chunk before the first picture data."""
    at = len(_PNG)
    while at < _MOST_LOOKED_AT:
        head = inlet.upto(at + 8)[at:]
        if len(head) < 8 or head[4:] == b"IDAT":
            return False
        if head[4:] == b"acTL":
            return True
        at += 12 + int(struct.unpack(">I", head[:4])[0])
    return False


def _has_next_jpeg(inlet: Inlet) -> bool:
    """Tell motion JPEG from one JPEG: right after the end of the picture the next one begins.

    A multi-picture JPEG (a phone's picture with its depth map) says so in an MPF segment: it is one still.
    """
    end = _jpeg_end(inlet)
    return end is not None and inlet.upto(end + 3)[end:] == _JPEG


def _jpeg_end(inlet: Inlet) -> int | None:
    """Find the byte after the first picture; None for one cut short, for a multi-picture file, or for no JPEG."""
    at = 2
    while at < _MOST_LOOKED_AT:
        head = inlet.upto(at + 8)[at:]
        if len(head) < 4 or head[0] != 0xFF:
            return at + 2 if head[:2] == b"\xff\xd9" else None
        marker = head[1]
        if marker == 0xD9:
            return at + 2
        if marker == 0xE2 and head[4:8] == b"MPF\0":
            return None
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + int(struct.unpack(">H", head[2:4])[0])
        if marker == 0xDA:
            found = _after_scan(inlet, at)
            if found is None:
                return None
            at = found
    return None


def _after_scan(inlet: Inlet, at: int) -> int | None:
    """Find the marker that ends a scan: FF followed by anything but 00, FF or a restart."""
    while at < _MOST_LOOKED_AT:
        found = inlet.seen.find(b"\xff", at)
        if found < 0 or found + 1 >= len(inlet.seen):
            at = found if found >= 0 else len(inlet.seen)
            if not inlet.more():
                return None
            continue
        follower = inlet.seen[found + 1]
        if follower not in (0x00, 0xFF) and not 0xD0 <= follower <= 0xD7:
            return found
        at = found + 1 + (follower != 0xFF)
    return None
