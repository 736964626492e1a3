"""How film degrades: what a colour picture would have looked like on an old black-and-white print.

Only the input is degraded; the colours to be learned stay clean. The film stock is simulated in linear light: early
film is blue-sensitive, then orthochromatic (blind to red), later panchromatic (vidcolor.stock). Each kind of damage is
done at once to all the clips that it strikes, on the device where they lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.color import lightness_from_luma, linear_from_srgb, luma_from_rgb, srgb_from_linear
from vidcolor.stock import STOCKS
from vidcolor.train.dice import Dice
from vidcolor.train.recipe import Wear


def expose(rgb: Tensor, wear: Wear, dice: Dice) -> tuple[Tensor, Tensor]:
    """Film some clips.

    Args:
        rgb: (B, T, 3, H, W), 0..1, gamma-encoded; H and W multiples of 8.
        wear: what may happen to the film.
        dice: where chance comes from.

    Returns:
        light (B, T, 1, H, W), L*/100, and what the stock saw (B, 3), zero where that stays untold.
    """
    luma, condition = luma_from_rgb(rgb), rgb.new_zeros(len(rgb), 3)
    on = dice.some(wear.stock, len(rgb))
    if len(on):
        shares = _shares(len(on), dice)
        seen = torch.einsum("bc,btchw->bthw", shares, linear_from_srgb(rgb[on]))
        luma[on] = srgb_from_linear(seen).unsqueeze(2)
        condition[on] = shares * dice.either(0.5, (len(on), 1))  # half of them stay untold
    for share, damage in _damages(wear):
        on = dice.some(share, len(rgb))
        if len(on):
            luma[on] = damage(luma[on], dice)
    return lightness_from_luma(luma.clamp(0, 1)) / 100, condition


def _damages(wear: Wear) -> tuple[tuple[float, Callable[[Tensor, Dice], Tensor]], ...]:
    """In the order in which they befall a film: developed, out of focus, unevenly lit, grainy, dirty, coded."""
    return (
        (wear.tone, _tone),
        (wear.blur * 0.7, lambda luma, dice: _blur(luma, 3)),
        (wear.blur * 0.3, lambda luma, dice: _blur(luma, 5)),
        (wear.flicker, _flicker),
        (wear.grain, _grain),
        (wear.dirt, _dirt),
        (wear.blocks, _blocks),
    )


def _shares(count: int, dice: Dice) -> Tensor:
    """(B, 3) what the stocks saw, sum 1."""
    ranges = torch.tensor(list(STOCKS.values()), device=dice.device)
    low, high = ranges[dice.below(len(ranges), count)].unbind(-1)
    shares = low + (high - low) * dice.uniform(0, 1, (count, 3))
    return shares / shares.sum(1, keepdim=True)


def _one(luma: Tensor) -> tuple[int, ...]:
    """The shape of one number a clip."""
    return (len(luma), 1, 1, 1, 1)


def _each(luma: Tensor) -> tuple[int, ...]:
    """The shape of one number a frame."""
    return (*luma.shape[:2], 1, 1, 1)


def _tone(luma: Tensor, dice: Dice) -> Tensor:
    """Development and fading: gamma, raised blacks, lowered whites; and corners that fall off."""
    one = _one(luma)
    gamma, black, white = (
        torch.exp(0.22 * dice.normal(one)),
        dice.uniform(-0.04, 0.1, one),
        dice.uniform(0.82, 1.06, one),
    )
    corners = dice.uniform(-0.5, 0.3, one).clamp_min(0)  # most lenses show none
    toned = black + (white - black) * luma.clamp(1e-4, 1) ** gamma
    return toned * (1 - corners * _from_centre(luma))


def _from_centre(luma: Tensor) -> Tensor:
    """(H, W) squared distance from the centre, 1 in the corners."""
    height, width = luma.shape[-2:]
    down = torch.linspace(-1, 1, height, device=luma.device)
    right = torch.linspace(-1, 1, width, device=luma.device)
    return (down[:, None] ** 2 + right**2) / 2


def _blur(luma: Tensor, size: int) -> Tensor:
    """A soft lens or a scan out of focus: the mean of size x size pixels, rows and columns one after the other."""
    reach = size // 2
    padded = F.pad(luma.flatten(0, 1), (reach,) * 4, mode="replicate")
    height, width = luma.shape[-2:]
    rows = sum(padded[..., shift : shift + height, :] for shift in range(size))
    assert isinstance(rows, Tensor)
    both = sum(rows[..., shift : shift + width] for shift in range(size))
    assert isinstance(both, Tensor)
    return both.view_as(luma) / size**2


def _flicker(luma: Tensor, dice: Dice) -> Tensor:
    """Uneven exposure from frame to frame."""
    return luma * (1 + 0.05 * dice.normal(_each(luma))) + 0.015 * dice.normal(_each(luma))


def _grain(luma: Tensor, dice: Dice) -> Tensor:
    """Fine and coarse grain, new in every frame."""
    height, width = luma.shape[-2:]
    fine = dice.normal(tuple(luma.shape)) * dice.uniform(0.0, 0.05, _one(luma))
    coarse = dice.normal((*luma.shape[:3], height // 3 + 1, width // 3 + 1)).flatten(0, 1)
    coarse = F.interpolate(coarse, size=(height, width), mode="bilinear").view_as(luma)
    return luma + fine + coarse * dice.uniform(0.0, 0.03, _one(luma))


def _dirt(luma: Tensor, dice: Dice) -> Tensor:
    """A scratch along the film, wandering a little, and dust on single frames."""
    height, width = luma.shape[-2:]
    row = torch.arange(height, device=luma.device)[:, None]
    column = torch.arange(width, device=luma.device)
    where = dice.uniform(0, width, _one(luma)) + dice.normal(_each(luma))
    scratch = ((column - where).abs() < 0.6) * (0.2 * dice.normal(_one(luma)))
    down, right = row - dice.uniform(0, height, _each(luma)), column - dice.uniform(0, width, _each(luma))
    dust = (down**2 / 4 + right**2 / 6) < dice.uniform(0.2, 1.5, _each(luma))
    return torch.where(dust, dice.uniform(0, 1, _each(luma)).round(), luma + scratch)


def _blocks(luma: Tensor, dice: Dice) -> Tensor:
    """Coarse block coding, as copies of copies have it: the cosine transform of 8x8 pixels, rounded."""
    cosine = _cosine().to(luma.device)
    step = _steps().to(luma.device) * dice.uniform(0.01, 0.06, _one(luma))
    width = luma.shape[-1]
    tiles = luma.reshape(len(luma), -1, 8, width // 8, 8).transpose(2, 3)
    tiles = torch.round(cosine @ tiles @ cosine.T / step) * step
    return (cosine.T @ tiles @ cosine).transpose(2, 3).reshape(luma.shape)


@cache
def _cosine() -> Tensor:
    """(8, 8) orthonormal cosine transform."""
    wave = torch.cos(math.pi / 8 * (torch.arange(8) + 0.5) * torch.arange(8)[:, None]) / 2
    wave[0] /= math.sqrt(2)
    return wave


@cache
def _steps() -> Tensor:
    """(8, 8) rounding steps: coarser for what is finer, never for the mean."""
    return 0.2 + (torch.arange(8)[:, None] + torch.arange(8)) / 3.5
