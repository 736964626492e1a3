"""Figures of single pictures against their truth; each is a pure function, most of them of ab or RGB arrays.

Sources: Zhang, Isola, Efros, ECCV 2016 (AuC, rebalancing; the curve after Deshpande et al., ICCV 2015); Hasler,
Suesstrunk, "Measuring colourfulness in natural images", SPIE 5007, 2003; Heusel et al., 2017 (Frechet distance).
"""

from __future__ import annotations

import math

import numpy as np

from vidcolor.evaluate.bins import Classes
from vidcolor.evaluate.lab import Floats, Mask, chroma, rgb_from_lab
from vidcolor.evaluate.size import resize_colour

THRESHOLDS = 151
"""Errors are compared with 0, 1, ... 150 Lab units."""
DARK, LIGHT = 5.0, 97.0
"""L* of the grey below which, and above which, a picture should have no colour."""


def ab_error(ab: Floats, true_ab: Floats) -> Floats:
    """Distance of each pixel's colour from the truth: (..., 2) twice to (...)."""
    return chroma(ab - true_ab)


def error_counts(errors: Floats, classes: Classes, count: int) -> Floats:
    """How many pixels of each true class have which error.

    Args:
        errors: (...) distances.
        classes: (...) class of each pixel's true colour, 0..count-1.
        count: number of classes.

    Returns:
        (count, 152): errors within (t - 1, t] for t = 0..150, then all above. Counts of several pictures add up.
    """
    step = np.minimum(np.ceil(errors), THRESHOLDS).astype(np.int64)
    joint = classes.astype(np.int64) * (THRESHOLDS + 1) + step
    flat = np.bincount(joint.ravel(), minlength=count * (THRESHOLDS + 1))
    return flat.reshape(count, THRESHOLDS + 1).astype(float)


def auc(counts: Floats, weights: Floats | None = None) -> float:
    """Area under the cumulative error curve, 0..100, of (Q, 152) counts; ``weights`` (Q,) by true class, default 1."""
    by_step = counts.sum(0) if weights is None else weights @ counts
    curve = np.cumsum(by_step)[:THRESHOLDS] / by_step.sum()
    return float(100 / 150 * np.trapezoid(curve))


def psnr(squared_error: float, peak: float = 1.0) -> float:
    """Decibels of a mean squared error; 100 at most (with a peak of 1)."""
    return float(10 * np.log10(peak**2 / max(squared_error, 1e-10)))


def psnr_l(lab: Floats, true_lab: Floats) -> float:
    """PSNR of RGB after the output's lightness is replaced by the truth's: (..., 3) Lab twice."""
    borrowed = np.concatenate((true_lab[..., :1], lab[..., 1:]), -1)
    difference = rgb_from_lab(borrowed) - rgb_from_lab(true_lab)
    return psnr(float(np.mean(difference**2)))


def colourfulness(rgb: Floats) -> float:
    """Hasler and Suesstrunk's M3 of RGB (..., 3) on 0..255: 0 none, 33 moderate, 109 extreme."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    opponents = (red - green, (red + green) / 2 - blue)
    spread = math.hypot(*(np.std(plane, dtype=np.float64) for plane in opponents))
    shift = math.hypot(*(np.mean(plane, dtype=np.float64) for plane in opponents))
    return float(spread + 0.3 * shift)


def chroma_histogram(lengths: Floats) -> Floats:
    """(75,) shares of pixels in steps of 2 Lab units; what is above 150 falls in the last."""
    step = np.clip(lengths / 2, 0, 74).astype(np.int64)
    return np.bincount(step.ravel(), minlength=75) / step.size


def saturation_distance(histogram: Floats, true_histogram: Floats) -> float:
    """Earth mover's distance of two chroma histograms (75,), in Lab units."""
    return float(2 * np.abs(np.cumsum(histogram - true_histogram)).sum())


