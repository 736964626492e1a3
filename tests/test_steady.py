"""Colours are held still along motion and let go where nothing fits; a network looks where there is something new."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vidcolor.memory import State
from vidcolor.steady import EACH, LONGEST, PACE, coloured

SIZE = (48, 80)  # of colours; light has twice that
FRAMES = 12


@pytest.fixture(scope="module")
def scene() -> Tensor:
    """(144, 240) of light with much to hold on to."""
    chance = np.random.default_rng(3)
    rough = torch.from_numpy(chance.random((1, 1, 18, 30), np.float32))
    return torch.nn.functional.interpolate(rough, size=(144, 240), mode="bicubic").clamp(0.05, 0.95)[0, 0]


def _window(scene: Tensor, right: int) -> Tensor:
    """(1, 1, 96, 160) of the scene, so many pixels to the right."""
    return scene[None, None, 20:116, right : right + 160]


def _colours_of(light: Tensor) -> Tensor:
    """Colours that belong to things: (1, 2, 48, 80), the same wherever a thing is."""
    small = torch.nn.functional.avg_pool2d(light, 2)
    return torch.cat((60 * small - 30, 40 - 60 * small), 1)


def _noise(count: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(5).normal(0, 4, (count, 2, *SIZE)).astype(np.float32))


def steadied(ab: Tensor, light: Tensor, before: State, after: State) -> tuple[Tensor, State]:
    """Hold colours still that a network gave to every frame."""
    return coloured(lambda *_: (ab, after), light, before, (ab.shape[-2], ab.shape[-1]), EACH)


def test_trembling_colours_of_what_stands_still_are_held(scene: Tensor) -> None:
    light = _window(scene, 0).expand(FRAMES, -1, -1, -1)
    shown, _ = steadied(_colours_of(light) + _noise(FRAMES), light, State(), State())
    before, after = (one[8:].diff(dim=0).abs().mean() for one in (_colours_of(light) + _noise(FRAMES), shown))
    assert after < 0.2 * before  # a mean of n changes by 1/n of what its parts differ by
    assert (shown[-1] - _colours_of(light)[-1]).std() < 4 / 2


def test_colours_go_with_what_moves(scene: Tensor) -> None:
    light = torch.cat([_window(scene, 6 * time) for time in range(FRAMES)])
    shown, _ = steadied(_colours_of(light), light, State(), State())
    inside = (shown - _colours_of(light))[:, :, 8:-8, 8:-8]
    assert inside.abs().mean() < 0.5  # flow of a fraction of a pixel; unmoved colours would be 5 off
    unmoved = _colours_of(light)[:-1] - _colours_of(light)[1:]
    assert unmoved.abs().mean() > 4


def test_what_comes_into_the_picture_has_its_own_colours(scene: Tensor) -> None:
    light = _window(scene, 0).repeat(FRAMES, 1, 1, 1)
    ab = torch.full((FRAMES, 2, *SIZE), 20.0)
    light[8:, :, 20:76, 40:120] = 1 - light[8:, :, 20:76, 40:120]  # a thing of another light, where nothing was
    ab[8:, :, 10:38, 20:60] = -20
    shown, _ = steadied(ab, light, State(), State())
    assert shown[8, :, 18:30, 30:50].mean() < -12
    assert (shown[8, :, :, 66:] - 20).abs().max() < 0.01


def test_a_lamp_that_flickers_changes_nothing(scene: Tensor) -> None:
    lamp = torch.tensor([1.0, 0.85] * (FRAMES // 2)).view(-1, 1, 1, 1)
    light = _window(scene, 0).expand(FRAMES, -1, -1, -1)
    noise = _noise(FRAMES)
    steady, _ = steadied(noise, light, State(), State())
    flickering, _ = steadied(noise, light * lamp, State(), State())
    assert flickering[8:].diff(dim=0).abs().mean() < 1.5 * steady[8:].diff(dim=0).abs().mean()


def test_the_first_frame_of_a_shot_is_as_the_network_gave_it(scene: Tensor) -> None:
    ab = _noise(1)
    assert torch.equal(steadied(ab, _window(scene, 0), State(), State())[0], ab)


def test_batches_make_no_difference(scene: Tensor) -> None:
    light, ab = torch.cat([_window(scene, 3 * time) for time in range(6)]), _noise(6)
    whole, behind = steadied(ab, light, State(), State())
    parts, state = [], State()
    for first, last in ((0, 1), (1, 4), (4, 6)):
        part, state = steadied(ab[first:last], light[first:last], state, State())
        parts.append(part)
    assert torch.equal(torch.cat(parts), whole)
    assert state.equal(behind)


def test_a_mean_reaches_over_a_few_frames_only(scene: Tensor) -> None:
    light = _window(scene, 0).expand(60, -1, -1, -1)
    ab = torch.cat((torch.full((30, 2, *SIZE), 10.0), torch.full((30, 2, *SIZE), -10.0)))
    shown, state = steadied(ab, light, State(), State())
    assert state.tensors["steady.weight"].max() == LONGEST
    assert shown[31].mean() > 5
    assert shown[59].mean() < -8


@pytest.mark.parametrize("size", [(1, 1), (4, 30), (12, 12)])
def test_pictures_too_small_for_motion_are_held_where_they_are(size: tuple[int, int]) -> None:
    light = torch.full((3, 1, 2 * size[0], 2 * size[1]), 0.5)
    ab = torch.zeros(3, 2, *size)
    ab[1:] = 8
    assert steadied(ab, light, State(), State())[0][1].max() == 4


def test_colours_that_are_not_finite_stay_so(scene: Tensor) -> None:
    light = _window(scene, 0).expand(2, -1, -1, -1)
    ab = torch.zeros(2, 2, *SIZE)
    ab[1, 0, 5, 5] = torch.nan
    shown, state = steadied(ab, light, State(), State())
    assert not shown[1].isfinite().all()
    assert not state.tensors["steady.ab"].isfinite().all()


class Watchman:
    """A network whose colours belong to things, that notes which frames it was shown."""

    def __init__(self) -> None:
        self.lights: list[Tensor] = []

    def look(self, light: Tensor, state: State) -> tuple[Tensor, State]:
        """Frames (T, 1, H, W)."""
        self.lights += list(light)
        looks = state.tensors.get("looks", torch.zeros(1)) + len(light)
        return _colours_of(light), State({"looks": looks})

    def colour(self, light: Tensor, batches: tuple[int, ...]) -> tuple[Tensor, State]:
        """All frames, in batches of such sizes."""
        parts, state = [], State()
        for frames in light.split(batches):
            ab, state = coloured(self.look, frames, state, SIZE)
            parts.append(ab)
        return torch.cat(parts), state


def _looked_at(light: Tensor) -> list[int]:
    """Numbers of the frames that a network is shown."""
    watchman = Watchman()
    watchman.colour(light, (1,) * len(light))
    return [number for number, frame in enumerate(light) if any(torch.equal(frame, one) for one in watchman.lights)]


def _numbered(light: Tensor) -> Tensor:
    """Frames that differ by less than can be seen, so that they can be told apart."""
    return light * (1 - 1e-5 * torch.arange(len(light)).view(-1, 1, 1, 1))


def test_a_network_looks_now_and_then_at_what_stays_the_same(scene: Tensor) -> None:
    light = _numbered(_window(scene, 0).expand(FRAMES, -1, -1, -1))
    assert _looked_at(light) == list(range(0, FRAMES, PACE.gap))


def test_a_lamp_that_flickers_is_nothing_new(scene: Tensor) -> None:
    lamp = torch.tensor([1.0, 0.85] * (FRAMES // 2)).view(-1, 1, 1, 1)
    light = _numbered(_window(scene, 0).expand(FRAMES, -1, -1, -1) * lamp)
    assert _looked_at(light) == list(range(0, FRAMES, PACE.gap))


def test_a_network_looks_at_once_where_something_comes_into_the_picture(scene: Tensor) -> None:
    light = _numbered(_window(scene, 0).expand(FRAMES, -1, -1, -1)).clone()
    light[6:, :, 20:76, 40:120] = 1 - light[6:, :, 20:76, 40:120]
    assert 6 in _looked_at(light)


def test_frames_that_are_passed_over_have_the_colours_of_their_things(scene: Tensor) -> None:
    light = torch.cat([_window(scene, 4 * time) for time in range(FRAMES)])
    watchman = Watchman()
    shown, _ = watchman.colour(light, (1,) * FRAMES)
    assert len(watchman.lights) < FRAMES
    assert (shown - _colours_of(light))[:, :, 8:-8, 8:-8].abs().mean() < 0.5


def test_which_frames_are_looked_at_does_not_depend_on_batches(scene: Tensor) -> None:
    light = torch.cat([_window(scene, 3 * time + 20 * (time > 5)) for time in range(9)])
    whole, behind = Watchman().colour(light, (9,))
    for sizes in ((1,) * 9, (2, 2, 5), (4, 1, 4)):
        parts, state = Watchman().colour(light, sizes)
        assert torch.equal(parts, whole)
        assert state.equal(behind)


def test_a_network_s_own_memory_goes_from_look_to_look(scene: Tensor) -> None:
    light = _window(scene, 0).expand(9, -1, -1, -1)
    _, state = Watchman().colour(light, (1,) * 9)
    assert state.tensors["looks"] == 3
