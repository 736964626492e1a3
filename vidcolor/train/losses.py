"""What a network is blamed for: wrong classes, wrong colours, wrong edges, and colours that do not stay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from vidcolor.color import AbBins
from vidcolor.train.data import Layer
from vidcolor.train.flow import Carried

UNIT = 20.0
"""Lab units that are one to the plain errors: about what they are off at first."""


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


def class_weight(ab: Tensor, bins: AbBins, rebalance: Tensor) -> Tensor:
    """(N, 1, h, w) what each pixel's true colour counts, for networks that know no classes."""
    return rebalance[bins.encode(ab)[0][:, 0]].unsqueeze(1)


def squares_loss(colours: Tensor, truth: Tensor) -> Tensor:
    """Mean square error of (N, 2, H, W) colours in their own space, in units of 20 of its own."""
    return F.mse_loss(colours.float() / UNIT, truth / UNIT)


def absolute_loss(colours: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error, likewise."""
    return F.l1_loss(colours.float() / UNIT, truth / UNIT)


def distance_loss(ab: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Smooth L1 (beta 8 Lab units) between (N, 2, H, W) colours, weighted like the classes (N, 1, h, w)."""
    weight = F.interpolate(weight, size=ab.shape[-2:], mode="nearest")
    blame = F.smooth_l1_loss(ab, truth, reduction="none", beta=8.0).sum(1, keepdim=True)
    return (blame * weight).sum() / weight.sum()


def edge_loss(ab: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of slopes, right and down, in Lab units a pixel: (N, 2, H, W) each."""
    wrong = ab - truth
    right, down = wrong.diff(dim=-1).abs().mean(), wrong.diff(dim=-2).abs().mean()
    return right + down


def liveliness_loss(ab: Tensor, truth: Tensor) -> Tensor:
    """Difference of each picture's colourfulness from the truth's, either way: (N, 2, H, W) each.

    Colourfulness as Hasler and Suesstrunk (2003) have it, on ab: spread and 0.3 x mean, here in Lab units.
    """
    return F.smooth_l1_loss(_liveliness(ab), _liveliness(truth), beta=4.0)


def _liveliness(ab: Tensor) -> Tensor:
    spread = (ab.float().var((2, 3)).sum(1) + 1e-4).sqrt()
    return spread + 0.3 * (ab.float().mean((2, 3)).square().sum(1) + 1e-4).sqrt()


def label_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of whole pictures' classes: (N, K) and (N,), where a label is -1 nothing is blamed."""
    known = (labels >= 0).sum().clamp_min(1)
    return F.cross_entropy(scores.float(), labels, ignore_index=-1, reduction="sum") / known


def steady_loss(ab: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Change of colour along exactly known motion, between neighbours and from the first frame to the last.

    Args:
        ab: (B, T, 2, h, w) colours that came out.
        layers: what moves how (Sample.layers).

    Returns:
        Mean absolute change, in Lab units, over pixels of one and the same thing that both frames show.
    """
    time = ab.shape[1]
    pairs = [(t, t + 1) for t in range(time - 1)] + ([(0, time - 1)] if time > 2 else [])
    first, second = (torch.tensor(side, device=ab.device) for side in zip(*pairs, strict=True))
    total, count = ab.new_zeros(()), ab.new_zeros(())
    for layer in layers:
        shown = _whole(layer.shown, ab)
        path = _between(layer.maps[:, second], layer.maps[:, first])
        change, known = _change((ab, shown), (first, second), path)
        total, count = total + change, count + known
    return total / (2 * count).clamp_min(1)


def _whole(shown: Tensor, ab: Tensor) -> Tensor:
    """Where all pixels under a colour show one thing: (B, T, 1, H, W) to (B, T, 1, h, w)."""
    small = F.interpolate(shown.flatten(0, 1), size=ab.shape[-2:], mode="area")
    return rearrange((small > 0.99).float(), "(b t) 1 h w -> b t 1 h w", b=len(ab))


def _between(here: Tensor, there: Tensor) -> Tensor:
    """(..., 2, 3) from the coordinates of one frame to those of another of the same still."""
    a, b, c, d = there[..., :2].flatten(-2).unbind(-1)
    size = (a * d - b * c)[..., None, None]  # by hand: a solver would make the host wait for the device
    inverse = torch.stack((torch.stack((d, -b), -1), torch.stack((-c, a), -1)), -2) / size
    return torch.cat((inverse @ here[..., :2], inverse @ (here[..., 2:] - there[..., 2:])), -1)


def _change(film: tuple[Tensor, Tensor], pairs: tuple[Tensor, Tensor], path: Tensor) -> tuple[Tensor, Tensor]:
    """Summed change from first frames to second ones along paths (B, P, 2, 3), and over how many pixels."""
    (ab, shown), (first, second) = film, pairs
    before = torch.cat((ab[:, first], shown[:, first]), 2).flatten(0, 1)
    grid = F.affine_grid(path.flatten(0, 1), list(before.shape), align_corners=False)
    moved = F.grid_sample(before, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(-1).unsqueeze(1)
    known = shown[:, second].flatten(0, 1) * (moved[:, 2:] > 0.99) * inside
    return ((ab[:, second].flatten(0, 1) - moved[:, :2]).abs() * known).sum(), known.sum()


def carried_loss(ab: Tensor, truth: Tensor, carried: Carried) -> Tensor:
    """Change of colour beyond the truth's own along the estimated motion of real film: (B, T, 2, h, w) each."""
    both = torch.cat((ab, truth), 2)
    moved = F.grid_sample(
        both[:, :-1].flatten(0, 1), carried.places.flatten(0, 1), padding_mode="border", align_corners=False
    )
    change = both[:, 1:].flatten(0, 1) - moved
    trust = carried.trust.flatten(0, 1)
    blame = (change[:, :2] - change[:, 2:]).abs() * trust
    return blame.sum() / (2 * trust.sum()).clamp_min(1)


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
