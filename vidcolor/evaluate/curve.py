"""Networks on the whole curve of chroma scale and temperature: stronger colours alone are no better network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from vidcolor.colorizer import Colorizer
from vidcolor.evaluate import paint, stills
from vidcolor.evaluate.bins import AbTable, rebalancing
from vidcolor.evaluate.lab import Floats, lab_from_rgb
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.samples import Sample
from vidcolor.evaluate.tally import Figures

TEMPERATURES = (0.25, 0.38, 0.6, 1.0)
SCALES = (0.4, 0.55, 0.7, 0.85, 1.0, 1.15, 1.3)
Point = tuple[float, float]
Curve = dict[Point, Figures]
"""By temperature and scale."""

_PANELS = (("gain_half", "AuC rebalanced (0.5)"), ("gain_zero", "AuC rebalanced (0)"), ("gain_raw", "AuC raw"))


def curve(network: Colorizer, samples: Iterable[Sample], table: AbTable, side: int | None = None) -> Curve:
    """Gains over grey, error beside grey's and colourfulness beside the truth's, at every temperature and scale."""
    points = list(product(TEMPERATURES, SCALES))
    counts = {point: np.zeros((len(table.prior), stills.THRESHOLDS + 1)) for point in [*points, (0.0, 0.0)]}
    cf = {point: list[float]() for point in [*points, (0.0, 0.0)]}
    for sample in samples:
        true = lab_from_rgb(sample.truth[0])[..., 1:]
        classes = table.classify(true)
        predicted = {t: paint.predict(network, sample, Setting(t, side=side)) for t in TEMPERATURES}
        cf[0.0, 0.0].append(stills.colourfulness(sample.truth[0] * 255))
        counts[0.0, 0.0] += stills.error_counts(stills.ab_error(0 * true, true), classes, len(table.prior))
        for warmth, scale in points:
            rgb = paint.paint(predicted[warmth] * scale, sample)[0]
            errors = stills.ab_error(lab_from_rgb(rgb)[..., 1:], true)
            counts[warmth, scale] += stills.error_counts(errors, classes, len(table.prior))
            cf[warmth, scale].append(stills.colourfulness(rgb * 255))
    grey, true_cf = _scores(counts[0.0, 0.0], table), float(np.mean(cf[0.0, 0.0]))
    return {
        point: _figures(_scores(counts[point], table), grey, float(np.mean(cf[point])) / true_cf) for point in points
    }


def _scores(counts: Floats, table: AbTable) -> Figures:
    steps = np.arange(counts.shape[1]) - 0.5  # the middle of what a count holds: no worse than half a Lab unit
    return {
        "half": stills.auc(counts, rebalancing(table.prior, 0.5)),
        "zero": stills.auc(counts, rebalancing(table.prior, 0)),
        "raw": stills.auc(counts),
        "error": float((counts.sum(0) * steps.clip(0)).sum() / counts.sum()),
    }


def _figures(ours: Figures, grey: Figures, cf_ratio: float) -> Figures:
    gains = {f"gain_{name}": ours[name] - grey[name] for name in ("half", "zero", "raw")}
    return {**gains, "error_ratio": ours["error"] / grey["error"], "cf_ratio": cf_ratio}


def table_of(curves: Mapping[str, Curve]) -> dict[str, Figures]:
    """All points as rows."""
    return {f"{name}, T {t:g}, k {k:g}": figures for name, one in curves.items() for (t, k), figures in one.items()}


def draw(curves: Mapping[str, Curve], path: Path) -> Path | None:
    """Gains and error over colourfulness, a line a temperature, a colour a network; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(13, 7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = [*_PANELS, ("error_ratio", "ab error, grey's = 1")]
    for axes, (name, title) in zip(figure.subplots(2, 2).ravel(), panels, strict=True):
        for number, (network, one) in enumerate(curves.items()):
            for style, warmth in zip((":", "-", "--", "-."), TEMPERATURES, strict=True):
                xs, ys = _line(one, warmth, name)
                axes.plot(xs, ys, style, color=f"C{number}", marker=".", label=f"{network}, T {warmth:g}")
        axes.axvspan(0.85, 1.1, color="0.93")
        axes.set(title=f"{title}, over grey" if "gain" in name else title, xlabel="colourfulness, truth's = 1")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=100)
    return path


def _line(one: Curve, warmth: float, name: str) -> tuple[Sequence[float], Sequence[float]]:
    points = sorted((figures["cf_ratio"], figures[name]) for (t, _), figures in one.items() if t == warmth)
    return [x for x, _ in points], [y for _, y in points]
