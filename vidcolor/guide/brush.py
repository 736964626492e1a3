"""Hints of one frame made into a key that is coloured in part: what `--keys` would have read from a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidcolor.color import lab_from_rgb
from vidcolor.guide.hints import Hint
from vidcolor.guide.memory import grey_of
from vidcolor.guide.spread import Manner, Stroke, drawn, spread

Coloured = tuple[Tensor, Tensor]


def laid(
    light: Tensor,
    hints: Sequence[Hint],
    ground: Coloured | None = None,
    wide: float = 1.0,
    manner: Manner | None = None,
) -> Coloured:
    """Paint hints over a frame.

    Args:
        light: (1, 1, h, w) L*/100 of the frame, as the network sees it.
        hints: in the order they were painted in; their times and frames are not looked at.
        ground: ab (1, 2, h, w) and mask (1, 1, h, w) of a key that they are painted over.
        wide: how much wider than high a pixel of the film is shown.
        manner: how far colours spread.

    Returns:
        ab (1, 2, h, w), and how far each pixel is coloured (1, 1, h, w).
    """
    grey = grey_of(light)
    size = (grey.shape[0], grey.shape[1])
    strokes = [Stroke(drawn(hint.points, hint.radius, size, wide), _ab(hint)) for hint in hints]
    planes = torch.from_numpy(spread(grey.numpy(), strokes, manner)).permute(2, 0, 1)[None]
    tinted, mask = planes[:, :2], planes[:, 2:]
    if ground is not None:
        below = ground[1] * (1 - mask)
        tinted, mask = tinted + ground[0] * below, mask + below
    return tinted / mask.clamp_min(1e-3), mask


def _ab(hint: Hint) -> tuple[float, float]:
    _, a, b = lab_from_rgb(torch.tensor(hint.rgb).view(1, 3, 1, 1)).flatten().tolist()
    return round(a, 3), round(b, 3)
