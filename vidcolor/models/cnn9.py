"""`cnn9`: nine convolutions, the first six going down to an eighth, the last three back up, from scratch.

Source: Macy, Image Colorization: LAB to RGB, for the State Archives of Florida (its "Updated CNN").

Differences from it: the slides give layers and up-samplings, not widths; trained by the minute and stopped early by the
score on pictures kept for checking, not by accuracy after up to a thousand epochs; the colour space may be another
than Lab.
"""

from __future__ import annotations

from torch import Tensor, nn

from vidcolor.colorizer import Answer, Spec
from vidcolor.models.parts import ConvRelu, Regressor, Single, last, twice


class Cnn9(Single, Regressor):
    """Light to two numbers a pixel, frame by frame."""

    spec = Spec("cnn9", side=256, stride=8, scale=1, licence="MIT", needs_state=False)

    def __init__(self, space: str = "lab") -> None:
        super().__init__(space)
        self.down = nn.Sequential(
            ConvRelu(1, 24, 2), ConvRelu(24, 48), ConvRelu(48, 64, 2), ConvRelu(64, 96), ConvRelu(96, 128, 2)
        )
        self.middle = ConvRelu(128, 128)
        self.up = nn.ModuleList((ConvRelu(128, 48), ConvRelu(48, 16), last(16)))

    def see(self, light: Tensor, temperature: float) -> Answer:
        """See Classic.see."""
        del temperature
        x = self.middle(self.down(2 * light - 1))
        for layer in self.up:
            x = layer(twice(x))
        return self.told(x, light)
