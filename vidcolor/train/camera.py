"""A camera that moves over still pictures, and things that move before it: motion that is known exactly.

Maps are affine, (B, T, 2, 3), from a frame's own coordinates (x, y in -1..1 from edge to edge) to those of the still.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from vidcolor.train.dice import Dice


@dataclass(frozen=True, slots=True)
class Lens:
    """How much of a still a window covers.

    Attributes:
        far: up to so many times its own size, where the still is large enough.
        near: down to so many times; under 1 things look larger than they are stored, and softer.
        stretch: up to which share (a logarithm) things are drawn wide, or high.
    """

    far: float = 1.62
    near: float = 1.0
    stretch: float = 0.0


def paths(shapes: Tensor, size: tuple[int, int], time: int, lens: Lens, dice: Dice) -> Tensor:
    """Windows of stills that pan, zoom, turn and shake.

    Args:
        shapes: (B, 2) height and width of the stills.
        size: height and width of the window.
        time: frames.
        lens: how much of a still it covers.
        dice: where chance comes from.

    Returns:
        (B, time, 2, 3) maps.
    """
    count = len(shapes)
    one, two = (count, 1, 1), (count, 1, 2)
    ratio = torch.tensor([size[1], size[0]], device=shapes.device) / shapes.flip(1)[:, None]  # (B, 1, 2), x first
    half = ratio * torch.minimum(dice.uniform(lens.near, lens.far, one), 1 / ratio.amax(-1, keepdim=True))
    wide = dice.uniform(-lens.stretch, lens.stretch, one) / 2
    half = (half * torch.exp(torch.cat((wide, -wide), -1))).clamp_max(1)
    frame = torch.arange(time, device=shapes.device).view(1, time, 1)
    moving = 0.02 * dice.normal(two) * dice.either(0.8, one) * frame
    centre = dice.uniform(-1, 1, two) * (1 - half).clamp_min(0) + moving + 0.004 * dice.normal((count, time, 2))
    fast = torch.where(dice.either(0.2, one), 3.0, 1.0)
    grown = half * (1 + 0.01 * fast * dice.normal(one) * frame).clamp(0.3, 3)
    angle = 0.05 * dice.normal(one) + 0.005 * dice.normal(one) * frame
    flip = torch.where(dice.either(0.5, one), -1.0, 1.0)
    return _maps(angle, grown, centre, flip, (shapes[:, 0] / shapes[:, 1]).view(-1, 1, 1))


def _maps(angle: Tensor, grown: Tensor, centre: Tensor, flip: Tensor, aspect: Tensor) -> Tensor:
    """Turn about the centre in pixels, not in -1..1: a still is seldom square."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    wide, high = grown[..., :1], grown[..., 1:]
    x = torch.cat((cos * wide * flip, -sin * high * aspect, centre[..., :1]), -1)
    y = torch.cat((sin * wide * flip / aspect, cos * high, centre[..., 1:]), -1)
    return torch.stack((x, y), -2)


def places(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Where each pixel of each frame lies on the still: (B, T, 2, 3) to (B, T, H, W, 2)."""
    grid = F.affine_grid(maps.flatten(0, 1), [maps.shape[0] * maps.shape[1], 1, *size], align_corners=False)
    return rearrange(grid, "(b t) h w c -> b t h w c", b=len(maps))


def occluder(maps: Tensor, where: Tensor, dice: Dice) -> Tensor:
    """Which pixels a thing covers that is cut out of another still and moves with it.

    Args:
        maps: (B, T, 2, 3) of the still that it is cut from.
        where: (B, T, H, W, 2) its ``places``.
        dice: where chance comes from.

    Returns:
        (B, T, 1, H, W) 1 where it stands before all else.
    """
    count = len(maps)
    one, two = (count, 1, 1, 1), (count, 1, 1, 1, 2)
    middle = maps[:, maps.shape[1] // 2, :, 2].view(two)
    reach = maps[:, 0].diagonal(dim1=-2, dim2=-1).abs().view(two)  # half the window, on the still
    far = ((where - middle) / reach - dice.uniform(-0.8, 0.8, two)) / dice.uniform(0.15, 0.6, two)
    # a lobed outline, so that edges run in all directions
    lobes = torch.sin(3 * torch.atan2(far[..., 1], far[..., 0]) + dice.uniform(0, 6.3, one))
    covered: Tensor = far.norm(dim=-1) < 1 + dice.uniform(0, 0.3, one) * lobes
    return covered.float().unsqueeze(2)


def faster(maps: Tensor, dice: Dice) -> Tensor:
    """The same windows with a motion of their own on top: what stands before a scene moves otherwise than it."""
    time = maps.shape[1]
    frame = torch.arange(time, device=maps.device).view(1, time, 1) - time // 2
    shift = 0.03 * dice.normal((len(maps), 1, 2)) * frame
    return torch.cat((maps[..., :2], (maps[..., 2] + shift).unsqueeze(-1)), -1)
