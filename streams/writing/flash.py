"""The one number of a Flash video file that no ffmpeg option sets: where it ends.

FFmpeg's muxer counts from the first packet, players and readers from zero. Adobe's Video File Format Specification,
annex E: `onMetaData` at the head, `duration` in it as an AMF number (a double after a type byte).
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import BinaryIO

_HEAD = 1 << 12
_KEY = b"\0\x08duration\0"


def set_end(file: BinaryIO, end: Fraction) -> None:
    """Let the file end at `end` seconds, if it says that it ends before; without such a number nothing is done."""
    file.seek(0)
    head = file.read(_HEAD)
    at = head.find(_KEY) + len(_KEY)
    if at < len(_KEY) or at + 8 > len(head):
        return
    if struct.unpack_from(">d", head, at)[0] < float(end):
        file.seek(at)
        file.write(struct.pack(">d", float(end)))
