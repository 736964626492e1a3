"""Training: what it is fed, what it is blamed for, and that it learns, resumes, and says what it cannot use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from streams.errors import InputError, UsageError
from vidcolor import color, weights
from vidcolor.cli import main
from vidcolor.models.reel import Reel
from vidcolor.train import camera, losses, recipe
from vidcolor.train.bank import Bank
from vidcolor.train.check import Checker
from vidcolor.train.curves import draw_run
from vidcolor.train.data import Layer, Shape, clips, moving_pictures
from vidcolor.train.decode import excerpts
from vidcolor.train.dice import Dice
from vidcolor.train.film import expose
from vidcolor.train.flow import open_flows
from vidcolor.train.loop import Trainer
from vidcolor.train.recipe import UNWORN, Recipe, Wear
from vidcolor.train.step import Material
from vidcolor.train.store import CLIPS, PICTURES, Store, open_store

TINY = Recipe(
    minutes=100, height=32, width=32, batch=4, clips=2, times=(3,), before=(0, 2), checkpoint_minutes=1e9, wear=UNWORN
)


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


@pytest.fixture
def bank(store: Store) -> Bank:
    return Bank.of(store, "cpu")


def colour_film(path: Path, frames: int, cuts: tuple[int, ...] = (), rate: int = 25, black: int = 0) -> Path:
    """A film whose pattern wanders by two pixels a frame, every shot with a pattern of its own, after some black."""
    y, x = np.mgrid[:64, :96]
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 64, "yuv444p", Fraction(1, rate)
        for index in range(frames):
            scene = sum(index >= cut for cut in cuts)
            wave = np.sin((0.21, 0.43)[scene % 2] * (x + 2 * index)) + np.cos(0.27 * (scene + 1) * y)
            rgb = np.stack([140 + 50 * wave, 120 + 20 * wave, 60 + 10 * wave], -1).astype(np.uint8)
            rgb = np.zeros_like(rgb) if index < black else rgb
            film.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        film.mux(stream.encode(None))
    return path


def test_grey_pictures_are_left_out(store: Store) -> None:
    assert len(store) == 10


def test_a_store_is_only_decoded_once(store: Store, pictures: Path, tmp_path: Path) -> None:
    before = [(p.name, p.stat().st_mtime_ns) for p in sorted((tmp_path / "cache").iterdir())]
    for path in (pictures, *pictures.iterdir()) if pictures.is_dir() else (pictures,):
        os.utime(path, (1, 1))  # as a copy on another machine has another time
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


def test_films_are_cut_into_their_shots(tmp_path: Path) -> None:
    colour_film(tmp_path / "two.mkv", 40, cuts=(17,))
    store = open_store([tmp_path / "two.mkv"], tmp_path / "cache", CLIPS)
    assert store.shapes.tolist() == [[17, 64, 96], [23, 64, 96]]


def test_a_film_keeps_its_colours_by_its_own_matrix(tmp_path: Path) -> None:
    store = open_store([colour_film(tmp_path / "one.mkv", 5)], tmp_path / "cache", CLIPS)
    wave = np.sin(0.21 * np.mgrid[:64, :96][1]) + np.cos(0.27 * np.mgrid[:64, :96][0])
    # two conversions at 8 bits, and chroma of yuv444p: within three code values
    assert np.abs(store.clip(0)[0][..., 0] - (140 + 50 * wave)).max() < 3
    assert np.abs(store.clip(0)[0][..., 2] - (60 + 10 * wave)).max() < 3


def test_a_film_that_fades_in_from_black_is_no_grey_one(tmp_path: Path) -> None:
    path = colour_film(tmp_path / "fade.mkv", 12, black=5)
    assert open_store([path], tmp_path / "cache", CLIPS).shapes[:, 0].sum() == 12


def test_a_long_film_is_looked_at_in_many_places(tmp_path: Path) -> None:
    long = colour_film(tmp_path / "long.mkv", 700)
    assert excerpts(long) == [0, 7, 14, 21]
    assert excerpts(colour_film(tmp_path / "short.mkv", 20)) == [None]
    store = open_store([long], tmp_path / "cache", CLIPS)
    assert store.shapes[:, 0].tolist() == [144, 144, 144, 144]


def test_what_is_no_film_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "list.ts").write_text("#EXTM3U\nhttp://example.invalid/one.ts\n")
    with pytest.raises(InputError, match="no clip in colour"):
        open_store([tmp_path], tmp_path / "cache", CLIPS)


def test_labels_of_an_index_are_kept_where_they_are_common(pictures: Path, tmp_path: Path) -> None:
    import tarfile

    rows = [{"file": f"{i}.png", "label": "rare" if i == 9 else "often" if i % 2 else None} for i in range(10)]
    (pictures / "index.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for name in ("index.jsonl", *(f"{i}.png" for i in range(10))):
            tar.add(pictures / name, name)
    store = open_store([tmp_path / "set.tar"] * 6, tmp_path / "cache", PICTURES)  # six times: 20 make a label
    assert store.kinds == 1
    assert store.labels[:10].tolist() == [-1, 0, -1, 0, -1, 0, -1, 0, -1, -1]


def test_windows_are_what_sampling_each_clip_gives(bank: Bank, store: Store) -> None:
    """The one batched look-up against torch's own sampling, clip by clip."""
    chosen, maps = (
        torch.tensor([3, 7]),
        camera.paths(torch.tensor([[72, 96]] * 2), (16, 24), 2, camera.Lens(1.5), Dice(2)),
    )
    places = camera.places(maps, (16, 24))
    found = bank.windows(chosen, torch.zeros(2, 2, dtype=torch.long), places)
    for row, clip in enumerate((3, 7)):
        still = torch.from_numpy(np.array(store.clip(clip)[0])).permute(2, 0, 1).float()[None] / 255
        wanted = torch.nn.functional.grid_sample(
            still.expand(2, -1, -1, -1), places[row], padding_mode="reflection", align_corners=False
        )
        assert torch.allclose(found[row], wanted, atol=1e-4)


