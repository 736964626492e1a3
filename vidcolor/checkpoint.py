"""All that the colours of the next picture depend on, between two pictures of a film: saved so that a run can go on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from streams.errors import ModelError
from streams.shots import CutMemory
from vidcolor.memory import State

_MEMORY = "memory."
_GRID = "cuts.grid"
_NUMBERS = "cuts.numbers"
_PRECISION = "is_fp32"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Between two pictures.

    Attributes:
        state: what the network remembers.
        cuts: what is known for finding cuts.
        is_fp32: whether half precision had to be given up on the way.
    """

    state: State
    cuts: CutMemory
    is_fp32: bool = False

    def to_bytes(self) -> bytes:
        """As safetensors; every value comes back bit for bit."""
        numbers = [self.cuts.white, self.cuts.mean, self.cuts.spread]
        tensors: dict[str, Tensor] = {
            **{_MEMORY + name: tensor.detach().cpu().contiguous() for name, tensor in self.state.tensors.items()},
            **{f"{_GRID}.{at}": torch.tensor(grid) for at, grid in enumerate(self.cuts.before)},
            _NUMBERS: torch.tensor(numbers, dtype=torch.float64),
            _PRECISION: torch.tensor([self.is_fp32]),
        }
        return save(tensors)

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Read what ``to_bytes`` wrote.

        Raises:
            ModelError: the bytes are no checkpoint.
        """
        try:
            tensors = load(data)
            white, mean, spread = tensors[_NUMBERS].tolist()
            is_fp32 = bool(tensors[_PRECISION].item())
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelError("the saved memory of the network is damaged") from error
        grids = tuple(tensors[name].numpy() for name in sorted(tensors) if name.startswith(_GRID))
        state = {name.removeprefix(_MEMORY): tensor for name, tensor in tensors.items() if name.startswith(_MEMORY)}
        return cls(State(state), CutMemory(grids, white, mean, spread), is_fp32)
