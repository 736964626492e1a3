"""What the classic networks are made of: blocks that fold, and the way from a light to a picture's colours.

Will never hold a memory (vidcolor.memory) or anything that only one network needs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vidcolor.color import ab_centers, annealed_mean
from vidcolor.colorizer import Answer, Colorizer, State
from vidcolor.packed import conv_relu
from vidcolor.spaces import SPACES

MEAN, SPREAD = 0.449, 0.226
"""Of ImageNet's pictures, as one channel of light has them."""


class ConvNorm(nn.Module):
    """Convolution, batch norm that folds, ReLU."""

    def __init__(self, into: int, out: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        reach = dilation * (kernel // 2)
        self.conv: nn.Module = nn.Conv2d(into, out, kernel, stride, reach, dilation, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H/stride, W/stride)."""
        if isinstance(self.norm, nn.Identity):
            return conv_relu(self.conv, x)
        return F.relu_(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Merge the norm into the convolution."""
        if isinstance(self.norm, nn.BatchNorm2d) and isinstance(self.conv, nn.Conv2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class ConvRelu(nn.Sequential):
    """3x3 convolution and ReLU: (N, into, H, W) to (N, out, H/stride, W/stride)."""

    def __init__(self, into: int, out: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(nn.Conv2d(into, out, 3, stride, dilation, dilation), nn.ReLU())


class Classic(Colorizer):
    """A network that shows what it would answer a teacher."""

    def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """See Colorizer.forward."""
        if self.is_led(state):
            return self.led(light, state, condition)
        answer, after = self.answer(light, state, condition)
        ab = rearrange(answer.ab, "(t b) c h w -> t b c h w", t=len(light))
        return (ab[:, 0] if light.ndim == 4 else ab), after

    @abstractmethod
    def answer(
        self, light: Tensor, state: State, condition: Tensor | None = None, temperature: float = 0.0
    ) -> tuple[Answer, State]:
        """See Colorizer.answer."""

    def fold(self) -> Colorizer:
        """Fold batch norm; for inference only."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self


class Single(Classic):
    """A network that looks at each picture by itself."""

    def answer(
        self, light: Tensor, state: State, condition: Tensor | None = None, temperature: float = 0.0
    ) -> tuple[Answer, State]:
        """See Colorizer.answer."""
        del state, condition
        return self.see(flat(light).to(next(self.parameters())), temperature), State()

    @abstractmethod
    def see(self, light: Tensor, temperature: float) -> Answer:
        """What is to be said of each picture by itself: (N, 1, H, W) L*/100."""


class Classifier(Classic):
    """A classic network that tells classes of ab, and takes their annealed mean (Zhang, Isola, Efros, 2016)."""

    temperature = 0.38

    def __init__(self) -> None:
        super().__init__()
        self.centers: Tensor
        self.register_buffer("centers", ab_centers(), persistent=False)

    def told(self, scores: Tensor, temperature: float, deep: Tensor | None = None) -> Answer:
        """An answer from class scores (N, Q, h, w)."""
        ab = annealed_mean(scores, self.centers, temperature or self.temperature)
        return Answer(ab, scores, deep, ab)


class Regressor(Classic):
    """A classic network that tells two numbers a pixel, in a colour space of its choice."""

    reach = 110.0
    """Largest number; the last layer's are squeezed into it."""

    def __init__(self, space: str = "lab") -> None:
        super().__init__()
        if space not in SPACES:
            raise ValueError(f"there is no colour space {space}")
        self.space = space

    @classmethod
    def made(cls, facts: Mapping[str, str]) -> Colorizer:
        """See Colorizer.made."""
        return cls(facts.get("space", "lab"))

    def facts(self) -> dict[str, str]:
        """See Colorizer.facts."""
        return {"space": self.space}

    def told(self, raw: Tensor, light: Tensor, deep: Tensor | None = None, labels: Tensor | None = None) -> Answer:
        """An answer from what the last layer gave (N, 2, h, w), and the light that it stands in (N, 1, H, W)."""
        with torch.autocast(light.device.type, enabled=False):  # half-precision colours would be a whole Lab unit apart
            own = self.reach * torch.tanh(raw.float())
            small = F.interpolate(light.float(), size=own.shape[-2:], mode="area")
            return Answer(SPACES[self.space].decode(own, small), None, deep, own, labels)


def flat(x: Tensor) -> Tensor:
    """(T, B, C, H, W) or (T, C, H, W) to (T*B, C, H, W)."""
    return x.flatten(0, 1) if x.ndim == 5 else x


def twice(x: Tensor) -> Tensor:
    """Every pixel four times: (N, C, H, W) to (N, C, 2H, 2W)."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def last(into: int, out: int = 2) -> nn.Conv2d:
    """A last 3x3 convolution that begins near grey."""
    layer = nn.Conv2d(into, out, 3, padding=1)
    nn.init.normal_(layer.weight, std=1e-3)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def take_imagenet(network: nn.Module, weights: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> None:
    """Fill parameters of the same names from a ResNet-18 with folded batch norm; its RGB becomes one light channel.

    Raises:
        KeyError: a tensor is missing.
    """
    mine = network.state_dict()
    std, mean = torch.tensor([0.229, 0.224, 0.225]), torch.tensor([0.485, 0.456, 0.406])
    for name in (name for name in mine if name.startswith(prefixes) and not name.startswith("conv1.")):
        mine[name].copy_(weights[name])
    rgb = weights["conv1.weight"].float() / std[None, :, None, None]
    grey = rgb.sum(1, keepdim=True)
    shift = (rgb * mean[None, :, None, None]).sum((1, 2, 3))
    mine["conv1.weight"].copy_(SPREAD * grey)
    mine["conv1.bias"].copy_(weights["conv1.bias"].float() - shift + MEAN * grey.sum((1, 2, 3)))
