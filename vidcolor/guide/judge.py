"""Which of several colours each pixel gets: carried from before, carried back, found again, or the network's own.

A network of a few thousand weights that sees no colours, only how well each kind fits and how far they are apart: so
it cannot prefer some colours to others, and knows nothing of the network whose colours it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.guide import motion
from vidcolor.guide.attend import Found

KINDS = 4
PLANES = 29
WIDTH = 16
_THERE = 1e-3
_MISFIT, _APART, _SPREAD = 1 / 16, 1 / 20, 1 / 20


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """Colours that were carried along motion, at the size of the light.

    Attributes:
        planes: (4, H, W) a*, b*, how far there are any (0..1), and the misfit (grey levels, as `motion.misfit`).
        where: (H/8, W/8, 2) x and y in the key, in pixels.
        age: frames since the key, or until it.
        number: of the key's frame.
    """

    planes: Tensor
    where: Tensor
    age: int
    number: int

    @property
    def ab(self) -> Tensor:
        """(2, H, W)."""
        return self.planes[:2]

    @property
    def share(self) -> Tensor:
        """(H, W)."""
        return self.planes[2]

    @property
    def misfit(self) -> Tensor:
        """(H, W)."""
        return self.planes[3]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One picture to be judged: its light (H, W), and the colours it could have; `own` is (2, H/2, W/2).

    `alike`: how like the things are, -1..1 (H/8, W/8), between which colours were carried on, and back.
    """

    light: Tensor
    past: Carried | None
    after: Carried | None
    seen: Found | None
    own: Tensor
    alike: tuple[Tensor | None, Tensor | None] = (None, None)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What there is to judge by: planes (PLANES, H/4, W/4), and how far each kind is there (KINDS, H/2, W/2)."""

    planes: Tensor
    shares: Tensor


def evidence(case: Case) -> Evidence:
    """Gather what there is to judge by."""
    height, width = case.light.shape
    half, quarter = (height // 2, width // 2), (height // 4, width // 4)
    light = _shrunk(case.light[None], half)
    past, after = (_halved(one, half, quarter) for one in (case.past, case.after))
    seen = _of_found(case.seen, quarter)
    planes = (
        F.pixel_unshuffle(light, 2),
        *_fit(past[0][3:], past[1][2:3], case.past),
        *_fit(after[0][3:], after[1][2:3], case.after),
        seen[2:],
        *(_quartered(one, quarter) for one in case.alike),
        _apart(past[1][:3], after[1][:3], seen[[0, 1, 3]], F.avg_pool2d(case.own, 2)),
    )
    share = F.interpolate(seen[None, 3:4], scale_factor=2.0, mode="bilinear", align_corners=False)[0]
    shares = torch.cat((past[0][2:3], after[0][2:3], share, torch.ones_like(share)))
    return Evidence(torch.cat(planes), shares)


def _halved(one: Carried | None, half: tuple[int, int], quarter: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Planes (4, h, w) at half and at quarter size."""
    if one is None:
        return torch.zeros(4, *half), torch.zeros(4, *quarter)
    fine = _shrunk(one.planes, half)
    return fine, _shrunk(fine, quarter)


def _shrunk(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, H, W) to (C, h, w), the mean of what each covers."""
    return torch.from_numpy(np.stack([motion.resized(plane, size) for plane in planes.numpy()]))


def _fit(misfit: Tensor, share: Tensor, one: Carried | None) -> tuple[Tensor, Tensor, Tensor]:
    """(6, h, w) in parts: how badly carried colours fit, whether there are any, how old they are."""
    old = torch.full_like(share, math.log1p(one.age if one else 0) / 4)
    return F.pixel_unshuffle(misfit.clamp(max=64) * _MISFIT, 2), share, old


def _quartered(alike: Tensor | None, size: tuple[int, int]) -> Tensor:
    if alike is None:
        return torch.zeros(1, *size)
    return F.interpolate(alike[None, None], size=size, mode="bilinear", align_corners=False)[0]


def _of_found(one: Found | None, quarter: tuple[int, int]) -> Tensor:
    """(5, h, w) at a quarter: colours, likeness, share, spread; colours count by their share."""
    if one is None:
        return torch.zeros(5, *quarter)
    rows = torch.stack((*(one.ab * one.share), one.likeness.clamp(min=-20) / 20, one.share, one.spread * _SPREAD))
    fine = F.interpolate(rows[None], size=quarter, mode="bilinear", align_corners=False)[0]
    fine[:2] /= fine[3:4].clamp_min(1e-3)
    return fine


def _apart(past: Tensor, after: Tensor, seen: Tensor, own: Tensor) -> Tensor:
    """(8, h, w): how far the colours of each two kinds are apart where both are there, and how strong two are."""
    kinds = torch.stack((past, after, seen, torch.cat((own, torch.ones_like(own[:1])))))
    one, other = kinds[[0, 0, 0, 1, 1, 2]], kinds[[1, 2, 3, 2, 3, 3]]
    far = (one[:, :2] - other[:, :2]).square().sum(1).sqrt() * one[:, 2] * other[:, 2] * _APART
    strong = kinds[[0, 3], :2].square().sum(1).sqrt() / 50
    return torch.cat((far, strong))


class Judge(nn.Module):
    """Evidence to shares."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.enter = nn.Conv2d(PLANES, width, 3, padding=1)
        self.near = nn.Conv2d(width, width, 3, padding=1)
        self.far = nn.Conv2d(width, width, 3, padding=3, dilation=3)
        self.leave = nn.Conv2d(width, KINDS * 4, 1)
        nn.init.zeros_(self.leave.weight)
        with torch.no_grad():  # what is carried goes first until taught otherwise
            self.leave.bias.copy_(torch.tensor((2.0, 2.0, 0.0, -2.0)).repeat_interleave(4))  # type: ignore[union-attr]

    def forward(self, planes: Tensor, shares: Tensor) -> Tensor:
        """Judge pictures.

        Args:
            planes: (N, PLANES, h, w), as `evidence` gives them.
            shares: (N, KINDS, 2h, 2w), likewise.

        Returns:
            (N, KINDS, 2h, 2w) weights, sum 1; 0 for kinds that are not there.
        """
        x = F.relu(self.enter(planes.contiguous(memory_format=torch.channels_last)))
        x = x + F.relu(self.near(x))
        x = x + F.relu(self.far(x))
        scores = F.pixel_shuffle(self.leave(x), 2)
        # the largest score of what is there: beside that of what is not, all the others could vanish
        return torch.softmax(scores.masked_fill(shares < _THERE, -torch.inf) + shares.clamp_min(_THERE).log(), 1)
