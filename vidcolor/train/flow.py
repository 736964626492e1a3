"""Where things move in real clips: flow estimated once with OpenCV, kept beside the store, and looked up in crops.

Sources: Kroeger et al., ECCV 2016 (DIS); Sundaram et al., ECCV 2010 (which of it can be trusted).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streams.errors import UsageError
from vidcolor.evaluate.flow import dis_flow, trusted
from vidcolor.train import camera
from vidcolor.train.bank import Bank
from vidcolor.train.decode import Clip
from vidcolor.train.store import Store

COARSE = 4
"""Flow is kept at a quarter of the clips' height and width."""
STEP = 16.0
"""Flow is kept in sixteenths of a pixel."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Where each pixel of a frame was in the frame before.

    Attributes:
        places: (B, T - 1, h, w, 2) x and y in -1..1 of the frame before.
        trust: (B, T - 1, 1, h, w) 1 where that is sure.
    """

    places: Tensor
    trust: Tensor

    def after(self, frames: int) -> Carried:
        """The same without the first frames."""
        return Carried(self.places[:, frames:], self.trust[:, frames:])


@dataclass(frozen=True, slots=True)
class Flows:
    """Flow of all clips of a store, on the device that trains.

    Attributes:
        moves: (F, 2, 3) of each coarse pixel: (x, y, trust) to the next frame and to the one before, int16.
        first: (N,) index of each clip's first coarse pixel.
        shapes: (N, 3) frames, height, width of each clip.
    """

    moves: Tensor
    first: Tensor
    shapes: Tensor

    def carried(self, clips: Tensor, frames: Tensor, maps: Tensor, size: tuple[int, int]) -> Carried:
        """Where crops' pixels were a frame before; ``maps`` (B, T, 2, 3) are of windows that stand still.

        Colours are compared at half the crop's height and width, so that is where flow is looked up.
        """
        half = (size[0] // 2, size[1] // 2)
        where = camera.places(maps[:, 1:], half)
        _, height, width = self.shapes[clips].unbind(-1)
        index = self._index(clips, frames[:, 1:], where)
        back = (frames[:, 1:] > frames[:, :-1]).long()  # 1: the frame shown before is the one before in the clip
        found = self.moves[index, back[..., None, None].expand_as(index)].float()
        length = torch.stack((width, height), -1).view(-1, 1, 1, 1, 2)
        moved = found[..., :2] / STEP * 2 / length  # in -1..1 of the clip's frame
        scale = maps[:, 1:].diagonal(dim1=-2, dim2=-1)[:, :, None, None]  # flips have a negative one
        own = camera.places(torch.eye(2, 3, device=maps.device).expand(1, 1, 2, 3), half)
        moves = (frames[:, 1:] != frames[:, :-1])[..., None, None, None]  # a clip of one frame stands still
        places = own + torch.where(moves, moved / scale, 0.0)
        inside = (places.abs() <= 1).all(-1)
        trust = ((found[..., 2] > 0) | ~moves[..., 0]) & inside
        return Carried(places, trust.float().unsqueeze(2))

    def _index(self, clips: Tensor, frames: Tensor, where: Tensor) -> Tensor:
        """The coarse pixel of each place: nearest, since a mean over an edge of motion is no motion at all."""
        height, width = (self.shapes[clips, side].view(-1, 1, 1, 1) for side in (1, 2))
        high, wide = _coarse(height), _coarse(width)
        x = ((where[..., 0] + 1) / 2 * width / COARSE).long().clamp_min(0).minimum(wide - 1)
        y = ((where[..., 1] + 1) / 2 * height / COARSE).long().clamp_min(0).minimum(high - 1)
        frame = self.first[clips].view(-1, 1, 1, 1) + frames[..., None, None] * high * wide
        return frame + y * wide + x


def _coarse(length: Tensor) -> Tensor:
    return (length + COARSE - 1) // COARSE


def open_flows(store: Store, bank: Bank, threads: int = 0) -> Flows | None:
    """Flow of a store's clips, estimated the first time; None where OpenCV is not there."""
    try:
        dis_flow()
    except UsageError:  # then clips teach steadiness only where they stand still
        return None
    path = store.path.with_suffix(".flow")
    if not path.exists():
        _write(path, store, threads)
    moves = np.memmap(path, np.int16, "c").reshape(-1, 2, 3)
    coarse = (store.shapes[:, 1:] + COARSE - 1) // COARSE
    counts = store.shapes[:, 0] * coarse.prod(1)
    first = torch.from_numpy(np.cumsum(counts) - counts).to(bank.first)
    return Flows(torch.from_numpy(moves).to(bank.pixels.device), first, bank.shapes)


def _write(path: Path, store: Store, threads: int) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as out, ThreadPoolExecutor(threads or None) as pool:
        for moves in pool.map(clip_flow, (store.clip(index) for index in range(len(store)))):
            out.write(moves.tobytes())
    part.replace(path)


def clip_flow(clip: Clip) -> NDArray[np.int16]:
    """(T, h, w, 2, 3): from each frame to the next, and to the one before; x, y in sixteenths of a pixel, and trust."""
    frames, height, width = clip.shape[:3]
    shape = ((height + COARSE - 1) // COARSE, (width + COARSE - 1) // COARSE)
    moves = np.zeros((frames, *shape, 2, 3), np.int16)
    for index, (onward, back) in enumerate(_pairs(clip)):
        for frame, which, flow in ((index, 0, onward), (index + 1, 1, back)):
            coarse = flow[1 :: COARSE // 2, 1 :: COARSE // 2]
            moves[frame, : coarse.shape[0], : coarse.shape[1], which] = coarse
    return moves


def _halved(clip: Clip) -> NDArray[np.uint8]:
    """Luma (T, H/2, W/2): flow at full size costs four times as much, and colours are compared at half of it."""
    frames, height, width = clip.shape[:3]
    even = clip[:, : height // 2 * 2, : width // 2 * 2].reshape(frames, height // 2, 2, width // 2, 2, 3)
    small = even.mean((2, 4), dtype=np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    luma: NDArray[np.uint8] = (small + 0.5).astype(np.uint8)
    return luma


def _pairs(clip: Clip) -> Iterator[tuple[NDArray[np.int16], NDArray[np.int16]]]:
    """(H/2, W/2, 3) flow and trust from each frame to the next and back."""
    flow, grey = dis_flow(), _halved(clip)
    for one, other in zip(grey, grey[1:], strict=False):
        onward, back = flow(one, other), flow(other, one)
        yield _kept(onward, back, one, other), _kept(back, onward, other, one)


def _kept(
    flow: NDArray[np.float32], back: NDArray[np.float32], one: NDArray[np.uint8], other: NDArray[np.uint8]
) -> NDArray[np.int16]:
    sure = trusted(flow, back, one, other)
    whole = np.clip(np.round(2 * flow * STEP), -32000, 32000)
    return np.dstack((whole, sure)).astype(np.int16)
