"""Which frames of a shot to colour by hand: sharp ones that look like as much of the shot as possible."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.luma import Plane
from streams.scale import Scaler

Floats = NDArray[np.float32]

LOOK = (90, 160)
"""Height and width at which sharpness is judged."""
_SKETCH = (18, 32)
_MOST_COMPARED = 300
_COVERED = 0.6
"""Mean likeness of a shot to its chosen frames from which on they are enough."""
_MOST_UNASKED = 3
_SHARP = 0.15
_EDGE = 3  # frames at both ends of a shot, where it may be blended with the next


@dataclass(frozen=True, slots=True)
class Wish:
    """How many frames of a shot are wanted: so many, one at least in so many seconds, or (None) as it needs."""

    per_shot: int | None = None
    every: float | None = None


@dataclass(slots=True)
class ShotLook:
    """What is kept of each frame of a shot: its number, time in seconds, a sketch of its light, how sharp it is."""

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sketches: list[Floats] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)

    def add(self, number: int, time: float, small: Plane, scaler: Scaler) -> None:
        """Take in the next frame, its luma at `LOOK`."""
        self.numbers.append(number)
        self.times.append(time)
        self.sketches.append(_normal(scaler.small(small, _SKETCH).astype(np.float32)))
        self.sharpness.append(_sharpness(small.astype(np.float32)))

    def chosen(self, wish: Wish) -> list[int]:
        """Numbers of the frames to colour, in order."""
        places = np.arange(len(self.numbers))
        if wish.every is None:
            return self._numbers(self._best(places, wish.per_shot))
        lasts = self.times[-1] - self.times[0]
        parts = max(1, int(np.ceil(lasts / wish.every)), wish.per_shot or 1)
        spans = [span for span in np.array_split(places, parts) if len(span)]
        return self._numbers([place for span in spans for place in self._best(span, 1)])

    def _numbers(self, places: list[int]) -> list[int]:
        return sorted(self.numbers[place] for place in places)

    def _best(self, places: NDArray[np.intp], count: int | None) -> list[int]:
        """Greedily the frames that add most to what is like any of them (facility location)."""
        inner = places[_EDGE:-_EDGE] if len(places) > 4 * _EDGE else places
        some = inner[np.linspace(0, len(inner) - 1, min(len(inner), _MOST_COMPARED)).round().astype(int)]
        sketches = np.stack([self.sketches[place] for place in some])
        like = sketches @ sketches.T
        sharp = np.array([self.sharpness[place] for place in some])
        bonus = _SHARP * (sharp.argsort().argsort() / max(len(some) - 1, 1))
        covered, chosen = np.zeros(len(some)), list[int]()
        for _ in range(min(count or _MOST_UNASKED, len(some))):
            gain = np.maximum(like, covered).mean(1) + bonus
            gain[chosen] = -np.inf
            chosen.append(int(gain.argmax()))
            covered = np.maximum(covered, like[chosen[-1]])
            if count is None and covered.mean() >= _COVERED:
                break
        return [int(some[place]) for place in chosen]


def _normal(grid: Floats) -> Floats:
    """Light without its level and contrast, as a vector of length 1."""
    flat = (grid - grid.mean()).ravel()
    unit: Floats = flat / np.float32(max(float(np.linalg.norm(flat)), 1e-3))
    return unit


def _sharpness(small: Floats) -> float:
    """How much of a picture's contrast is fine: what a blurred or blended frame lacks."""
    fine = 4 * small[1:-1, 1:-1] - small[:-2, 1:-1] - small[2:, 1:-1] - small[1:-1, :-2] - small[1:-1, 2:]
    return float(fine.std() / max(float(small.std()), 1.0))
