"""Shots end where they end: not at flashes, fades, flicker or grain."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reels import textures

from streams.prefetch import prefetch
from streams.shots import CutFinder, batches
from streams.source import Frame

SIZE = (144, 256)


def cuts(pictures: Sequence[NDArray[Any]]) -> list[int]:
    finder = CutFinder()
    return [number for number, picture in enumerate(pictures) if finder.is_cut(picture)]


def shot(count: int, seed: int, top: int = 219) -> list[NDArray[Any]]:
    return textures(count, SIZE, seed, top)


def test_cuts_are_found_at_the_first_picture_of_the_new_shot() -> None:
    assert cuts(shot(9, 1) + shot(7, 2) + shot(1, 3) + shot(5, 4)) == [9, 16, 17]


@pytest.mark.parametrize("depth", [10, 16])
def test_cuts_are_found_at_any_depth(depth: int) -> None:
    top = 219 << (depth - 8)
    assert cuts(shot(6, 1, top) + shot(6, 2, top)) == [6]


def test_flicker_grain_and_weave_are_no_cuts() -> None:
    rng = np.random.default_rng(0)
    spoilt = []
    for picture in shot(60, 5):
        weave = np.roll(picture, tuple(rng.integers(-4, 5, 2)), axis=(0, 1))
        grain = rng.normal(0, 12, SIZE)
        spoilt.append(np.clip(weave * rng.uniform(0.6, 1.3) + rng.uniform(-20, 20) + grain, 0, 255).astype(np.uint8))
    assert cuts(spoilt) == []


def test_a_flash_ends_no_shot() -> None:
    pictures = shot(20, 6)
    pictures[8] = np.full(SIZE, 250, np.uint8)
    pictures[9] = np.clip(pictures[9] * 0.1 + 230, 0, 255).astype(np.uint8)
    assert cuts(pictures) == []


def test_fading_to_black_and_back_is_one_shot() -> None:
    pictures = shot(40, 7)
    gains = np.abs(np.linspace(1, -1, 40))
    assert cuts([(16 + gain * (p - 16.0)).astype(np.uint8) for gain, p in zip(gains, pictures, strict=True)]) == []


def test_black_between_two_shots_makes_one_cut_where_the_new_one_appears() -> None:
    black = [np.full(SIZE, 16, np.uint8)] * 5
    assert cuts(shot(10, 8) + black + shot(10, 9)) == [15]


def test_black_white_flat_and_tiny_films_have_no_cuts() -> None:
    assert cuts([np.full(SIZE, value, np.uint8) for value in (0, 0, 255, 255, 128, 0)]) == []
    assert cuts([np.full((1, 1), value, np.uint8) for value in (0, 200, 3)]) == []


def test_a_cut_does_not_depend_on_what_comes_after() -> None:
    pictures = shot(6, 1) + shot(6, 2)
    finder = CutFinder()
    one_by_one = [finder.is_cut(picture) for picture in pictures[:7]]
    assert one_by_one == [False] * 6 + [True]


def frames(pictures: Sequence[NDArray[Any]]) -> Iterator[Frame]:
    for number, picture in enumerate(pictures):
        yield Frame(picture, number, Fraction(1, 25), 1, number)


@pytest.mark.parametrize("limit", [1, 4, 16])
def test_a_batch_never_crosses_a_cut_and_never_exceeds_its_limit(limit: int) -> None:
    pictures = shot(9, 1) + shot(7, 2)
    made = list(batches(frames(pictures), (36, 64), limit))
    assert [frame.index for batch in made for frame in batch.frames] == list(range(16))
    assert max(len(batch.frames) for batch in made) == min(limit, 9)
    assert [batch.shot for batch in made for _ in batch.frames] == [0] * 9 + [1] * 7
    assert [batch.frames[0].index for batch in made if batch.begins_shot] == [0, 9]
    for batch in made:
        assert batch.small.shape == (len(batch.frames), 36, 64)
        assert batch.small.dtype == np.uint8


def test_over_a_queue_no_frame_waits_for_the_next() -> None:
    gate = threading.Event()

    def live() -> Iterator[Frame]:
        for frame in frames(shot(4, 1)):
            yield frame
            if frame.index == 1:
                gate.wait(5)

    with prefetch(live(), 8) as queue:
        made = batches(queue, (36, 64), 16)
        got = [frame.index for frame in next(made).frames]
        if got == [0]:
            got += [frame.index for frame in next(made).frames]
        assert got == [0, 1]
        gate.set()
        assert [frame.index for batch in made for frame in batch.frames] == [2, 3]
