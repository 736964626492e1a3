"""Colour as numbers: sRGB, CIE Lab, luma, the in-gamut ab bins; pure functions on tensors that know no files or film.

Conventions, with their sources:

* sRGB transfer curve and primaries: IEC 61966-2-1. White is the sum of the matrix rows (D65, 2 degrees), so that
  greys have a* = b* = 0 exactly.
* CIE Lab: CIE 15, with the exact fractions 216/24389 and 24389/27 for the linear part.
* Luma coefficients: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance).
* ab bins, soft encoding, class rebalancing, annealed mean: Zhang, Isola, Efros, "Colorful Image Colorization",
  ECCV 2016.

Colour tensors carry their channels in dimension -3: (..., 3, H, W) for RGB and Lab, (..., 2, H, W) for ab,
(..., 1, H, W) for one-channel planes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_CLOSE = 0.002  # of luma
LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.678, 0.0593)}
"""Weights of R', G', B' in luma Y', by matrix."""

_XYZ_FROM_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_EPSILON = 216 / 24389
_KAPPA = 24389 / 27
_BEND = 6 / 29  # of f(t), where CIE's line ends and its curve begins
_TOE = 0.04045 / 12.92  # of linear light, where sRGB's line ends
_TOP = 0.04045 + 0.055  # what its curve has there, and what it is lowered by


@cache
def _matrices(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """White-normalised XYZ from linear RGB, and its inverse."""
    with torch.inference_mode(False):  # who asks first may be in it, and who asks later may want gradients
        forward = torch.tensor(_XYZ_FROM_RGB, dtype=torch.float64)
        forward = forward / forward.sum(1, keepdim=True)
        return forward.to(device, dtype), torch.linalg.inv(forward).to(device, dtype)


def _mix(matrix: Tensor, planes: Tensor) -> Tensor:
    """Apply a 3x3 matrix to the channels of (..., 3, H, W)."""
    return torch.einsum("ij,...jhw->...ihw", matrix, planes)


def linear_from_srgb(value: Tensor) -> Tensor:
    """Undo the sRGB curve; values outside 0..1 follow the odd extension of the curve.

    Shape and dtype are kept; 0..1 in, 0..1 out.
    """
    size = value.abs()
    curved = ((size + 0.055) / 1.055).pow(2.4)
    return torch.where(size <= 0.04045, size / 12.92, curved).copysign(value)


def srgb_from_linear(value: Tensor) -> Tensor:
    """Apply the sRGB curve; values outside 0..1 follow the odd extension of the curve. Shape and dtype are kept."""
    size = value.abs()
    # The curve from where it begins, and the line up to there: a choice by pixel would cost as much again.
    curved = size.clamp_min(_TOE).pow(1 / 2.4) * 1.055
    return (size.clamp_max(_TOE) * 12.92 + (curved - _TOP)).clamp_min(0).copysign(value)


def _squeeze(ratio: Tensor) -> Tensor:
    """CIE's f(t)."""
    return torch.where(ratio > _EPSILON, ratio.clamp_min(_EPSILON).pow(1 / 3), (_KAPPA * ratio + 16) / 116)


def _stretch(value: Tensor) -> Tensor:
    """The inverse of f(t)."""
    cubed = value.clamp_min(_BEND) ** 3
    return value.clamp_max(_BEND) * (116 / _KAPPA) + (cubed - (_BEND**3 + 16 / _KAPPA))


def lab_from_rgb(rgb: Tensor) -> Tensor:
    """CIE Lab of sRGB.

    Args:
        rgb: (..., 3, H, W), gamma-encoded, 0..1.

    Returns:
        (..., 3, H, W): L* in 0..100, a* and b* in Lab units.
    """
    return lab_from_linear(linear_from_srgb(rgb))


def lab_from_linear(linear: Tensor) -> Tensor:
    """CIE Lab of linear light with sRGB's primaries: (..., 3, H, W) in 0..1 to (..., 3, H, W)."""
    forward, _ = _matrices(linear.dtype, linear.device)
    x, y, z = _squeeze(_mix(forward, linear)).unbind(-3)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -3)


