"""Colours held still: what a network sees is averaged along the film's motion; what shows nothing new, it passes over.

A network's opinion of a coat trembles a little from frame to frame, and its memory, which lies at fixed places, calms
what stands still more than what moves. So the colours shown last are moved on along optical flow, and the new ones are
averaged with them wherever light says that it is the same thing: over a few looks at most, so that what the network
learns of a thing later is soon shown. Where nothing fits, as behind something that moves away, and at a shot's first
frame, its colours are taken as they are.

Light alone says how much of a frame is the same as before. Where nearly all of it is, the network need not look: the
frame is shown in the colours that came along with it. It looks again at the fourth frame at the latest.

Sources: Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018 (what is to be held still, and along what);
Yang, Liu, Salvi, "A Survey of Temporal Antialiasing Techniques", EG 2020 (the running mean along motion, and when its
history is dropped); Zhu et al., "Deep Feature Flow for Video Recognition", CVPR 2017 (a network for some frames,
flow for the others).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcolor.guide import motion
from vidcolor.memory import State

Planes = NDArray[np.float32]
Look = Callable[[Tensor, State], tuple[Tensor, State]]
"""A network on frames (T, 1, H, W) and its memory: ab (T, 2, h, w) and the memory behind them."""

PREFIX = "steady."
LONGEST = 9.0
"""Looks behind that a mean reaches over, at most."""
SAME, OTHER = 8.0, 24.0
"""Grey levels between a thing and where it was: under the one it surely is the same, over the other it is not."""
_DARK = 8.0  # grey levels: how fast the lamp flickered cannot be told from black
_KNOWN = 0.5  # looks that a colour must be worth


class Pace(NamedTuple):
    """How often the network looks.

    Attributes:
        gap: at every so many frames at least; 1 = at all.
        new: share of a frame that may be new before it has to.
    """

    gap: int = 4
    new: float = 0.02


PACE = Pace()
EACH = Pace(1)
"""At every frame."""


class Past(NamedTuple):
    """What was shown last.

    Attributes:
        ab: (h, w, 2).
        weight: (h, w) how many looks each colour is the mean of.
        light: (h, w) grey levels.
        since: frames since the network looked.
    """

    ab: Planes
    weight: Planes
    light: Planes
    since: int


@dataclass(frozen=True, slots=True)
class Step:
    """How a frame gets its colours.

    Attributes:
        where: (h, w, 2) map into the frame before; None where there is none.
        share: (h, w) of the colours that come from there.
        weight, light: as in Past, behind this frame.
        since: frames since the network looked; 0: it looks at this one.
    """

    where: Planes | None
    share: Planes
    weight: Planes
    light: Planes
    since: int


def coloured(
    look: Look, light: Tensor, state: State, size: tuple[int, int], pace: Pace = PACE, way: Planes | None = None
) -> tuple[Tensor, State]:
    """Colour consecutive frames of a shot: look where there is something new, and hold all colours still.

    Args:
        look: the network.
        light: (T, 1, H, W) in 0..1.
        state: the memory before.
        size: (h, w) of its colours.
        pace: how often it looks.
        way: (H, W, 2) map of the only frame into the one before it, for who knows it already.

    Returns:
        ab (T, 2, h, w), and the memory behind them, with what was shown last in it.
    """
    past = _past(state)
    greys = light.float().cpu()[:, 0].numpy() * np.float32(255)
    known = None if way is None else motion.shrunk_map(way, size)
    steps = list(_steps(past, [motion.resized(grey, size) for grey in greys], pace, known))
    looked = [index for index, step in enumerate(steps) if step.since == 0]
    own = State({name: tensor for name, tensor in state.tensors.items() if not name.startswith(PREFIX)})
    fresh, after = look(light[looked] if len(looked) < len(steps) else light, own) if looked else (None, own)
    seen = iter(() if fresh is None else fresh.float().cpu().permute(0, 2, 3, 1).contiguous())
    shown = []
    for step in steps:
        past = _shown(past, step, next(seen) if step.since == 0 else None)
        shown.append(torch.from_numpy(past.ab).permute(2, 0, 1))
    assert past is not None
    return torch.stack(shown).to(light.device), State({**after.tensors, **_written(past)})


def looks_before(state: State) -> Planes | None:
    """(h, w) looks that the colours of the last frame are the mean of, but for the one at it; None before any."""
    name = PREFIX + "weight"
    return state.tensors[name][0].cpu().numpy() - np.float32(1) if name in state.tensors else None


def _past(state: State) -> Past | None:
    if PREFIX + "ab" not in state.tensors:
        return None
    ab, weight, light, since = (state.tensors[PREFIX + name] for name in Past._fields)
    return Past(ab.cpu()[0].numpy(), weight.cpu()[0].numpy(), light.cpu()[0].numpy(), int(since))


def _written(past: Past) -> dict[str, Tensor]:
    return {PREFIX + name: torch.as_tensor(value)[None] for name, value in past._asdict().items()}


def _steps(past: Past | None, greys: list[Planes], pace: Pace, way: Planes | None) -> Iterator[Step]:
    """What light tells of every frame, before any of them has colours."""
    for grey in greys:
        if past is None:
            one = np.ones_like(grey)
            step = Step(None, 0 * one, one, grey, 0)
        else:
            step = _step(past, grey, pace, way)
        yield step
        past = Past(np.empty(0, np.float32), step.weight, step.light, step.since)


def _step(past: Past, grey: Planes, pace: Pace, way: Planes | None) -> Step:
    # the lamp flickers: what is the same thing has another light then
    before = past.light * np.float32((grey.mean() + _DARK) / (past.light.mean() + _DARK))
    where = motion.traced(motion.levels(grey), motion.levels(before)) if way is None else way
    fits = np.clip((OTHER - motion.misfit(where, before, grey)) / np.float32(OTHER - SAME), 0, 1)
    weight = motion.fetched(past.weight, where) * fits
    if past.since + 1 < pace.gap and np.count_nonzero(weight < _KNOWN) <= pace.new * weight.size:
        return Step(where, np.ones_like(weight), weight, grey, past.since + 1)
    return Step(where, weight / (weight + 1), np.minimum(weight + 1, np.float32(LONGEST)), grey, 0)


def _shown(past: Past | None, step: Step, fresh: Tensor | None) -> Past:
    """A frame as it is shown: what came along, and (h, w, 2) what the network sees now, if it looked."""
    if past is None or step.where is None:
        assert fresh is not None
        ab = fresh.numpy()
    else:
        ab = motion.fetched(past.ab, step.where)
        if fresh is not None:
            # in torch: colours that are not finite are the network's fault, and are told where it is asked
            ab = torch.lerp(fresh, torch.from_numpy(ab), torch.from_numpy(step.share)[..., None]).numpy()
    return Past(ab, step.weight, step.light, step.since)
