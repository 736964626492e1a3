"""sRGB, CIE Lab and grey as numpy arrays; nothing here knows files, films or networks.

Sources: sRGB transfer curve, IEC 61966-2-1; CIE Lab, CIE 15 with exact fractions; luma, ITU-R BT.601, BT.709, BT.2020.
White is the sum of the matrix rows (D65, 2 degrees), so that greys have a* = b* = 0.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
"""float32 or float64, whichever came in."""
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722), "bt2020": (0.2627, 0.678, 0.0593)}
"""Weights of R', G', B' in luma Y', by matrix."""

_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


@cache
def _matrices(dtype: str) -> tuple[Floats, Floats]:
    """White-normalised XYZ from linear RGB and its inverse, transposed for channels that come last."""
    forward = np.array(_XYZ)
    forward /= forward.sum(1, keepdims=True)
    return forward.T.astype(dtype), np.linalg.inv(forward).T.astype(dtype)


def linear_from_srgb(value: Floats) -> Floats:
    """Undo the sRGB curve: 0..1 to 0..1, any shape."""
    curved = np.power((value + 0.055) / 1.055, 2.4, dtype=value.dtype)
    return np.where(value <= 0.04045, value / 12.92, curved)


def srgb_from_linear(value: Floats) -> Floats:
    """Apply the sRGB curve: 0..1 to 0..1, any shape."""
    curved = 1.055 * np.power(np.maximum(value, 0.0031308), 1 / 2.4, dtype=value.dtype) - 0.055
    return np.where(value <= 0.0031308, value * 12.92, curved)


def _squeeze(ratio: Floats) -> Floats:
    """CIE's f(t)."""
    return np.where(ratio > _EPSILON, np.cbrt(ratio), (_KAPPA * ratio + 16) / 116)


def _stretch(value: Floats) -> Floats:
    """The inverse of f(t)."""
    return np.where(value > 6 / 29, value**3, (116 * value - 16) / _KAPPA)


def lab_from_rgb(rgb: Floats) -> Floats:
    """CIE Lab of gamma-encoded sRGB: (..., 3) in 0..1 to (..., 3), L* in 0..100."""
    forward, _ = _matrices(rgb.dtype.name)
    squeezed = _squeeze(linear_from_srgb(rgb) @ forward)
    x, y, z = squeezed[..., 0], squeezed[..., 1], squeezed[..., 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -1)


def rgb_from_lab(lab: Floats) -> Floats:
    """Gamma-encoded sRGB of CIE Lab, clipped to 0..1: (..., 3) to (..., 3)."""
    y = (lab[..., 0] + 16) / 116
    squeezed = np.stack((y + lab[..., 1] / 500, y, y - lab[..., 2] / 200), -1)
    _, inverse = _matrices(lab.dtype.name)
    return srgb_from_linear(np.clip(_stretch(squeezed) @ inverse, 0, 1))


def luma(rgb: Floats, matrix: str = "bt709") -> Floats:
    """Luma Y' of gamma-encoded RGB: (..., 3) in 0..1 to (...) in 0..1."""
    weighted: Floats = rgb @ np.array(LUMA[matrix], rgb.dtype)
    return weighted


def grey_from_rgb8(rgb: Bytes) -> Bytes:
    """The grey input of a still: BT.709 luma of 8-bit RGB (..., 3), rounded half up, as 8 bits (...)."""
    # in units of 1/10000 the weights are whole numbers, so the rounding is exact
    scaled = rgb.astype(np.int64) @ np.array((2126, 7152, 722))
    rounded: Bytes = ((2 * scaled + 10000) // 20000).astype(np.uint8)
    return rounded


def lightness(grey: Floats) -> Floats:
    """L* (0..100) of the grey whose luma is given (0..1), any shape."""
    return 116 * _squeeze(linear_from_srgb(grey)) - 16


def rgb_from_luma_chroma(planes: Floats, matrix: str) -> Floats:
    """RGB of Y' (0..1), Cb and Cr (-0.5..0.5), clipped to 0..1: (..., 3) to (..., 3)."""
    red, green, blue = LUMA[matrix]
    y, cb, cr = planes[..., 0], planes[..., 1], planes[..., 2]
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return np.clip(np.stack((r, (y - red * r - blue * b) / green, b), -1), 0, 1)


def chroma(ab: Floats) -> Floats:
    """Length of (a*, b*): (..., 2) to (...)."""
    return np.hypot(ab[..., 0], ab[..., 1])
