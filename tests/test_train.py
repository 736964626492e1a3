"""Training: what it is fed, what it is blamed for, and that it learns, resumes, and says what it cannot use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from streams.errors import InputError
from vidcolor import color, weights
from vidcolor.models.reel import Reel
from vidcolor.train.data import clips, moving_pictures
from vidcolor.train.film import Wear, expose
from vidcolor.train.loop import Material, Recipe, Trainer
from vidcolor.train.losses import class_loss, distance_loss, steady_loss
from vidcolor.train.store import PICTURES, Store, open_store

UNWORN = Wear(0, 0, 0, 0, 0, 0)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten colour pictures, smooth, each with its own hue, and one that is grey."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    ramp = np.linspace(0.2, 0.9, 96)[None, :, None] * np.linspace(0.6, 1.0, 72)[:, None, None]
    waves = 0.3 * np.sin(np.arange(96) / 5)[None, :] * np.sin(np.arange(72) / 4)[:, None]
    for number in range(10):
        hue = np.array([1.0, 0.4 + 0.05 * number, 0.9 - 0.08 * number]) - waves[..., None] * [0.0, 0.5, 1.0]
        Image.fromarray((255 * (ramp * hue).clip(0, 1)).astype(np.uint8)).save(folder / f"{number}.png")
    Image.fromarray((255 * ramp[..., 0]).astype(np.uint8)).save(folder / "grey.png")
    return folder


@pytest.fixture
def store(pictures: Path, tmp_path: Path) -> Store:
    return open_store([pictures], tmp_path / "cache", PICTURES)


def _random() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def test_grey_pictures_are_left_out(store: Store) -> None:
    assert len(store) == 10


def test_a_store_is_only_decoded_once(store: Store, pictures: Path, tmp_path: Path) -> None:
    before = [(p.name, p.stat().st_mtime_ns) for p in sorted((tmp_path / "cache").iterdir())]
    again = open_store([pictures], tmp_path / "cache", PICTURES)
    assert [(p.name, p.stat().st_mtime_ns) for p in sorted((tmp_path / "cache").iterdir())] == before
    assert np.array_equal(again.clip(3), store.clip(3))


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no picture found"):
        open_store([tmp_path / "none"], tmp_path / "cache", PICTURES)


def test_a_folder_of_grey_pictures_is_said(pictures: Path, tmp_path: Path) -> None:
    for path in pictures.glob("[0-9].png"):
        path.unlink()
    with pytest.raises(InputError, match="black and white"):
        open_store([pictures], tmp_path / "cache", PICTURES)


def test_motion_of_a_moving_picture_is_known_exactly(store: Store) -> None:
    """The truth, carried along the motion that is said to be, hardly changes; carried along none, it does."""
    sample = moving_pictures(store, _random(), (48, 64), 6, 4)
    assert sample.maps is not None
    ab = color.lab_from_rgb(sample.rgb)[:, :, 1:]
    still = torch.eye(2, 3).expand_as(sample.maps)
    assert float(steady_loss(ab, sample.maps)) < 0.25 * float(steady_loss(ab, still))


def test_short_clips_are_played_to_and_fro(store: Store) -> None:
    sample = clips(store, _random(), (48, 64), 2, 3)
    assert sample.rgb.shape == (2, 3, 3, 48, 64)
    assert torch.equal(sample.rgb[:, 0], sample.rgb[:, 2])


def test_unworn_film_shows_the_luma_of_the_picture(store: Store) -> None:
    sample = moving_pictures(store, _random(), (48, 64), 2, 1)
    light, condition = expose(sample.rgb, UNWORN, _random())
    wanted = color.lightness_from_luma(color.luma_from_rgb(sample.rgb)) / 100
    assert torch.allclose(light, wanted, atol=1e-5)
    assert not condition.any()


def test_a_blue_sensitive_stock_sees_red_as_black(store: Store) -> None:
    red = torch.zeros(40, 1, 3, 8, 8)
    red[:, :, 0] = 0.8
    light, _ = expose(red.clone(), Wear(1.0, 0, 0, 0, 0, 0), _random())
    plain, _ = expose(red.clone(), UNWORN, _random())
    assert float(light.min()) < 0.6 * float(plain.mean())


def test_worn_film_stays_in_range(store: Store) -> None:
    sample = moving_pictures(store, _random(), (48, 64), 8, 3)
    light, _ = expose(sample.rgb, Wear(1, 1, 1, 1, 1, 1), _random())
    assert float(light.min()) >= 0
    assert float(light.max()) <= 1
    assert bool(torch.isfinite(light).all())


def test_the_true_class_is_blamed_least() -> None:
    bins = color.ab_bins()
    ab = bins.centers[[40, 200]].view(2, 2, 1, 1)
    right = torch.full((2, 313, 1, 1), -20.0)
    right[0, 40], right[1, 200] = 20, 20
    blame, weight = class_loss(right, ab, bins, bins.rebalancing())
    wrong, _ = class_loss(right.flip(0), ab, bins, bins.rebalancing())
    assert float(blame) < float(wrong)
    assert float(distance_loss(ab, ab, weight)) == 0


def test_training_learns_and_takes_up_where_it_stopped(store: Store, tmp_path: Path) -> None:
    recipe = Recipe(minutes=100, size=(32, 32), batch=4, checkpoint_minutes=1e9, rate=2e-3, wear=UNWORN)
    torch.manual_seed(1)
    trainer = Trainer(Reel(), Material(store, None, store), recipe, tmp_path / "run")
    (tmp_path / "run").mkdir()
    first = trainer.check(store, 8)["loss"]
    for _ in range(12):
        trainer.step()
    trainer.save()
    last = trainer.check(store, 8)["loss"]
    assert last < first
    again = Trainer(Reel(), Material(store, None, None), recipe, tmp_path / "run")
    assert again.resume()
    assert again.steps == 12
    assert again.check(store, 8)["loss"] == pytest.approx(last, abs=1e-3)


def test_moving_stage_teaches_the_memory(store: Store, tmp_path: Path) -> None:
    recipe = Recipe(minutes=100, stills=0.0, size=(32, 32), clips=1, times=(3,))
    trainer = Trainer(Reel(), Material(store, store, None), recipe, tmp_path)
    blames = [trainer.step() for _ in range(3)]
    assert ["steady" in blame for blame in blames] == [True, True, True]
    assert float(trainer.network.memory8.out.weight.detach().abs().sum()) > 0


def test_weights_of_a_run_can_be_loaded(store: Store, tmp_path: Path) -> None:
    trainer = Trainer(Reel(), Material(store, None, None), Recipe(size=(32, 32)), tmp_path)
    trainer.save()
    path = tmp_path / "weights.safetensors"
    Reel().load_state_dict(weights.tensors(weights.read(path), path))
