"""What a network is blamed for: wrong classes, wrong colours, and colours that do not stay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.color import AbBins


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each blame counts.

    Attributes:
        rebalancing: 0 counts every pixel alike, 1 every class alike (Zhang 2016 trains at 0.5).
        distance: of the smooth L1 on the decoded ab, weighted like the classes (a plain one pales everything).
        steady: of the colour's change along known motion.
    """

    rebalancing: float = 0.5
    distance: float = 0.04
    steady: float = 0.2


def class_loss(logits: Tensor, ab: Tensor, bins: AbBins, rebalance: Tensor) -> tuple[Tensor, Tensor]:
    """Soft cross-entropy over ab classes.

    Args:
        logits: (N, Q, h, w).
        ab: (N, 2, h, w) true colours.
        bins: the classes.
        rebalance: (Q,) class weights.

    Returns:
        The mean loss, and each pixel's weight (N, 1, h, w).
    """
    classes, closeness = bins.encode(ab)
    logits = logits.float()
    picked = logits.gather(1, classes)
    surprise = logits.logsumexp(1) - (picked * closeness).sum(1)
    weight = rebalance[classes[:, 0]]
    return (surprise * weight).sum() / weight.sum(), weight.unsqueeze(1)


def distance_loss(ab: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Smooth L1 (beta 8 Lab units) between (N, 2, H, W) colours, weighted like the classes (N, 1, h, w)."""
    weight = F.interpolate(weight, size=ab.shape[-2:], mode="nearest")
    blame = F.smooth_l1_loss(ab, truth, reduction="none", beta=8.0).sum(1, keepdim=True)
    return (blame * weight).sum() / weight.sum()


def steady_loss(ab: Tensor, maps: Tensor) -> Tensor:
    """Change of colour along exactly known motion, between neighbours and from the first frame to the last.

    Args:
        ab: (B, T, 2, h, w) colours that came out.
        maps: (B, T, 2, 3) from each frame's coordinates to its still's (Sample.maps).

    Returns:
        Mean absolute change, in Lab units, over pixels that both frames show.
    """
    time = ab.shape[1]
    pairs = [(t, t + 1) for t in range(time - 1)] + ([(0, time - 1)] if time > 2 else [])
    return torch.stack([_change(ab[:, i], ab[:, j], _between(maps[:, j], maps[:, i])) for i, j in pairs]).mean()


def _between(here: Tensor, there: Tensor) -> Tensor:
    """(B, 2, 3) from the coordinates of one frame to those of another of the same still."""
    inverse = torch.linalg.inv(there[..., :2])
    return torch.cat((inverse @ here[..., :2], inverse @ (here[..., 2:] - there[..., 2:])), -1)


def _change(before: Tensor, after: Tensor, path: Tensor) -> Tensor:
    grid = F.affine_grid(path, list(before.shape), align_corners=False)
    moved = F.grid_sample(before, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(-1).unsqueeze(1).float()
    return ((after - moved).abs() * inside).sum() / (2 * inside.sum()).clamp_min(1)


def held_still_loss(ab: Tensor, truth: Tensor, light: Tensor) -> Tensor:
    """Change of colour beyond the truth's own where real film stands still.

    Args:
        ab: (B, T, 2, h, w) colours that came out.
        truth: true colours, the same shape.
        light: (B, T, 1, h, w) L*/100, clean.
    """
    still = ((light[:, 1:] - light[:, :-1]).abs() < 0.012).float()
    change = ((ab[:, 1:] - ab[:, :-1]) - (truth[:, 1:] - truth[:, :-1])).abs()
    return (change * still).sum() / (2 * still.sum()).clamp_min(1)
