"""A run as a picture: what the network was blamed for, and what it scored, over the minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = list[dict[str, float]]
_PANELS = (
    ("AuC over grey's", ("gain_half", "gain_zero", "gain_raw")),
    ("ab error", ("ab_error", "grey_error")),
    ("colourfulness, truth = 1", ("cf_ratio",)),
    ("E_rel on clips", ("e_rel", "true_e_rel")),
    ("jitter and flicker on clips", ("jitter", "true_jitter", "flicker", "true_flicker")),
)


def draw_run(folder: Path) -> Path | None:
    """Draw ``curves.png`` from a run's log and table; None where matplotlib is not installed or nothing is there."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    log, table = _rows(folder / "log.jsonl"), _rows(folder / "table.jsonl")
    if not log and not table:
        return None
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3).ravel()
    _blames(axes[0], log)
    for panel, (title, names) in zip(axes[1:], _PANELS, strict=True):
        _lines(panel, table, names, title)
    part = folder / "curves.part.png"
    figure.savefig(part, dpi=100)
    return part.replace(folder / "curves.png")


def _rows(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _blames(axes: Axes, log: Rows) -> None:
    told = {name for row in log for name in row} - {"minutes", "steps", "crops"}
    _lines(axes, log, tuple(sorted(told)), "blamed for")
    if told:
        axes.set_yscale("log")


def _lines(axes: Axes, rows: Rows, names: tuple[str, ...], title: str) -> None:
    """One line a figure, where the rows have it."""
    for name in names:
        points: list[Any] = [(row["minutes"], row[name]) for row in rows if name in row]
        if points:
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1.2)
    axes.set_title(title)
    axes.set_xlabel("minutes")
    if axes.lines:
        axes.legend(fontsize=7, loc="upper right")