def test_motion_of_a_moving_picture_is_known_exactly(bank: Bank) -> None:
    """The truth, carried along the motion that is said to be, hardly changes; carried along none, it does."""
    sample = moving_pictures(bank, Dice(4), Shape(6, 4, (48, 64)), occluders=1.0)
    ab = half(color.lab_from_rgb(sample.rgb)[:, :, 1:])
    still = torch.eye(2, 3).expand_as(sample.layers[0].maps)
    assert len(sample.layers) == 2
    assert 0.02 < float(sample.layers[1].shown.mean()) < 0.8
    held = [Layer(still, layer.shown) for layer in sample.layers]
    assert float(losses.steady_loss(ab, sample.layers)) < 0.35 * float(losses.steady_loss(ab, held))


def half(film: torch.Tensor) -> torch.Tensor:
    """(B, T, C, H, W) at half its height and width."""
    small = torch.nn.functional.avg_pool2d(film.flatten(0, 1), 2)
    return small.view(*film.shape[:3], *small.shape[-2:])


def test_a_lens_shows_things_nearer_farther_and_stretched() -> None:
    """A window of 16x24 on a still of 72x96 covers half to twice that, and things keep their shape but for a share."""
    lens = camera.Lens(far=2.0, near=0.5, stretch=0.2)
    maps = camera.paths(torch.tensor([[72, 96]] * 400), (16, 24), 1, lens, Dice(3))[:, 0]
    across, down = maps[:, :, 0].norm(dim=1) * 96 / 24, (maps[:, :, 1].norm(dim=1)) * 72 / 16
    covered, drawn = (across * down).sqrt(), (across / down).log().abs()
    assert 0.45 < float(covered.min()) < 0.6
    assert 1.8 < float(covered.max()) < 2.1
    assert 0.15 < float(drawn.max()) < 0.26


