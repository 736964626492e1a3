"""From a coloured picture to what a network is guided by: ab and mask at the size that it sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidcolor.color import lab_from_rgb, luma_from_rgb
from vidcolor.guide.keys import Colours
from vidcolor.guide.memory import sized

_ANY = 1e-3


def coloured_at(colours: Colours, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Colours at (height, width): ab (1, 2, h, w), the mean of what is coloured, and how much of each pixel is.

    RGB is averaged, not ab: that is what an eye does that sees two colours from afar.
    """
    mask = torch.from_numpy(colours.mask)[None, None]
    rgb = torch.from_numpy(np.ascontiguousarray(np.moveaxis(colours.rgb, -1, 0)))[None]
    share = sized(mask, size)
    mean = sized(rgb * mask, size) / share.clamp_min(_ANY)
    return lab_from_rgb(mean.clamp(0, 1))[:, 1:], (share * (share > _ANY)).clamp(0, 1)


def luma_at(colours: Colours, size: tuple[int, int]) -> Tensor:
    """(1, 1, h, w) luma of a coloured picture, 0..1."""
    rgb = torch.from_numpy(np.ascontiguousarray(np.moveaxis(colours.rgb, -1, 0)))[None]
    return luma_from_rgb(sized(rgb, size)).clamp(0, 1)
