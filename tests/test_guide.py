"""Promises about films coloured by a few coloured frames."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from conftest import MakeFilm, moving_picture
from paints import CLOSE, ORANGE, SIZE, Ear, chroma, options, paint, wanted
from PIL import Image

from streams.errors import FilmError, InputError, OutputError, UsageError
from vidcolor.brake import Brake
from vidcolor.cli import main
from vidcolor.color import chroma_from_rgb, rgb_at_luma
from vidcolor.frames import colorize
from vidcolor.guide import attend, carry, lead, memory, motion
from vidcolor.guide.choose import Wish
from vidcolor.guide.chroma import looked_up
from vidcolor.guide.judge import Judge
from vidcolor.guide.keyframes import write_keyframes
from vidcolor.guide.keys import listed, read_colours
from vidcolor.pipeline import restore
from vidcolor.watch import Watcher
from vidcolor.zoo import LoadedModel

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def film(make_film: MakeFilm) -> Path:
    """Two shots of ten frames."""
    return make_film("film.mkv", 20, SIZE, cuts=(10,))


# keyframes


def test_each_shot_gives_a_picture_named_by_its_frame(film: Path, tmp_path: Path) -> None:
    report = write_keyframes(film, tmp_path / "keys")
    names = sorted(path.name for path in (tmp_path / "keys").glob("*.png"))
    numbers = [int(name[:8]) for name in names]
    assert report.frames == len(names)
    assert {number // 10 for number in numbers} == {0, 1}
    for number in numbers:
        grey = np.asarray(Image.open(tmp_path / "keys" / f"{number:08d}.png"))
        shade = (moving_picture(number, SIZE, number // 10).astype(np.float32) - 16) * 255 / 219
        assert grey.shape == (*SIZE, 3)
        assert np.abs(grey - np.clip(shade, 0, 255)[..., None]).max() <= 0.5 + 1e-3


def test_more_pictures_come_where_more_are_wanted(film: Path, tmp_path: Path) -> None:
    assert write_keyframes(film, tmp_path / "three", Wish(per_shot=3)).frames == 6
    assert write_keyframes(film, tmp_path / "often", Wish(every=0.1)).frames == 8  # 0.36 s a shot


def test_the_sheet_shows_every_picture_and_asks_nothing_of_the_network(film: Path, tmp_path: Path) -> None:
    write_keyframes(film, tmp_path / "keys", Wish(per_shot=2))
    page = (tmp_path / "keys" / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'src="([^"]+)"', page)) == {path.name for path in (tmp_path / "keys").glob("*.png")}
    assert not re.search(r"https?://|//[a-z]", page)
    assert "Shot 2: 0:00.40 to 0:00.76" in page
    assert "vidcolor restore film.mkv --keys keys" in page


def test_a_folder_that_holds_something_is_not_written_into(film: Path, tmp_path: Path) -> None:
    painted = paint(tmp_path / "keys" / "00000003.png", 3, 0)
    before = painted.read_bytes()
    with pytest.raises(OutputError, match="holds something"):
        write_keyframes(film, tmp_path / "keys")
    write_keyframes(film, tmp_path / "keys", Wish(per_shot=100), overwrite=True)
    assert painted.read_bytes() == before
    assert len(list((tmp_path / "keys").glob("*.png"))) == 20


def test_keyframes_leaves_nothing_half_written(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidcolor.guide import keyframes

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    there = set(tmp_path.iterdir())
    monkeypatch.setattr(keyframes, "_written", fail)
    with pytest.raises(OSError, match="No space"):
        write_keyframes(film, tmp_path / "keys")
    assert set(tmp_path.iterdir()) == there


@pytest.mark.parametrize(
    ("words", "code"),
    [(["-"], 2), (["missing.mkv"], 3), (["film.mkv", "--per-shot", "0"], 2), (["film.mkv", "-o", "no/keys"], 4)],
)
def test_keyframes_ends_with_the_code_that_fits(
    film: Path, words: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(film.parent)
    assert main(["keyframes", *words]) == code
    assert capsys.readouterr().err.startswith("vidcolor: error: ")


# what a key says


def test_grey_and_clear_say_nothing(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :, :3], rgba[:, :, 3] = 90, 255
    rgba[:4, :4, 0], rgba[4:, :, 3], rgba[4:, :, 0] = 200, 0, 200
    Image.fromarray(rgba).save(tmp_path / "0.png")
    mask = read_colours(tmp_path / "0.png").mask
    assert mask[:4, :4].all()
    assert mask.sum() == 16


def test_grey_stays_grey_through_a_jpeg(tmp_path: Path) -> None:
    shade = np.repeat(moving_picture(0, SIZE)[..., None], 3, 2)
    Image.fromarray(shade).save(tmp_path / "0.jpg", quality=85)
    assert not read_colours(tmp_path / "0.jpg").visible


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp"])
def test_keys_may_be_of_any_kind_and_size(film: Path, tmp_path: Path, reel: LoadedModel, suffix: str) -> None:
    path = paint(tmp_path / "keys" / "4.png", 4, 0)
    Image.open(path).resize((256, 192)).save(path.with_suffix(f".{suffix}"), quality=95)
    if suffix != "png":
        path.unlink()
    made = chroma(list(colorize(film, options(path.parent))))
    assert np.abs(made[4] - wanted(4, 0)).mean() < CLOSE


# what goes wrong


def _two(keys: Path) -> None:
    paint(keys / "4.png", 4, 0)
    paint(keys / "0004.jpg", 4, 0)


def _square(keys: Path) -> None:
    keys.mkdir()
    Image.new("RGB", (64, 64), "red").save(keys / "4.png")


def _torn(keys: Path) -> None:
    path = paint(keys / "4.png", 4, 0)
    path.write_bytes(path.read_bytes()[:200])


def _many(keys: Path) -> None:
    painted = paint(keys / "0.png", 4, 0).read_bytes()
    for number in range(1, 500):
        (keys / f"{number}.png").write_bytes(painted)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda keys: paint(keys / "coat.png", 4, 0), "not named by the number"),
        (lambda keys: paint(keys / "20.png", 4, 0), "for no frame of the film, which has 20, numbered from 0"),
        (_two, "for the same frame"),
        (_square, "64x64, which is not the shape of the film, 128x96"),
        (_torn, "broken"),
        (_many, "for no frame of the film, which has 20, numbered from 0, and so are 479 more"),
        (lambda keys: keys.mkdir(), "no picture in"),
        (lambda keys: None, "cannot be read"),
    ],
    ids=["name", "number", "twice", "shape", "torn", "many", "empty", "missing"],
)
def test_keys_that_cannot_be_used_end_the_run_before_anything_is_written(
    film: Path, tmp_path: Path, reel: LoadedModel, make: Callable[[Path], object], sentence: str
) -> None:
    make(tmp_path / "keys")
    with pytest.raises(InputError, match=sentence):
        restore(film, tmp_path / "out.mkv", options(tmp_path / "keys"))
    assert not list(tmp_path.glob("*out*"))


def test_a_pipe_has_no_keys(tmp_path: Path) -> None:
    keys = paint(tmp_path / "keys" / "4.png", 4, 0).parent
    with pytest.raises(UsageError, match="pipe"):
        restore("-", tmp_path / "out.mkv", options(keys))


def test_many_films_have_no_keys_in_common(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["restore", str(film), str(film), "-o", str(tmp_path / "out/"), "--keys", str(tmp_path)]
    assert main(words) == 2
    assert "frames of one film" in capsys.readouterr().err


# what comes out


def test_a_key_colours_its_shot_before_and_after_and_no_other(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    plain = chroma(list(colorize(film, options())))
    keys = paint(tmp_path / "keys" / "00000004.png", 4, 0).parent
    made = chroma(list(colorize(film, options(keys))))
    errors = [float(np.abs(made[index] - wanted(index, 0)).mean()) for index in range(10)]
    assert max(errors) < CLOSE, errors
    assert np.array_equal(made[10:], plain[10:])
    assert np.abs(plain[:10] - wanted(4, 0)).mean() > 2 * CLOSE  # or there was nothing to see


def test_two_keys_share_a_shot(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    paint(tmp_path / "keys" / "10.png", 10, 1)
    keys = paint(tmp_path / "keys" / "19.png", 19, 1, (0.3, 0.6, 1.0)).parent
    made = chroma(list(colorize(film, options(keys))))
    assert np.abs(made[10] - wanted(10, 1)).mean() < CLOSE
    assert np.abs(made[19] - wanted(19, 1, (0.3, 0.6, 1.0))).mean() < CLOSE
    blue = made[10:, 0].mean((1, 2))
    assert (np.diff(blue) > -1).all(), "from one to the other, never back"


def test_as_many_keys_as_frames_may_share_a_shot(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    colours = [(1.0, 0.5 + 0.05 * index, 0.2 + 0.08 * index) for index in range(10)]
    for index, colour in enumerate(colours):
        paint(tmp_path / "keys" / f"{index}.png", index, 0, colour)
    made = chroma(list(colorize(film, options(tmp_path / "keys", stop=Fraction("0.4")))))
    assert max(float(np.abs(made[i] - wanted(i, 0, colours[i])).mean()) for i in range(10)) < CLOSE


def test_what_a_key_leaves_grey_gets_the_networks_own_colours(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    plain = chroma(list(colorize(film, options())))
    keys = paint(tmp_path / "keys" / "0.png", 0, 0, columns=slice(0, 64)).parent
    made = chroma(list(colorize(film, options(keys))))
    assert np.abs(made[0, :, :, :28] - wanted(0, 0)[:, :, :28]).mean() < CLOSE
    own = np.abs(made[0, :, :, 40:] - plain[0, :, :, 40:]).mean()
    assert own < np.abs(made[0, :, :, 40:] - wanted(0, 0)[:, :, 40:]).mean()


def test_a_picture_of_another_scene_is_named_and_left_out(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    plain = chroma(list(colorize(film, options())))
    keys = paint(tmp_path / "keys" / "4.png", 14, 1).parent
    ear = Ear()
    made = chroma(list(colorize(film, options(keys), ear)))
    assert [text for text in ear.said if "4.png does not show what frame 4" in text]
    assert np.array_equal(made, plain)
    with pytest.raises(InputError, match="strict"):
        restore(film, tmp_path / "out.mkv", options(keys, strict=True))


def test_the_part_of_a_film_that_is_restored_keeps_the_numbers_of_the_whole(
    film: Path, tmp_path: Path, reel: LoadedModel
) -> None:
    keys = paint(tmp_path / "keys" / "14.png", 14, 1).parent
    part = options(keys, start=Fraction("0.48"), stop=Fraction("0.72"))
    made = chroma(list(colorize(film, part)))
    assert len(made) == 6
    assert np.abs(made[2] - wanted(14, 1)).mean() < CLOSE


def test_colours_by_keys_do_not_depend_on_batches(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    paint(tmp_path / "keys" / "4.png", 4, 0)
    keys = paint(tmp_path / "keys" / "17.png", 17, 1).parent
    one, many = (list(colorize(film, options(keys, batch=batch))) for batch in (1, 7))
    assert np.array_equal(chroma(one), chroma(many))


def test_a_film_with_keys_goes_on_where_it_stopped(
    film: Path, tmp_path: Path, reel: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidcolor import resume

    monkeypatch.setattr(resume, "SHORTEST", 3)
    monkeypatch.setattr(resume, "LONGEST", 4)
    paint(tmp_path / "keys" / "7.png", 7, 0)
    keys = paint(tmp_path / "keys" / "12.png", 12, 1, columns=slice(0, 64)).parent
    whole = options(keys, resume=True, lossless=True)
    restore(film, tmp_path / "whole.mkv", whole)

    class Stopper(Watcher):
        def progressed(self, frame: int) -> None:
            if frame == 14:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(film, tmp_path / "again.mkv", whole, Stopper())
    restore(film, tmp_path / "again.mkv", whole)
    assert decoded(tmp_path / "again.mkv") == decoded(tmp_path / "whole.mkv")
    paint(keys / "7.png", 7, 0, (0.2, 0.4, 1.0))
    assert whole.digest != replace(whole, keys=str(keys), reference=(str(keys / "7.png"),)).digest


def decoded(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


def test_other_colours_under_the_same_names_are_another_order(tmp_path: Path) -> None:
    keys = paint(tmp_path / "keys" / "7.png", 7, 0).parent
    before = options(keys).digest
    assert options(keys).digest == before != options().digest
    paint(keys / "7.png", 7, 0, (0.2, 0.4, 1.0))
    assert options(keys).digest != before


def test_a_still_of_the_same_place_is_found_again(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    still = paint(tmp_path / "stills" / "place.png", 6, 0)
    plain = chroma(list(colorize(film, options())))
    made = chroma(list(colorize(film, options(reference=(str(still),)))))
    off = [float(np.abs(frames[:10] - wanted(4, 0)).mean()) for frames in (plain, made)]
    assert off[1] < off[0]


# the loop


def test_the_loop_is_led_by_a_key(network: LoadedModel, reel: LoadedModel) -> None:
    colorizer = network.colorizer
    light = torch.from_numpy(np.stack([moving_picture(t, SIZE) for t in range(4)]).astype(np.float32) / 255)[:, None]
    ab, mask = torch.full((1, 2, *SIZE), 30.0), torch.ones(1, 1, *SIZE)
    with torch.inference_mode():
        plain, _ = colorizer(light, colorizer.start())
        state = colorizer.guide(colorizer.start(), light[:1], ab, mask)
        made, after = colorizer(light, state)
        first, between = colorizer(light[:2], state)
        second, _ = colorizer(light[2:], between)
    assert made.shape == (4, 2, *SIZE)
    assert torch.allclose(made[0], ab[0])
    assert (made - 30).abs().mean() < 3 < (plain - 30).abs().mean()
    assert torch.allclose(torch.cat((first, second)), made, atol=0.1)  # other batches, other rounding
    assert after.tensors.keys() == between.tensors.keys()


def test_frames_that_show_nothing_new_take_their_colours_along(
    network: LoadedModel, reel: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    colorizer, looks, perceive = network.colorizer, list[int](), type(network.colorizer).perceive
    light = torch.from_numpy(moving_picture(0, SIZE).astype(np.float32) / 255).expand(8, 1, *SIZE)
    key = torch.full((1, 2, *SIZE), 30.0), (torch.arange(128) < 64).float().expand(1, 1, *SIZE)
    state = colorizer.guide(colorizer.start(), light[:1], *key)

    def counted(self: object, light: torch.Tensor, *rest: object) -> object:
        looks.append(len(light))
        return perceive(self, light, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(colorizer), "perceive", counted)
    with torch.inference_mode():
        made, _ = colorizer(light + torch.linspace(0, 0.01, 8).view(8, 1, 1, 1), state)
    assert sum(looks) <= 4
    assert (made[:, :, :, :56] - 30).abs().mean() < 3
    assert (made[1:4] - made[0]).abs().mean() < 1


def test_a_state_remembers_few_keys_whatever_it_is_given(network: LoadedModel) -> None:
    colorizer, state = network.colorizer, network.colorizer.start()
    light = torch.rand(1, 1, 32, 48)
    for _ in range(memory.MOST + 3):
        state = colorizer.guide(state, light, torch.zeros(1, 2, 32, 48), torch.ones(1, 1, 32, 48))
    assert len(memory.read(state).keys) == memory.MOST


def test_a_state_with_keys_comes_back_from_the_disk(network: LoadedModel, tmp_path: Path) -> None:
    from vidcolor.memory import State

    colorizer = network.colorizer
    light = torch.rand(1, 1, 32, 48)
    state = colorizer.guide(colorizer.start(), light, torch.rand(1, 2, 16, 24), torch.ones(1, 1, 16, 24))
    state.save(tmp_path / "state.safetensors")
    assert State.load(tmp_path / "state.safetensors").equal(state)


# the parts


def test_the_table_of_chroma_is_the_solver() -> None:
    generator = torch.Generator().manual_seed(1)
    ab = 25 * torch.randn(1, 2, 60, 80, generator=generator)
    luma = torch.rand(1, 1, 60, 80, generator=generator)
    exact = chroma_from_rgb(rgb_at_luma(ab, luma))[0]
    found = looked_up(np.ascontiguousarray(ab[0].permute(1, 2, 0)), luma[0, 0].numpy(), "bt709")
    apart = (torch.from_numpy(found).permute(2, 0, 1) - exact).abs() * 224
    assert apart.mean() < 0.3  # code values: under rounding
    assert apart.quantile(0.99) < 2


def test_a_map_follows_what_moves() -> None:
    rng = np.random.default_rng(1)
    wide = np.kron(rng.integers(40, 220, (24, 40)), np.ones((6, 6))).astype(np.uint8)
    frames = [np.ascontiguousarray(wide[:, 2 * t : 2 * t + 192]) for t in range(6)]
    where = motion.places((144, 192))
    for before, now in zip(frames, frames[1:], strict=False):
        where, misfit = motion.settled(motion.fetched(where, motion.way(now, before)), frames[0], now)
    inner = where[8:-8, 8:-24, 0] - motion.places((144, 192))[8:-8, 8:-24, 0]
    assert np.abs(inner - 10).mean() < 0.5
    assert misfit[8:-8, 8:-24].mean() < 2


def test_what_is_like_is_found_wherever_it_went() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(1, 16, 4, 6, generator=generator)
    light = torch.full((1, 1, 32, 48), 0.5)
    ab = torch.randn(1, 2, 4, 6, generator=generator).repeat_interleave(8, 2).repeat_interleave(8, 3) * 20
    mask = torch.ones(1, 1, 32, 48)
    key = attend.shown(features, light, attend.values_of(torch.cat((ab, mask), 1)[0].permute(1, 2, 0)))
    found = attend.looked_up(features.flip(3), light, [(key, True)])
    assert (found.ab - ab[0, :, ::8, ::8].flip(2)).abs().mean() < 2
    some = attend.looked_up(features.flip(3), light, [(key, True)], torch.tensor([3, 7]))
    assert torch.allclose(some.ab.flatten(1)[:, [3, 7]], found.ab.flatten(1)[:, [3, 7]], atol=1e-4)
    assert int((some.share > 0).sum()) == 2


def test_the_judge_never_takes_what_is_not_there() -> None:
    torch.manual_seed(1)
    planes, shares = torch.randn(2, 29, 6, 8), torch.rand(2, 4, 12, 16)
    shares[:, 1], shares[:, 3] = 0, 1
    judge = Judge()
    with torch.no_grad():
        judge.leave.bias[4:8] = 200.0  # it would take what is not there, and next to that nothing else counts
    weights = judge(planes, shares)
    assert torch.allclose(weights.sum(1), torch.ones(2, 12, 16), atol=1e-5)
    assert not weights[:, 1].any()


def test_what_is_like_things_that_have_no_colour_gets_none() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(1, 16, 4, 6, generator=generator)
    light, ab = torch.full((1, 1, 32, 48), 0.5), torch.full((1, 2, 32, 48), 40.0)
    mask = torch.zeros(1, 1, 32, 48)
    mask[..., :24] = 1
    key = attend.shown(features, light, attend.values_of(torch.cat((ab * mask, mask), 1)[0].permute(1, 2, 0)))
    found = attend.looked_up(features, light, [(key, True)])
    assert (found.share[:, :3] > 0.9).all()
    assert not found.share[:, 3:].any()


def test_without_opencv_keys_are_refused_in_a_sentence(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    motion._cv2.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    keys = paint(tmp_path / "keys" / "4.png", 4, 0).parent
    with pytest.raises(UsageError, match="opencv-python-headless"):
        restore(film, tmp_path / "out.mkv", options(keys))
    motion._cv2.cache_clear()


def test_keys_are_in_order_of_their_frames(tmp_path: Path) -> None:
    for name in ("100.png", "00000020.png", "3.png"):
        paint(tmp_path / "keys" / name, 0, 0)
    (tmp_path / "keys" / "notes.txt").write_text("mine")
    assert [key.number for key in listed(tmp_path / "keys")] == [3, 20, 100]


def test_a_scout_can_be_stopped(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    keys = paint(tmp_path / "keys" / "4.png", 4, 0).parent
    brake = Brake()
    brake.pull(130)
    with pytest.raises(FilmError):
        restore(film, tmp_path / "out.mkv", options(keys), brake=brake)


def test_carrying_back_is_carrying_on_turned_round() -> None:
    lights = [torch.from_numpy(moving_picture(t, SIZE).astype(np.float32) / 255)[None, None] for t in range(4)]
    ab, mask = torch.full((1, 2, *SIZE), 30.0), torch.ones(1, 1, *SIZE)
    key = memory.made(lights[-1], (ab, mask), None, 3)
    back = carry.carried_back(key, lights)
    assert [one.age for one in back] == [3, 2, 1]
    there = key.grey.numpy().astype(np.float32)
    for one, light in zip(back, lights, strict=False):
        here = memory.grey_of(light).numpy().astype(np.float32)
        still = motion.misfit(motion.places(SIZE), there, here).mean()
        assert motion.misfit(one.where.numpy(), there, here).mean() < 0.5 * still


# learning and measuring


def coloured_clip(path: Path, frames: int = 8) -> Path:
    """A pattern in two colours that drifts."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("ffv1", rate=25)
        video.height, video.width, video.pix_fmt = 96, 128, "bgr0"
        for index in range(frames):
            shade = moving_picture(index, SIZE)[..., None] / 255
            colour = np.where(np.arange(128)[None, :, None] < 64, ORANGE, (0.3, 0.6, 1.0))
            picture = av.VideoFrame.from_ndarray((shade * colour * 255).astype(np.uint8), "rgb24")
            film.mux(video.encode(picture.reformat(format="bgr0")))
        film.mux(video.encode(None))
    return path