def rgb_from_lab(lab: Tensor) -> Tensor:
    """Gamma-encoded sRGB of CIE Lab, not clipped: (..., 3, H, W) to (..., 3, H, W)."""
    return _rgb(lab[..., :1, :, :], _offsets(lab[..., 1:, :, :]))


def _offsets(ab: Tensor) -> Tensor:
    """What a*, b* add to f(X), f(Y), f(Z): (..., 2, H, W) to (..., 3, H, W)."""
    a, b = ab.unbind(-3)
    return torch.stack((a / 500, torch.zeros_like(a), b / -200), -3)


def _rgb(lightness: Tensor, offsets: Tensor) -> Tensor:
    """Gamma-encoded RGB of L* (..., 1, H, W) and the offsets of a*, b*."""
    _, inverse = _matrices(lightness.dtype, lightness.device)
    return srgb_from_linear(_mix(inverse, _stretch((lightness + 16) / 116 + offsets)))


def luma_from_rgb(rgb: Tensor, matrix: str = "bt709") -> Tensor:
    """Luma Y' of gamma-encoded RGB: (..., 3, H, W) to (..., 1, H, W)."""
    red, green, blue = LUMA[matrix]
    luma = rgb[..., 0:1, :, :] * red  # a product of matrices would cost five times as much
    return luma.add_(rgb[..., 1:2, :, :], alpha=green).add_(rgb[..., 2:3, :, :], alpha=blue)


def lightness_from_luma(luma: Tensor) -> Tensor:
    """L* (0..100) of the grey whose luma is given (0..1); for a grey, R' = G' = B' = Y' whatever the matrix."""
    return 116 * _squeeze(linear_from_srgb(luma)) - 16


def rgb_at_luma(ab: Tensor, luma: Tensor, matrix: str = "bt709", steps: int = 3) -> Tensor:
    """The colour that has the given a*, b* *and* the given luma, desaturated where the RGB cube cannot hold it.

    Lightness is not luma: pure blue has L* 32, its grey only 5.5. Whoever takes the colour at the grey's own L* shifts
    the film's tones, so L* is solved here such that luma is the grey's, and what is left of the difference is taken off
    exactly. The solver is a secant from L* to luma: a plain fixed point swings for ever around saturated blues and
    greens. Three steps leave 0.0005 code values of chroma on average on natural colours, 0.05 at the 99.9th percentile;
    it ends sooner where no pixel's luma is further off than half a code value.

    Args:
        ab: (..., 2, H, W) Lab units.
        luma: (..., 1, H, W) in 0..1.
        matrix: whose luma it is: a key of LUMA.
        steps: of the secant, at most.

    Returns:
        (..., 3, H, W) gamma-encoded RGB in 0..1 whose luma by that matrix is ``luma``.
    """
    lightness = last_lightness = lightness_from_luma(luma)
    slope, last_miss = torch.full_like(luma, 0.01), torch.zeros_like(luma)  # of luma by L*: nearly so for all greys
    offsets = _offsets(ab)
    for step in range(steps + 1):
        rgb = _rgb(lightness, offsets)
        shade = luma_from_rgb(rgb, matrix)
        if step == steps:
            break
        miss = shade - luma
        if step and float(miss.abs().amax()) < _CLOSE:  # what is left is taken off as luma; most pictures end here
            break
        moved = lightness - last_lightness
        slope = torch.where(moved.abs() > 0.01, (miss - last_miss) / moved, slope).clamp(0.005, 0.06)
        last_lightness, last_miss = lightness, miss
        lightness = (lightness - miss / slope).clamp(0, 100)
    return fit_in_cube(rgb - shade, luma)


def fit_in_cube(chroma: Tensor, luma: Tensor) -> Tensor:
    """Add zero-luma colour differences to a luma, shrunk as far as the RGB cube demands.

    Args:
        chroma: (..., 3, H, W): R'-Y', G'-Y', B'-Y'.
        luma: (..., 1, H, W) in 0..1.

    Returns:
        (..., 3, H, W) in 0..1, of exactly that luma.
    """
    room = torch.where(chroma > 0, 1 - luma, luma)
    scale = (room / chroma.abs().clamp_min(1e-6)).amin(-3, keepdim=True).clamp(0, 1)
    return luma + chroma * scale


