"""`gan`: a U-Net that learned first from the truth, and at the end, briefly, from a critic of patches.

Sources: Macy, Image Colorization: LAB to RGB (its "Generative Adversarial Network Approach"); Isola et al., CVPR 2017
(U-Net generator, patch discriminator); Antic, DeOldify (NoGAN: the adversary comes late and leaves early).

Differences from them: a tenth of the width, no noise and no drop-out in the generator (a film must come out the same
twice); the loss before and beside the critic is the mean absolute error, as in Isola et al., not a perceptual one; the
critic (vidcolor.train.adversary) is not kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidcolor.colorizer import Answer, Spec
from vidcolor.models.parts import ConvNorm, Regressor, Single, last, twice


class Gan(Single, Regressor):
    """Light to two numbers a pixel, frame by frame."""

    spec = Spec("gan", side=256, stride=16, scale=2, licence="MIT", needs_state=False)

    def __init__(self, space: str = "lab") -> None:
        super().__init__(space)
        self.down = nn.ModuleList(
            (ConvNorm(1, 32, 5, 2), ConvNorm(32, 64, 3, 2), ConvNorm(64, 128, 3, 2), ConvNorm(128, 192, 3, 2))
        )
        self.floor = ConvNorm(192, 192)
        self.up = nn.ModuleList((ConvNorm(192 + 128, 128), ConvNorm(128 + 64, 64), ConvNorm(64 + 32, 32)))
        self.last = last(32)

    def see(self, light: Tensor, temperature: float) -> Answer:
        """See Classic.see."""
        del temperature
        x, seen = 2 * light - 1, []
        for layer in self.down:
            x = layer(x)
            seen.append(x)
        x = self.floor(x)
        for layer, beside in zip(self.up, reversed(seen[:-1]), strict=True):
            x = layer(torch.cat((twice(x), beside), 1))
        return self.told(self.last(x), light)
