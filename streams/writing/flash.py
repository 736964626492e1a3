"""The one number of a Flash video file that no ffmpeg option sets: how long it is.

FFmpeg's muxer counts from the first packet to be decoded, so the same film is shorter without B pictures. Adobe's Video
File Format Specification, annex E: `onMetaData` at the head, `duration` in it, an AMF number (a type byte, a double).
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import BinaryIO

_HEAD = 1 << 12
_LITTLE = 0.25  # seconds: B pictures, not a film cut short
_KEY = b"\0\x08duration\0"


def set_end(file: BinaryIO, end: Fraction) -> None:
    """Let the file end at `end` seconds if it says that it ends a little before; else nothing is done."""
    file.seek(0)
    head = file.read(_HEAD)
    at = head.find(_KEY) + len(_KEY)
    if at < len(_KEY) or at + 8 > len(head):
        return
    if 0 < float(end) - struct.unpack_from(">d", head, at)[0] < _LITTLE:
        file.seek(at)
        file.write(struct.pack(">d", float(end)))
