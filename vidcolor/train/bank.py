"""A store's pixels on the device that trains: windows of many clips at once, without a loop over clips."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidcolor.train.store import Store


@dataclass(frozen=True, slots=True)
class Bank:
    """All clips of a store, ready to be cut from.

    Attributes:
        pixels: (P, 3) every pixel, uint8; on a CPU the memory-mapped file itself.
        first: (N,) index of each clip's first pixel.
        shapes: (N, 3) frames, height, width of each.
        labels: (N,) number of what it shows, or -1.
    """

    pixels: Tensor
    first: Tensor
    shapes: Tensor
    labels: Tensor

    @classmethod
    def of(cls, store: Store, device: torch.device | str) -> Bank:
        """Bring a store to a device."""
        pixels = torch.from_numpy(store.pixels).view(-1, 3).to(device)
        rest = (torch.from_numpy(part).to(device) for part in (store.offsets // 3, store.shapes, store.labels))
        return cls(pixels, *rest)

    def __len__(self) -> int:
        return len(self.first)

    def upright(self) -> tuple[Tensor, Tensor]:
        """Which clips lie or are square, and which are higher than wide by a tenth."""
        is_upright = self.shapes[:, 1] > 1.1 * self.shapes[:, 2]
        return (~is_upright).nonzero()[:, 0], is_upright.nonzero()[:, 0]

    def windows(self, clips: Tensor, frames: Tensor, places: Tensor) -> Tensor:
        """Look into clips where told, between pixels too.

        Args:
            clips: (B,) which.
            frames: (B, T) which of their frames.
            places: (B, T, H, W, 2) where in a frame, x and y in -1..1 from edge to edge; what lies outside is mirrored.

        Returns:
            (B, T, 3, H, W) RGB, 0..1.
        """
        _, height, width = self.shapes[clips].unbind(-1)
        height, width = height.view(-1, 1, 1, 1), width.view(-1, 1, 1, 1)
        start = (self.first[clips].view(-1, 1) + frames * (height * width).view(-1, 1))[..., None, None]
        left, right, across = _between(places[..., 0], width)
        top, bottom, down = _between(places[..., 1], height)
        top, bottom = start + top * width, start + bottom * width
        over = self._mix(top + left, top + right, across)
        under = self._mix(bottom + left, bottom + right, across)
        rgb = over.lerp_(under, down.unsqueeze(-1)).div_(255)
        return rgb.movedim(-1, 2).contiguous()

    def _mix(self, one: Tensor, other: Tensor, share: Tensor) -> Tensor:
        return self._take(one).lerp_(self._take(other), share.unsqueeze(-1))

    def _take(self, index: Tensor) -> Tensor:
        return self.pixels.index_select(0, index.flatten()).view(*index.shape, 3).float()


def _between(place: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The samples on both sides of a place, and the share of the second; mirrored once at each edge, then held."""
    at = ((place + 1) * length - 1) / 2
    at = (at + 0.5).abs() - 0.5
    at = (length - 0.5) - ((length - 0.5) - at).abs()
    at = torch.minimum(at.clamp_min(0), length - 1.0)
    low = at.floor()
    before = low.long()
    return before, torch.minimum(before + 1, length - 1), at - low
