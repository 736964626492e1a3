"""Chroma planes: at constant luma, in the code values of the output, whatever its depth, range and matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streams.errors import ModelError
from streams.formats import ColorTags, PictureFormat
from vidcolor import color
from vidcolor.planes import ChromaMaker, network_size

FORMATS = [("yuv420p", 8), ("yuv422p10le", 10), ("yuv444p12le", 12), ("yuv444p16le", 16)]
RANGES = ["tv", "pc"]


def _format(pixels: str, full: str, matrix: str = "bt709") -> PictureFormat:
    return PictureFormat.of((96, 64), pixels, ColorTags(range=full, matrix=matrix))


def _small(form: PictureFormat, grey: float) -> np.ndarray:
    code = round(form.luma_zero + grey * (form.luma_peak - form.luma_zero))
    return np.full((1, 32, 48), code, np.uint8 if form.depth == 8 else np.uint16)


@pytest.mark.parametrize("full", RANGES)
@pytest.mark.parametrize(("pixels", "depth"), FORMATS)
def test_light_is_the_lightness_of_the_code_value(pixels: str, depth: int, full: str) -> None:
    form = _format(pixels, full)
    light = ChromaMaker(form, form).small_to_light(_small(form, 0.5))
    wanted = float(color.lightness_from_luma(torch.tensor(0.5))) / 100
    assert light.shape == (1, 1, 32, 48)
    assert float(light.mean()) == pytest.approx(wanted, abs=0.6 / (1 << depth) * 1.4)  # half a code value of luma


@pytest.mark.parametrize("full", RANGES)
@pytest.mark.parametrize(("pixels", "depth"), FORMATS)
def test_chroma_codes_are_those_of_the_colour_at_this_luma(pixels: str, depth: int, full: str) -> None:
    form = _format(pixels, full)
    small = _small(form, 0.5)
    ab = torch.tensor([20.0, 35.0]).view(1, 2, 1, 1).expand(1, 2, 16, 24)
    cb, cr = next(ChromaMaker(form, form).chroma(ab, small))
    luma = (torch.tensor(float(small[0, 0, 0])) - form.luma_zero) / (form.luma_peak - form.luma_zero)
    rgb = color.rgb_at_luma(ab, luma.expand(1, 1, 16, 24))
    wanted = color.chroma_from_rgb(rgb)[0, :, 0, 0] * form.chroma_span + form.chroma_mid
    assert cb.shape == cr.shape == form.chroma_size
    assert abs(float(cb.mean()) - float(wanted[0])) <= 0.51
    assert abs(float(cr.mean()) - float(wanted[1])) <= 0.51


@pytest.mark.parametrize(("pixels", "depth"), FORMATS)
def test_saturation_zero_is_neutral(pixels: str, depth: int) -> None:
    form = _format(pixels, "tv")
    ab = torch.randn(1, 2, 16, 24, generator=torch.Generator().manual_seed(1)) * 40
    for plane in next(ChromaMaker(form, form, saturation=0).chroma(ab, _small(form, 0.4))):
        assert np.abs(plane.astype(int) - (1 << (depth - 1))).max() <= 1


def test_a_colour_that_is_no_number_ends_the_run() -> None:
    form = _format("yuv420p", "tv")
    ab = torch.zeros(1, 2, 16, 24)
    ab[0, 0, 3, 3] = torch.nan
    with pytest.raises(ModelError, match="finite"):
        next(ChromaMaker(form, form).chroma(ab, _small(form, 0.5)))


def test_black_and_white_stay_neutral_whatever_the_network_says() -> None:
    form = _format("yuv420p", "tv")
    ab = torch.full((1, 2, 16, 24), 60.0)
    for grey in (0.0, 1.0):
        cb, cr = next(ChromaMaker(form, form).chroma(ab, _small(form, grey)))
        assert np.abs(cb.astype(int) - 128).max() <= 1
        assert np.abs(cr.astype(int) - 128).max() <= 1


@pytest.mark.parametrize(
    ("picture", "seen"),
    [
        ((1080, 1920), (144, 256)),
        ((480, 640), (192, 256)),
        ((640, 480), (256, 192)),
        ((1, 1), (256, 256)),
        ((32, 320), (32, 256)),
    ],
)
def test_the_network_sees_the_shape_of_the_picture(picture: tuple[int, int], seen: tuple[int, int]) -> None:
    assert network_size(picture, 256, 16) == seen
