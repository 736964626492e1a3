"""`autoencoder`: three convolutions, a dense bottleneck that sees the whole picture at once, three transposed ones.

Source: Macy, Image Colorization: LAB to RGB, for the State Archives of Florida (its "Second Attempt: Autoencoding").

Differences from it: dense layers fix the size of what they see, so features are first averaged into 8x8 cells and the
64x64 colours that come out are stretched over the picture; two channels come out beside the light, not RGB, since the
light is the film's own; the slides give layers, not widths.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.colorizer import Answer, Spec
from vidcolor.models.parts import ConvRelu, Regressor, Single, last

CELLS, WIDE, CODE = 8, 48, 128


class Autoencoder(Single, Regressor):
    """Light to two numbers a pixel through a code of 128 numbers, frame by frame."""

    spec = Spec("autoencoder", side=256, stride=8, scale=4, licence="MIT", needs_state=False)

    def __init__(self, space: str = "lab") -> None:
        super().__init__(space)
        self.encoder = nn.Sequential(ConvRelu(1, 24, 2), ConvRelu(24, 48, 2), ConvRelu(48, WIDE, 2))
        self.code = nn.Linear(WIDE * CELLS**2, CODE)
        self.spread = nn.Linear(CODE, WIDE * CELLS**2)
        self.decoder = nn.Sequential(_doubled(WIDE, 40), _doubled(40, 32), _doubled(32, 24), last(24))

    def see(self, light: Tensor, temperature: float) -> Answer:
        """See Classic.see."""
        del temperature
        cells = F.adaptive_avg_pool2d(self.encoder(2 * light - 1), CELLS)
        code = F.relu(self.code(cells.flatten(1)))
        raw = self.decoder(F.relu(self.spread(code)).view(-1, WIDE, CELLS, CELLS))
        size = (light.shape[-2] // self.spec.scale, light.shape[-1] // self.spec.scale)
        return self.told(F.interpolate(raw.float(), size=size, mode="bilinear", align_corners=False), light)


def _doubled(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(into, out, 4, 2, 1), nn.ReLU())
