"""`resnet-half`: the first half of ResNet-18 looks, a few convolutions and up-samplings tell two numbers a pixel.

Source: Ke, Fan, Yang, Colorizing Grayscale Photographs with Convolutional Neural Network; its encoder from He et al.,
CVPR 2016.

Differences from it: colours come out at half size (the paper's last up-sampling only repeats pixels, and the product
enlarges anyway); a last tanh keeps them in reach; the encoder keeps ImageNet's batch norm folded and learns more
slowly than the decoder; the rate is a tenth of the paper's 0.01, at which its own loss did not settle; the colour
space may be another than Lab.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.colorizer import Answer, Spec
from vidcolor.models.parts import MEAN, SPREAD, ConvNorm, Regressor, Single, last, take_imagenet, twice
from vidcolor.models.reel import Block


class ResnetHalf(Single, Regressor):
    """Light to two numbers a pixel, frame by frame."""

    spec = Spec("resnet-half", side=256, stride=8, scale=2, licence="MIT", needs_state=False)
    pretrained = ("conv1", "layer")

    def __init__(self, space: str = "lab") -> None:
        super().__init__(space)
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128))
        self.at8 = ConvNorm(128, 128)
        self.at4 = nn.Sequential(ConvNorm(128, 64), ConvNorm(64, 64))
        self.at2 = nn.Sequential(ConvNorm(64, 32), last(32))

    def see(self, light: Tensor, temperature: float) -> Answer:
        """See Classic.see."""
        del temperature
        first = F.max_pool2d(F.relu(self.conv1((light - MEAN) / SPREAD)), 3, 2, 1)
        features = self.at8(self.layer2(self.layer1(first)))
        return self.told(self.at2(twice(self.at4(twice(features)))), light)

    def start_from_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Take the encoder from a ResNet-18 with folded batch norm.

        Raises:
            KeyError: a tensor is missing.
        """
        take_imagenet(self, weights, self.pretrained)
