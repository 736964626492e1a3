"""Where one shot ends and the next begins, judged from grey pictures alone, one at a time, from what came before.

Two pictures are of one shot when most blocks of one are found again near the same place in the other. Blocks are
compared by normalised correlation, which brightness and contrast do not touch: flicker, fades and flashes are no
cuts. Averaging to a few samples takes grain and scratches away before anything is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.luma import Plane
from streams.scale import Scaler
from streams.source import Frame

_Grid = NDArray[np.float32]

# 36x64 samples in 3x4 blocks, each searched for 3 samples around: 5 % of the width, a fast pan.
_SIZE = (36, 64)
_BLOCK = (12, 16)
_REACH = 3

# Over 4100 pairs of neighbours from 80 clips, 0.1 % were alike by less than 0.54, the least by 0.44; of 1500 pairs
# from different clips 99 % were alike by less than 0.54.
_LIKELY_SAME = 0.9
_DROP = 0.38
_HIGHEST_LIMIT = 0.6
_LOWEST_LIMIT = 0.3
_SPREADS = 5.0
_FORGETTING = 0.2
_USUAL = 0.95

# A picture with less contrast than this, beside white or beside its shot, is a fade's end or a flash: it tells nothing.
_BLANK_OF_WHITE = 0.015
_BLANK_OF_SHOT = 0.12


@dataclass(frozen=True, slots=True)
class CutMemory:
    """All that a CutFinder knows between two pictures: the last ones as small grids, and what is usual in this shot."""

    before: tuple[_Grid, ...] = ()
    white: float = 1.0
    mean: float = _USUAL
    spread: float = 0.0


class CutFinder:
    """Says of each picture whether it begins a new shot. The first picture begins none: nothing was before it."""

    def __init__(self, memory: CutMemory | None = None) -> None:
        """Begin with nothing, or where another stopped."""
        memory = memory or CutMemory()
        self._scaler = Scaler()
        self._before = list(memory.before)
        self._white, self._mean, self._spread = memory.white, memory.mean, memory.spread

    @property
    def memory(self) -> CutMemory:
        """What another would have to know to go on in its place."""
        return CutMemory(tuple(self._before), self._white, self._mean, self._spread)

    def is_cut(self, small: Plane) -> bool:
        """Judge the next picture, (h, w) uint8 or uint16 luma of any size."""
        grid = self._scaler.small(small, _SIZE).astype(np.float32)
        if self._is_blank(grid):
            return False
        if not self._before:
            self._before = [grid]
            return False
        likeness = self._likeness(grid)
        is_cut = likeness < self._limit()
        self._remember(grid, likeness, is_cut)
        return is_cut

    def _is_blank(self, grid: _Grid) -> bool:
        self._white = max(self._white, float(grid.max()))
        contrast = float(grid.std())
        usual = float(self._before[-1].std()) if self._before else 0.0
        return contrast < max(_BLANK_OF_WHITE * self._white, _BLANK_OF_SHOT * usual)

    def _likeness(self, grid: _Grid) -> float:
        """Compare with the picture before, and with the one before that: a single spoilt picture ends no shot twice."""
        likeness = _correlation(grid, self._before[-1])
        if likeness < _LIKELY_SAME:
            likeness = max(_found_again(grid, before) for before in self._before)
        return likeness

    def _limit(self) -> float:
        """In a still shot a small drop is a cut; where everything moves only a deep one is."""
        limit = self._mean - max(_DROP, _SPREADS * self._spread)
        return min(_HIGHEST_LIMIT, max(_LOWEST_LIMIT, limit))

    def _remember(self, grid: _Grid, likeness: float, is_cut: bool) -> None:
        self._before = [self._before[-1], grid]
        if is_cut:
            self._mean, self._spread = _USUAL, 0.0
            return
        self._spread += _FORGETTING * (abs(likeness - self._mean) - self._spread)
        self._mean += _FORGETTING * (likeness - self._mean)


def _correlation(one: _Grid, other: _Grid) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-6))


def _found_again(grid: _Grid, before: _Grid) -> float:
    """Return how well the blocks of `grid` are found in `before`, -1 to 1; blocks count by their contrast."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(before, _REACH, mode="edge"), _BLOCK)
    tried = 2 * _REACH + 1
    best, weight = [], []
    for top in range(0, _SIZE[0], _BLOCK[0]):
        for left in range(0, _SIZE[1], _BLOCK[1]):
            block = grid[top : top + _BLOCK[0], left : left + _BLOCK[1]].ravel()
            places = windows[top : top + tried, left : left + tried].reshape(tried * tried, -1)
            best.append(_best_match(block - block.mean(), places))
            weight.append(float(block.std()))
    return float(np.dot(best, weight) / (sum(weight) + 1e-6))


