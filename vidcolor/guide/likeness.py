"""Whether a coloured picture shows what its frame shows: their light compared, whatever was done to tone and colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.scale import Scaler

Floats = NDArray[np.float32]

SIZE = (36, 64)
LIKE = 0.5
"""Likeness from which on two pictures show the same; see `likeness`."""
_ENOUGH = 0.05  # share of a picture that must be coloured for its likeness to tell anything
_PLAIN = 0.004  # contrast below which there is nothing to compare


def grid_of(luma: NDArray[np.unsignedinteger], scaler: Scaler) -> Floats:
    """A picture's light, small: (36, 64)."""
    return scaler.small(luma, SIZE).astype(np.float32)


def likeness(one: Floats, other: Floats, mask: Floats | None = None) -> float:
    """How alike two pictures are, -1 to 1: of their light and of its slopes, the correlation that is larger.

    A picture that was painted over, toned or faded keeps its edges or its masses; one of another scene has neither.

    Args:
        one: (h, w) light.
        other: (h, w).
        mask: (h, w) where to compare; 1 everywhere if None. Where too little is left, nothing is known, and it is 1.
    """
    weight = np.ones_like(one) if mask is None else mask
    if weight.mean() < _ENOUGH:
        return 1.0
    edges = [np.hypot(*np.gradient(picture)).astype(np.float32) for picture in (one, other)]
    return max(_correlation(one, other, weight), _correlation(edges[0], edges[1], weight))


def _correlation(one: Floats, other: Floats, weight: Floats) -> float:
    a, b = (picture - np.average(picture, weights=weight) for picture in (one, other))
    power = float((weight * a * a).sum() * (weight * b * b).sum())
    usual = _PLAIN * max(float(np.abs(one).max()), float(np.abs(other).max()), 1.0)
    if power <= (usual**2 * float(weight.sum())) ** 2:
        return 1.0
    return float((weight * a * b).sum() / np.sqrt(power))
