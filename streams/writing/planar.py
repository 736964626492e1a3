"""A coloured picture as one run of bytes: luma, the two chroma planes, alpha, rows without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.errors import EncoderError
from streams.formats import PictureFormat

Plane = NDArray[Any]


class Packer:
    """Packs pictures of one coded form. `luma_shift`: bits that luma (and alpha) move left, or right if negative."""

    def __init__(self, coded: PictureFormat, luma_shift: int) -> None:
        """Settle sizes once; samples deeper than 8 bits are two bytes, the lower first."""
        self._shift = luma_shift
        self._peak = (1 << coded.depth) - 1
        self._dtype = np.dtype("u1" if coded.depth == 8 else "<u2")
        full, chroma = (coded.height, coded.width), coded.chroma_size
        self._shapes = (full, chroma, chroma, full) if coded.has_alpha else (full, chroma, chroma)
        self.size = sum(h * w for h, w in self._shapes) * self._dtype.itemsize

    def pack(self, room: NDArray[np.uint8], luma: Plane, cb: Plane, cr: Plane, alpha: Plane | None) -> None:
        """Fill `room` (`size` bytes); raises EncoderError for planes of a wrong shape."""
        planes = [luma, cb, cr, alpha][: len(self._shapes)]
        samples = room.view(self._dtype)
        begin = 0
        for at, (plane, (h, w)) in enumerate(zip(planes, self._shapes, strict=True)):
            part = samples[begin : begin + h * w].reshape(h, w)
            begin += h * w
            self._fill(part, plane, is_chroma=at in (1, 2))

    def _fill(self, part: Plane, plane: Plane | None, *, is_chroma: bool) -> None:
        if plane is None:
            part[...] = self._peak
            return
        if plane.shape != part.shape:
            raise EncoderError(f"a plane of {plane.shape} came where {part.shape} is written")
        if is_chroma or self._shift == 0:
            part[...] = plane
        elif self._shift > 0:
            np.left_shift(plane, self._shift, out=part, dtype=part.dtype, casting="unsafe")
        else:
            part[...] = _fewer_bits(plane, -self._shift, self._peak)


def _fewer_bits(plane: Plane, bits: int, peak: int) -> Plane:
    """Round half up: cutting bits off would darken every picture by half a step."""
    rounded: Plane = (plane.astype(np.uint32) + (1 << (bits - 1))) >> bits
    return np.minimum(rounded, peak)
