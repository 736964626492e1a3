"""Classifiers that tell land cover: a network trained from nothing, and a ridge on an ImageNet network's features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor import weights
from vidcolor.evaluate.lab import Floats
from vidcolor.evaluate.tiles import Kinds, Tiles
from vidcolor.models.reel import Block
from vidcolor.models.style import normal

Teller = Callable[[Tiles], Kinds]
SIDE = 72
"""Of the tiles as the network sees them: half their own."""
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)


class TileNet(nn.Sequential):
    """Four convolutions and a mean: small enough to learn from two thousand tiles."""

    def __init__(self, kinds: int) -> None:
        widths = (3, 24, 48, 72, 96)
        layers = [_layer(a, b) for a, b in zip(widths, widths[1:], strict=False)]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(96, kinds))


def _layer(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(into, out, 3, 1, 1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2))


def planes(tiles: Tiles, side: int = SIDE) -> Tensor:
    """(N, 3, side, side) RGB in 0..1."""
    whole = torch.from_numpy(tiles.rgb).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(whole, size=(side, side), mode="area")


def taught(tiles: Tiles, epochs: int = 24, seed: int = 1) -> Teller:
    """A network trained from nothing on tiles, turned and mirrored at random."""
    torch.manual_seed(seed)
    network, seen, kinds = TileNet(len(tiles.names)), planes(tiles), torch.from_numpy(tiles.kinds)
    steps = epochs * -(-len(seen) // 64)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps + 1)
    for _ in range(epochs):
        for chosen in _parts(torch.randperm(len(seen)), 64):
            batch = _turned(seen[chosen])
            blame = F.cross_entropy(network(batch - 0.45), kinds[chosen], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            blame.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    _settle(network, seen)
    return lambda others: _told(network, planes(others) - 0.45)


@torch.no_grad()
def _settle(network: TileNet, seen: Tensor) -> None:
    """Take batch norm's statistics once more, of the network as it is now: few steps leave them far behind."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    for part in _parts(seen, 64):
        network(part - 0.45)
    network.eval()


def _parts(whole: Tensor, size: int) -> list[Tensor]:
    return [whole[first : first + size] for first in range(0, len(whole), size)]


def _turned(batch: Tensor) -> Tensor:
    turns = int(torch.randint(4, ()))
    batch = torch.rot90(batch, turns, (2, 3))
    return batch.flip(3) if float(torch.rand(())) < 0.5 else batch


@torch.no_grad()
def _told(network: nn.Module, seen: Tensor) -> Kinds:
    found: Kinds = torch.cat([network(part).argmax(1) for part in _parts(seen, 64)]).numpy().astype(np.int64)
    return found


def ridge(tiles: Tiles, encoder: Path) -> Teller:
    """A ridge on the mean features of ResNet-18's third stage, its strength chosen by leaving tiles out.

    Args:
        tiles: to learn from.
        encoder: weights of ResNet-18 to layer3, batch norm folded.
    """
    network = _Encoder.of(encoder)
    seen = network.features(tiles)
    middle, spread = seen.mean(0), seen.std(0) + 1e-6
    rows = np.concatenate(((seen - middle) / spread, np.ones((len(seen), 1))), 1)
    goals = np.eye(len(tiles.names))[tiles.kinds]
    solved = min((_solved(rows, goals, strength) for strength in RIDGES), key=lambda one: one[0])[1]

    def tell(others: Tiles) -> Kinds:
        shown = (network.features(others) - middle) / spread
        told: Kinds = (np.concatenate((shown, np.ones((len(shown), 1))), 1) @ solved).argmax(1).astype(np.int64)
        return told

    return tell


def _solved(rows: Floats, goals: Floats, strength: float) -> tuple[float, Floats]:
    """Mean squared error on the tile that is left out (by the hat matrix), and the solution."""
    square = rows.T @ rows + strength * len(rows) * np.eye(rows.shape[1])
    inverse = np.linalg.solve(square, rows.T)
    solution = inverse @ goals
    hat = np.einsum("ij,ji->i", rows, inverse)
    left_out = (goals - rows @ solution) / (1 - hat)[:, None]
    return float((left_out**2).mean()), solution


class _Encoder(nn.Module):
    """ResNet-18 to layer3 in colour."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256))

    @classmethod
    def of(cls, path: Path) -> _Encoder:
        network = cls()
        known: Mapping[str, Tensor] = weights.tensors(weights.read(path), path)
        network.load_state_dict(dict(known))
        return network.eval().requires_grad_(False)

    @torch.no_grad()
    def features(self, tiles: Tiles) -> Floats:
        """(N, 256) means over a tile."""
        parts = []
        for part in _parts(planes(tiles, 144), 32):
            x = F.max_pool2d(F.relu(self.conv1(normal(part))), 3, 2, 1)
            parts.append(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))
        return torch.cat(parts).numpy().astype(np.float64)
