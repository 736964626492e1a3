"""What a network remembers from frame to frame: the ConvLSTM cell, and the State that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class State:
    """A network's memory after some frames of one shot; opaque to everyone but the network that made it.

    Equal after the same frames, whatever batches they came in. ``State()`` remembers nothing.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def clone(self) -> State:
        """A copy that shares no memory."""
        return State({name: tensor.clone() for name, tensor in self.tensors.items()})

    def detach(self) -> State:
        """The same values without their history (truncated back-propagation)."""
        return State({name: tensor.detach() for name, tensor in self.tensors.items()})

    def equal(self, other: State) -> bool:
        """Same names, same values, bit for bit."""
        mine, theirs = self.tensors, other.tensors
        return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({name: tensor.contiguous() for name, tensor in self.tensors.items()}, path)

    @classmethod
    def load(cls, path: Path) -> State:
        """Read what ``save`` wrote."""
        return cls(load_file(path))


class ConvLSTM(nn.Module):
    """Long short-term memory whose gates are 3x3 convolutions (Shi et al., NeurIPS 2015).

    It lives on the first ``channels`` of a feature map and passes the others by untouched. What it remembers is *added*
    through a projection that begins at zero, so that a fresh cell changes nothing and a network trained on single
    pictures may be given a memory later.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]
        with torch.no_grad():  # forget slowly until taught otherwise (Jozefowicz et al., 2015)
            self.gates.bias[channels : 2 * channels] = 1.0  # type: ignore[index]

    def step(self, seen: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """One frame: (B, channels, H, W) each; returns the new hidden and cell."""
        gates = self.gates(torch.cat((seen, hidden), 1))
        doors, new = gates[:, : 3 * self.channels].sigmoid(), gates[:, 3 * self.channels :].tanh()
        write, keep, show = doors.chunk(3, 1)
        cell = keep * cell + write * new
        return show * cell.tanh(), cell

    def forward(
        self, features: Tensor, time: int, state: Mapping[str, Tensor], name: str
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Step through T frames.

        Everything stays in four dimensions: seen as five, frames lose their channels_last order when they are joined,
        and the layers behind would run on planes, or copy.

        Args:
            features: (T*B, C, H, W), C at least ``channels``.
            time: T.
            state: holds ``name.hidden`` and ``name.cell``, (B, channels, H, W) each, or neither (nothing remembered).
            name: under which the memory stands in the state.

        Returns:
            features of the same shape, and this cell's part of the next state.
        """
        seen, rest = features[:, : self.channels], features[:, self.channels :]
        frames = seen.chunk(time)
        empty = torch.zeros_like(frames[0])
        hidden, cell = state.get(f"{name}.hidden", empty), state.get(f"{name}.cell", empty)
        shown = []
        for frame in frames:
            hidden, cell = self.step(frame, hidden, cell)
            shown.append(hidden)
        remembered = seen + self.out(torch.cat(shown))
        return torch.cat((remembered, rest), 1), {f"{name}.hidden": hidden, f"{name}.cell": cell}
