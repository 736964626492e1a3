"""The stages' costs as bars: one bar for each size and preset, a mark where the plain transcode ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.result import Result
from benchmarks.stages import STAGES

COLOURS = ("#4477aa", "#66ccee", "#ee6677", "#ccbb44", "#bbbbbb")  # Paul Tol's bright scheme: apart for all eyes


def draw(results: Sequence[Result], target: Path, title: str) -> None:
    """Write a PNG; needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 1.2 + 0.5 * len(results)), layout="constrained")
    rows = range(len(results))
    ends = [0.0] * len(results)
    for name, colour in zip(STAGES, COLOURS, strict=True):
        widths = [1000 * (result.stages[name].cpu or 0) if name in result.stages else 0.0 for result in results]
        axes.barh(rows, widths, left=ends, color=colour, label=name)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    plain = [1000 * (result.plain.cpu or 0) for result in results]
    axes.scatter(plain, rows, color="black", marker="|", s=300, label="plain transcode")
    axes.set_yticks(rows, [f"{result.size}, {result.preset}" for result in results])
    axes.invert_yaxis()
    axes.set_xlabel("CPU milliseconds a frame")
    axes.set_title(title, fontsize="small")
    axes.legend(fontsize="small")
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
