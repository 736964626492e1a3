"""What was measured of one size at one preset, and the table that shows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.spent import Spent
from benchmarks.stages import PASSTHROUGH, STAGES

OURS = ("small luma", "chroma", "encode")
"""Stages whose work in our own process is done on whole pictures, or would not be there without colouring."""


@dataclass(frozen=True, slots=True)
class Result:
    """One size at one preset.

    Attributes:
        size, preset: which.
        frames: of the long film.
        stages: cost of a frame by stage, and of decoding and encoding without colours.
        whole, plain: cost of a frame, starting up taken off.
        start: what restoring spends before its first frame.
        first: seconds until the first picture is out, to a pipe.
        scratch: most bytes beside input and output at any moment.
        load: average load of the machine before and after.
    """

    size: str
    preset: str
    frames: int
    stages: dict[str, Spent]
    whole: Spent
    plain: Spent
    start: Spent
    first: float
    scratch: int
    load: tuple[float, float]

    @property
    def ratio(self) -> float | None:
        """CPU time of the whole against the plain transcode."""
        return self.whole.cpu / self.plain.cpu if self.whole.cpu and self.plain.cpu else None

    @property
    def overlap(self) -> float | None:
        """Wall time against the CPU time of all stages shared among all cores: 1 where no core ever waits."""
        costs = [self.stages[name].cpu for name in STAGES if name in self.stages]
        total = sum(cost for cost in costs if cost is not None)
        return self.whole.wall * (os.cpu_count() or 1) / total if total else None

    @property
    def share(self) -> float | None:
        """The part of the machine that a restoration uses."""
        return self.whole.cpu / self.whole.wall / (os.cpu_count() or 1) if self.whole.cpu and self.whole.wall else None

    @property
    def ours(self) -> float | None:
        """Seconds a frame of our own process beside decoder and network."""
        costs = [self.stages[name].own for name in OURS if name in self.stages]
        return sum(cost for cost in costs if cost is not None) if costs else None


def table(results: Sequence[Result]) -> str:
    """Milliseconds of CPU time a frame (frames a second in brackets), one column a size and preset."""
    head = ["core-ms a frame (frames/s)", *(f"{result.size}, {result.preset}" for result in results)]
    names = [name for name in (*STAGES, PASSTHROUGH) if any(name in result.stages for result in results)]
    rows = [[name, *(_cost(result.stages.get(name)) for result in results)] for name in names]
    for label, told in _ROWS:
        rows.append([label, *(told(result) for result in results)])
    lines = [head, ["---", *["---:"] * len(results)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cost(spent: Spent | None) -> str:
    if spent is None:
        return ""
    told = "?" if spent.cpu is None else f"{1000 * spent.cpu:.1f}"
    return f"{told} ({1 / spent.wall:.0f})" if spent.wall > 0 else told


def _number(value: float | None, form: str = ".2f", unit: float = 1) -> str:
    return "?" if value is None else format(value / unit, form)


_ROWS: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("**whole**", lambda r: _cost(r.whole)),
    ("plain transcode", lambda r: _cost(r.plain)),
    ("**whole / plain**", lambda r: f"**{_number(r.ratio)}**" if r.ratio else "?"),
    ("our own beside decoder and network", lambda r: _number(r.ours, ".1f", 1e-3)),
    ("wall / (sum of stages / cores)", lambda r: _number(r.overlap)),
    ("share of the machine, %", lambda r: _number(r.share, ".0f", 0.01)),
    ("starting up, core-s once", lambda r: _number(r.start.cpu, ".1f")),
    ("first picture out, s", lambda r: _number(r.first, ".1f")),
    ("largest process, MB", lambda r: _number(r.whole.peak, ".0f", 1e6)),
    ("scratch on disk, MB", lambda r: _number(r.scratch, ".1f", 1e6)),
)
