"""Goes over a film before work begins: where its keys stand, in which shots, and whether they show what is there."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from streams.errors import InputError, printable
from streams.scale import Scaler
from streams.shots import CutFinder
from streams.source import Frame, VideoSource
from vidcolor.guide.keys import KeyFile, check_shape, read_colours
from vidcolor.guide.likeness import LIKE, grid_of, likeness
from vidcolor.guide.plan import Guidance, Placed

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


class Scout:
    """Finds the frames of keys."""

    def __init__(self, size: tuple[int, int], warn: Callable[[str], None], beat: Callable[[], None]) -> None:
        """Frames are looked at as the network sees them, at `size`; `beat` is called again and again."""
        self._size, self._warn, self._beat = size, warn, beat
        self._scaler, self._sketcher = Scaler(), Scaler()

    def find(self, film: VideoSource, files: list[KeyFile], part: tuple[Fraction | None, Fraction | None]) -> Guidance:
        """Read a film up to its last key.

        Args:
            film: all of it, its times counted from its beginning.
            files: keys, in order.
            part: seconds between which it is restored.

        Raises:
            InputError: a key names no frame of the film, cannot be read, or has not its shape; or no key has colour.
        """
        wanted = {file.number: file for file in files}
        placed, starts, finder, index = list[Placed](), [0], CutFinder(), 0
        for number, frame in enumerate(film):
            self._beat()
            file = wanted.pop(number, None)
            if _is_within(frame.time, part):
                small = self._scaler.small(frame.luma, self._size)
                if finder.is_cut(small):
                    starts.append(index)
                if file is not None and self._fits(file, frame, film):
                    placed.append(Placed(index, file.path, small.copy()))
                index += 1
            if not wanted:
                break
        if wanted:
            self._refuse(wanted, number + 1)
        return Guidance(tuple(placed), tuple(starts))

    def _refuse(self, wanted: dict[int, KeyFile], count: int) -> None:
        name = printable(next(iter(wanted.values())).path)
        more = f", and so are {len(wanted) - 1} more" if len(wanted) > 1 else ""
        raise InputError(f"{name} is for no frame of the film, which has {count}, numbered from 0{more}")

    def _fits(self, file: KeyFile, frame: Frame, film: VideoSource) -> bool:
        """Whether a key is of use: it has colours, and shows what its frame shows."""
        colours = read_colours(file.path)
        check_shape(colours, film.info.format, float(film.info.sample_aspect_ratio or 1), file.path)
        if not colours.visible:
            return False
        grey = (colours.rgb @ _LUMA * 255 + 0.5).astype(np.uint8)
        there, here = (grid_of(luma, self._sketcher) for luma in (grey, frame.luma))
        shown = grid_of((colours.alpha * 255).astype(np.uint8), self._sketcher) / np.float32(255)
        if likeness(there, here, shown) >= LIKE:
            return True
        self._warn(f"{printable(file.path)} does not show what frame {file.number} of the film shows: it is left out")
        return False


def _is_within(time: Fraction, part: tuple[Fraction | None, Fraction | None]) -> bool:
    start, stop = part
    return (start is None or time >= start) and (stop is None or time < stop)