def test_what_stands_before_a_scene_is_not_blamed_on_it(bank: Bank) -> None:
    """One colour for the thing and another for the scene are steady, however both move."""
    sample = moving_pictures(bank, Dice(5), Shape(4, 4, (48, 64)), occluders=1.0)
    two = half(sample.layers[1].shown.repeat(1, 1, 2, 1, 1) * 40)
    assert float(losses.steady_loss(two, sample.layers)) == pytest.approx(0, abs=0.02)  # bilinear sampling
    assert float(losses.steady_loss(two, sample.layers[:1])) == pytest.approx(0, abs=0.02)
    whole = [replace(sample.layers[0], shown=torch.ones_like(sample.layers[0].shown))]
    assert float(losses.steady_loss(two, whole)) > 0.5


def test_short_clips_are_played_to_and_fro(tmp_path: Path) -> None:
    store = open_store([colour_film(tmp_path / "one.mkv", 5)], tmp_path / "cache", CLIPS)
    sample = clips(Bank.of(store, "cpu"), Dice(4), Shape(2, 9, (48, 64)))
    assert sample.rgb.shape == (2, 9, 3, 48, 64)
    assert torch.equal(sample.rgb[:, 0], sample.rgb[:, 8])
    assert torch.equal(sample.rgb[:, 3], sample.rgb[:, 5])
    assert not torch.equal(sample.rgb[:, 3], sample.rgb[:, 4])


