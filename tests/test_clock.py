"""Time stamps rise, and stay the film's own wherever they can."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streams.reading.clock import Clock, usual_step

MS = Fraction(1, 1000)


@pytest.mark.parametrize(
    ("stamps", "expected", "is_mended"),
    [
        ([0, 40, 80], [0, 40, 80], False),
        ([-80, -40, 0], [-80, -40, 0], False),
        ([0, 40, 5080, 5120], [0, 40, 5080, 5120], False),
        ([0, 7, 90, 91], [0, 7, 90, 91], False),
        ([0, 40, 40, 80], [0, 40, 41, 80], True),
        ([0, 40, 30, 80], [0, 40, 41, 80], True),
        ([0, None, 80], [0, 40, 80], True),
        ([None, None, None], [0, 40, 80], False),
        ([0, 40, 21_600_040, 21_600_080], [0, 40, 21_600_040, 21_600_080], False),
        ([0, 40, 30_000_000, 30_000_040], [0, 40, 80, 120], True),
        ([9000, 9040, 0, 40, 80], [9000, 9040, 9080, 9120, 9160], True),
    ],
)
def test_stamps_rise_and_keep_the_films_own_times(
    stamps: list[int | None], expected: list[int], is_mended: bool
) -> None:
    clock = Clock(MS, 40)
    assert [clock.stamp(stamp, 0) for stamp in stamps] == expected
    assert (clock.sentence("film") is not None) == is_mended


def test_a_pictures_own_length_is_used_where_its_stamp_is_missing() -> None:
    clock = Clock(MS, 40)
    assert [clock.stamp(pts, length) for pts, length in ((0, 100), (None, 100), (None, 60))] == [0, 100, 160]


def test_the_usual_step_is_at_least_a_tick() -> None:
    assert usual_step(MS, Fraction(25)) == 40
    assert usual_step(Fraction(1, 25), Fraction(50)) == 1
    assert usual_step(MS, None) == 1
