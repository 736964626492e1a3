"""At what size colours are compared, and how pictures come to it: separable, linear, with exact weights."""

from __future__ import annotations

from functools import cache

import numpy as np

from vidcolor.evaluate.lab import Floats


def evaluation_size(height: int, width: int, side: int = 256) -> tuple[int, int]:
    """(height, width) with the long side at most ``side``, the other rounded half up; never larger than the picture."""
    long = max(height, width)
    if long <= side:
        return height, width
    return _in_step(height, side, long), _in_step(width, side, long)


def _in_step(length: int, side: int, long: int) -> int:
    """``length`` as ``long`` becomes ``side``, rounded half up."""
    return max(1, (2 * length * side + long) // (2 * long))


@cache
def _area(into: int, out: int) -> Floats:
    """(out, into) weights: each new sample is the mean of the old ones that it covers."""
    edges = np.arange(out + 1) * (into / out)
    old = np.arange(into)
    cover = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    weights = np.clip(cover, 0, None)
    kernel: Floats = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return kernel


def _cubic(distance: Floats, sharpness: float = 0.6) -> Floats:
    """Keys' cubic kernel; 0.6 is the sharpness of FFmpeg's scaler."""
    d = np.abs(distance)
    near = (2 - sharpness) * d**3 - (3 - sharpness) * d**2 + 1
    far = sharpness * (-(d**3) + 5 * d**2 - 8 * d + 4)
    return np.where(d < 1, near, np.where(d < 2, far, 0))


@cache
def _bicubic(into: int, out: int) -> Floats:
    """(out, into) weights of cubic interpolation between sample centres, edges repeated."""
    centre = (np.arange(out) + 0.5) * (into / out) - 0.5
    first = np.floor(centre).astype(int)
    weights = np.zeros((out, into))
    for tap in range(-1, 3):
        column = np.clip(first + tap, 0, into - 1)
        np.add.at(weights, (np.arange(out), column), _cubic(centre - (first + tap)))
    return weights.astype(np.float32)


def resize(plane: Floats, size: tuple[int, int]) -> Floats:
    """Planes (..., H, W) at another (height, width): area mean where a side shrinks, bicubic where it grows.

    Works in float32 unless the planes are float64.
    """
    rows, columns = (
        (_area if out <= into else _bicubic)(into, out) for into, out in zip(plane.shape[-2:], size, strict=True)
    )
    return rows @ plane @ columns.T


def resize_colour(picture: Floats, size: tuple[int, int]) -> Floats:
    """The same for pictures with their channels last: (..., H, W, C)."""
    return np.moveaxis(resize(np.moveaxis(picture, -1, -3), size), -3, -1)
