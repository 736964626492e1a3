"""Times for outputs that count pictures instead of timing them: no two pictures on one beat."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.source import Frame
    from streams.writing.plan import OutputPlan


class Beat:
    """Moves pictures onto the beat of the output, where it has one, each to one of its own.

    Damage can leave two pictures closer than a beat; an encoder that counts takes the second for the first, and drops
    it or ends.
    """

    def __init__(self, plan: OutputPlan, info: FilmInfo) -> None:
        counts = plan.container.one_rate or plan.codec.one_rate
        self._tick = 1 / info.average_rate if counts and info.average_rate else None
        self._last: int | None = None

    def clock(self, usual: Fraction) -> Fraction:
        """Return the clock of the pictures that `placed` gives; `usual` is the film's."""
        return self._tick or usual

    def placed(self, frame: Frame) -> Frame:
        """Return a picture at its beat."""
        if self._tick is None:
            return frame
        at = round(frame.time / self._tick)
        self._last = at if self._last is None else max(at, self._last + 1)
        return replace(frame, pts=self._last, time_base=self._tick)
