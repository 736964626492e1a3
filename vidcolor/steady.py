"""Colours held still: what a network sees anew in every frame is averaged along the motion of the film.

A network's opinion of a coat trembles a little from frame to frame, and its memory, which lies at fixed places, calms
what stands still more than what moves. So the colours shown last are moved on along optical flow, and the new ones are
averaged with them wherever light says that it is the same thing: over ten frames at most, so that what the network
learns of a thing later is shown within half a second. Where nothing fits, as behind something that moves away, and at a
shot's first frame, its colours are taken as they are.

Sources: Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018 (what is to be held still, and along what);
Yang, Liu, Salvi, "A Survey of Temporal Antialiasing Techniques", EG 2020 (the running mean along motion, and when its
history is dropped).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcolor.guide import motion
from vidcolor.memory import State

COLOURS, LIGHT = "steady.colours", "steady.light"
LONGEST = 9.0
"""Frames behind that a mean reaches over, at most."""
SAME, OTHER = 8.0, 24.0
"""Grey levels between a thing and where it was: under the one it surely is the same, over the other it is not."""
_DARK = 8.0  # grey levels: how fast the lamp flickered cannot be told from black

Planes = NDArray[np.float32]


def steadied(ab: Tensor, light: Tensor, before: State, after: State) -> tuple[Tensor, State]:
    """Hold the colours of consecutive frames of a shot still.

    Args:
        ab: (T, 2, h, w) as a network gave them, Lab units; or (T, B, 2, h, w) of B films.
        light: (T, 1, H, W) or (T, B, 1, H, W), 0..1, that it was given.
        before: the memory before these frames.
        after: the network's own behind them.

    Returns:
        Colours of the same shape, and ``after`` with what was shown last added to it.
    """
    films = ab.shape[1] if ab.ndim == 5 else 1
    colours = ab.float().cpu().reshape(len(ab), films, 2, *ab.shape[-2:])
    greys = light.float().cpu().reshape(len(ab), films, *light.shape[-2:])
    shown, pasts = torch.empty_like(colours), [_past(before, film) for film in range(films)]
    for time, film in product(range(len(ab)), range(films)):
        past = _shown(pasts[film], colours[time, film].numpy(), greys[time, film].numpy())
        shown[time, film] = torch.from_numpy(past[0][..., :2]).permute(2, 0, 1)
        pasts[film] = past
    kept = [past for past in pasts if past is not None]
    return shown.reshape(ab.shape).to(ab.device), State({**after.tensors, **_written(kept)})


Past = tuple[Planes, Planes]
"""What was shown: (h, w, 3) of a*, b* and how many frames they are the mean of; and (h, w) its grey levels."""


def _past(state: State, film: int) -> Past | None:
    if COLOURS not in state.tensors:
        return None
    colours, light = (state.tensors[name][film].cpu().numpy() for name in (COLOURS, LIGHT))
    return np.ascontiguousarray(np.moveaxis(colours, 0, -1)), light


def _written(pasts: list[Past]) -> dict[str, Tensor]:
    colours = torch.stack([torch.from_numpy(colours).permute(2, 0, 1) for colours, _ in pasts]).contiguous()
    return {COLOURS: colours, LIGHT: torch.stack([torch.from_numpy(light) for _, light in pasts])}


def _shown(past: Past | None, ab: Planes, light: Planes) -> Past:
    """One frame: ab (2, h, w) and light (H, W) to what is shown of it."""
    fresh = np.ascontiguousarray(np.moveaxis(ab, 0, -1))
    grey = motion.resized(light * np.float32(255), fresh.shape[:2])
    if past is None:
        return np.dstack((fresh, np.ones_like(grey))), grey
    old, fits = _moved(past, grey)
    weight = old[..., 2] * fits
    share = (weight / (weight + 1))[..., None]
    # through torch: colours that are not finite are the network's fault, and are told where it is asked
    mixed = torch.lerp(torch.from_numpy(fresh), torch.from_numpy(old[..., :2]), torch.from_numpy(share)).numpy()
    return np.dstack((mixed, np.minimum(weight + 1, np.float32(LONGEST)))), grey


def _moved(past: Past, grey: Planes) -> tuple[Planes, Planes]:
    """What was shown, moved to where it is now, and from 0 to 1 how well that fits."""
    colours, before = past
    # the lamp flickers: what is the same thing has another light then
    before = before * np.float32((grey.mean() + _DARK) / (before.mean() + _DARK))
    where = motion.traced(motion.levels(grey), motion.levels(before))
    misfit = motion.misfit(where, before, grey)
    return motion.fetched(colours, where), np.clip((OTHER - misfit) / np.float32(OTHER - SAME), 0, 1)
