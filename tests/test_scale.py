"""Planes change their size and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from streams.scale import Scaler


@pytest.mark.parametrize(("dtype", "values"), [(np.uint8, (0, 16, 128, 235, 255)), (np.uint16, (0, 64, 940, 65535))])
def test_flat_planes_keep_their_value_so_no_range_is_stretched(dtype: type, values: tuple[int, ...]) -> None:
    scaler = Scaler()
    for value in values:
        plane = np.full((97, 131), value, dtype)
        assert (scaler.small(plane, (24, 32)) == value).all()
        assert (scaler.enlarge(plane, (200, 301)) == value).all()


@pytest.mark.parametrize("top", [256, 1024])
def test_small_is_the_mean_of_the_area_within_one_code(top: int) -> None:
    rng = np.random.default_rng(2)
    plane = rng.integers(0, top, (96, 160)).astype(np.uint8 if top == 256 else np.uint16)
    means = plane.reshape(12, 8, 20, 8).mean(axis=(1, 3))
    small = Scaler().small(plane, (12, 20))
    assert small.dtype == plane.dtype
    # swscale rounds once after each direction.
    assert np.abs(small - means).max() <= 1.0


def test_views_with_padding_and_flipped_rows_are_read_right() -> None:
    rng = np.random.default_rng(3)
    padded = rng.integers(0, 256, (40, 100)).astype(np.uint8)
    view = padded[::-1, :64]
    view.setflags(write=False)
    np.testing.assert_array_equal(Scaler().small(view, (10, 16)), Scaler().small(view.copy(), (10, 16)))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 50)])
def test_the_smallest_planes_can_be_enlarged(size: tuple[int, int]) -> None:
    assert (Scaler().enlarge(np.full(size, 7, np.uint8), (20, 60)) == 7).all()


def test_a_plane_of_the_right_size_is_handed_back() -> None:
    plane = np.zeros((4, 5), np.uint8)
    assert Scaler().enlarge(plane, (4, 5)) is plane