def _best_match(block: NDArray[Any], places: NDArray[Any]) -> float:
    flat = places - places.mean(axis=1, keepdims=True)
    power = np.einsum("ij,ij->i", flat, flat) * float(block @ block)
    return float(((flat @ block) / np.sqrt(power + 1e-6)).max())


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive frames of one shot, with their small luma (T, h, w) as it was scaled, dtype that of luma.

    `opens` is set where the first frame begins a segment: what was known of cuts before it.
    """

    frames: tuple[Frame, ...]
    small: Plane
    shot: int
    begins_shot: bool
    opens: CutMemory | None = None


@dataclass(slots=True)
class Pace:
    """Where segments begin: at the first cut after `least` frames, and after `most` frames without one.

    It counts from the beginning of a segment, so that whoever goes on there sets the same borders.
    """

    least: int
    most: int
    _count: int = 0

    def opens(self, is_cut: bool) -> bool:
        """Judge the next frame."""
        is_due = self._count >= (self.least if is_cut else self.most)
        self._count = 1 if is_due else self._count + 1
        return is_due


class Gatherer:
    """Gathers frames into batches. `pace` sets segments; `memory` is where another stopped, at the end of a segment."""

    def __init__(
        self, size: tuple[int, int], limit: int, pace: Pace | None = None, memory: CutMemory | None = None
    ) -> None:
        """Frames come with their luma at `size` = (h, w), at most `limit` at once."""
        self._size = size
        self._limit = limit
        self._pace = pace
        self._finder = CutFinder(memory)
        self._scaler = Scaler()
        self._waiting: list[tuple[Frame, Plane]] = []
        self._shot = 0
        self._begins = memory is None
        self._opens: CutMemory | None = None

    @property
    def memory(self) -> CutMemory:
        """What another would have to know to go on after the frames so far."""
        return self._finder.memory

    def batches(self, frames: Iterable[Frame]) -> Iterator[Batch]:
        """Gather all frames.

        Over a queue (anything with `ready`) no frame ever waits for the next: what is there is given out.
        """
        is_ready = getattr(frames, "ready", lambda: True)
        for frame in frames:
            small = self._scaler.small(frame.luma, self._size)
            before = self._finder.memory
            is_cut = self._finder.is_cut(small)
            is_opening = self._pace is not None and self._pace.opens(is_cut)
            if is_cut or is_opening:
                yield from self._given()
            if is_cut:
                self._shot, self._begins = self._shot + 1, True
            self._opens = before if is_opening else self._opens
            self._waiting.append((frame, small))
            if len(self._waiting) >= self._limit or not is_ready():
                yield from self._given()
        yield from self._given()

    def _given(self) -> Iterator[Batch]:
        if not self._waiting:
            return
        frames, small = zip(*self._waiting, strict=True)
        batch = Batch(frames, np.stack(small), self._shot, self._begins, self._opens)
        self._waiting, self._begins, self._opens = [], False, None
        yield batch


def batches(frames: Iterable[Frame], size: tuple[int, int], limit: int) -> Iterator[Batch]:
    """Gather up to `limit` frames of one shot with their luma at `size` = (h, w); see `Gatherer`."""
    return Gatherer(size, limit).batches(frames)
