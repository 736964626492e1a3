"""Times for outputs that count pictures instead of timing them: no two pictures on one beat."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.source import Frame
    from streams.writing.plan import OutputPlan

# Half a tick of a clock of milliseconds, there and back, is not the film's own unevenness.
_UNHEARD = Fraction(1, 1000)


def first_beat(plan: OutputPlan, info: FilmInfo) -> int:
    """Return the beat of the first picture; 0 where the output does not count."""
    counts = plan.container.one_rate or plan.codec.one_rate
    return round(info.start * info.average_rate) if counts and info.average_rate else 0


def lead(plan: OutputPlan, info: FilmInfo) -> int:
    """Return how many beats the head of the file must say that the pictures begin late; its first place is theirs."""
    return max(0, first_beat(plan, info)) if plan.container.leads else 0


class Beat:
    """Moves pictures onto the beat of the output, where it has one, each to one of its own.

    Damage can leave two pictures closer than a beat; an encoder that counts takes the second for the first, and drops
    it or ends.
    """

    def __init__(self, plan: OutputPlan, info: FilmInfo) -> None:
        counts = plan.container.one_rate or plan.codec.one_rate
        self.tick = 1 / info.average_rate if counts and info.average_rate else None
        self._place = plan.container.name if plan.container.one_rate else plan.codec.name
        self._is_gapless = plan.container.gapless
        self._zero = first_beat(plan, info) if plan.container.leads else 0
        self._last: int | None = None
        self._slip = Fraction(0)
        self._moved = 0
        self._farthest = Fraction(0)

    def clock(self, usual: Fraction) -> Fraction:
        """Return the clock of the pictures that `placed` gives; `usual` is the film's."""
        return self.tick or usual

    def placed(self, frame: Frame) -> Frame:
        """Return a picture at its beat."""
        if self.tick is None:
            return frame
        return replace(frame, pts=self.at(frame.time, self.tick), time_base=self.tick)

    def at(self, time: Fraction, tick: Fraction) -> int:
        """Return the beat of the next picture, which is due at `time` seconds."""
        at = round(time / tick)
        slip = at * tick - time
        if self._last is None:
            # The first picture, and everything else with it, moves by so much: nothing gets out of step.
            self._slip = slip
        else:
            at = self._last + 1 if self._is_gapless else max(at, self._last + 1)
            self._note(abs(at * tick - time - self._slip))
        self._last = at
        return at - self._zero

    def _note(self, slip: Fraction) -> None:
        if slip > _UNHEARD:
            self._moved += 1
            self._farthest = max(self._farthest, slip)

    def sentence(self) -> str | None:
        """Say which times were lost, after the last picture; None where none were."""
        if not self._moved or self.tick is None:
            return None
        pictures = "1 picture moves" if self._moved == 1 else f"{self._moved} pictures move"
        return (
            f"{self._place} counts pictures, {float(1 / self.tick):g} a second, and does not time them: {pictures}"
            f" by up to {float(self._farthest * 1000):.0f} ms"
        )
