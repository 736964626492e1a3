"""Convolutions on a CPU with their weights in the order that oneDNN computes in, and what follows them done in passing.

An ordinary convolution has its weights put in order at every call, for every picture anew: a twentieth of a network's
time at 256x144, half of it at 64x48. A packed one does it once, when it first sees pictures of a size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OPERATORS = ("_reorder_convolution_weight", "_convolution_pointwise")
ORDINARY = "zeros"
CLOSE = 0.02  # of bf16, twice rounded

Key = tuple[object, ...]


class PackedConv2d(nn.Conv2d):
    """A convolution that keeps a second copy of its weights, in oneDNN's order for the size it saw last.

    Its parameters stay what they were; the copy is no part of the state dict. The size matters: for planes of another
    one oneDNN may want another order, and would put the weights in order at every call by a way that costs ten times
    the convolution. So the copy serves one size, and is made anew for another. While gradients are wanted this is an
    ordinary convolution.
    """

    _kept: tuple[Key, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """As nn.Conv2d."""
        return self._computed(x, "none") if self.can_compute(x) else super().forward(x)

    def relu(self, x: Tensor) -> Tensor:
        """ReLU of the convolution, the same bit for bit as one after the other."""
        return self._computed(x, "relu") if self.can_compute(x) else F.relu_(super().forward(x))

    def add_relu(self, x: Tensor, other: Tensor) -> Tensor:
        """ReLU of the convolution plus ``other``, rounded once where one after the other rounds twice."""
        if not self.can_compute(x):
            return F.relu_(super().forward(x) + other)
        made: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self._packed(x), self.bias, *self._shape, "add", 1.0, "relu", [], None
        )
        return made

    def can_compute(self, x: Tensor) -> bool:
        """Whether this is work for packed weights: no gradients, on a CPU, weights whose changes would be noticed."""
        weight = self.weight
        return (
            x.device.type == weight.device.type == "cpu"
            and x.dtype == weight.dtype
            and not torch.is_grad_enabled()
            and not weight.is_inference()
        )

    @property
    def _shape(self) -> tuple[object, ...]:
        return list(self.padding), self.stride, self.dilation, self.groups

    def _computed(self, x: Tensor, then: str) -> Tensor:
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed(x), self.bias, *self._shape, then, [], ""
        )
        return made

    def _packed(self, x: Tensor) -> Tensor:
        weight = self.weight
        key: Key = (x.shape, weight.data_ptr(), weight._version, torch.get_num_threads())
        kept = self._kept  # read once: another film's thread may put its own here
        if kept is None or kept[0] != key:
            packed = torch.ops.mkldnn._reorder_convolution_weight(
                weight, self.padding, self.stride, self.dilation, self.groups, list(x.shape)
            )
            kept = self._kept = (key, packed)
        return kept[1]

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}


def pack(network: nn.Module) -> None:
    """Let all convolutions of a network that is done with learning pack their weights; in place.

    Where that cannot be done, nothing changes.
    """
    first = next(network.parameters())
    if first.device.type == "cpu" and _works(first.dtype):
        for module in network.modules():
            if type(module) is nn.Conv2d and module.padding_mode == ORDINARY:
                module.__class__ = PackedConv2d


def _works(kind: torch.dtype) -> bool:
    """Whether this processor and this torch, which does not promise these operators, compute the same with them."""
    if kind not in (torch.float32, torch.bfloat16) or not all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS):
        return False
    plain = nn.Conv2d(16, 16, 3, padding=1, dtype=kind)
    tried = PackedConv2d(16, 16, 3, padding=1, dtype=kind)
    tried.load_state_dict(plain.state_dict())
    seen = torch.ones(1, 16, 8, 8, dtype=kind).contiguous(memory_format=torch.channels_last)
    try:
        with torch.inference_mode():
            return torch.allclose(tried.add_relu(seen, seen), F.relu(plain(seen) + seen), rtol=CLOSE, atol=CLOSE)
    except (RuntimeError, NotImplementedError, TypeError):
        return False


def conv_relu(conv: nn.Module, x: Tensor) -> Tensor:
    """ReLU of a convolution, in one pass where it is packed."""
    return conv.relu(x) if isinstance(conv, PackedConv2d) else F.relu_(conv(x))


def conv_add_relu(conv: nn.Module, x: Tensor, other: Tensor) -> Tensor:
    """ReLU of a convolution plus ``other``, in one pass where it is packed."""
    return conv.add_relu(x, other) if isinstance(conv, PackedConv2d) else F.relu_(conv(x) + other)
