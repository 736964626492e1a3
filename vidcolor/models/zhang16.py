"""`zhang16`: eight blocks of convolutions, dilated in the middle, that class each quarter-size pixel's colour.

Source: Zhang, Isola, Efros, Colorful Image Colorization, ECCV 2016.

Differences from it: a quarter of its width (2.2 million parameters instead of 32); batch norm stands before the last
ReLU of a block, not behind it, so that it can be folded; input is L*/100 about its middle; learned from scratch on
tens of thousands of pictures damaged as film is, instead of on ImageNet's clean 1.3 million.
"""

from __future__ import annotations

from torch import Tensor, nn

from vidcolor.colorizer import Answer, Spec
from vidcolor.models.parts import Classifier, ConvNorm, ConvRelu, Single

WIDE = 120


def _block(into: int, out: int, layers: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """So many convolutions, the last one with batch norm and, where it is so, the stride."""
    plain = [ConvRelu(into if n == 0 else out, out, 1, dilation) for n in range(layers - 1)]
    return nn.Sequential(*plain, ConvNorm(out, out, 3, stride, dilation))


class Zhang16(Single, Classifier):
    """Light to classes of ab, frame by frame."""

    spec = Spec("zhang16", side=256, stride=8, scale=4, licence="MIT", needs_state=False)

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            _block(1, 32, 2, stride=2),
            _block(32, 64, 2, stride=2),
            _block(64, 96, 3, stride=2),
            _block(96, WIDE, 3),
            _block(WIDE, WIDE, 3, dilation=2),
            _block(WIDE, WIDE, 3, dilation=2),
            _block(WIDE, WIDE, 3),
            nn.Sequential(
                nn.ConvTranspose2d(WIDE, 80, 4, 2, 1), nn.ReLU(), ConvRelu(80, 80), nn.Conv2d(80, 80, 3, 1, 1)
            ),
        )
        self.classes = nn.Sequential(nn.ReLU(), nn.Conv2d(80, 313, 1))

    def see(self, light: Tensor, temperature: float) -> Answer:
        """See Classic.see."""
        return self.told(self.classes(self.blocks(2 * light - 1)), temperature)