def hue_entropy(ab: Floats) -> float:
    """Entropy in bits of 36 hues, weighted by chroma, over pixels of chroma 8 and more; 0 if they are under 0.1 %."""
    lengths = chroma(ab)
    vivid = lengths >= 8
    if vivid.mean() < 0.001:
        return 0.0
    hue = np.degrees(np.arctan2(ab[..., 1][vivid], ab[..., 0][vivid])) % 360
    mass = np.bincount((hue // 10).astype(np.int64) % 36, lengths[vivid], 36)
    share = mass[mass > 0] / mass.sum()
    return float(-(share * np.log2(share)).sum())


def bars(grey: Floats) -> Mask:
    """Black borders: (H, W) grey on 0..255 to (H, W) true or false.

    A border is a run of at least max(2, 2 %) whole rows or columns from an edge whose 99th percentile is 20 or less.
    """
    found = np.zeros(grey.shape, bool)
    for lines, marked in ((grey, found), (grey.T, found.T)):
        black = np.percentile(lines, 99, axis=1) <= 20
        wanted = max(2, 0.02 * len(black))
        for run, view in ((black, marked), (black[::-1], marked[::-1])):
            length = len(run) if run.all() else int(np.argmin(run))
            if length >= wanted:
                view[:length] = True
    return found


def neutral_chroma(lengths: Floats, grey: Floats, lightness: Floats) -> dict[str, tuple[float, int]]:
    """Sum of chroma and number of pixels where there should be none.

    Args:
        lengths: (H, W) chroma of the output.
        grey: (H, W) on 0..255.
        lightness: (H, W) its L*.

    Returns:
        under "dark", "light" and "bars": (sum, pixels); sums of several pictures add up.
    """
    areas = {"dark": lightness < DARK, "light": lightness > LIGHT, "bars": bars(grey)}
    return {name: (float(lengths[area].sum()), int(area.sum())) for name, area in areas.items()}


def _gradient(plane: Floats) -> tuple[Floats, Floats]:
    """Central differences, edges repeated; (H, W) to down and right."""
    padded = np.pad(plane, 1, mode="edge")
    return (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2, (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2


def _near(edge: Mask, radius: float) -> Mask:
    """Where an edge lies within ``radius`` pixels (Euclid)."""
    reach = int(radius)
    height, width = edge.shape
    padded, near = np.pad(edge, reach), np.zeros_like(edge)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if np.hypot(down, right) <= radius:
                near |= padded[reach + down : reach + down + height, reach + right : reach + right + width]
    return near


def edge_colour(lightness: Floats, ab: Floats) -> tuple[float, float]:
    """How much colour changes close to strong edges of light, and how much in their wider surroundings.

    Args:
        lightness: (H, W) L* of the grey.
        ab: (H, W, 2).

    Returns:
        sums of the colour gradient within 1.5 and within 6 pixels of an edge; their ratio, pooled over pictures, is
        the concentration, and the truth's concentration less the output's is the bleeding.
    """
    edge = np.hypot(*_gradient(lightness)) >= 8
    parts = [part for i in range(2) for part in _gradient(ab[..., i])]
    strength = np.sqrt(sum(part**2 for part in parts))
    strength = np.where(strength > 0.5, strength, 0)
    return float(strength[_near(edge, 1.5)].sum()), float(strength[_near(edge, 6)].sum())


def layout(ab: Floats) -> Floats:
    """(36,) numbers of where a picture's colours lie: mean a, mean b, sd a, sd b in each of 3x3 cells of (H, W, 2)."""
    height, width = ab.shape[:2]
    means = resize_colour(ab, (3, 3)) if min(height, width) >= 3 else np.broadcast_to(ab.mean((0, 1)), (3, 3, 2))
    squares = resize_colour(ab**2, (3, 3)) if min(height, width) >= 3 else means**2
    spread = np.sqrt(np.maximum(squares - means**2, 0))
    return np.concatenate((means, spread), -1).ravel()


def _root(matrix: Floats) -> Floats:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def frechet(one: Floats, other: Floats) -> float:
    """Frechet distance of the Gaussians fitted to two sets of vectors (N, D), (M, D); covariances with n - 1."""
    shift = one.mean(0) - other.mean(0)
    first, second = (np.atleast_2d(np.cov(vectors, rowvar=False)) for vectors in (one, other))
    root = _root(first)
    return float(shift @ shift + np.trace(first + second - 2 * _root(root @ second @ root)))