def chroma_from_rgb(rgb: Tensor, matrix: str = "bt709") -> Tensor:
    """Cb and Cr (each -0.5..0.5) of gamma-encoded RGB: (..., 3, H, W) to (..., 2, H, W)."""
    red, _, blue = LUMA[matrix]
    luma = luma_from_rgb(rgb, matrix)
    cb = (rgb[..., 2:3, :, :] - luma) / (2 * (1 - blue))
    cr = (rgb[..., 0:1, :, :] - luma) / (2 * (1 - red))
    return torch.cat((cb, cr), -3)


@dataclass(frozen=True, slots=True)
class AbBins:
    """The in-gamut ab classes.

    Attributes:
        centers: (Q, 2) a*, b* of each class.
        prior: (Q,) smoothed share of natural pixels in each class, sum 1.
        nearest: (256, 256, 5) the five classes nearest to each whole a* + 128, b* + 128, the nearest first.
        closeness: (256, 256, 5) their Gaussian weights (sigma 5), sum 1.
    """

    centers: Tensor
    prior: Tensor
    nearest: Tensor
    closeness: Tensor

    def to(self, device: torch.device | str) -> AbBins:
        """The same classes on a device."""
        return AbBins(*(getattr(self, name).to(device) for name in ("centers", "prior", "nearest", "closeness")))

    def rebalancing(self, strength: float = 0.5) -> Tensor:
        """(Q,) class weights 1 / ((1 - strength) p + strength / Q), scaled so that their mean under the prior is 1."""
        return _rebalanced(self.prior, strength)

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Soft classes of true colours.

        Args:
            ab: (N, 2, H, W).

        Returns:
            classes (N, 5, H, W) and their weights (N, 5, H, W), the nearest class first.
        """
        cell = (ab + 128.5).floor().long().clamp(0, 255)
        index = cell[:, 0] * 256 + cell[:, 1]
        nearest = self.nearest.view(-1, 5)[index]
        closeness = self.closeness.view(-1, 5)[index]
        return nearest.permute(0, 3, 1, 2), closeness.permute(0, 3, 1, 2)


@cache
def _table() -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = json.loads(files("vidcolor.data").joinpath("ab_bins.json").read_text())
    return table


def ab_centers() -> Tensor:
    """(Q, 2) a*, b* of the 313 classes at grid 10."""
    return torch.tensor(_table()["bins"], dtype=torch.float32)


def ab_rarity(strength: float = 0.5) -> Tensor:
    """(Q,) logarithms of the weights that the classes had in learning: what their scores are too high by."""
    return _rebalanced(_ab_prior(), strength).log()


def _ab_prior() -> Tensor:
    return torch.tensor(_table()["prior"], dtype=torch.float32)


def _rebalanced(prior: Tensor, strength: float) -> Tensor:
    weights = 1 / ((1 - strength) * prior + strength / len(prior))
    return weights / (prior * weights).sum()


@cache
def ab_bins() -> AbBins:
    """The 313 classes with their prior and neighbours (made once: they take a fifth of a second)."""
    centers = ab_centers()
    whole = torch.arange(-128, 128, dtype=torch.float32)
    grid = torch.stack(torch.meshgrid(whole, whole, indexing="ij"), -1).view(-1, 2)
    distance, nearest = torch.cdist(grid, centers).topk(5, largest=False)
    closeness = torch.softmax(-(distance**2) / (2 * 5.0**2), -1)
    return AbBins(centers, _ab_prior(), nearest.view(256, 256, 5), closeness.view(256, 256, 5))


def annealed_mean(logits: Tensor, centers: Tensor, temperature: float = 0.38) -> Tensor:
    """Between mean (T = 1) and mode (T to 0) of the class distribution: (N, Q, H, W) logits to (N, 2, H, W) ab."""
    # classes last: that is how channels_last memory lies, and softmax over a strided dimension costs four times as much
    with torch.autocast(logits.device.type, enabled=False):  # half-precision colours would be a whole Lab unit apart
        share = torch.softmax(logits.permute(0, 2, 3, 1).float() / temperature, -1)
        # the transposed product: a matrix of two columns is multiplied ten times more slowly
        return F.linear(share, centers.to(share).T.contiguous()).permute(0, 3, 1, 2)
