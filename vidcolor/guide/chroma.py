"""Chroma of colours as fine as the light they stand in: looked up in a table, since solving each costs too much."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcolor.color import chroma_from_rgb, rgb_at_luma
from vidcolor.guide import motion
from vidcolor.planes import ChromaMaker, Plane

STEP = 4.0
"""Lab units between two columns of the table; between them it is linear, within 0.2 code values on natural colours."""
SIDE = 65
LEVELS = 65


@cache
def _table(matrix: str) -> NDArray[np.float32]:
    """(LEVELS * SIDE, SIDE, 2): Cb and Cr by light, then a*, then b*."""
    axis = (torch.arange(SIDE) - SIDE // 2) * STEP
    ab = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).expand(LEVELS, 2, SIDE, SIDE)
    luma = torch.linspace(0, 1, LEVELS).view(-1, 1, 1, 1).expand(-1, 1, SIDE, SIDE)
    chroma = chroma_from_rgb(rgb_at_luma(ab, luma, matrix), matrix)
    return chroma.permute(0, 2, 3, 1).reshape(LEVELS * SIDE, SIDE, 2).contiguous().numpy()


def looked_up(ab: NDArray[np.float32], luma: NDArray[np.float32], matrix: str) -> NDArray[np.float32]:
    """Cb and Cr (H, W, 2), -0.5..0.5, of ab (H, W, 2) at exactly the luma (H, W) 0..1."""
    table, top = _table(matrix), np.float32(SIDE - 1)
    place = np.clip(ab / STEP + SIDE // 2, 0, top).astype(np.float32)
    level = np.clip(luma * (LEVELS - 1), 0, LEVELS - 1.001)
    below = np.floor(level)
    row = place[..., 0] + (below * SIDE).astype(np.float32)
    share = (level - below).astype(np.float32)[..., None]
    low, high = (motion.fetched(table, np.dstack((place[..., 1], row + shift))) for shift in (0, SIDE))
    found: NDArray[np.float32] = low + (high - low) * share
    return found


class FineChromaMaker(ChromaMaker):
    """A ChromaMaker for films some of whose colours are as fine as the light that the network sees."""

    def chroma(self, ab: Tensor, small: Plane) -> Iterator[tuple[Plane, Plane]]:
        """As ChromaMaker."""
        if ab.shape[-2:] != small.shape[-2:]:
            yield from super().chroma(ab, small)
            return
        for colours, light in zip(ab, self._luma(small), strict=True):
            codes = self._fine_codes(colours, light)
            yield self._enlarge(codes[0]), self._enlarge(codes[1])

    def _fine_codes(self, ab: Tensor, luma: Tensor) -> NDArray[np.uint16]:
        """(2, h, w) code values of one picture."""
        self._check_finite(ab)
        planes = np.ascontiguousarray(np.moveaxis((ab * self._saturation).numpy(), 0, -1))
        chroma = looked_up(planes, luma[0].numpy(), self._coded.matrix)
        codes = np.rint(chroma * self._coded.chroma_span + self._coded.chroma_mid)
        whole: NDArray[np.uint16] = np.clip(codes, 0, (1 << self._coded.depth) - 1).astype(np.uint16)
        return np.ascontiguousarray(np.moveaxis(whole, -1, 0))