def test_flow_of_a_clip_leads_back_to_the_frame_before(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    store = open_store([colour_film(tmp_path / "one.mkv", 12)], tmp_path / "cache", CLIPS)
    bank = Bank.of(store, "cpu")
    flows = open_flows(store, bank, 1)
    assert flows is not None
    # 16 frames of 12: forwards and backwards, with and without a flip
    sample = clips(bank, Dice(3), Shape(4, 16, (48, 64)), flows)
    assert sample.carried is not None
    assert float(sample.carried.trust.mean()) > 0.3
    ab = half(color.lab_from_rgb(sample.rgb)[:, :, 1:])
    pale = torch.zeros_like(ab)
    held = replace(sample.carried, places=camera.places(torch.eye(2, 3).expand(4, 15, 2, 3), (24, 32)))
    moved, stood = (float(losses.carried_loss(ab, pale, carried)) for carried in (sample.carried, held))
    assert moved < 0.4 * stood
    assert float(losses.carried_loss(ab, ab, sample.carried)) == 0


def test_unworn_film_shows_the_luma_of_the_picture(bank: Bank) -> None:
    sample = moving_pictures(bank, Dice(4), Shape(2, 1, (48, 64)))
    light, condition = expose(sample.rgb, UNWORN, Dice(4))
    wanted = color.lightness_from_luma(color.luma_from_rgb(sample.rgb)) / 100
    assert torch.allclose(light, wanted, atol=1e-5)
    assert not condition.any()


def test_a_blue_sensitive_stock_sees_red_as_black() -> None:
    red = torch.zeros(40, 1, 3, 8, 8)
    red[:, :, 0] = 0.8
    light, condition = expose(red.clone(), Wear(1.0, 0, 0, 0, 0, 0, 0), Dice(4))
    plain, _ = expose(red.clone(), UNWORN, Dice(4))
    assert float(light.min()) < 0.6 * float(plain.mean())
    told = condition.any(1)
    assert 8 < int(told.sum()) < 32  # half of 40, give or take four deviations
    assert torch.allclose(condition[told].sum(1), torch.ones(int(told.sum())))


@pytest.mark.parametrize("kind", ["tone", "blur", "grain", "flicker", "dirt", "blocks"])
def test_every_kind_of_damage_shows_and_stays_in_range(kind: str, bank: Bank) -> None:
    sample = moving_pictures(bank, Dice(4), Shape(6, 3, (48, 64)))
    plain, _ = expose(sample.rgb, UNWORN, Dice(1))
    light, _ = expose(sample.rgb, replace(UNWORN, **{kind: 1.0}), Dice(1))
    assert bool(torch.isfinite(light).all())
    assert 0 <= float(light.min()) < float(light.max()) <= 1
    changed = (light - plain).abs().flatten(1).mean(1)
    assert 0.0005 < float(changed.max()) < 0.3
    assert float(changed.mean()) < 0.2


def test_coded_blocks_keep_their_mean(bank: Bank) -> None:
    sample = moving_pictures(bank, Dice(4), Shape(1, 1, (48, 64)))
    from vidcolor.train import film

    luma = color.luma_from_rgb(sample.rgb)
    coded = film._blocks(luma, Dice(2))
    assert float((coded - luma).abs().max()) > 0.002
    # the mean of a block is rounded to steps of 0.2 x 0.06 / 8 at most
    assert torch.allclose(half(half(half(coded))), half(half(half(luma))), atol=0.001)


def test_the_true_class_is_blamed_least() -> None:
    bins = color.ab_bins()
    ab = bins.centers[[40, 200]].view(2, 2, 1, 1)
    right = torch.full((2, 313, 1, 1), -20.0)
    right[0, 40], right[1, 200] = 20, 20
    blame, weight = losses.class_loss(right, ab, bins, bins.rebalancing())
    wrong, _ = losses.class_loss(right.flip(0), ab, bins, bins.rebalancing())
    assert float(blame) < float(wrong)
    assert float(losses.distance_loss(ab, ab, weight)) == 0


def test_the_truth_is_blamed_for_nothing_and_paleness_and_blur_are() -> None:
    truth = 30 * torch.randn(2, 2, 12, 16, generator=torch.Generator().manual_seed(1))
    assert float(losses.edge_loss(truth, truth)) == float(losses.liveliness_loss(truth, truth)) == 0
    assert float(losses.edge_loss(truth.roll(1, -1), truth)) > 1
    # too much is as wrong as too little
    pale, vivid = (float(losses.liveliness_loss(k * truth, truth)) for k in (0.5, 1.5))
    assert pale == pytest.approx(vivid, rel=0.05)
    assert pale > 5


def test_pictures_without_a_label_teach_none() -> None:
    scores = torch.randn(3, 4, requires_grad=True)
    assert float(losses.label_loss(scores, torch.tensor([-1, -1, -1])).detach()) == 0
    losses.label_loss(scores, torch.tensor([2, -1, -1])).backward()
    assert scores.grad is not None
    assert not scores.grad[1:].any()


def test_a_recipe_is_changed_by_name() -> None:
    changed = recipe.changed(Recipe(), ["blame.edges=0.5", "times=3,8", "batch=2", "compile=yes", "wear.grain=0"])
    assert (changed.blame.edges, changed.times, changed.batch, changed.compile) == (0.5, (3, 8), 2, True)
    assert (changed.wear.grain, changed.wear.blur) == (0, Wear().blur)
    assert recipe.recipe_for("cuda").batch > recipe.recipe_for("cpu").batch
    for wrong in ("speed=1", "batch=many", "blame.sky=1", "compile=maybe"):
        with pytest.raises(UsageError, match="--set"):
            recipe.changed(Recipe(), [wrong])


def material(store: Store, tmp_path: Path) -> Material:
    """Pictures that are all of one kind, and a film."""
    films = open_store([colour_film(tmp_path / "film.mkv", 9)], tmp_path / "cache", CLIPS)
    kinds = replace(store, labels=np.zeros_like(store.labels))
    return Material(Bank.of(kinds, "cpu"), Bank.of(films, "cpu"), None, 3)


def test_training_learns(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(1)
    trainer = Trainer(Reel(), Material(Bank.of(store, "cpu")), replace(TINY, rate=2e-3, warm=1), tmp_path)
    first = float(trainer.lesson.still(0)[0]["classes"].detach())
    for _ in range(10):
        trainer.step()
    assert float(trainer.lesson.still(0)[0]["classes"].detach()) < 0.9 * first


def test_upright_pictures_are_seen_through_upright_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pictures that lie in green, one that stands in red: each kind fills windows of its own shape."""
    for number, (size, colour) in enumerate([((96, 72), (40, 160, 60))] * 3 + [((72, 96), (170, 40, 50))]):
        Image.new("RGB", size, colour).save(tmp_path / f"{number}.png")
    fed = Material(Bank.of(open_store([tmp_path], tmp_path / "cache", PICTURES), "cpu"))
    lesson = Trainer(Reel(), fed, replace(TINY, height=32, width=48), tmp_path / "out").lesson
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(lesson, "_blame", lambda sample: seen.append(sample.rgb) or {})
    for step in range(40):
        lesson.still(step)
    redder = {rgb.shape[-2:]: float(rgb[:, :, 0].min() - rgb[:, :, 1].max()) for rgb in seen}
    assert redder[(48, 32)] > 0.3
    assert redder[(32, 48)] < -0.3
    assert 2 <= sum(rgb.shape[-2] == 48 for rgb in seen) <= 20


def test_a_run_that_was_stopped_ends_as_one_that_was_not(store: Store, tmp_path: Path) -> None:
    """Half the steps, a new process's worth of objects, the other half: the same weights, bit for bit."""
    fed, course = material(store, tmp_path), replace(TINY, steps=6, stills=0.5, batch=2, clips=1)

    def begin(name: str) -> Trainer:
        torch.manual_seed(1)
        return Trainer(Reel(), fed, course, tmp_path / name)

    whole = begin("whole")
    whole.run()
    first = begin("parts")
    for _ in range(3):
        first.step()
    first.keep()
    second = begin("parts")
    assert second.resume()
    assert second.steps == 3
    second.run()
    assert (whole.steps, whole.crops) == (second.steps, second.crops)
    mine, theirs = whole.student.state_dict(), second.student.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert all(torch.equal(whole.average[name], second.average[name]) for name in whole.average)


def test_moving_stage_teaches_the_memory(store: Store, tmp_path: Path) -> None:
    trainer = Trainer(Reel(), material(store, tmp_path), replace(TINY, stills=0.0, occluders=1.0), tmp_path)
    for _ in range(3):
        trainer.step()
    assert {"classes", "distance", "edges", "liveliness", "labels", "steady"} == trainer._sums.keys()
    assert float(trainer.network.memory8.out.weight.detach().abs().sum()) > 0


def test_the_head_for_labels_is_not_kept(store: Store, tmp_path: Path) -> None:
    trainer = Trainer(Reel(), material(store, tmp_path), TINY, tmp_path)
    trainer.step()
    assert "head.weight" in trainer.student.state_dict()
    trainer.keep()
    path = tmp_path / "weights.safetensors"
    Reel().load_state_dict(weights.tensors(weights.read(path), path))


def test_patience_ends_a_run_and_the_best_weights_are_kept(store: Store, tmp_path: Path) -> None:
    class Sour(Checker):
        def __init__(self) -> None:
            pass

        def measure(self, weights: object, of: object) -> dict[str, float]:
            return {"score": next(scores), "gain_half": 1.0}

    scores = iter([1.0, 3.0, 2.0, 2.0, 5.0])
    course = replace(TINY, batch=1, checkpoint_minutes=0, patience=2)
    trainer = Trainer(Reel(), Material(Bank.of(store, "cpu")), course, tmp_path, Sour())
    trainer.run()
    assert trainer.steps == 4
    assert (trainer.best, trainer.worse) == (3.0, 2)
    assert (tmp_path / "best.safetensors").exists()
    assert len((tmp_path / "table.jsonl").read_text().splitlines()) == 4


def test_what_stops_a_run_leaves_a_checkpoint(store: Store, tmp_path: Path) -> None:
    trainer = Trainer(Reel(), Material(Bank.of(store, "cpu")), replace(TINY, batch=1), tmp_path)

    def stop() -> None:
        if trainer.steps == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(check=stop)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["counts"]["steps"] == 2


def test_the_table_holds_the_true_metrics(pictures: Path, tmp_path: Path) -> None:
    (pictures / "grey.png").unlink()
    pytest.importorskip("cv2")
    folder = tmp_path / "films"
    folder.mkdir()
    colour_film(folder / "one.mkv", 6)
    checker = Checker.of([pictures], [folder], "cpu", 4)
    assert checker is not None
    figures = checker.measure(Reel().state_dict(), Reel())
    assert {"score", "gain_half", "gain_zero", "gain_raw", "cf_ratio", "e_rel", "true_e_rel"} <= figures.keys()
    assert figures["score"] == figures["gain_half"] + figures["gain_raw"]
    assert Checker.of([], [], "cpu") is None
    with pytest.raises(UsageError, match="needs pictures"):
        Checker.of([], [folder], "cpu")


def test_curves_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert draw_run(tmp_path) is None
    (tmp_path / "log.jsonl").write_text('{"minutes": 1, "steps": 2, "crops": 3, "classes": 4.5}\n')
    (tmp_path / "table.jsonl").write_text('{"minutes": 1, "gain_half": 4.5}\n{"minutes": 2, "gain_half": 4.6}\n')
    drawn = draw_run(tmp_path)
    assert drawn == tmp_path / "curves.png"
    with Image.open(drawn) as picture:
        assert picture.width > 500


def test_a_users_own_folder_goes_on_from_the_packaged_weights(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colour_film(tmp_path / "clip.mkv", 8)
    words = f"train --pictures {pictures} --clips {tmp_path / 'clip.mkv'} --out {tmp_path / 'run'} --init packaged"
    small = "--set steps=2 --set height=32 --set width=32 --set batch=2 --set clips=1 --set stills=0.5"
    assert main([*words.split(), *small.split()]) == 0
    assert (tmp_path / "run" / "weights.safetensors").exists()
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["steps"] == 2
    said = capsys.readouterr().err
    assert "to learn from: 10 pictures in colour, 1 shots of film" in said
    assert "step 2 of 2, 100%" in said


def test_a_folder_without_pictures_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--pictures", str(tmp_path), "--out", str(tmp_path / "run")]) == 3
    assert "no picture found" in capsys.readouterr().err
    assert main(["train", "--pictures", str(tmp_path), "--set", "speed=1"]) == 2
    assert "known are minutes" in capsys.readouterr().err


def test_training_on_pictures_needs_no_pyav() -> None:
    rooms = "loop, options, step, store, check, curves, flow"
    code = f"import sys; from vidcolor.train import {rooms}; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_data_is_packed_in_parts_and_unpacked_whole(tmp_path: Path) -> None:
    data, script = tmp_path / "data", Path(__file__).parents[1] / "scripts" / "parts"
    (data / "deep").mkdir(parents=True)
    for name, size in (("a.bin", 700_000), ("b.bin", 600_000), ("deep/c.bin", 300_000), ("deep/d.bin", 100)):
        (data / name).write_bytes(bytes(range(256)) * (size // 256))
    parts = tmp_path / "parts"
    assert subprocess.run([sys.executable, script, "pack", "1", parts, data], check=False).returncode == 0
    packed = sorted(parts.iterdir())
    assert len(packed) == 2
    assert all(part.stat().st_size <= 1 << 20 for part in packed)
    subprocess.run([sys.executable, script, "unpack", tmp_path / "new", *packed], check=True)
    for path in (p for p in data.rglob("*") if p.is_file()):
        assert (tmp_path / "new" / "data" / path.relative_to(data)).read_bytes() == path.read_bytes()
    done = subprocess.run([sys.executable, script, "pack", "0", parts, data], check=False, capture_output=True)
    assert done.returncode == 1
