"""A film coloured by keys: each is given to the network's memory in time, and carried back to the frames before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from streams.shots import Batch
from vidcolor.color import lightness_from_luma
from vidcolor.colorizer import network_size
from vidcolor.guide import carry, memory
from vidcolor.guide.brush import laid
from vidcolor.guide.keys import read_colours
from vidcolor.guide.lead import guided, led
from vidcolor.guide.palette import coloured_at, luma_at
from vidcolor.guide.plan import Guidance, Placed, unpacked
from vidcolor.memory import State
from vidcolor.painter import Painter

REACH = 64
"""Frames before a key that its colours are carried back over; they wait for it."""
WAITING = 1 << 28
"""Bytes of pictures that may wait, whatever their number."""
FEWEST = 8
LIKE = 4.0
"""Mean likeness from which on a still is of use to a shot."""
BESIDE = 2
"""Keys behind, keys ahead and references that a picture is compared with."""


def reach_of(picture: int) -> int:
    """How many frames of so many bytes may wait for a key."""
    return max(FEWEST, min(REACH, WAITING // max(picture, 1)))


class GuidedPainter(Painter):
    """Colours a film whose shots have keys; where there are none it does what a Painter does."""

    def led_by(self, guidance: Guidance, reach: int) -> GuidedPainter:
        """Tell it the keys, and how many frames may wait for one, before it paints; returns itself."""
        self._guidance, self._reach = guidance, reach
        self._back: dict[int, memory.Back] = {}
        self._begun = 0
        self._coloured: dict[int, tuple[Tensor, Tensor]] = {}
        self._stills = [self._still(path) for path in guidance.references]
        return self

    def _units(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Single frames where there are keys, each when what comes back to it from the next key is known."""
        waiting: list[Batch] = []
        for batch in batches:
            for piece in _pieces(batch) if self._is_guided(batch) else (batch,):
                if piece.begins_shot:
                    yield from waiting
                    waiting, self._begun = [], piece.frames[0].index
                waiting.append(piece)
                key = self._next(piece.frames[0].index)
                if key is not None and 0 < key.index - piece.frames[0].index <= self._reach:
                    continue
                if key is not None and key.index == piece.frames[0].index and len(waiting) > 1:
                    self._carry_back(key, waiting)
                yield from waiting
                waiting = []
        yield from waiting

    def _is_guided(self, batch: Batch) -> bool:
        index = batch.frames[-1].index
        begun = batch.frames[0].index if batch.begins_shot else self._begun
        return bool(self._stills) or any(key.index >= begun for key in self._guidance.around(index))

    def _next(self, index: int) -> Placed | None:
        return next((key for key in self._guidance.around(index) if key.index >= index), None)

    def _carry_back(self, placed: Placed, waiting: list[Batch]) -> None:
        """Carry a key to the frames that waited for it; the last of them is its own."""
        lights = [self._light(batch) for batch in waiting]
        key = memory.made(lights[-1], self._colours(placed), None, placed.index)
        for batch, back in zip(waiting, carry.carried_back(key, lights), strict=False):
            self._back[batch.frames[0].index] = back

    def _run(self, light: Tensor, state: State) -> tuple[Tensor, State]:
        """Led by keys where there are any, whether the network knows of such things or not."""
        if memory.is_guided(state):
            return led(self._model.colorizer, light, state, *self._told)
        return super()._run(light, state)

    def _light(self, batch: Batch) -> Tensor:
        """(1, 1, h, w), as exactly as the network is given it."""
        kind = next(self._model.colorizer.parameters())
        return self._maker.small_to_light(batch.small).to(kind.dtype).float()

    def _colours(self, placed: Placed) -> tuple[Tensor, Tensor]:
        """A key's colours; the last few are kept, since a key is carried back first, and remembered then."""
        if placed.index not in self._coloured:
            self._coloured[placed.index] = self._read(placed)
            if len(self._coloured) > memory.MOST:
                del self._coloured[next(iter(self._coloured))]
        return self._coloured[placed.index]

    def _read(self, placed: Placed) -> tuple[Tensor, Tensor]:
        size = (placed.small.shape[0], placed.small.shape[1])
        ground = _ground(placed, size)
        if not placed.hints and ground is not None:
            return ground
        return laid(self._maker.small_to_light(placed.small[None]), placed.hints, ground, placed.wide)

    def _prepared(self, batch: Batch, state: State) -> State:
        index = batch.frames[0].index
        if batch.begins_shot:
            state = self._with_references(batch, state)
        ahead = [key for key in self._guidance.around(index) if key.index >= max(index, self._begun)][:BESIDE]
        if not ahead and not memory.is_guided(state):
            return state
        known = memory.read(state)
        there = {key.number for key in known.keys}
        state = memory.written(state, replace(known, keys=_pruned(known.keys, index), ahead=None))
        for placed in ahead:
            if placed.index not in there:
                light = self._maker.small_to_light(placed.small[None])
                state = guided(self._model.colorizer, state, light, self._colours(placed), placed.index)
        known = memory.read(state)
        return memory.written(state, replace(known, ahead=self._back.pop(index, None)))

    def _with_references(self, batch: Batch, state: State) -> State:
        """Those stills that are most like a shot's first frame, if they are."""
        if not self._stills:
            return state
        light = self._light(batch)
        eighth = self._seen(light)
        likest = sorted(self._stills, key=lambda still: -_likeness(still, light, eighth))[:BESIDE]
        for still in likest:
            if _likeness(still, light, eighth) >= LIKE:
                state = memory.taken_in(state, still)
        return state

    def _still(self, path: Path) -> memory.Key:
        """A coloured still as a key that is no frame."""
        colours, spec = read_colours(path), self._model.colorizer.spec
        size = network_size((colours.mask.shape[0], colours.mask.shape[1]), spec.side, spec.stride)
        light = lightness_from_luma(luma_at(colours, size)) / 100
        return memory.made(light, coloured_at(colours, size), self._seen(light), memory.REFERENCE)

    def _seen(self, light: Tensor) -> Tensor | None:
        network = self._model.colorizer
        kind = next(network.parameters())
        with torch.inference_mode():
            return network.perceive(light.to(kind.device, kind.dtype), network.start())[2]


