"""Colour arithmetic against published values and its own inverse."""

from __future__ import annotations

import pytest
import torch

from vidcolor import color

# sRGB 8 bit, its grey (BT.709 luma, rounded half up), its CIE Lab (D65): worked by hand from the standards
WORKED = [
    ((255, 0, 0), 54, (53.2408, 80.0925, 67.2032)),
    ((0, 255, 0), 182, (87.7347, -86.1827, 83.1793)),
    ((0, 0, 255), 18, (32.2970, 79.1875, -107.8602)),
    ((128, 128, 128), 128, (53.5850, 0.0, 0.0)),
    ((194, 150, 130), 158, (65.6673, 13.6745, 16.8985)),
    ((10, 20, 5), 17, (5.2010, -5.9214, 5.6279)),
]
LAB_TOLERANCE = 2e-3  # fp32 cube roots of small ratios


def _pixel(rgb: tuple[int, int, int]) -> torch.Tensor:
    return torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1) / 255


def _colours(count: int = 64) -> torch.Tensor:
    """Random colours around random greys, as in nature, every value in the cube."""
    random = torch.Generator().manual_seed(3)
    grey = torch.rand(1, 1, count, count, generator=random)
    return (grey + 0.15 * torch.randn(1, 3, count, count, generator=random)).clamp(0, 1)


@pytest.mark.parametrize(("rgb", "grey", "lab"), WORKED)
def test_lab_and_luma_are_those_of_the_standards(
    rgb: tuple[int, int, int], grey: int, lab: tuple[float, float, float]
) -> None:
    pixel = _pixel(rgb)
    assert torch.allclose(color.lab_from_rgb(pixel).flatten(), torch.tensor(lab), atol=LAB_TOLERANCE)
    assert int(color.luma_from_rgb(pixel) * 255 + 0.5) == grey


def test_lab_and_back_is_the_same_colour() -> None:
    rgb = _colours()
    assert torch.allclose(color.rgb_from_lab(color.lab_from_rgb(rgb)), rgb, atol=1e-4)


def test_lightness_of_a_grey_is_its_lab_lightness() -> None:
    luma = torch.linspace(0, 1, 256).view(1, 1, 16, 16)
    assert torch.allclose(
        color.lightness_from_luma(luma), color.lab_from_rgb(luma.expand(1, 3, 16, 16))[:, :1], atol=1e-3
    )


@pytest.mark.parametrize("matrix", sorted(color.LUMA))
def test_colour_at_constant_luma_has_exactly_that_luma_and_lies_in_the_cube(matrix: str) -> None:
    random = torch.Generator().manual_seed(5)
    ab = torch.rand(1, 2, 64, 64, generator=random) * 220 - 110  # most of it far out of gamut
    luma = torch.rand(1, 1, 64, 64, generator=random)
    rgb = color.rgb_at_luma(ab, luma, matrix)
    assert torch.allclose(color.luma_from_rgb(rgb, matrix), luma, atol=1e-5)
    assert float(rgb.min()) >= -1e-6
    assert float(rgb.max()) <= 1 + 1e-6


@pytest.mark.parametrize("matrix", sorted(color.LUMA))
def test_true_ab_on_the_grey_gives_back_the_true_colour(matrix: str) -> None:
    rgb = _colours()
    ab, luma = color.lab_from_rgb(rgb)[:, 1:], color.luma_from_rgb(rgb, matrix)
    error = (color.rgb_at_luma(ab, luma, matrix) - rgb).abs() * 255
    assert float(error.mean()) < 0.05  # code values; at the grey's own L* it would be above 1
    assert float((error > 2).float().mean()) < 0.01


def test_chroma_of_primaries_reaches_the_ends_of_its_range() -> None:
    blue, red = color.chroma_from_rgb(_pixel((0, 0, 255))), color.chroma_from_rgb(_pixel((255, 0, 0)))
    assert float(blue[0, 0]) == pytest.approx(0.5, abs=1e-6)
    assert float(red[0, 1]) == pytest.approx(0.5, abs=1e-6)


def test_the_bins_are_the_published_313_and_their_prior_is_one() -> None:
    bins = color.ab_bins()
    assert bins.centers.shape == (313, 2)
    assert float(bins.prior.sum()) == pytest.approx(1, abs=1e-4)
    assert bins.prior.min() > 0


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_rebalancing_weights_have_mean_one_under_the_prior(strength: float) -> None:
    bins = color.ab_bins()
    assert float((bins.prior * bins.rebalancing(strength)).sum()) == pytest.approx(1, abs=1e-5)


def test_rare_classes_weigh_more_the_stronger_the_rebalancing() -> None:
    bins = color.ab_bins()
    rare = int(bins.prior.argmin())
    weights = [float(bins.rebalancing(s)[rare]) for s in (1.0, 0.5, 0.0)]
    assert weights == sorted(weights)


def test_soft_encoding_names_the_nearest_class_first_and_sums_to_one() -> None:
    bins = color.ab_bins()
    ab = torch.tensor([4.4, -11.0]).view(1, 2, 1, 1)
    classes, weights = bins.encode(ab)
    assert bins.centers[classes[0, 0, 0, 0]].tolist() == [0.0, -10.0]
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    assert weights[0, 0, 0, 0] == weights.max()


def test_annealed_mean_runs_from_mean_to_mode() -> None:
    centers = torch.tensor([[0.0, 0.0], [100.0, 0.0]])
    logits = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    mean = float(color.annealed_mean(logits, centers, 1.0)[0, 0])
    mode = float(color.annealed_mean(logits, centers, 0.01)[0, 0])
    assert mean == pytest.approx(100 * torch.sigmoid(torch.tensor(-1.0)).item(), abs=1e-3)
    assert mode == pytest.approx(0, abs=1e-3)
