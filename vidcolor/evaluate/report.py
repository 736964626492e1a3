"""The report: a network's colours beside grey, plain ways and the truth, as tables for people and JSON for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidcolor.colorizer import Colorizer
from vidcolor.evaluate import motion, paint
from vidcolor.evaluate.bins import AbTable
from vidcolor.evaluate.flow import dis_flow
from vidcolor.evaluate.lab import Floats
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.samples import Sample
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
CutFinder = Callable[[Floats], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: heading, name of the figure, decimals; ``gain`` sets it against the grey row."""

    heading: str
    name: str
    digits: int = 2
    gain: bool = False
    factor: float = 1.0


STILL_COLUMNS = (
    Column("AuC reb (0.5)", "auc_rebalanced_half"),
    Column("gain", "auc_rebalanced_half", gain=True),
    Column("AuC reb (0)", "auc_rebalanced_zero"),
    Column("gain", "auc_rebalanced_zero", gain=True),
    Column("AuC raw", "auc_raw"),
    Column("gain", "auc_raw", gain=True),
    Column("ab err", "ab_error"),
    Column("CF ratio", "cf_ratio"),
    Column("dCF", "dcf"),
    Column("chroma ratio", "chroma_ratio"),
    Column("PSNR-L", "psnr_l"),
    Column("luma dB", "luma_psnr", 1),
    Column("dark", "neutral_dark"),
    Column("light", "neutral_light"),
    Column("bars", "neutral_bars"),
    Column("sat dist", "saturation_distance"),
    Column("hue bits", "hue_entropy"),
    Column("Frechet", "frechet", 0),
)
CLIP_COLUMNS = (
    Column("E_ab", "e_ab"),
    Column("E_rel", "e_rel", 3),
    Column("CDC - truth's, e-3", "cdc_minus_truth", factor=1e3),
    Column("jitter", "jitter"),
    Column("flicker", "flicker", 3),
    Column("E_ab_8", "e_ab_8"),
    Column("E_ab_24", "e_ab_24"),
    Column("drift - truth's", "drift_minus_truth"),
    Column("CF ratio", "cf_ratio"),
    Column("AuC reb (0.5)", "auc_rebalanced_half"),
    Column("ab err", "ab_error"),
    Column("dark", "neutral_dark"),
    Column("light", "neutral_light"),
    Column("luma dB", "luma_psnr", 1),
)


def named(name: str, setting: Setting) -> str:
    """A row's name: model, temperature, scale."""
    warmth = "" if setting.temperature is None else f", T {setting.temperature:g}"
    return f"{name}{warmth}" + ("" if setting.scale == 1 else f", k {setting.scale:g}")


def paint_points(network: Colorizer, name: str, sample: Sample, settings: Sequence[Setting]) -> dict[str, Floats]:
    """RGB of a sample by row name; the network runs once a temperature."""
    predicted: dict[float | None, Floats] = {}
    for setting in settings:
        if setting.temperature not in predicted:
            predicted[setting.temperature] = paint.predict(network, sample, setting)
    return {named(name, s): paint.paint(predicted[s.temperature] * s.scale, sample) for s in settings}


def plain_rows(sample: Sample, table: AbTable) -> dict[str, Floats]:
    """RGB of a sample, coloured without a network."""
    return {
        "grey": paint.grey_of(sample),
        "sepia": paint.sepia_of(sample),
        "mean ab by lightness": paint.mean_of(sample, table),
        "truth's ab on the grey": paint.ceiling_of(sample),
        "truth": sample.truth,
    }


def picture_rows(samples: Iterable[Sample], table: AbTable, colour: Callable[[Sample], dict[str, Floats]]) -> Rows:
    """Figures of all rows over a set of pictures; ``colour`` gives the network's rows."""
    tallies: dict[str, list[PictureTally]] = {}
    for sample in samples:
        (true,) = truth_of(sample, table)
        for row, rgb in {**plain_rows(sample, table), **colour(sample)}.items():
            tallies.setdefault(row, []).append(tally_picture(rgb[0], true))
    return {row: still_figures(some, tallies["truth"], table) for row, some in tallies.items()}


def truth_of(sample: Sample, table: AbTable) -> list[TruePicture]:
    """What each frame is compared with."""
    frames = zip(sample.truth, sample.grey, strict=True)
    return [TruePicture.of(rgb, grey, sample.matrix, table) for rgb, grey in frames]


def clip_rows(samples: Iterable[Sample], table: AbTable, colour: Callable[[Sample], dict[str, Floats]]) -> Rows:
    """Figures of all rows over a set of clips; ``colour`` gives the network's rows.

    Raises:
        UsageError: OpenCV is not installed.
    """
    tallies: dict[str, list[ClipTally]] = {}
    flow = dis_flow()
    for sample in samples:
        outputs = {"grey": paint.grey_of(sample), "truth": sample.truth, **colour(sample)}
        for row, tally in tally_clip(outputs, truth_of(sample, table), sample.cuts, flow).items():
            tallies.setdefault(row, []).append(tally)
    return {row: clip_figures(some, tallies["truth"], table) for row, some in tallies.items()}


def steady_pair(network: Colorizer, name: str, sample: Sample, setting: Setting) -> dict[str, Floats]:
    """A clip as the network colours it with its memory, and with the memory dropped at every frame."""
    rows = {}
    for manner, recurrent in (("recurrent", True), ("frame by frame", False)):
        ab = paint.predict(network, sample, replace(setting, recurrent=recurrent))
        rows[f"{named(name, setting)}, {manner}"] = paint.paint(ab * setting.scale, sample)
    return rows


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


def markdown(rows: Rows, columns: Sequence[Column], corner: str) -> str:
    """A table with one line a row; gains are against the row "grey", figures that no row has get no column."""
    columns = [column for column in columns if any(column.name in figures for figures in rows.values())]
    lines = [[corner, *(column.heading for column in columns)], ["---"] + ["---:"] * len(columns)]
    grey = rows.get("grey")
    lines += [[name, *(_cell(column, figures, grey) for column in columns)] for name, figures in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(column: Column, figures: Figures, grey: Figures | None) -> str:
    value = figures.get(column.name)
    if value is None:
        return ""
    if column.gain:
        return f"{value - grey[column.name]:+.1f}" if grey else ""
    return f"{value * column.factor:.{column.digits}f}"


def leak_columns(rows: Rows) -> list[Column]:
    """A column a frame after the cut."""
    names = sorted({name for figures in rows.values() for name in figures}, key=lambda name: int(name.split("_")[1]))
    return [Column(f"frame {name.split('_')[1]}", name, 3) for name in names]
