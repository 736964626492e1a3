"""Colour spaces that a network may be taught in: two channels beside the light, in units about as large as Lab's.

Sources: CIE 1976 Lab; ITU-R BT.709 (Y'CbCr); Ottosson, A perceptual color space for image processing, 2020 (Oklab).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from vidcolor.color import (
    LUMA,
    chroma_from_rgb,
    lab_from_linear,
    lab_from_rgb,
    linear_from_srgb,
    srgb_from_linear,
)

_CHROMA_UNIT = 200.0
_OKLAB_UNIT = 250.0
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_OPPONENTS = ((1.9779984951, -2.4285922050, 0.4505937099), (0.0259040371, 0.7827717662, -0.8086757660))
_LIGHT = ((0.2104542553, 0.7936177850, -0.0040720468),)


@dataclass(frozen=True, slots=True)
class Space:
    """A colour space.

    Attributes:
        encode: (N, 3, H, W) gamma-encoded RGB to (N, 2, H, W).
        decode: (N, 2, H, W) and the grey's light (N, 1, H, W), L*/100, to Lab a*, b*.
    """

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor, Tensor], Tensor]


def _linear_grey(light: Tensor) -> Tensor:
    """Linear light of a grey of L*/100."""
    lightness = 100 * light
    f = (lightness + 16) / 116
    return torch.where(lightness > 8, f**3, lightness * 27 / 24389)


def _encode_lab(rgb: Tensor) -> Tensor:
    return lab_from_rgb(rgb)[:, 1:]


def _decode_lab(ab: Tensor, light: Tensor) -> Tensor:
    del light
    return ab


def _encode_chroma(rgb: Tensor) -> Tensor:
    return _CHROMA_UNIT * chroma_from_rgb(rgb)


def _decode_chroma(chroma: Tensor, light: Tensor) -> Tensor:
    """At the grey's own luma."""
    luma = srgb_from_linear(_linear_grey(light))
    red_share, green_share, blue_share = LUMA["bt709"]
    cb, cr = chroma[:, :1] / _CHROMA_UNIT, chroma[:, 1:] / _CHROMA_UNIT
    red, blue = luma + 2 * (1 - red_share) * cr, luma + 2 * (1 - blue_share) * cb
    green = (luma - red_share * red - blue_share * blue) / green_share
    return lab_from_rgb(torch.cat((red, green, blue), 1))[:, 1:]


@cache
def _oklab(device: torch.device) -> tuple[Tensor, Tensor]:
    """Cone responses from linear RGB, and Oklab from their cube roots."""
    with torch.inference_mode(False):  # as in vidcolor.color: kept for those who want gradients too
        return torch.tensor(_CONES, device=device), torch.tensor(_LIGHT + _OPPONENTS, device=device)


def _mix(matrix: Tensor, planes: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", matrix, planes)


def _encode_oklab(rgb: Tensor) -> Tensor:
    cones, opponents = _oklab(rgb.device)
    roots = _mix(cones, linear_from_srgb(rgb)).clamp_min(1e-8).pow(1 / 3)
    return _OKLAB_UNIT * _mix(opponents, roots)[:, 1:]


def _decode_oklab(opponent: Tensor, light: Tensor) -> Tensor:
    """At the Oklab lightness of the grey: as with Lab, the luma is put right afterwards, where colours leave Lab."""
    cones, opponents = _oklab(light.device)
    lightness = _linear_grey(light).clamp_min(1e-8).pow(1 / 3)
    whole = torch.cat((lightness, opponent / _OKLAB_UNIT), 1)
    linear = _mix(torch.linalg.inv(cones), _mix(torch.linalg.inv(opponents), whole) ** 3)
    return lab_from_linear(linear)[:, 1:]


SPACES = {
    "lab": Space(_encode_lab, _decode_lab),
    "ycbcr": Space(_encode_chroma, _decode_chroma),
    "oklab": Space(_encode_oklab, _decode_oklab),
}
"""By name, as weights files have it."""
