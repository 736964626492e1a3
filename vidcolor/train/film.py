"""How film degrades: what a colour picture would have looked like on an old black-and-white print.

Only the input is degraded; the colours to be learned stay clean. The film stock is simulated in linear light: early
film is blue-sensitive, then orthochromatic (blind to red), later panchromatic (vidcolor.stock).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.color import lightness_from_luma, linear_from_srgb, luma_from_rgb, srgb_from_linear
from vidcolor.stock import STOCKS


@dataclass(frozen=True, slots=True)
class Wear:
    """How often each kind of damage strikes, as shares of clips."""

    stock: float = 0.45
    tone: float = 0.7
    blur: float = 0.3
    grain: float = 0.6
    flicker: float = 0.5
    dirt: float = 0.15


def expose(rgb: Tensor, wear: Wear, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Film some clips.

    Args:
        rgb: (B, T, 3, H, W), 0..1, gamma-encoded.
        wear: what may happen to the film.
        random: where chance comes from.

    Returns:
        light (B, T, 1, H, W), L*/100, and what the stock saw (B, 3), zero where that stays untold.
    """
    luma = luma_from_rgb(rgb)
    condition = torch.zeros(len(rgb), 3)
    stocked = _chance(wear.stock, len(rgb), random)
    for clip in stocked.nonzero()[:, 0].tolist():
        shares = _shares(random)
        told = bool(torch.rand((), generator=random) < 0.5)
        condition[clip] = shares if told else 0.0
        seen = torch.einsum("c,tchw->thw", shares, linear_from_srgb(rgb[clip]))
        luma[clip] = srgb_from_linear(seen).unsqueeze(1)
    luma = _blur(_tone(luma, wear, random), wear, random)
    luma = _dirt(_grain(_flicker(luma, wear, random), wear, random), wear, random)
    return lightness_from_luma(luma.clamp(0, 1)) / 100, condition


def _chance(share: float, count: int, random: torch.Generator) -> Tensor:
    return torch.rand(count, generator=random) < share


def _uniform(low: float, high: float, count: int, random: torch.Generator) -> Tensor:
    return (low + (high - low) * torch.rand(count, generator=random)).view(-1, 1, 1, 1, 1)


def _shares(random: torch.Generator) -> Tensor:
    kinds = tuple(STOCKS.values())
    kind = kinds[int(torch.randint(len(kinds), (), generator=random))]
    shares = torch.cat([_uniform(low, high, 1, random).view(1) for low, high in kind])
    return shares / shares.sum()


def _tone(luma: Tensor, wear: Wear, random: torch.Generator) -> Tensor:
    """Development and fading: gamma, raised blacks, lowered whites."""
    count = len(luma)
    on = _chance(wear.tone, count, random).view(-1, 1, 1, 1, 1)
    gamma = torch.exp(0.22 * torch.randn(count, generator=random)).view(-1, 1, 1, 1, 1)
    black, white = _uniform(-0.04, 0.10, count, random), _uniform(0.82, 1.06, count, random)
    toned = black + (white - black) * luma.clamp(1e-4, 1) ** gamma
    return torch.where(on, toned, luma)


def _blur(luma: Tensor, wear: Wear, random: torch.Generator) -> Tensor:
    """A soft lens or a scan out of focus."""
    for clip in _chance(wear.blur, len(luma), random).nonzero()[:, 0].tolist():
        size = 3 if torch.rand((), generator=random) < 0.7 else 5
        luma[clip] = F.avg_pool2d(F.pad(luma[clip], (size // 2,) * 4, mode="replicate"), size, 1)
    return luma


def _flicker(luma: Tensor, wear: Wear, random: torch.Generator) -> Tensor:
    """Uneven exposure from frame to frame."""
    count, time = luma.shape[:2]
    on = _chance(wear.flicker, count, random).view(-1, 1, 1, 1, 1)
    gain = 1 + 0.05 * torch.randn(count, time, 1, 1, 1, generator=random)
    lift = 0.015 * torch.randn(count, time, 1, 1, 1, generator=random)
    return torch.where(on, luma * gain + lift, luma)


def _grain(luma: Tensor, wear: Wear, random: torch.Generator) -> Tensor:
    """Fine and coarse grain, new in every frame."""
    count = len(luma)
    on = _chance(wear.grain, count, random).view(-1, 1, 1, 1, 1)
    fine = torch.randn(luma.shape, generator=random) * _uniform(0.0, 0.05, count, random)
    height, width = luma.shape[-2:]
    coarse = torch.randn(*luma.shape[:3], height // 3 + 1, width // 3 + 1, generator=random)
    coarse = F.interpolate(coarse.flatten(0, 1), size=(height, width), mode="bilinear").view_as(luma)
    return torch.where(on, luma + fine + coarse * _uniform(0.0, 0.03, count, random), luma)


def _dirt(luma: Tensor, wear: Wear, random: torch.Generator) -> Tensor:
    """Scratches along the film, dust on single frames."""
    height, width = luma.shape[-2:]
    for clip in _chance(wear.dirt, len(luma), random).nonzero()[:, 0].tolist():
        column = int(torch.randint(width, (), generator=random))
        luma[clip, ..., column : column + 1] += float(torch.randn((), generator=random)) * 0.2
        for frame in luma[clip]:
            y, x = (int(torch.randint(v, (), generator=random)) for v in (height, width))
            frame[:, y : y + 3, x : x + 4] = float(torch.rand((), generator=random).round())
    return luma
