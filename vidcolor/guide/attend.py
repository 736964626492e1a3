"""What of a coloured key is seen again in a picture, wherever it went: attention by the network's own features.

Nothing here is learned: what the encoder finds alike at 1/8 is alike, the more if it is as light and lies near.
Sources: Zhang et al., "Deep Exemplar-based Video Colorization", CVPR 2019 (correspondence by features of a network
trained for something else); Vaswani et al., 2017 (attention).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

EIGHTH = 8
SHARPNESS = 20.0  # of the likeness of features, a cosine
LIGHT = 12 / 255  # difference of light at which likeness counts 0.6 of what it would
_MOSTLY = 0.7  # what is like things of which less than this is coloured is said nothing of: a coat is like a coat
NEAR = 2.0  # what the square of a distance takes off, in widths of the picture


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A key as what is looked into: a row for each 8x8 pixels.

    Attributes:
        rows: (N, C) features, SHARPNESS long.
        where: (N, 4) what makes light and place count.
        mean: (C,) what all its features have in common; with it, everything would be alike.
        values: (N, 4) how much of it is coloured; that times a*, b* and the square of both.
    """

    rows: Tensor
    where: Tensor
    mean: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What is found again of keys, each (h, w) at 1/8; `ab` is (2, h, w).

    Attributes:
        ab: mean colour of what was found, of its coloured part.
        share: how far what was found is coloured, 0..1; 0 where little is, or nothing was looked for.
        spread: of the colours found, Lab units: how unsure they are.
        likeness: of the best place, at most `SHARPNESS`.
    """

    ab: Tensor
    share: Tensor
    spread: Tensor
    likeness: Tensor


def shown(eighth: Tensor, light: Tensor, values: Tensor, in_place: bool = True) -> Shown:
    """Make a key ready to be looked into.

    Args:
        eighth: (1, C, h, w) its features at 1/8.
        light: (1, 1, H, W) L*/100.
        values: its colours, as `values_of` gives them.
        in_place: whether a place near by is likelier than one far away (no for a still of another place).
    """
    flat = eighth[0].float().flatten(1).T
    mean = flat.mean(0)
    place = _where(light, (eighth.shape[-2], eighth.shape[-1]), in_place)
    # -|x - y|^2 = 2 x y - y^2 - x^2: what does not depend on the key is put back by `_scores`
    where = torch.cat((2 * place, -place.square().sum(1, True)), 1)
    return Shown(SHARPNESS * F.normalize(flat - mean, dim=1), where, mean, values)


def values_of(planes: Tensor) -> Tensor:
    """(N, 4), see `Shown`, of a key's planes (H, W, 3): a* and b* times the mask, and the mask."""
    tinted, mask = planes[..., :2], planes[..., 2:]
    square = tinted.square().sum(-1, keepdim=True) / mask.clamp_min(1e-3)
    rows = torch.cat((mask, tinted, square), -1).permute(2, 0, 1)
    return F.avg_pool2d(rows[None], EIGHTH)[0].flatten(1).T.contiguous()


def _where(light: Tensor, size: tuple[int, int], in_place: bool) -> Tensor:
    """(N, 3): light and place of each row, scaled so that the square of a distance is what it costs."""
    small = F.interpolate(light.float(), size=size, mode="area").flatten() / (2**0.5 * LIGHT)
    down, right = torch.meshgrid(*(torch.arange(length, device=light.device) for length in size), indexing="ij")
    place = torch.stack((down, right)).flatten(1).float() * (NEAR**0.5 / size[1]) * in_place
    return torch.cat((small[None], place)).T


def looked_up(eighth: Tensor, light: Tensor, keys: Sequence[tuple[Shown, bool]], wanted: Tensor | None = None) -> Found:
    """Look for parts of a picture in keys.

    Args:
        eighth: (1, C, h, w) the picture's features at 1/8; in half precision they are compared in that.
        light: (1, 1, H, W) its L*/100.
        keys: where to look, each with its `in_place`.
        wanted: (n,) rows to look for; None = all.
    """
    size = (eighth.shape[-2], eighth.shape[-1])
    flat = eighth[0].flatten(1).T
    chosen = torch.arange(len(flat), device=flat.device) if wanted is None else wanted
    features = flat[chosen]
    scores = torch.cat([_scores(features, _where(light, size, there)[chosen], key) for key, there in keys], 1)
    likeness = scores.amax(1)
    strength = scores.sub_(likeness[:, None]).exp_()
    found = strength @ torch.cat([key.values for key, _ in keys])
    found = found / strength.sum(1, keepdim=True)
    coloured = found[:, :1].clamp(0, 1)
    mean = found[:, 1:] / coloured.clamp_min(1e-3)
    share = ((coloured - _MOSTLY) / (1 - _MOSTLY)).clamp(0, 1)
    ab, square = mean[:, :2], mean[:, 2:]
    spread = (square - ab.square().sum(1, True)).clamp_min(0).sqrt()
    known = torch.cat((ab, share, spread, likeness[:, None]), 1)
    whole = known.new_zeros(len(flat), 5).index_copy_(0, chosen, known).T.reshape(5, *size)
    return Found(whole[:2], *whole[2:])


def _scores(features: Tensor, where: Tensor, key: Shown) -> Tensor:
    alike = _unit(features, key).to(features.dtype) @ key.rows.T.to(features.dtype)
    place = torch.cat((where, torch.ones_like(where[:, :1])), 1)
    return torch.addmm(alike.float().sub_(where.square().sum(1, True)), place, key.where.T)


def _unit(features: Tensor, key: Shown) -> Tensor:
    return F.normalize(features.float() - key.mean, dim=1)


def alike(eighth: Tensor, key: Shown, where: Tensor) -> Tensor:
    """How like parts of a picture are to the places of a key that a map gives them.

    Args:
        eighth: (1, C, h, w) the picture's features at 1/8.
        key: whose map it is, of the same size.
        where: (h, w, 2) x and y in the key's pixels.

    Returns:
        (h, w) cosines.
    """
    height, width = eighth.shape[-2:]
    column, row = (where.flatten(0, 1) / EIGHTH).long().clamp_min(0).unbind(1)
    there = key.rows[row.clamp_max(height - 1) * width + column.clamp_max(width - 1)]
    here = _unit(eighth[0].flatten(1).T, key)
    return (here * there).sum(1).view(height, width) / SHARPNESS
