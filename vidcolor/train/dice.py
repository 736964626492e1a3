"""Where chance comes from, by seed: numbers on the device that trains, choices on the host.

Choices decide what is computed at all. Asked of a GPU, each would make the host wait for everything before it.
"""

from __future__ import annotations

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Dice:
    """Two streams of chance that can be saved and taken up."""

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._numbers = torch.Generator(self.device).manual_seed(seed)
        self._choices = torch.Generator().manual_seed(seed + 1)

    def uniform(self, low: float, high: float, shape: Shape) -> Tensor:
        """Numbers on the device, evenly between two."""
        return low + (high - low) * torch.rand(shape, generator=self._numbers, device=self.device)

    def normal(self, shape: Shape) -> Tensor:
        """Numbers on the device, mean 0, deviation 1."""
        return torch.randn(shape, generator=self._numbers, device=self.device)

    def below(self, end: int, count: int) -> Tensor:
        """(count,) whole numbers on the device, 0 to end - 1."""
        return torch.randint(end, (count,), generator=self._numbers, device=self.device)

    def either(self, share: float, shape: Shape) -> Tensor:
        """True on the device with a probability."""
        return self.uniform(0, 1, shape) < share

    def some(self, share: float, count: int) -> Tensor:
        """Indices (on the device) of those of ``count`` that chance strikes; the host knows how many they are."""
        struck = torch.rand(count, generator=self._choices) < share
        return struck.nonzero()[:, 0].to(self.device, non_blocking=True)

    def chance(self, share: float) -> bool:
        """True with a probability, on the host."""
        return bool(torch.rand((), generator=self._choices) < share)

    def one_of(self, choices: tuple[int, ...]) -> int:
        """One of some numbers, on the host."""
        return choices[int(torch.randint(len(choices), (), generator=self._choices))]

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold."""
        return {"numbers": self._numbers.get_state(), "choices": self._choices.get_state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up where a state was taken."""
        self._numbers.set_state(state["numbers"].cpu())
        self._choices.set_state(state["choices"].cpu())
