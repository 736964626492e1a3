"""Time stamps made fit for an encoder: each later than the one before, as close to the film as that allows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

_JUMP = Fraction(1)
# Seconds. Longer ones are damage: no shot lasts so long, and MP4 cannot hold a picture that does.
_LONGEST_GAP = Fraction(6 * 3600)


@dataclass(slots=True)
class Clock:
    """Turns the stamps of decoded pictures, in display order, into stamps that rise.

    A stamp that is missing goes on from the last by a picture's length. One that repeats or falls back a little is
    set one tick after the last. One that falls back by a second or more begins a new count: from there on all are
    moved, so that lengths stay; so does one that leaps by hours. Other gaps forward are the film's own and stay.
    """

    time_base: Fraction
    step: int
    last: int | None = None
    offset: int = 0
    stamped: int = 0
    missing: int = 0
    falling: int = 0

    def stamp(self, pts: int | None, length: int) -> int:
        """Return the time of the next picture in ticks; `length` is its own, 0 where unknown."""
        step = length or self.step
        stamp = self._raised(pts, step)
        self.step = step
        self.last = stamp
        return stamp

    def _raised(self, pts: int | None, step: int) -> int:
        if pts is None:
            self.missing += 1
            return 0 if self.last is None else self.last + step
        self.stamped += 1
        moved = pts + self.offset
        if self.last is None or 0 < (moved - self.last) * self.time_base <= _LONGEST_GAP:
            return moved
        self.falling += 1
        if 0 <= (self.last - moved) * self.time_base < _JUMP:
            return self.last + 1
        self.offset += self.last + step - moved
        return self.last + step

    def sentence(self, name: str) -> str | None:
        """Say what was mended in one sentence; None where nothing was, or where the film has no time stamps at all."""
        mended = self.falling + (self.missing if self.stamped else 0)
        if not mended:
            return None
        return f"{name} has {mended} time stamps that are missing, repeat, fall back or leap by hours: they were mended"


def usual_step(time_base: Fraction, rate: Fraction | None) -> int:
    """Return a picture's usual length in ticks, 1 at least."""
    return max(1, round(1 / (rate * time_base))) if rate and time_base else 1
