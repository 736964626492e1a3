"""Which keys a film has, and in which of its shots they stand."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.luma import Plane
from vidcolor.guide.hints import Hint


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A key that fits its frame.

    Attributes:
        index: of its frame, counted from the first that is restored.
        small: (h, w) luma of the frame, as the network sees it, in code values.
        path: of the coloured picture, if there is one.
        hints: painted on the frame, over the picture.
        wide: how much wider than high a pixel of the film is shown.
        made: colours that lie under both, by another network, as `packed` gives them.
    """

    index: int
    small: Plane
    path: Path | None = None
    hints: tuple[Hint, ...] = ()
    wide: float = 1.0
    made: bytes = b""


def packed(ab: NDArray[np.float32]) -> bytes:
    """Colours (2, h, w) in little room, to a Lab unit: a long film has thousands of such keys."""
    return zlib.compress(np.rint(np.clip(ab, -127, 127)).astype(np.int8).tobytes(), 1)


def unpacked(made: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    """What `packed` was given, at its (height, width)."""
    return np.frombuffer(zlib.decompress(made), np.int8).reshape(2, *size).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Guidance:
    """All that a film is coloured by.

    Attributes:
        keys: in order.
        starts: the first frames of all shots up to that of the last key.
        references: coloured pictures that are like some of it.
        seconds: that another network took to colour keys.
    """

    keys: tuple[Placed, ...] = ()
    starts: tuple[int, ...] = (0,)
    references: tuple[Path, ...] = ()
    seconds: float = 0.0

    def around(self, index: int) -> tuple[Placed, ...]:
        """The keys of the shot that a frame is of."""
        first, end = self._shot(index)
        return tuple(key for key in self.keys if first <= key.index < end)

    def _shot(self, index: int) -> tuple[int, float]:
        at = bisect_right(self.starts, index)
        return self.starts[at - 1], self.starts[at] if at < len(self.starts) else float("inf")
