"""Figures of moving pictures: how steady colours are, within shots and across cuts; the flow is given.

Frames are counted from 0; ``cuts`` lists the index of each shot's first frame but the film's own. No pair and no window
crosses a cut.

Sources: Liu et al., "Temporally Consistent Video Colorization", arXiv 2110.04562 (CDC); Lai et al., ECCV 2018, Ruder
et al., 2016, and Sundaram et al., ECCV 2010 (warp error, occlusion test).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidcolor.evaluate.lab import Bytes, Floats, Mask, chroma

Flow = npt.NDArray[np.float32]


def shots(count: int, cuts: Sequence[int]) -> list[range]:
    """The frames of each shot."""
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < count), count]
    return [range(first, last) for first, last in zip(edges, edges[1:], strict=False)]


def pairs(count: int, cuts: Sequence[int], apart: int, every: int = 1) -> Iterator[tuple[int, int]]:
    """(i, i + apart) within one shot, i a multiple of ``every``."""
    for shot in shots(count, cuts):
        yield from ((i, i + apart) for i in range(shot.start, shot.stop - apart) if i % every == 0)


def histograms(frame: Bytes) -> Floats:
    """(3, 256) shares of each code value in R, G and B of an 8-bit picture (..., 3)."""
    planes = frame.reshape(-1, 3).T
    return np.stack([np.bincount(plane, minlength=256) for plane in planes]) / planes.shape[1]


def jensen_shannon(one: Floats, other: Floats) -> Floats:
    """Divergence of two distributions along the last axis, natural logarithm: 0..0.6931."""
    middle = (one + other) / 2
    return (_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2


def _relative_entropy(share: Floats, against: Floats) -> Floats:
    ratio = np.where(share > 0, share / np.where(against > 0, against, 1), 1)
    shares: Floats = (share * np.log(ratio)).sum(-1)
    return shares


def cdc(histogram: Floats, cuts: Sequence[int] = (), steps: Sequence[int] = (1, 2, 4)) -> float:
    """Colour distribution consistency: (T, 3, 256) histograms to the mean over steps of the mean divergence."""
    means = [_mean_divergence(histogram, list(pairs(len(histogram), cuts, step))) for step in steps]
    known = [mean for mean in means if mean is not None]
    return float(np.mean(known)) if known else 0.0


def _mean_divergence(histogram: Floats, chosen: list[tuple[int, int]]) -> float | None:
    if not chosen:
        return None
    first, second = np.array(chosen).T
    return float(jensen_shannon(histogram[first], histogram[second]).mean())


@dataclass(frozen=True, slots=True)
class Track:
    """Where trusted pixels of one frame lie in another.

    Attributes:
        here: (N,) flat index of each trusted pixel.
        there: (4, N) flat indices of the pixels around its place in the other frame.
        weight: (4, N) their bilinear weights.
    """

    here: npt.NDArray[np.int64]
    there: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]


def track(flow: Flow, trusted: Mask) -> Track:
    """Follow the trusted pixels (H, W) along a flow (H, W, 2) in x and y; places outside are held at the edge."""
    height, width = trusted.shape
    down, right = np.nonzero(trusted)
    x = np.clip(right + flow[down, right, 0], 0, width - 1)
    y = np.clip(down + flow[down, right, 1], 0, height - 1)
    left, top = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    fx, fy = (x - left).astype(np.float32), (y - top).astype(np.float32)
    beside, below = int(width > 1), width * int(height > 1)
    corner = top * width + left
    there = np.stack((corner, corner + beside, corner + below, corner + below + beside))
    weight = np.stack(((1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy))
    return Track(down * width + right, there, weight)


def fetch(frame: Floats, tracked: Track) -> Floats:
    """What lies where the track leads: (H, W, C) to (N, C)."""
    values = frame.reshape(-1, frame.shape[-1])
    fetched: Floats = np.einsum("kn,knc->nc", tracked.weight, values[tracked.there])
    return fetched


def warp_error(ab: Floats, later: Floats, tracked: Track) -> tuple[float, int]:
    """Sum over trusted pixels of |ab - later ab at the same thing's place|, and their number; (H, W, 2) each."""
    here = ab.reshape(-1, ab.shape[-1])[tracked.here]
    return float(chroma(here - fetch(later, tracked)).sum(dtype=np.float64)), len(tracked.here)


def relative_warp_error(error: float, mean_chroma: float) -> float:
    """E_rel: a warp error as a share of the mean chroma, since pale colours hardly move."""
    return error / max(mean_chroma, 1.0)


def static_pixels(grey: Floats, cuts: Sequence[int] = ()) -> Iterator[tuple[int, Mask]]:
    """Frames with the pixels that stand still around them.

    Args:
        grey: (T, H, W) on 0..255.
        cuts: first frames of shots.

    Yields:
        t and (H, W) true where the 3x3 mean moves by at most 4 over t-2..t+2; frames with under 1 % are left out.
    """
    blurred = _box3(grey)
    for shot in shots(len(grey), cuts):
        for t in range(shot.start + 2, shot.stop - 2):
            window = blurred[t - 2 : t + 3]
            still = window.max(0) - window.min(0) <= 4
            if still.mean() >= 0.01:
                yield t, still


def _box3(planes: Floats) -> Floats:
    """Mean of 3x3 pixels, edges repeated: (T, H, W) to the same."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    mean: Floats = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9
    return mean


def second_difference(before: Floats, now: Floats, after: Floats) -> Floats:
    """|ab_t - (ab_t-1 + ab_t+1) / 2|^2: (..., 2) three times to (...)."""
    squares: Floats = ((now - (before + after) / 2) ** 2).sum(-1)
    return squares


def jitter(squares: float, count: int) -> float:
    """Jitter from the sum and the number of squared second differences: sigma for noise of sigma in each of a and b."""
    return float(np.sqrt(squares / (3 * count))) if count else 0.0


def static_jitter(ab: Floats, static: Iterator[tuple[int, Mask]]) -> tuple[float, int]:
    """Sum and number of squared second differences of (T, H, W, 2) at pixels that stand still."""
    total, count = 0.0, 0
    for t, still in static:
        squares = second_difference(ab[t - 1][still], ab[t][still], ab[t + 1][still])
        total, count = total + float(squares.sum(dtype=np.float64)), count + squares.size
    return total, count


def flicker(mean_ab: Floats, cuts: Sequence[int] = ()) -> tuple[float, int]:
    """Sum and number of squared second differences of the frames' mean ab (T, 2)."""
    parts = [mean_ab[shot.start : shot.stop] for shot in shots(len(mean_ab), cuts)]
    squares = np.concatenate([second_difference(part[:-2], part[1:-1], part[2:]) for part in parts])
    return float(squares.sum()), len(squares)


def shot_drift(mean_ab: Floats, cuts: Sequence[int] = (), window: int = 12) -> list[float]:
    """For each shot, the distance between mean ab of its first and last ``window`` frames: (T, 2)."""
    parts = [mean_ab[shot.start : shot.stop] for shot in shots(len(mean_ab), cuts)]
    return [float(chroma(part[:window].mean(0) - part[-window:].mean(0))) for part in parts if len(part)]


def leak(joined: Floats, alone: Floats, frames: Sequence[int] = (0, 1, 4, 12)) -> dict[int, float]:
    """Mean ab distance of frames after a cut, run behind another shot and run alone: (T, H, W, 2) each."""
    known = [k for k in frames if k < min(len(joined), len(alone))]
    return {k: float(chroma(joined[k] - alone[k]).mean()) for k in known}
