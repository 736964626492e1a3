"""Goes over a film before work begins: where its keys and hints stand, in which shots, and whether they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError, printable
from streams.scale import Scaler
from streams.shots import CutFinder
from streams.source import Frame, VideoSource
from vidcolor.guide.hints import BLINK, Hint, Hints
from vidcolor.guide.keys import KeyFile, check_shape, read_colours
from vidcolor.guide.likeness import LIKE, grid_of, likeness
from vidcolor.guide.plan import Guidance, Placed, packed

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_SLACK = 2 * Fraction(BLINK)  # by which a time may lie behind the last frame
MOST_COLOURS = 200
"""Colours that hints may have on one frame: each is spread by itself."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be found in a film.

    Attributes:
        keys: in order.
        hints: all of them.
        name: of the file that they stand in.
        asked: numbers of the frames that another network is asked for the colours of.
    """

    keys: list[KeyFile] = field(default_factory=list)
    hints: Hints = field(default_factory=Hints)
    name: str = ""
    asked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Showing:
    """A frame, its number, and when it begins and ends, in seconds since the first."""

    frame: Frame
    number: int
    begins: Fraction
    ends: Fraction


class _Pending:
    """What is still to be found."""

    def __init__(self, wanted: Wanted) -> None:
        self.keys = {file.number: file for file in wanted.keys}
        self._hints = wanted.hints.hints
        self._by_frame: dict[int, list[int]] = {}
        for order, hint in enumerate(self._hints):
            if hint.frame is not None:
                self._by_frame.setdefault(hint.frame, []).append(order)
        timed = [(hint.time, order) for order, hint in enumerate(self._hints) if hint.time is not None]
        self._by_time = sorted(timed, reverse=True)  # the earliest is the last
        self._asked = set(wanted.asked)

    def __bool__(self) -> bool:
        return bool(self.keys or self._by_frame or self._by_time or self._asked)

    def asks(self, shown: _Showing) -> bool:
        """Whether another network is asked for the colours of a frame; it is not asked again."""
        is_asked = shown.number in self._asked
        self._asked.discard(shown.number)
        return is_asked

    def taken(self, shown: _Showing) -> tuple[KeyFile | None, tuple[Hint, ...]]:
        """What is for a frame, hints in the order of the file; it is looked for no longer."""
        mine = self._by_frame.pop(shown.number, [])
        while self._by_time and self._by_time[-1][0] < shown.ends - Fraction(BLINK):
            mine.append(self._by_time.pop()[1])
        return self.keys.pop(shown.number, None), tuple(self._hints[order] for order in sorted(mine))

    def left(self) -> tuple[int, Hint] | None:
        """A hint that is not found yet, and its place in the file, from 1."""
        left = [order for _, order in self._by_time] + [order for some in self._by_frame.values() for order in some]
        return (min(left) + 1, self._hints[min(left)]) if left else None


class Scout:
    """Finds the frames of keys and hints."""

    def __init__(
        self,
        size: tuple[int, int],
        warn: Callable[[str], None],
        beat: Callable[[], None],
        ask: Callable[[Frame], NDArray[np.float32]] | None = None,
    ) -> None:
        """Frames are looked at as the network sees them, at `size`; `beat` is called again and again.

        `ask` gives the colours that another network sees in a frame, (2, h, w) of that size.
        """
        self._size, self._warn, self._beat, self._ask = size, warn, beat, ask
        self._scaler, self._sketcher = Scaler(), Scaler()

    def find(self, film: VideoSource, wanted: Wanted, part: tuple[Fraction | None, Fraction | None]) -> Guidance:
        """Read a film up to the last that is wanted.

        Args:
            film: all of it, its times counted from its beginning.
            wanted: keys and hints.
            part: seconds between which it is restored.

        Raises:
            InputError: a key or a hint is for no frame of the film, or a key cannot be read, or has not its shape.
        """
        pending, placed, starts, finder, index = _Pending(wanted), list[Placed](), [0], CutFinder(), 0
        for shown in _shown(film):
            self._beat()
            (file, hints), is_asked = pending.taken(shown), pending.asks(shown)
            if _is_within(shown.frame.time, part):
                small = self._scaler.small(shown.frame.luma, self._size)
                if finder.is_cut(small):
                    starts.append(index)
                path = file.path if file is not None and self._fits(file, shown.frame, film) else None
                made = packed(self._ask(shown.frame)) if self._ask and is_asked else b""
                if path or hints or made:
                    wide = float(film.info.sample_aspect_ratio or 1)
                    some = _few(hints, wanted.name, shown.number)
                    placed.append(Placed(index, small.copy(), path, some, wide, made))
                index += 1
            if not pending:
                break
        _refuse(pending, wanted.name, shown)
        return Guidance(tuple(placed), tuple(starts))

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


def _shown(film: Iterable[Frame]) -> Iterator[_Showing]:
    """Frames with their spans: each ends where the next begins, the last after its own length, or the others'."""
    last: _Showing | None = None
    for number, frame in enumerate(film):
        begins = Fraction(0) if last is None else last.begins + frame.time - last.frame.time
        if last is not None:
            yield _Showing(last.frame, last.number, last.begins, begins)
        usual = (frame.duration or 0) * frame.time_base or (begins - last.begins if last else Fraction(1, 24))
        last = _Showing(frame, number, begins, begins + usual + _SLACK)
    if last is not None:
        yield last


def _few(hints: tuple[Hint, ...], name: str, number: int) -> tuple[Hint, ...]:
    colours = {hint.colour.lower() for hint in hints}
    if len(colours) > MOST_COLOURS:
        raise InputError(
            f"{printable(name)}: frame {number} has hints of {len(colours)} colours: {MOST_COLOURS} at most"
        )
    return hints


def _refuse(pending: _Pending, name: str, last: _Showing) -> None:
    """Raise InputError if there is anything for which the film, read to its end, had no frame."""
    count, files = last.number + 1, list(pending.keys.values())
    if files:
        more = f", and so are {len(files) - 1} more" if len(files) > 1 else ""
        first = printable(files[0].path)
        raise InputError(f"{first} is for no frame of the film, which has {count}, numbered from 0{more}")
    if left := pending.left():
        number, hint = left
        place = f"on frame {hint.frame}" if hint.time is None else f"at {hint.time:g} s"
        lasts = f"has {count} frames, numbered from 0, and lasts {float(last.ends - _SLACK):.3f} s"
        raise InputError(f"{printable(name)}: hint {number} is {place}, but the film {lasts}")


def _is_within(time: Fraction, part: tuple[Fraction | None, Fraction | None]) -> bool:
    start, stop = part
    return (start is None or time >= start) and (stop is None or time < stop)
