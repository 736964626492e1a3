"""What a network is shown: crops of pictures, pictures that move, and clips, as batches of tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.train.store import Store


@dataclass(frozen=True, slots=True)
class Sample:
    """Clean colour, and how it moves.

    Attributes:
        rgb: (B, T, 3, H, W), 0..1, gamma-encoded.
        maps: (B, T, 2, 3) affine maps from a frame's own coordinates (-1..1) to the still it was cut from, so that the
            motion between any two frames is known exactly; None where motion is real and unknown.
    """

    rgb: Tensor
    maps: Tensor | None

    def after(self, frames: int) -> Sample:
        """The same clips without their first frames."""
        return Sample(self.rgb[:, frames:], None if self.maps is None else self.maps[:, frames:])


def moving_pictures(store: Store, random: torch.Generator, size: tuple[int, int], batch: int, time: int) -> Sample:
    """Pictures seen by a camera that pans, zooms, turns and shakes: (batch, time) frames of ``size`` (h, w)."""
    clips, maps = [], []
    for index in torch.randint(len(store), (batch,), generator=random).tolist():
        still = torch.from_numpy(np.array(store.clip(index)[0])).permute(2, 0, 1).float()[None] / 255
        path = _camera(still.shape[-2:], size, random, time)
        grid = F.affine_grid(path, [time, 3, *size], align_corners=False)
        clips.append(
            F.grid_sample(still.expand(time, -1, -1, -1), grid, padding_mode="reflection", align_corners=False)
        )
        maps.append(path)
    return Sample(torch.stack(clips), torch.stack(maps))


def _camera(still: torch.Size, size: tuple[int, int], random: torch.Generator, time: int) -> Tensor:
    """(time, 2, 3) affine maps: a random window on the still, drifting with constant speed and a little shake."""
    height, width = still
    ratio = torch.tensor([size[1] / width, size[0] / height])
    fit = float(1 / ratio.max())  # the window may be this many times its own size before it leaves the still
    scale = min(fit, float(torch.empty(()).uniform_(1.0, 1.62, generator=random)))
    turn = float(torch.randn((), generator=random)) * 0.05
    flip = -1.0 if torch.rand((), generator=random) < 0.5 else 1.0
    half = ratio * scale
    room = (1 - half).clamp_min(0)
    center = (torch.rand(2, generator=random) * 2 - 1) * room
    moving = torch.randn(2, generator=random) * 0.02 * (torch.rand((), generator=random) < 0.8)
    zoom, spin = torch.randn(2, generator=random).mul(torch.tensor([0.01, 0.005])).tolist()
    shake = torch.randn(time, 2, generator=random) * 0.004
    rows = []
    for frame in range(time):
        angle, grown = torch.tensor(turn + spin * frame), half * (1 + zoom * frame)
        cos, sin = torch.cos(angle), torch.sin(angle)
        at = center + moving * frame + shake[frame]
        aspect = height / width
        rows.append(
            torch.stack(
                (
                    torch.stack((cos * grown[0] * flip, -sin * grown[1] * aspect, at[0])),
                    torch.stack((sin * grown[0] / aspect * flip, cos * grown[1], at[1])),
                )
            )
        )
    return torch.stack(rows)


def clips(store: Store, random: torch.Generator, size: tuple[int, int], batch: int, time: int) -> Sample:
    """Crops of real clips: (batch, time) consecutive frames of ``size`` (h, w); short clips are played to and fro."""
    rows = []
    for index in torch.randint(len(store), (batch,), generator=random).tolist():
        frames, height, width = (int(v) for v in store.shapes[index])
        first = int(torch.randint(max(1, frames - time + 1), (), generator=random))
        film = torch.from_numpy(np.array(store.clip(index, first, min(time, frames - first)))).permute(0, 3, 1, 2)
        scale = float(torch.empty(()).uniform_(1.0, 1.3, generator=random))
        window = (min(height, round(size[0] * scale)), min(width, round(size[1] * scale)))
        y = int(torch.randint(height - window[0] + 1, (), generator=random))
        x = int(torch.randint(width - window[1] + 1, (), generator=random))
        film = film[..., y : y + window[0], x : x + window[1]].float() / 255
        film = F.interpolate(film, size=size, mode="bilinear", antialias=True)
        film = film.flip(-1) if torch.rand((), generator=random) < 0.5 else film
        rows.append(film[_to_and_fro(len(film), time)])
    return Sample(torch.stack(rows), None)


def _to_and_fro(have: int, want: int) -> Tensor:
    period = max(1, 2 * have - 2)
    step = torch.arange(want) % period
    return torch.minimum(step, period - step).clamp_max(have - 1)
