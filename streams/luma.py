"""The light of a decoded picture as an array: a view where luma lies in memory as it is, arithmetic where it does not.

Views are the decoder's own reference pictures. They come out read-only here: whoever wrote into one would change
the pictures that follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from streams.formats import Packed, PictureFormat, PixelLayout, luma_weights, pixel_layout

Plane = NDArray[np.unsignedinteger[Any]]

_RGB_ORDER = re.compile(r"([rgba0]{3,4})(?:24|48|64)?(?:le|be)?")
_GBR_PLANES = "gbra"
# RGB of a few bits in one word, the topmost field first; swscale leaves their lowest bits empty, and white grey.
_FEW_BITS = {
    "rgb565": (("r", 5), ("g", 6), ("b", 5)),
    "bgr565": (("b", 5), ("g", 6), ("r", 5)),
    "rgb555": (("r", 5), ("g", 5), ("b", 5)),
    "bgr555": (("b", 5), ("g", 5), ("r", 5)),
    "rgb444": (("r", 4), ("g", 4), ("b", 4)),
    "bgr444": (("b", 4), ("g", 4), ("r", 4)),
    "rgb8": (("r", 3), ("g", 3), ("b", 2)),
    "bgr8": (("b", 2), ("g", 3), ("r", 3)),
    "rgb4_byte": (("r", 1), ("g", 2), ("b", 1)),
    "bgr4_byte": (("b", 1), ("g", 2), ("r", 1)),
}


def luma_of(frame: VideoFrame, fmt: PictureFormat) -> Plane:
    """Return luma, (height, width) uint8 or uint16, the very code values that were decoded.

    RGB, palette and 1-bit pictures have no luma plane: theirs is calculated with `fmt.matrix`, full range, and lies
    within 0.51 code value of the exact one. The frame must be stored as `fmt` says.
    """
    layout = pixel_layout(fmt.pixels)
    if layout.kind == "rgb":
        return _weighed(_rgb_channels(frame, layout), fmt)
    if layout.kind == "palette":
        return _weighed(_palette(frame), fmt)[_rows(frame.planes[0], np.uint8)[:, : fmt.width]]
    if layout.name.startswith("mono"):
        return _bits(frame, fmt)
    if layout.packed:
        return _packed_luma(frame, fmt, layout, layout.packed)
    return _sampled(_rows(frame.planes[0], _word(layout))[:, : fmt.width], layout)


def alpha_of(frame: VideoFrame, fmt: PictureFormat) -> Plane | None:
    """Return opacity, (height, width) at luma's depth, or None where the format has none."""
    if not fmt.has_alpha:
        return None
    layout = pixel_layout(fmt.pixels)
    if layout.kind == "rgb":
        return _rgb_channels(frame, layout)["a"]
    if layout.kind == "palette":
        return _palette(frame)["a"][_rows(frame.planes[0], np.uint8)[:, : fmt.width]]
    if layout.packed and layout.packed.alpha_word is not None:
        words = _rows(frame.planes[0], _word(layout))
        alpha = words[:, layout.packed.alpha_word :: layout.packed.group_words][:, : fmt.width]
        return _sampled(np.ascontiguousarray(alpha), layout)
    return _sampled(_rows(frame.planes[3], _word(layout))[:, : fmt.width], layout)


def _word(layout: PixelLayout) -> np.dtype[np.unsignedinteger[Any]]:
    size = layout.packed.word_bytes if layout.packed else 1 + (layout.depth > 8)
    return np.dtype(f"{'>' if layout.big_endian else '<'}u{size}")


