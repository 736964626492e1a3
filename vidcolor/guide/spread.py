"""From strokes of colour to the things they lie on: each spreads over what is like it, near it, and not behind an edge.

How far a stroke reaches is a distance along the cheapest way: steps cost little where light stays as it is, much over
an edge, and the more the less what they lead over is as light as what was painted. Strokes of several colours share
the picture by who comes first. Knows neither film nor network.
Sources: Levin, Lischinski and Weiss, "Colorization using optimization", SIGGRAPH 2004 (neighbours that are alike in
light are alike in colour); Yatziv and Sapiro, "Fast image and video colorization using chrominance blending", IEEE
Trans. Image Processing 15(5), 2006 (geodesic distance instead of a system of equations); Weber et al., "Parallel
algorithms for approximation of distance maps on parametric surfaces", ACM Trans. Graphics 27(4), 2008 (row sweeps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidcolor.guide.motion import without_grain

Floats = NDArray[np.float32]
Distances = NDArray[np.float64]
Mask = NDArray[np.bool_]

WIDE = 256
"""Width in pixels that the costs below are meant for."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How far colours spread, found by dots of true colour on the training clips.

    Attributes:
        step: what a pixel costs where nothing changes.
        edge: change of light from pixel to pixel, in 255ths, that costs 1; it counts by its square.
        alike: how far light may be from all that was painted at no cost, in 255ths.
        unlike: how much farther costs 1 a pixel; it counts by its square.
        reach: distance at which a colour counts half.
        soft: width of that border, as a distance.
    """

    step: float = 0.018
    edge: float = 14.0
    alike: float = 6.0
    unlike: float = 24.0
    reach: float = 3.0
    soft: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """What was painted in one colour: where (h, w), and the colour's a* and b*."""

    where: Mask
    ab: tuple[float, float]


_NEVER = 1e9
_FARTHEST = 80.0  # farther colours do not come, and numbers would run out
_FAINT = 0.01
_TRIMMED = 0.1  # share of what was painted, at either end, whose light is not counted: a brush goes over edges
_ROUNDS = 3
_SHARED = 0.15  # difference of distances at which the nearer of two colours counts e times as much


def drawn(points: Sequence[tuple[float, float]], radius: float, size: tuple[int, int], wide: float = 1.0) -> Mask:
    """Where a brush goes: (h, w).

    Args:
        points: x and y, in widths and heights of the picture.
        radius: of the brush, in widths; a pixel at least is painted.
        size: height and width in pixels.
        wide: how much wider than high a pixel is shown.
    """
    height, width = size
    reach = max(radius * width, 0.75)
    path = _thinned(np.array(points, np.float64) * (width, height))
    where = np.zeros(size, bool)
    for start, end in zip(path, path[1:] if len(path) > 1 else path, strict=False):
        box = _box(start, end, (reach, reach * wide), size)
        y, x = np.mgrid[box].astype(np.float64) + 0.5
        where[box] |= _apart(x, y / wide, (start / (1, wide), end / (1, wide))) <= reach
    return where


