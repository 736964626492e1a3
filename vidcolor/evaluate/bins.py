"""The in-gamut ab classes: which class a colour falls in, how common classes are, what rare ones weigh.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016 (classes, smoothed prior, equation 4).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vidcolor.evaluate.lab import Floats

Classes = npt.NDArray[np.int16]

_REACH = 128


@dataclass(frozen=True, slots=True)
class AbTable:
    """What is known of natural colours before a picture is seen.

    Attributes:
        bins: (Q, 2) a*, b* of each class.
        prior: (Q,) share of natural pixels in each class, smoothed, sum 1.
        lightness_edges: (M + 1,) edges of lightness intervals.
        mean_ab: (M, 2) mean a*, b* of natural pixels in each interval.
        lookup: (257, 257) class of each whole a* + 128, b* + 128.
    """

    bins: Floats
    prior: Floats
    lightness_edges: Floats
    mean_ab: Floats
    lookup: Classes

    def classify(self, ab: Floats) -> Classes:
        """Class of each colour: (..., 2) to (...)."""
        return classify(ab, self.lookup)

    def ab_by_lightness(self, lightness: Floats) -> Floats:
        """The natural mean colour at each lightness, linear between the intervals' middles: (...) to (..., 2)."""
        middles = (self.lightness_edges[1:] + self.lightness_edges[:-1]) / 2
        parts = [np.interp(lightness, middles, self.mean_ab[:, i]).astype(lightness.dtype) for i in range(2)]
        return np.stack(parts, -1)


def read_table(path: Path | None = None) -> AbTable:
    """The table at ``path`` (JSON with bins, prior, l_edges, l_mean_ab), or the one that travels with the package."""
    text = path.read_text() if path else files("vidcolor.data").joinpath("ab_bins.json").read_text()
    table = json.loads(text)
    columns = (np.array(table[key], float) for key in ("bins", "prior", "l_edges", "l_mean_ab"))
    bins, prior, edges, mean_ab = columns
    return AbTable(bins, prior / prior.sum(), edges, mean_ab, bin_lookup(bins))


def bin_lookup(bins: Floats) -> Classes:
    """(257, 257) index of the class nearest to each whole a* + 128, b* + 128; ties go to the lower index."""
    whole = np.arange(-_REACH, _REACH + 1)
    along_a = (whole[:, None] - bins[:, 0]) ** 2
    along_b = (whole[:, None] - bins[:, 1]) ** 2
    rows = [np.argmin(row + along_b, 1) for row in along_a]
    return np.array(rows, np.int16)


def classify(ab: Floats, lookup: Classes) -> Classes:
    """Class of each colour: a* and b* rounded half up, then the nearest class; (..., 2) to (...)."""
    cell = np.clip(np.floor(ab + 0.5).astype(np.int16), -_REACH, _REACH) + _REACH
    return lookup[cell[..., 0], cell[..., 1]]


def smoothed_prior(counts: Floats, bins: Floats, sigma: float = 5, floor: float = 1e-5) -> Floats:
    """Share of each class after each has spread its own mass by a Gaussian; (Q,) counts to (Q,), sum 1."""
    distance = ((bins[:, None] - bins[None]) ** 2).sum(-1)
    kernel = np.exp(-distance / (2 * sigma**2))
    spread = (kernel / kernel.sum(0)) @ (counts / counts.sum())
    floored = np.maximum(spread, floor)
    prior: Floats = floored / floored.sum()
    return prior


def rebalancing(prior: Floats, strength: float) -> Floats:
    """Class weights 1 / ((1 - strength) p + strength / Q), scaled so that their mean under the prior is 1; (Q,)."""
    weights = 1 / ((1 - strength) * prior + strength / len(prior))
    scaled: Floats = weights / (prior * weights).sum()
    return scaled
