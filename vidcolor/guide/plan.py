"""Which keys a film has, and in which of its shots they stand."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from streams.luma import Plane


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A key that fits its frame.

    Attributes:
        index: of its frame, counted from the first that is restored.
        path: of the coloured picture.
        small: (h, w) luma of the frame, as the network sees it, in code values.
    """

    index: int
    path: Path
    small: Plane


@dataclass(frozen=True, slots=True)
class Guidance:
    """All that a film is coloured by.

    Attributes:
        keys: in order.
        starts: the first frames of all shots up to that of the last key.
        references: coloured pictures that are like some of it.
    """

    keys: tuple[Placed, ...] = ()
    starts: tuple[int, ...] = (0,)
    references: tuple[Path, ...] = ()

    def around(self, index: int) -> tuple[Placed, ...]:
        """The keys of the shot that a frame is of."""
        first, end = self._shot(index)
        return tuple(key for key in self.keys if first <= key.index < end)

    def _shot(self, index: int) -> tuple[int, float]:
        at = bisect_right(self.starts, index)
        return self.starts[at - 1], self.starts[at] if at < len(self.starts) else float("inf")
