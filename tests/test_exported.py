"""Promises about still colorizers in ONNX files that colour a film's key frames (`--guide`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import MakeFilm, moving_picture
from onnx import TensorProto, helper
from paints import CLOSE, SIZE, chroma, options, paint, wanted
from PIL import Image

from streams.errors import InputError, ModelError, UsageError
from vidcolor.cli import main
from vidcolor.frames import colorize
from vidcolor.guide import exported
from vidcolor.guide.exported import StillColorizer
from vidcolor.guide.signature import Signature, described, known
from vidcolor.pipeline import restore
from vidcolor.watch import Report, Watcher
from vidcolor.zoo import LoadedModel

pytestmark = pytest.mark.usefixtures("one_thread")

MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
AB = (30.0, -20.0)


TINT = np.array((1.15, 0.98, 0.7))  # as light as the grey was


def network(
    path: Path,
    weights: np.ndarray,
    bias: Sequence[float],
    side: int | str = 64,
    bounds: tuple[float, float] = (-1e6, 1e6),
) -> Path:
    """Write a network of one 1x1 convolution, `weights` (out, in) and `bias` (out,), that stays within bounds."""
    takes = weights.shape[1]
    gives = len(bias)
    tensors = [
        helper.make_tensor("w", TensorProto.FLOAT, (gives, takes, 1, 1), np.asarray(weights, np.float32).ravel()),
        helper.make_tensor("b", TensorProto.FLOAT, (gives,), np.asarray(bias, np.float32)),
        helper.make_tensor("low", TensorProto.FLOAT, (), bounds[:1]),
        helper.make_tensor("high", TensorProto.FLOAT, (), bounds[1:]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, planes, side, side))
        for name, planes in (("input", takes), ("output", gives))
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w", "b"], ["made"]),
            helper.make_node("Clip", ["made", "low", "high"], ["output"]),
        ],
        "g",
        ends[:1],
        ends[1:],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def ddcolor(folder: Path, ab: Sequence[float] = AB, side: int | str = 512) -> Path:
    """Grey as RGB 0..1 in, ab out: the same everywhere."""
    return network(folder / "ddcolor.onnx", np.zeros((2, 3)), ab, side)


def siggraph(folder: Path) -> Path:
    """L* 0..100 in, ab out: a tenth of the light."""
    return network(folder / "model.onnx", np.array([[0.1], [-0.1]]), (1, 1), 256)


def deoldify(folder: Path) -> Path:
    """ImageNet-normalised RGB in and out: the grey in orange."""
    return network(folder / "model.onnx", np.diag(TINT), (TINT * MEAN - MEAN) / STD, 256, (-3, 3))


def deoldify_255(folder: Path) -> Path:
    """RGB 0..255 in and out: the same."""
    return network(folder / "model.onnx", np.diag(TINT), (0, 0, 0), 256, (0, 255))


@pytest.fixture
def film(make_film: MakeFilm) -> Path:
    """Two shots of ten frames."""
    return make_film("film.mkv", 20, SIZE, cuts=(10,))


def shade() -> np.ndarray:
    return np.clip((moving_picture(3, SIZE).astype(np.float32) - 16) / 219, 0, 1)


# signatures


def test_ddcolor_is_known_by_its_name_and_by_its_planes(tmp_path: Path) -> None:
    for name in ("my_DDColor_tiny.onnx", "model.onnx"):
        path = ddcolor(tmp_path).rename(tmp_path / name)
        found = StillColorizer(path).colours(shade(), (48, 64))
        assert np.allclose(found, np.array(AB)[:, None, None], atol=1e-4)
        assert found.shape == (2, 48, 64)


def test_siggraph17_is_given_lightness(tmp_path: Path) -> None:
    from vidcolor.guide.signature import lightness

    found = StillColorizer(siggraph(tmp_path)).colours(np.full(SIZE, 0.5, np.float32), (8, 8))
    assert np.allclose(found[0], 6.3389, atol=1e-3)  # one and a tenth of L* of sRGB grey 0.5, CIE 15
    assert np.allclose(found[1], 2 - found[0])
    assert np.allclose(lightness(np.array((0, 1), np.float32)), (0, 100), atol=1e-4)


@pytest.mark.parametrize(("make", "name"), [(deoldify, "deoldify"), (deoldify_255, "deoldify-255")])
def test_deoldify_is_asked_in_the_way_that_gives_the_light_back(tmp_path: Path, make: object, name: str) -> None:
    import torch

    from vidcolor.color import lab_from_rgb

    artist = StillColorizer(make(tmp_path))  # type: ignore[operator]
    found = artist.colours(shade(), SIZE)
    assert artist.way == name
    tinted = torch.from_numpy(shade() * TINT[:, None, None].astype(np.float32)).clamp(0, 1)
    true = lab_from_rgb(tinted[None])[0, 1:].numpy()
    assert np.abs(found - true).mean() < 2  # the picture was stretched to a square and back


def test_the_size_is_the_files_own_or_else_the_signatures(tmp_path: Path) -> None:
    assert known()["ddcolor"][0].size == 512
    for side in (32, "side"):
        assert StillColorizer(ddcolor(tmp_path, side=side)).colours(shade(), (8, 8)).shape == (2, 8, 8)


def test_a_description_beside_the_model_comes_first(tmp_path: Path) -> None:
    path = network(tmp_path / "ddcolor.onnx", np.zeros((2, 3)), (0.3, -0.2), 32)
    (tmp_path / "ddcolor.toml").write_text('like = "ddcolor"\nunit = 100.0\n')
    assert np.allclose(StillColorizer(path).colours(shade(), (4, 4))[:, 0, 0], AB, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("like = ", "is not TOML"),
        ('like = "dream"', "like = 'dream': known are ddcolor"),
        ("colour = 1", "a field 'colour' that is not known"),
        ('input = "hsv"', "input = 'hsv' makes no sense"),
        ("size = 4", "size = 4 makes no sense"),
        ("std = [1, 1, 0]", "std = .* makes no sense"),
        ("mean = [1, 1]", "mean = .* makes no sense"),
        ("unit = true", "unit = True makes no sense"),
    ],
)
def test_a_description_that_makes_no_sense_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(InputError, match=sentence):
        described(tmp_path / "model.toml")


def test_every_known_signature_names_its_source() -> None:
    import tomllib

    table = tomllib.loads((Path(exported.__file__).parents[1] / "data" / "stills.toml").read_text(encoding="utf-8"))
    assert all("github.com/" in row["source"] for row in table.values())
    assert all(isinstance(row, Signature) for row, _ in known().values())


# what goes wrong


def test_models_that_are_none_end_the_run_in_a_sentence(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"no model")
    four = network(tmp_path / "four.onnx", np.zeros((2, 4)), AB, 32)
    loud = network(tmp_path / "loud.onnx", np.zeros((2, 3)), (1e4, 0), 32)
    dark = network(tmp_path / "dark.onnx", np.zeros((3, 3)), (9, 9, 9), 32)
    for path, sentence in (
        (tmp_path / "torn.onnx", "is no model that onnxruntime can load"),
        (four, r"four.onnx takes \[1, 4, 32, 32\] and gives \[1, 2, 32, 32\].* describe it in four.toml"),
        (loud, "describe it in loud.toml"),
        (dark, "describe it in dark.toml"),
    ):
        with pytest.raises(ModelError, match=sentence):
            restore(film, tmp_path / "out.mkv", options(guide=str(path)))
    assert not list(tmp_path.glob("*out*"))


def test_without_onnxruntime_or_a_model_the_run_ends_before_it_begins(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        restore(film, tmp_path / "out.mkv", options(guide=str(tmp_path / "none.onnx")))
    with pytest.raises(UsageError, match="pipe"):
        restore("-", tmp_path / "out.mkv", options(guide=str(ddcolor(tmp_path))))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"vidcolor\[guide\]"):
        restore(film, tmp_path / "out.mkv", options(guide=str(ddcolor(tmp_path))))


# films


def test_a_still_colorizer_colours_every_shot_and_its_time_is_told(
    film: Path, tmp_path: Path, reel: LoadedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    model = deoldify_255(tmp_path)
    made = chroma(list(colorize(film, options(guide=str(model)))))
    orange = [
        float(np.abs(made[index] - wanted(index, index // 10, tuple(map(float, TINT)))).mean()) for index in range(20)
    ]
    assert max(orange) < CLOSE, orange
    words = ["restore", str(film), "-o", str(tmp_path / "out.mkv"), "--side", "128", "--guide", str(model)]
    assert main([*words, "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    guide, done = [event for event in events if event["event"] == "guide"], events[-1]
    assert [event["frame"] for event in guide] == list(range(len(guide)))
    assert guide[-1]["frame"] == guide[-1]["total"] >= 2, "two shots"
    assert events.index(guide[-1]) < [event["event"] for event in events].index("start")
    assert done["event"] == "done"
    assert done["guide_seconds"] > 0
    assert main([*words, "-y", "-v"]) == 0
    said = capsys.readouterr().err
    assert "frames coloured in" in said and "the guide took" in said


def test_a_bar_tells_how_far_the_key_frames_are_and_then_the_film() -> None:
    from vidcolor.cli.bar import BarVoice

    voice = BarVoice()
    voice.guided(0, 3)
    voice.guided(2, 3)
    (task,) = voice._bar.tasks
    assert (task.completed, task.total, task.description) == (2, 3, "key frames for the guide")
    voice.started(20)
    voice.progressed(5)
    (task,) = voice._bar.tasks
    assert (task.completed, task.total, task.description) == (5, 20, "")
    voice.close()


def test_a_plain_run_says_nothing_of_a_guide() -> None:
    assert Report(1, None, "reel", "").guide_seconds == 0


def test_a_key_lies_over_what_a_still_colorizer_sees(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    keys = paint(tmp_path / "keys" / "4.png", 4, 0, columns=slice(0, 64)).parent
    made = chroma(list(colorize(film, options(keys, guide=str(ddcolor(tmp_path, (0, -60)))))))
    assert np.abs(made[4][:, :, :28] - wanted(4, 0)[:, :, :28]).mean() < CLOSE
    assert made[4][0, :, 40:].mean() > 15  # blue where it says nothing
    assert made[14][0].mean() > 15


def test_only_the_part_that_is_restored_is_shown_to_a_still_colorizer(
    film: Path, tmp_path: Path, reel: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fractions import Fraction

    asked = list[int]()
    monkeypatch.setattr(StillColorizer, "colours", lambda self, shade, size: asked.append(1) or np.zeros((2, *size)))
    list(colorize(film, options(guide=str(ddcolor(tmp_path)), start=Fraction("0.72"))))
    assert 1 <= len(asked) <= 3


def test_another_model_or_description_is_another_order(tmp_path: Path) -> None:
    path = ddcolor(tmp_path)
    first = options(guide=str(path)).digest
    assert options(guide=str(path)).digest == first != options().digest
    ddcolor(tmp_path, (1, 2))
    second = options(guide=str(path)).digest
    (tmp_path / "ddcolor.toml").write_text('like = "ddcolor"\n')
    assert len({first, second, options(guide=str(path)).digest}) == 3


def test_a_still_picture_needs_no_guide(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "gray").save(tmp_path / "still.png")
    with pytest.raises(UsageError, match="still picture"):
        restore(tmp_path / "still.png", tmp_path / "out.png", options(guide=str(ddcolor(tmp_path))), Watcher())