def _thinned(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without points that are less than half a pixel from the last one that counts."""
    kept = [path[0]]
    for point in path[1:]:
        if np.abs(point - kept[-1]).max() >= 0.5:
            kept.append(point)
    return np.stack(kept)


def _box(
    start: NDArray[np.float64], end: NDArray[np.float64], reach: tuple[float, float], size: tuple[int, int]
) -> tuple[slice, slice]:
    low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
    spans = [slice(max(0, int(low[axis])), min(size[1 - axis], int(high[axis]) + 1)) for axis in (1, 0)]
    return spans[0], spans[1]


def _apart(
    x: NDArray[np.float64], y: NDArray[np.float64], line: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Distance of places from a line between two points, or from one point."""
    (x0, y0), (dx, dy) = line[0], line[1] - line[0]
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
    apart: NDArray[np.float64] = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
    return apart


def spread(light: NDArray[np.uint8], strokes: Sequence[Stroke], manner: Manner | None = None) -> Floats:
    """Let strokes colour what they lie on.

    Args:
        light: (h, w) grey.
        strokes: in the order they were painted in; where two lie on each other the later one is seen.
        manner: how far they go.

    Returns:
        (h, w, 3): a* and b* times how much each pixel is coloured, and that, 0..1; 1 and exact under the strokes.
    """
    manner = manner or Manner()
    colours = list(dict.fromkeys(stroke.ab for stroke in strokes))
    owner = np.full(light.shape, -1)
    for stroke in strokes:
        owner[stroke.where] = colours.index(stroke.ab)
    ab, nearest = _mixed(without_grain(light), owner, colours, manner)
    mask = 1 / (1 + np.exp(np.clip((nearest - manner.reach) / manner.soft, -50, 50)))
    mask[mask < _FAINT] = 0
    painted = owner >= 0
    mask[painted], ab[painted] = 1, np.array(colours)[owner[painted]]
    return np.dstack((ab * mask[..., None], mask)).astype(np.float32)


def _mixed(
    light: Floats, owner: NDArray[np.int64], colours: Sequence[tuple[float, float]], manner: Manner
) -> tuple[Distances, Distances]:
    """Colours (h, w, 2), each counting by how near it is, and how near the nearest is (h, w)."""
    nearest, total, mixed = np.full(light.shape, np.inf), np.zeros(light.shape), np.zeros((*light.shape, 2))
    for index, colour in enumerate(colours):
        if (owner == index).any():  # else all of it was painted over
            far = distances(light, owner == index, manner)
            share = np.exp(-np.minimum(far, _FARTHEST) / _SHARED)
            total, mixed = total + share, mixed + share[..., None] * colour
            nearest = np.minimum(nearest, far)
    return mixed / np.maximum(total, 1e-300)[..., None], nearest


def distances(light: Floats, seeds: Mask, manner: Manner) -> Distances:
    """How far every pixel is from the next seed along the cheapest way (h, w); `light` has no grain any more."""
    strange = np.maximum(_unlike(light, seeds) - manner.alike, 0) / manner.unlike
    costs = _Costs(light, strange**2, manner)
    here, before, after = slice(None), slice(None, -1), slice(1, None)
    down, right = costs.between((before, here), (after, here)), costs.between((here, before), (here, after))
    falling, rising = costs.between((before, before), (after, after)), costs.between((before, after), (after, before))
    along = np.pad(np.cumsum(right, 1), ((0, 0), (1, 0)))
    far = np.where(seeds, 0.0, _NEVER)
    for _ in range(_ROUNDS):
        _swept(far, along, (down, falling, rising))
        _swept(far[::-1], along[::-1], (down[::-1], rising[::-1], falling[::-1]))
    return far


def _unlike(light: Floats, seeds: Mask) -> Distances:
    """How far the light of every pixel is from that of the seeds, a few of which do not count (h, w)."""
    known = np.sort(light[seeds])
    spare = int(_TRIMMED * len(known))
    known = np.unique(known[spare : len(known) - spare].astype(np.int64))
    levels: Distances = np.abs(np.arange(256)[:, None] - known[None, :]).min(1).astype(np.float64)
    apart: Distances = levels[np.clip(light, 0, 255).astype(np.int64)]
    return apart


@dataclass(frozen=True, slots=True, eq=False)
class _Costs:
    """What steps from pixel to pixel cost."""

    light: Floats
    strange: Distances
    manner: Manner

    def between(self, one: tuple[slice, slice], other: tuple[slice, slice]) -> Distances:
        """Between two views of the picture, shifted against each other."""
        change = np.abs(self.light[one] - self.light[other]) / self.manner.edge
        length = WIDE / self.light.shape[1] * (2**0.5 if slice(None) not in (*one, *other) else 1.0)
        on_the_way = self.manner.step + 0.5 * (self.strange[one] + self.strange[other])
        cost: Distances = length * on_the_way + np.square(change, dtype=np.float64)
        return cost


def _swept(far: Distances, along: Distances, costs: tuple[Distances, Distances, Distances]) -> None:
    """Go over all rows once, from above; in place. Within a row all ways are tried, by a running minimum."""
    down, falling, rising = costs
    for y, (row, ways) in enumerate(zip(far, along, strict=True)):
        if y:
            above = far[y - 1]
            np.minimum(row, above + down[y - 1], out=row)
            np.minimum(row[1:], above[:-1] + falling[y - 1], out=row[1:])
            np.minimum(row[:-1], above[1:] + rising[y - 1], out=row[:-1])
        np.minimum(row, np.minimum.accumulate(row - ways) + ways, out=row)
        np.minimum(row, np.minimum.accumulate((row + ways)[::-1])[::-1] - ways, out=row)
