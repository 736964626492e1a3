"""Rows of figures: a network's colours beside grey, plain ways and the truth, over sets of pictures and clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from vidcolor.colorizer import Colorizer
from vidcolor.evaluate import motion, paint
from vidcolor.evaluate.bins import AbTable
from vidcolor.evaluate.flow import dis_flow
from vidcolor.evaluate.lab import Floats, lab_from_rgb, lightness
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.samples import Sample
from vidcolor.evaluate.stills import edge_colour
from vidcolor.evaluate.tally import (
    ClipTally,
    Figures,
    PictureTally,
    TruePicture,
    clip_figures,
    still_figures,
    tally_clip,
    tally_picture,
)

Rows = dict[str, Figures]
Way = Callable[[Sample], Floats]
"""A way to colour: from a sample, or the same one at another size, to RGB (T, h, w, 3)."""
Ways = dict[str, Way]
CutFinder = Callable[[Floats], Sequence[int]]
Show = Callable[[Sample, Mapping[str, Floats]], None]
"""Is shown each sample with all its colourings."""


def named(name: str, setting: Setting) -> str:
    """A row's name: model, temperature, scale."""
    warmth = "" if setting.temperature is None else f", T {setting.temperature:g}"
    return f"{name}{warmth}" + ("" if setting.scale == 1 else f", k {setting.scale:g}")


def network_ways(network: Colorizer, name: str, sample: Sample, settings: Sequence[Setting]) -> Ways:
    """A network's colours for a sample by row name; it runs once a temperature."""
    predicted: dict[float | None, Floats] = {}
    for setting in settings:
        if setting.temperature not in predicted:
            predicted[setting.temperature] = paint.predict(network, sample, setting)
    return {named(name, s): partial(paint.paint, predicted[s.temperature] * s.scale) for s in settings}


def plain_ways(table: AbTable) -> Ways:
    """What needs no network: the floors and the ceilings."""
    return {
        "grey": paint.grey_of,
        "sepia": paint.sepia_of,
        "mean ab by lightness": partial(paint.mean_of, table=table),
        "truth's ab on the grey": paint.ceiling_of,
        "truth's ab at the grey's L": paint.cheap_of,
        "truth": lambda sample: sample.truth,
    }


def picture_rows(
    samples: Iterable[Sample],
    table: AbTable,
    ways: Callable[[Sample], Ways],
    show: Show = lambda sample, colourings: None,
) -> Rows:
    """Figures of all rows over a set of pictures; ``ways`` gives the networks' rows."""
    tallies: dict[str, list[PictureTally]] = {}
    for sample in samples:
        (true,) = truth_of(sample, table)
        shown = {}
        for row, way in {**plain_ways(table), **ways(sample)}.items():
            shown[row] = way(sample)
            tally = replace(tally_picture(shown[row][0], true), edges=_edges(way, sample.fine))
            tallies.setdefault(row, []).append(tally)
        show(sample, shown)
    return {row: still_figures(some, tallies["truth"], table) for row, some in tallies.items()}


def _edges(way: Way, fine: Sample | None) -> tuple[float, float]:
    if fine is None:
        return 0.0, 0.0
    return edge_colour(lightness(fine.grey[0]), lab_from_rgb(way(fine)[0])[..., 1:])


def truth_of(sample: Sample, table: AbTable) -> list[TruePicture]:
    """What each frame is compared with."""
    frames = zip(sample.truth, sample.grey, strict=True)
    return [TruePicture.of(rgb, grey, sample.matrix, table) for rgb, grey in frames]


def clip_rows(
    samples: Iterable[Sample],
    table: AbTable,
    ways: Callable[[Sample], Ways],
    show: Show = lambda sample, colourings: None,
) -> Rows:
    """Figures of all rows over a set of clips; ``ways`` gives all rows but the truth's.

    Raises:
        UsageError: OpenCV is not installed.
    """
    tallies: dict[str, list[ClipTally]] = {}
    flow = dis_flow()
    for sample in samples:
        outputs = {**{row: way(sample) for row, way in ways(sample).items()}, "truth": sample.truth}
        for row, tally in tally_clip(outputs, truth_of(sample, table), sample.cuts, flow).items():
            tallies.setdefault(row, []).append(tally)
        show(sample, outputs)
    return {row: clip_figures(some, tallies["truth"], table) for row, some in tallies.items()}


def steady_ways(network: Colorizer, name: str, sample: Sample, setting: Setting) -> Ways:
    """A clip as the network colours it with its memory, and with the memory dropped at every frame."""
    ways: Ways = {}
    for manner, recurrent in (("recurrent", True), ("frame by frame", False)):
        ab = paint.predict(network, sample, replace(setting, recurrent=recurrent))
        ways[f"{named(name, setting)}, {manner}"] = partial(paint.paint, ab * setting.scale)
    return ways


def cut_leaks(network: Colorizer, samples: Iterable[Sample], setting: Setting, find: CutFinder) -> Rows:
    """How far colours reach over cuts: each shot behind the one before it, against the same shot alone.

    Args:
        network: meets the contract.
        samples: clips with known cuts; others are passed over.
        setting: how it colours.
        find: the cuts that the product sees in a grey film (T, H, W), 0..1.

    Returns:
        mean ab distance of frame k after a cut, with the cuts that were found and with none known.
    """
    found: dict[str, list[dict[int, float]]] = {"cuts found": [], "blind to cuts": []}
    for sample in samples:
        if not sample.cuts:
            continue
        alone = paint.predict(network, sample, setting)  # memory dropped at every true cut: each shot as if alone
        for manner, cuts in (("cuts found", find(sample.luma)), ("blind to cuts", ())):
            joined = paint.predict(network, sample, setting, cuts)
            behind = motion.shots(len(alone), sample.cuts)[1:]
            found[manner] += [motion.leak(joined[s.start : s.stop], alone[s.start : s.stop]) for s in behind]
    return {manner: _mean_leak(leaks) for manner, leaks in found.items() if leaks}


def _mean_leak(leaks: Sequence[Mapping[int, float]]) -> Figures:
    frames = sorted({k for one in leaks for k in one})
    return {f"leak_{k}": float(np.mean([one[k] for one in leaks if k in one])) for k in frames}
