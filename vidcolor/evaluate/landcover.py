"""How much land-cover classes gain from restored colour: figures of a classifier's confusion, and of colour's error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcolor.evaluate.lab import Floats

Kinds = NDArray[np.int64]
SHORTEST_WAY = 0.005
"""Between the scores of grey and truth, under which no share of it means anything."""


def macro_f1(confusion: Floats) -> float:
    """Mean over classes that occur of 2 TP / (true count + predicted count); (Q, Q), rows true, columns predicted."""
    true, predicted = confusion.sum(1), confusion.sum(0)
    scores = 2 * np.diag(confusion)[true > 0] / (true + predicted)[true > 0]
    return float(scores.mean())


def recovery(restored: float, grey: float, true: float) -> float:
    """Share of the way from the grey's score to the true colours' that restoring covers."""
    return (restored - grey) / (true - grey)


def confusion(true: Kinds, told: Kinds, count: int) -> Floats:
    """(Q, Q) how many of each kind (rows) were told as each (columns)."""
    table = np.zeros((count, count))
    np.add.at(table, (true, told), 1)
    return table


def rows_of(looks: Mapping[str, Kinds], true: Kinds, count: int) -> dict[str, dict[str, float]]:
    """Macro F1 of each look, and how much of the way from "grey" to "truth" it covers.

    Args:
        looks: what was told of the tiles as they look grey, restored, in true colour; "grey" and "truth" among them.
        true: what they show.
        count: how many kinds there are.
    """
    scores = {name: macro_f1(confusion(true, kinds, count)) for name, kinds in looks.items()}
    way = abs(scores["truth"] - scores["grey"])
    found = {name: {"f1": score} for name, score in scores.items()}
    for name in scores.keys() - {"grey", "truth"} if way > SHORTEST_WAY else ():
        found[name]["recovery"] = recovery(scores[name], scores["grey"], scores["truth"])
    return found


def rmse(restored: Floats, true: Floats) -> Floats:
    """Root of the mean squared error over R, G and B, in 8-bit values: (..., H, W, 3) in 0..1 to (..., H, W)."""
    error: Floats = 255 * np.sqrt(((restored - true) ** 2).mean(-1))
    return error


def draw_rmse(errors: Mapping[str, Floats], path: Path) -> Path | None:
    """Where restored tiles err, as mean maps, and how often how much; None without matplotlib.

    Args:
        errors: by way of restoring, (N, H, W).
        path: of the picture.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(3.2 * (len(errors) + 1), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(errors) + 1)
    most = max(float(one.mean(0).max()) for one in errors.values())
    for axes, (name, one) in zip(panels, errors.items(), strict=False):
        shown = axes.imshow(one.mean(0), vmin=0, vmax=most)
        axes.set(title=f"{name}: mean {one.mean():.1f}", xticks=(), yticks=())
        panels[-1].hist(one.ravel(), bins=60, range=(0, 80), histtype="step", density=True, label=name)
    figure.colorbar(shown, ax=list(panels[:-1]), shrink=0.8)
    panels[-1].set(title="share of pixels", xlabel="RMSE, 8-bit values")
    panels[-1].legend(fontsize=7)
    figure.savefig(path, dpi=90)
    return path
