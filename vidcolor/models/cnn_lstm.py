"""`cnn-lstm`: five blocks of convolution and batch norm that class colours, and an LSTM that remembers them in film.

Source: Thomas, Dixit, Dogra, Raut, Automatic Image and Video Colourisation using Deep Learning.

Differences from it: the first three blocks begin as ImageNet's ResNet-18 (conv1 to layer2), not as an Inception; 313
classes of colour, not 310; the memory is a convolutional LSTM of 64 channels at an eighth of the size (the paper does
not say which LSTM, nor where it stands) whose output is added through a projection that begins at zero. As there,
single pictures do without it: so does the first frame of a shot, which only leaves its memory to the next.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.colorizer import Answer, Spec, State
from vidcolor.memory import ConvLSTM
from vidcolor.models.parts import MEAN, SPREAD, Classifier, ConvNorm, flat, take_imagenet
from vidcolor.models.reel import Block

REMEMBERED = 64


class CnnLstm(Classifier):
    """Light to classes of ab, with memory from a shot's second frame on."""

    spec = Spec("cnn-lstm", side=256, stride=8, scale=4, licence="MIT", needs_state=True)
    pretrained = ("conv1", "layer")

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3)
        self.norm1, self.norm2 = nn.BatchNorm2d(64), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128))
        self.block4, self.block5 = ConvNorm(128, 160), ConvNorm(160, 160, dilation=2)
        self.memory = ConvLSTM(REMEMBERED)
        self.classes = nn.Sequential(ConvNorm(160, 128, 1), nn.Conv2d(128, 313, 1))

    def answer(
        self, light: Tensor, state: State, condition: Tensor | None = None, temperature: float = 0.0
    ) -> tuple[Answer, State]:
        """See Colorizer.answer."""
        del condition
        seen = self._understand(flat(light).to(self.conv1.weight))
        features, after = self._remember(seen, len(light), state)
        up = F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.told(self.classes(up), temperature), after

    def remember(self, light: Tensor, state: State, condition: Tensor | None = None) -> State:
        """See Colorizer.remember."""
        del condition
        return self._remember(self._understand(flat(light).to(self.conv1.weight)), len(light), state)[1]

    def _understand(self, frames: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 160, H/8, W/8)."""
        first = F.max_pool2d(F.relu(self.norm1(self.conv1((frames - MEAN) / SPREAD))), 3, 2, 1)
        deep = self.layer2(self.norm2(self.layer1(first)))
        out: Tensor = self.block5(self.block4(deep))
        return out

    def _remember(self, seen: Tensor, time: int, state: State) -> tuple[Tensor, State]:
        """Step through the frames; one that has nothing behind it is passed on as it was seen."""
        noted, rest = seen[:, :REMEMBERED], seen[:, REMEMBERED:]
        hidden, cell = state.tensors.get("hidden"), state.tensors.get("cell")
        shown = []
        for frame in noted.chunk(time):
            is_alone = hidden is None or cell is None
            empty = torch.zeros_like(frame)
            hidden, cell = self.memory.step(frame, *((empty, empty) if is_alone else (hidden, cell)))  # type: ignore[arg-type]
            shown.append(frame if is_alone else frame + self.memory.out(hidden))
        assert hidden is not None
        assert cell is not None
        return torch.cat((torch.cat(shown), rest), 1), State({"hidden": hidden, "cell": cell})

    def start_from_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Take the first three blocks from a ResNet-18 with folded batch norm.

        Raises:
            KeyError: a tensor is missing.
        """
        take_imagenet(self, weights, self.pretrained)