def _rows(plane: VideoPlane, dtype: np.dtype[np.unsignedinteger[Any]] | type[np.uint8]) -> Plane:
    """View a plane with its padding, (height, words a line); lines that run upwards are turned."""
    words = np.frombuffer(plane, dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
    rows: Plane = words if plane.line_size >= 0 else words[::-1]
    rows.setflags(write=False)
    return rows


def _sampled(samples: Plane, layout: PixelLayout) -> Plane:
    """Bring samples to their lowest bits and the machine's own byte order; a view where they are so already."""
    native: Plane = samples.astype(np.uint16) if layout.big_endian and layout.depth > 8 else samples
    return native >> np.uint16(layout.shift) if layout.shift else native


def _packed_luma(frame: VideoFrame, fmt: PictureFormat, layout: PixelLayout, packed: Packed) -> Plane:
    words = _rows(frame.planes[0], _word(layout))
    if packed.word_bytes == 4:
        return ((words >> packed.shift) & ((1 << layout.depth) - 1)).astype(np.uint16)[:, : fmt.width]
    if len(packed.luma_words) == 1:
        luma = words[:, packed.luma_words[0] :: packed.group_words]
    else:
        groups = words[:, : words.shape[1] // packed.group_words * packed.group_words]
        luma = groups.reshape(fmt.height, -1, packed.group_words)[:, :, packed.luma_words].reshape(fmt.height, -1)
    return _sampled(np.ascontiguousarray(luma[:, : fmt.width]), layout)


def _bits(frame: VideoFrame, fmt: PictureFormat) -> Plane:
    """Unpack 1-bit pictures: a set bit is white in monob, black in monow."""
    bits = np.unpackbits(_rows(frame.planes[0], np.uint8), axis=1)[:, : fmt.width]
    white: Plane = (bits == (fmt.pixels == "monob")).astype(np.uint8)
    return white * np.uint8(255)


def _palette(frame: VideoFrame) -> Mapping[str, Plane]:
    """Split a palette, 256 words 0xAARRGGBB in the machine's byte order, into channels of shape (256,)."""
    entries = np.frombuffer(frame.planes[1], np.uint32)  # type: ignore[call-overload]
    return {
        name: ((entries >> shift) & 0xFF).astype(np.uint8) for name, shift in zip("argb", (24, 16, 8, 0), strict=True)
    }


def _rgb_channels(frame: VideoFrame, layout: PixelLayout) -> Mapping[str, Plane]:
    """Return channels by name, (height, width) each: views of packed 8- and 16-bit or planar pictures."""
    order = _RGB_ORDER.fullmatch(layout.name)
    if order:
        words = _rows(frame.planes[0], _word(layout))[:, : frame.width * len(order[1])]
        pixels = words.reshape(frame.height, frame.width, -1)
        return {name: _sampled(pixels[:, :, i], layout) for i, name in enumerate(order[1])}
    fields = _FEW_BITS.get(layout.name.removesuffix("le").removesuffix("be"))
    if fields:
        return _few_bits(frame, layout, fields)
    if not layout.name.startswith("gbr"):
        # Rare packings (10 bits in 32, two pixels a byte, XYZ of digital cinema): swscale spreads them into planes. By
        # one thread: where it has several, one writes over the end of its lines into the first pixels of the next's.
        frame = frame.reformat(format="gbrp" if layout.depth == 8 else f"gbrp{layout.depth}le", threads=1)
        layout = pixel_layout(frame.format.name)
    planes = zip(_GBR_PLANES, frame.planes, strict=False)
    return {name: _sampled(_rows(plane, _word(layout))[:, : frame.width], layout) for name, plane in planes}


def _few_bits(frame: VideoFrame, layout: PixelLayout, fields: tuple[tuple[str, int], ...]) -> Mapping[str, Plane]:
    """Take words of a few bits a channel apart; each value is repeated downwards until it fills 8 bits."""
    order = ">" if layout.big_endian else "<"
    dtype = np.dtype(f"{order}u{1 + (sum(bits for _, bits in fields) > 8)}")
    words = _rows(frame.planes[0], dtype)[:, : frame.width].astype(np.uint32)
    channels: dict[str, Plane] = {}
    for name, bits in reversed(fields):
        value = words & ((1 << bits) - 1)
        words >>= bits
        # Eight bits hold each field at most eight times.
        channels[name] = np.bitwise_or.reduce([value << 8 >> bits * turn for turn in range(1, 9)])
    return channels


def _weighed(channels: Mapping[str, Plane], fmt: PictureFormat) -> Plane:
    """Weigh R'G'B' into full-range luma of the same depth, in whole numbers, halves rounded up."""
    # Weights have as many bits as fit beside the samples: 16 in 32-bit words, for deep samples 32 in 64-bit words.
    word: Any = np.uint32 if fmt.depth == 8 else np.uint64
    bits = 16 if fmt.depth == 8 else 32
    one = 1 << bits
    red, _, blue = (round(weight * one) for weight in luma_weights(fmt.matrix))
    luma: Plane = channels["r"].astype(word) * word(red)
    luma += channels["g"].astype(word) * word(one - red - blue)
    luma += channels["b"].astype(word) * word(blue)
    luma += word(one // 2)
    luma >>= word(bits)
    return luma.astype(np.uint8 if fmt.depth == 8 else np.uint16)


def has_clear_pixels(frame: VideoFrame, fmt: PictureFormat) -> bool:
    """Tell whether a palette picture uses a colour that is not opaque (its format does not say)."""
    if fmt.kind != "palette":
        return False
    used = np.unique(_rows(frame.planes[0], np.uint8)[:, : fmt.width])
    return bool((_palette(frame)["a"][used] < 255).any())
