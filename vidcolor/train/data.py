"""What a network is shown: crops of pictures, pictures that move, and clips, as batches of tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vidcolor.train import camera
from vidcolor.train.bank import Bank
from vidcolor.train.camera import Lens
from vidcolor.train.dice import Dice
from vidcolor.train.flow import Carried, Flows


@dataclass(frozen=True, slots=True)
class Layer:
    """Something whose motion is known exactly.

    Attributes:
        maps: (B, T, 2, 3) affine maps from a frame's own coordinates (-1..1) to the still that it was cut from.
        shown: (B, T, 1, H, W) 1 where it is what one sees.
    """

    maps: Tensor
    shown: Tensor

    def after(self, frames: int) -> Layer:
        """The same without its first frames."""
        return Layer(self.maps[:, frames:], self.shown[:, frames:])


@dataclass(frozen=True, slots=True)
class Sample:
    """Clean colour, and how it moves.

    Attributes:
        rgb: (B, T, 3, H, W), 0..1, gamma-encoded.
        layers: what moves how, where that is known exactly; empty where motion is real.
        carried: where real motion leads, as far as it could be estimated; None where it was not.
        labels: (B,) number of what is shown, -1 where unknown.
    """

    rgb: Tensor
    layers: tuple[Layer, ...] = ()
    carried: Carried | None = None
    labels: Tensor | None = None

    def after(self, frames: int) -> Sample:
        """The same clips without their first frames."""
        carried = None if self.carried is None else self.carried.after(frames)
        return Sample(self.rgb[:, frames:], tuple(layer.after(frames) for layer in self.layers), carried, self.labels)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a batch is to be like: how many, of how many frames, of what height and width, through what lens."""

    batch: int
    time: int
    size: tuple[int, int]
    lens: Lens = field(default_factory=Lens)


def moving_pictures(
    bank: Bank, dice: Dice, shape: Shape, occluders: float = 0.0, among: Tensor | None = None
) -> Sample:
    """Pictures seen by a camera that pans, zooms, turns and shakes; before some of them something else moves.

    Args:
        bank: the pictures.
        dice: where chance comes from.
        shape: of the batch.
        occluders: share of them that something else moves across.
        among: (N,) the only ones to choose from.
    """
    chosen = dice.below(len(bank), shape.batch) if among is None else among[dice.below(len(among), shape.batch)]
    rgb, maps = _filmed(bank, chosen, shape, dice)
    shown = torch.ones(*rgb.shape[:2], 1, *rgb.shape[3:], device=rgb.device)
    labels = bank.labels[chosen]
    on = dice.some(occluders if shape.time > 1 else 0.0, shape.batch)
    if not len(on):
        return Sample(rgb, (Layer(maps, shown),), labels=labels)
    things, paths = _filmed(bank, dice.below(len(bank), len(on)), shape, dice, moves=True)
    covered = camera.occluder(paths, camera.places(paths, shape.size), dice)
    rgb[on] = torch.where(covered.bool(), things, rgb[on])
    hidden, before = torch.zeros_like(shown), maps.clone()
    hidden[on], before[on] = covered, paths
    return Sample(rgb, (Layer(maps, shown - hidden), Layer(before, hidden)), labels=labels)


def _filmed(bank: Bank, chosen: Tensor, shape: Shape, dice: Dice, moves: bool = False) -> tuple[Tensor, Tensor]:
    maps = camera.paths(bank.shapes[chosen, 1:], shape.size, shape.time, shape.lens, dice)
    maps = camera.faster(maps, dice) if moves else maps
    frames = torch.zeros(len(chosen), shape.time, dtype=torch.long, device=chosen.device)
    return bank.windows(chosen, frames, camera.places(maps, shape.size)), maps


def clips(bank: Bank, dice: Dice, shape: Shape, flows: Flows | None = None) -> Sample:
    """Crops of real clips, consecutive frames; short clips are played to and fro."""
    chosen = dice.below(len(bank), shape.batch)
    frames = _played(bank.shapes[chosen, 0], shape.time, dice)
    maps = _still_windows(bank.shapes[chosen, 1:], shape.size, dice).expand(-1, shape.time, -1, -1)
    rgb = bank.windows(chosen, frames, camera.places(maps, shape.size))
    carried = flows.carried(chosen, frames, maps, shape.size) if flows and shape.time > 1 else None
    return Sample(rgb, carried=carried)


def _still_windows(shapes: Tensor, size: tuple[int, int], dice: Dice) -> Tensor:
    """(B, 1, 2, 3) maps of windows that stand still: film has its own camera."""
    count = len(shapes)
    ratio = torch.tensor([size[1], size[0]], device=shapes.device) / shapes.flip(1)  # (B, 2), x first
    half = (ratio * dice.uniform(1.0, 1.3, (count, 1))).clamp_max(1)
    centre = dice.uniform(-1, 1, (count, 2)) * (1 - half)
    flip = torch.where(dice.either(0.5, (count,)), -1.0, 1.0)
    none = torch.zeros_like(flip)
    x = torch.stack((half[:, 0] * flip, none, centre[:, 0]), -1)
    return torch.stack((x, torch.stack((none, half[:, 1], centre[:, 1]), -1)), -2).unsqueeze(1)


def _played(lengths: Tensor, time: int, dice: Dice) -> Tensor:
    """(B, T) frames in a row from a place by chance; what is too short goes to and fro."""
    first = (dice.uniform(0, 1, (len(lengths),)) * (lengths - time + 1).clamp_min(1)).long()
    period = (2 * lengths - 2).clamp_min(1)[:, None]
    step = (first[:, None] + torch.arange(time, device=lengths.device)) % period
    return torch.minimum(torch.minimum(step, period - step), lengths[:, None] - 1)