def test_a_judge_is_taught_by_one_command_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, out = coloured_clip(tmp_path / "clip.mkv"), tmp_path / "run"
    words = ["train", "--network", "guide", "--clips", str(clip), "--out", str(out), "--minutes"]
    assert main([*words, "0.002"]) == 0
    assert capsys.readouterr().out.strip() == str(out / "guide.safetensors")
    assert isinstance(lead.judge_of(out / "guide.safetensors"), Judge)
    lessons = sorted(path.stat().st_mtime_ns for path in out.glob("cache/guide-*/*.pt"))
    first = torch.load(out / "guide.pt", weights_only=True)
    assert main([*words, "0.02"]) == 0
    assert sorted(path.stat().st_mtime_ns for path in out.glob("cache/guide-*/*.pt")) == lessons
    assert torch.load(out / "guide.pt", weights_only=True)["steps"] > first["steps"] > 0
    assert main(["train", "--network", "guide", "--out", str(out)]) == 2


def test_keys_are_measured_beside_plain_ways(network: LoadedModel, reel: LoadedModel, tmp_path: Path) -> None:
    from vidcolor.evaluate.guided import rows
    from vidcolor.evaluate.samples import clip_sample

    sample = clip_sample(coloured_clip(tmp_path / "clip.mkv", 5))
    for keys in ("first", "ends"):
        found = rows([sample], {"reel": network.colorizer}, keys)
        assert list(found) == ["truth", "grey", "unmoved", "flow", "reel, guided", "reel, unguided"]
        error = {name: figures["key_error"] for name, figures in found.items()}
        assert max(error["reel, guided"], error["unmoved"], error["flow"]) < error["grey"] / 3
        assert error["truth"] == 0
        assert found["reel, guided"]["key_cost"] > 0


def test_half_a_key_is_measured_where_it_is_coloured_and_where_it_is_not(network: LoadedModel, tmp_path: Path) -> None:
    from vidcolor.evaluate.guided import rows
    from vidcolor.evaluate.samples import clip_sample

    sample = clip_sample(coloured_clip(tmp_path / "clip.mkv", 5))
    found = rows([sample], {"reel": network.colorizer}, "half")
    inside, outside = (
        {name: own[f"key_error_{side}"] for name, own in found.items()} for side in ("inside", "outside")
    )
    assert 0.35 < found["grey"]["key_inside"] < 0.6
    assert 0.35 < found["grey"]["key_outside"] < 0.6
    assert max(inside["reel, guided"], inside["flow"]) < inside["grey"] / 3
    assert outside["flow"] > 0.8 * outside["grey"]
    assert abs(outside["reel, guided"] / outside["reel, unguided"] - 1) < 0.2


def test_the_packaged_judge_is_the_one_that_is_named() -> None:
    lead.verify()
    assert sum(tensor.numel() for tensor in lead.judge_of().state_dict().values()) < 20_000
