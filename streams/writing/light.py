"""HDR light data (SMPTE ST 2086 mastering display, CTA-861.3 light levels) in the words of x264 and x265."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction

MASTERING = "MASTERING_DISPLAY_METADATA"
LEVELS = "CONTENT_LIGHT_LEVEL"
# FFmpeg's AVMasteringDisplayMetadata: ten rationals (red, green, blue, white; darkest, brightest) and two flags.
_MASTERING = struct.Struct("=20i2i")
_LEVELS = struct.Struct("=2I")
_CHROMATICITY = 50_000
_LUMINANCE = 10_000


def x26x_light(codec: str, side_data: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the parameters of x264 ("h264") or x265 ("hevc") that state the light data of a film's pictures."""
    display = _mastering(side_data.get(MASTERING, b""))
    if display:
        yield f"{'mastering-display' if codec == 'h264' else 'master-display'}={display}"
    levels = side_data.get(LEVELS, b"")
    if len(levels) >= _LEVELS.size:
        most, average = _LEVELS.unpack_from(levels)
        yield f"{'cll' if codec == 'h264' else 'max-cll'}={most},{average}"


def _mastering(data: bytes) -> str | None:
    if len(data) < _MASTERING.size:
        return None
    *parts, has_primaries, has_luminance = _MASTERING.unpack_from(data)
    values = [Fraction(a, b) if b else Fraction(0) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    if not (has_primaries and has_luminance):
        return None
    red, green, blue, white = (
        f"({round(x * _CHROMATICITY)},{round(y * _CHROMATICITY)})"
        for x, y in zip(values[:8:2], values[1:8:2], strict=True)
    )
    darkest, brightest = (round(value * _LUMINANCE) for value in values[8:])
    return f"G{green}B{blue}R{red}WP{white}L({brightest},{darkest})"
