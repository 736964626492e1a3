"""Sums over a set: what is kept of each picture and clip, and the figures of the whole set made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vidcolor.evaluate import motion, stills
from vidcolor.evaluate.bins import AbTable, Classes, rebalancing
from vidcolor.evaluate.lab import Bytes, Floats, Mask, chroma, lab_from_rgb, lightness, luma
from vidcolor.evaluate.motion import Flow

Figures = dict[str, float]
ENOUGH_FOR_FRECHET = 300
"""Pictures: with fewer, the distance of two Gaussians of 36 dimensions tells more of chance than of colour."""
APART = {1: 1, 8: 4, 24: 4}
"""Warp errors: how many frames apart, and every how many frames they are taken."""


@dataclass(frozen=True, slots=True)
class TruePicture:
    """What outputs are compared with, worked out once a picture.

    Attributes:
        rgb, lab: (H, W, 3) of the truth.
        classes: (H, W) ab class of each pixel.
        grey: (H, W) Y' in 0..1.
        lightness: (H, W) its L*.
        matrix: whose luma it is.
    """

    rgb: Floats
    lab: Floats
    classes: Classes
    grey: Floats
    lightness: Floats
    matrix: str

    @classmethod
    def of(cls, rgb: Floats, grey: Floats, matrix: str, table: AbTable) -> TruePicture:
        """From RGB (H, W, 3) and grey (H, W), 0..1."""
        lab = lab_from_rgb(rgb)
        return cls(rgb, lab, table.classify(lab[..., 1:]), grey, lightness(grey), matrix)


@dataclass(frozen=True, slots=True)
class PictureTally:
    """One output picture against its truth.

    Attributes:
        counts: (Q, 152) pixels by true class and error.
        values: its plain figures by name; means over pictures are taken of them.
        histogram: (75,) of chroma.
        neutral: (sum of chroma, pixels) by area.
        layout: (36,) numbers of where its colours lie.
        edges: sums of the colour gradient close to strong edges of light and around them, at long side 512.
    """

    counts: Floats
    values: Figures
    histogram: Floats
    neutral: Mapping[str, tuple[float, int]]
    layout: Floats
    edges: tuple[float, float] = (0.0, 0.0)


def tally_picture(rgb: Floats, true: TruePicture) -> PictureTally:
    """Measure an output picture (H, W, 3)."""
    lab = lab_from_rgb(rgb)
    lengths = chroma(lab[..., 1:])
    errors = stills.ab_error(lab[..., 1:], true.lab[..., 1:])
    values = {
        "error": float(errors.mean(dtype=np.float64)),
        "psnr_l": stills.psnr_l(lab, true.lab),
        "psnr": stills.psnr(float(np.mean((rgb - true.rgb) ** 2, dtype=np.float64))),
        "luma_psnr": stills.psnr(float(np.mean((luma(rgb, true.matrix) - true.grey) ** 2, dtype=np.float64))),
        "colourfulness": stills.colourfulness(rgb * 255),
        "chroma": float(lengths.mean(dtype=np.float64)),
        "hue_entropy": stills.hue_entropy(lab[..., 1:]),
        "pixels": float(errors.size),
    }
    neutral = stills.neutral_chroma(lengths, true.grey * 255, true.lightness)
    counts = stills.error_counts(errors, true.classes, 313)
    return PictureTally(counts, values, stills.chroma_histogram(lengths), neutral, stills.layout(lab[..., 1:]))


def _mean(tallies: Sequence[PictureTally], name: str) -> float:
    return float(np.mean([tally.values[name] for tally in tallies]))


def _cf(tally: PictureTally) -> float:
    return tally.values["colourfulness"]


def _neutral(tallies: Sequence[PictureTally], area: str) -> float:
    total, count = np.sum([tally.neutral[area] for tally in tallies], 0)
    return float(total / count) if count else 0.0


def still_figures(tallies: Sequence[PictureTally], truth: Sequence[PictureTally], table: AbTable) -> Figures:
    """Figures of a set of pictures; ``truth`` holds the tallies of the true pictures against themselves."""
    counts = np.sum([tally.counts for tally in tallies], 0)
    pixels = [tally.values["pixels"] for tally in tallies]
    histograms = [np.mean([tally.histogram for tally in some], 0) for some in (tallies, truth)]
    cf, true_cf = _mean(tallies, "colourfulness"), _mean(truth, "colourfulness")
    apart = [abs(_cf(a) - _cf(b)) for a, b in zip(tallies, truth, strict=True)]
    return {
        **_bleeding(tallies, truth),
        "auc_rebalanced_half": stills.auc(counts, rebalancing(table.prior, 0.5)),
        "auc_rebalanced_zero": stills.auc(counts, rebalancing(table.prior, 0)),
        "auc_raw": stills.auc(counts),
        "ab_error": float(np.average([tally.values["error"] for tally in tallies], weights=pixels)),
        "cf": cf,
        "cf_ratio": cf / true_cf if true_cf else 0.0,
        "dcf": abs(cf - true_cf),
        "dcf_per_picture": float(np.mean(apart)),
        "chroma": _mean(tallies, "chroma"),
        "chroma_ratio": _mean(tallies, "chroma") / max(_mean(truth, "chroma"), 1e-9),
        "psnr_l": _mean(tallies, "psnr_l"),
        "psnr": _mean(tallies, "psnr"),
        "luma_psnr": _mean(tallies, "luma_psnr"),
        "saturation_distance": stills.saturation_distance(*histograms),
        "hue_entropy": _mean(tallies, "hue_entropy"),
        **_frechet(tallies, truth),
        **{f"neutral_{area}": _neutral(tallies, area) for area in ("dark", "light", "bars")},
    }


def _bleeding(tallies: Sequence[PictureTally], truth: Sequence[PictureTally]) -> Figures:
    """How far colour spreads over edges; nothing where there is no colour, or nobody looked at edges."""
    ours, true = (_concentration(some) for some in (tallies, truth))
    return {} if ours is None or true is None else {"concentration": ours, "bleeding": true - ours}


def _concentration(tallies: Sequence[PictureTally]) -> float | None:
    near, wide = np.sum([tally.edges for tally in tallies], 0)
    return float(near / wide) if wide > 0 else None


def _frechet(tallies: Sequence[PictureTally], truth: Sequence[PictureTally]) -> Figures:
    if len(tallies) < ENOUGH_FOR_FRECHET:
        return {}
    layouts = (np.stack([tally.layout for tally in some]).astype(np.float64) for some in (tallies, truth))
    return {"frechet": stills.frechet(*layouts)}


@dataclass(slots=True)
class ClipTally:
    """One output clip; sums that are still growing.

    Attributes:
        warp: (sum, pixels) of warp errors by how far apart the frames are.
        values: plain figures by name.
        stills: every 8th frame as a picture.
    """

    values: Figures
    stills: list[PictureTally]
    warp: dict[int, tuple[float, int]] = field(default_factory=lambda: dict.fromkeys(APART, (0.0, 0)))

    def add(self, apart: int, found: tuple[float, int]) -> None:
        """Take in the warp error of one more pair."""
        total, count = self.warp[apart]
        self.warp[apart] = (total + found[0], count + found[1])


def tally_clip(
    outputs: Mapping[str, Floats],
    truth: Sequence[TruePicture],
    cuts: Sequence[int],
    flow: Callable[[Bytes, Bytes], Flow],
) -> dict[str, ClipTally]:
    """Measure several outputs of one clip; flow and masks are worked out once, from the grey.

    Args:
        outputs: RGB (T, H, W, 3) by name.
        truth: of each frame.
        cuts: first frames of shots.
        flow: from two 8-bit greys to the flow between them.
    """
    grey = np.stack([true.grey for true in truth])
    static = list(motion.static_pixels(grey * 255, cuts))
    colours = {name: np.stack([lab_from_rgb(frame)[..., 1:] for frame in rgb]) for name, rgb in outputs.items()}
    tallies = {name: _still_side(rgb, colours[name], truth, static, cuts) for name, rgb in outputs.items()}
    for apart, (first, second), tracked in _tracks(grey, cuts, flow):
        for name, ab in colours.items():
            tallies[name].add(apart, motion.warp_error(ab[first], ab[second], tracked))
    return tallies


def _tracks(
    grey: Floats, cuts: Sequence[int], flow: Callable[[Bytes, Bytes], Flow]
) -> Iterator[tuple[int, tuple[int, int], motion.Track]]:
    from vidcolor.evaluate.flow import follow

    eight = np.floor(grey * 255 + 0.5).astype(np.uint8)
    for apart, every in APART.items():
        for first, second in motion.pairs(len(eight), cuts, apart, every):
            yield apart, (first, second), follow(eight[first], eight[second], flow)


def _still_side(
    rgb: Floats,
    ab: Floats,
    truth: Sequence[TruePicture],
    static: list[tuple[int, Mask]],
    cuts: Sequence[int],
) -> ClipTally:
    """All that needs no flow."""
    eight = np.floor(rgb * 255 + 0.5).astype(np.uint8)
    histogram = np.stack([motion.histograms(frame) for frame in eight])
    mean_ab = ab.mean((1, 2), dtype=np.float64)
    values = {
        "chroma": float(chroma(ab).mean(dtype=np.float64)),
        "cdc": motion.cdc(histogram, cuts),
        "jitter": motion.jitter(*motion.static_jitter(ab, iter(static))),
        "flicker": motion.jitter(*motion.flicker(mean_ab, cuts)),
        "shot_drift": float(np.mean(motion.shot_drift(mean_ab, cuts))),
        **_paleness(ab, cuts),
        "has_static": float(bool(static)),
    }
    return ClipTally(values, [tally_picture(rgb[t], truth[t]) for t in range(0, len(rgb), 8)])


def _paleness(ab: Floats, cuts: Sequence[int]) -> Figures:
    """Share of frames that are nearly grey, and the mean chroma of the palest and the most vivid shot."""
    frames = chroma(ab).mean((1, 2), dtype=np.float64)
    by_shot = [float(frames[shot.start : shot.stop].mean()) for shot in motion.shots(len(frames), cuts)]
    return {"near_grey": float((frames < 4).mean()), "palest_shot": min(by_shot), "vivid_shot": max(by_shot)}


def clip_figures(tallies: Sequence[ClipTally], truth: Sequence[ClipTally], table: AbTable) -> Figures:
    """Figures of a set of clips, each clip counting the same; ``truth`` holds the true clips' tallies."""
    errors = {apart: _mean_warp(tallies, apart) for apart in APART}
    moving = {name: _clip_mean(tallies, name) for name in ("cdc", "flicker", "shot_drift")}
    true_moving = {name: _clip_mean(truth, name) for name in ("cdc", "shot_drift")}
    steady = [tally.values["jitter"] for tally in tallies if tally.values["has_static"]]
    pictures, true_pictures = ([still for tally in some for still in tally.stills] for some in (tallies, truth))
    return {
        "e_ab": errors[1],
        "e_rel": float(np.mean([_relative(tally) for tally in tallies])),
        "cdc": moving["cdc"],
        "cdc_minus_truth": moving["cdc"] - true_moving["cdc"],
        "jitter": float(np.mean(steady)) if steady else 0.0,
        "flicker": moving["flicker"],
        "e_ab_8": errors[8],
        "e_ab_24": errors[24],
        "drift_minus_truth": moving["shot_drift"] - true_moving["shot_drift"],
        "near_grey": _clip_mean(tallies, "near_grey"),
        "palest_shot": min(tally.values["palest_shot"] for tally in tallies),
        "vivid_shot": max(tally.values["vivid_shot"] for tally in tallies),
        **still_figures(pictures, true_pictures, table),
    }


def _clip_mean(tallies: Sequence[ClipTally], name: str) -> float:
    return float(np.mean([tally.values[name] for tally in tallies]))


def _relative(tally: ClipTally) -> float:
    total, count = tally.warp[1]
    return motion.relative_warp_error(total / max(count, 1), tally.values["chroma"])


def _mean_warp(tallies: Sequence[ClipTally], apart: int) -> float:
    """Mean over clips of their mean error; clips too short for the distance are left out."""
    means = [total / count for total, count in (tally.warp[apart] for tally in tallies) if count]
    return float(np.mean(means)) if means else 0.0