def _ground(placed: Placed, size: tuple[int, int]) -> tuple[Tensor, Tensor] | None:
    """A key's colours without its hints: of its picture, over those that were made for it."""
    ab, mask = (None, None) if placed.path is None else coloured_at(read_colours(placed.path), size)
    if not placed.made:
        return None if ab is None or mask is None else (ab, mask)
    made = torch.from_numpy(unpacked(placed.made, size))[None]
    whole = torch.ones(1, 1, *size)
    return (made, whole) if ab is None or mask is None else (made + mask * (ab - made), whole)


def _likeness(still: memory.Key, light: Tensor, eighth: Tensor | None) -> float:
    """How well parts of a picture are found again in a still, on average: at most `attend.SHARPNESS`."""
    found = carry.found_again((still,), light, eighth)
    return -1e9 if found is None else float(found.likeness.mean())


def _pieces(batch: Batch) -> Iterator[Batch]:
    """A batch frame by frame; the first begins what the batch begins."""
    for at, frame in enumerate(batch.frames):
        is_first = at == 0
        yield Batch(
            (frame,),
            batch.small[at : at + 1],
            batch.shot,
            batch.begins_shot and is_first,
            batch.opens if is_first else None,
        )


def _pruned(keys: tuple[memory.Key, ...], index: int) -> tuple[memory.Key, ...]:
    """Without the keys that lie further behind than the last few."""
    behind = [key for key in keys if key.in_place and key.number < index]
    return tuple(key for key in keys if key not in behind[:-BESIDE])
