"""The zoo: each network learns by its own recipe, stays small, travels in one file, and keeps its paper's promises."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from streams.errors import ModelError, UsageError
from vidcolor import color, weights, zoo
from vidcolor.cli import main
from vidcolor.colorizer import Colorizer
from vidcolor.device import Place
from vidcolor.memory import State
from vidcolor.models.cnn_lstm import CnnLstm
from vidcolor.models.style import Style
from vidcolor.spaces import SPACES
from vidcolor.train.bank import Bank
from vidcolor.train.courses import COURSES, course, network_of
from vidcolor.train.loop import Trainer
from vidcolor.train.recipe import UNWORN
from vidcolor.train.school import start_network
from vidcolor.train.step import Material

CPU = Place(torch.device("cpu"), "fp32")
CLASSIC = [name for name in COURSES if network_of(name) == name and name not in ("reel", "aerial")]
MOST_EACH, MOST_ALL = 6e6, 26e6
"""Bytes."""


@pytest.fixture(scope="module")
def material() -> Material:
    """Six little pictures of two kinds: warm and cold, brighter towards one side."""
    ramp = torch.linspace(0.2, 0.9, 40)[None, :, None]
    hues = torch.tensor([[1.0, 0.6, 0.3], [0.4, 0.6, 1.0]])
    pictures = [(255 * ramp * hues[n % 2]).expand(40, 40, 3).byte() for n in range(6)]
    pixels = torch.cat([one.reshape(-1, 3) for one in pictures])
    first, shapes = torch.arange(6) * 1600, torch.tensor([[1, 40, 40]] * 6)
    return Material(Bank(pixels, first, shapes, torch.arange(6) % 2), kinds=2, names=("cold", "warm"))


def trained(name: str, material: Material, out: Path) -> Trainer:
    torch.manual_seed(1)
    facts = {"labels": json.dumps(material.names), "space": COURSES[name].get("space", "lab")}
    small = {"height": 32, "width": 32, "batch": 4, "rate": 3e-3, "warm": 1, "encoder": 1.0, "wear": UNWORN}
    recipe = replace(course(name, "cpu"), minutes=100, **small)  # type: ignore[arg-type]
    return Trainer(start_network(name, None, facts), material, recipe, out)


@pytest.mark.parametrize("name", [*CLASSIC, "resnet-half-ycbcr", "resnet-half-oklab"])
def test_a_network_learns_by_its_own_recipe(name: str, material: Material, tmp_path: Path) -> None:
    trainer = trained(name, material, tmp_path)
    same = trainer.lesson.dice.state()

    def blame() -> float:
        trainer.lesson.dice.restore(same)
        with torch.no_grad():
            return float(torch.stack(list(trainer.lesson.still(0)[0].values())).sum())

    first = blame()
    for _ in range(8):
        trainer.lesson.dice.restore(same)
        trainer.step()
    assert blame() < 0.95 * first


def test_a_critic_is_heard_only_at_the_end_and_goes_into_the_checkpoint(material: Material, tmp_path: Path) -> None:
    trainer = trained("gan", material, tmp_path)
    trainer.recipe = replace(trainer.recipe, steps=10)
    heard = []
    for _ in range(10):
        trainer._sums.clear()
        trainer.step()
        heard.append("adversary" in trainer._sums)
    assert heard == [False] * 8 + [True] * 2
    trainer.keep()
    again = trained("gan", material, tmp_path)
    assert again.resume()
    assert again.lesson.adversary is not None
    assert trainer.lesson.adversary is not None
    mine, theirs = again.lesson.adversary.critic.state_dict(), trainer.lesson.adversary.critic.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert not any("critic" in key for key in weights.tensors(weights.read(tmp_path / "weights.safetensors"), tmp_path))


def test_every_row_of_the_zoo_has_a_course() -> None:
    assert {network_of(name) for name in COURSES} == {row.name for row in zoo.table()}


def size_of(name: str) -> int:
    """Bytes in half precision; of `aerial` only what the main network's encoder and memories leave over."""
    network = start_network(name if name != "aerial" else "reel", None, {"labels": json.dumps(["kind"] * 9)})
    kept = ("conv1", "layer", "memory") if name == "aerial" else ("none",)
    return sum(2 * tensor.numel() for key, tensor in network.state_dict().items() if not key.startswith(kept))


def test_each_classic_network_is_small_and_so_are_all_together() -> None:
    sizes = {name: size_of(name) for name in (*CLASSIC, "aerial")}
    assert max(sizes.values()) < MOST_EACH
    assert sum(sizes.values()) < MOST_ALL
    packaged = [row for row in zoo.table() if row.path and row.name != "reel"]
    assert all(row.path.stat().st_size < MOST_EACH for row in packaged if row.path)


@pytest.mark.parametrize("name", CLASSIC)
def test_a_weights_file_is_enough_to_have_the_network_again(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    facts = {"labels": '["cold", "warm"]', "space": "oklab"}
    network = start_network(name, None, facts).eval().requires_grad_(False)
    path = tmp_path / "mine.safetensors"
    weights.write(network.state_dict(), path, network.spec.name, network.facts())
    loaded = zoo.load(str(path), CPU)
    assert type(loaded.colorizer) is type(network)
    assert loaded.colorizer.facts() == network.facts()
    assert loaded.name == "mine"


def test_a_network_that_is_not_packaged_is_told_in_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "untrained"
    monkeypatch.setattr(zoo, "_ROWS", (*zoo.table(), zoo.Row(missing, "vidcolor.models.cnn9:Cnn9")))
    assert main(["restore", "old.mp4", "--model", missing]) == 5
    assert "train it (vidcolor train --network" in capsys.readouterr().err
    assert missing not in zoo.names()
    assert main(["models"]) == 0
    said = capsys.readouterr()
    assert f"{missing}\t-\t-" in said.out
    assert "not packaged" in said.err


def test_facts_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    wrong = {
        "cnn9": {"space": "cmyk"},
        "two-stream": {"labels": "{}"},
        "style": {"manner": '{"layer": 99}'},
    }
    for name, facts in wrong.items():
        weights.write({"a": torch.zeros(1)}, tmp_path / "w.safetensors", name, facts)
        with pytest.raises(ModelError, match="does not describe"):
            zoo.load(str(tmp_path / "w.safetensors"), CPU)


def test_weights_that_go_on_from_others_hold_only_what_differs(tmp_path: Path) -> None:
    base = zoo.row_of("reel")
    assert base is not None
    delta = {"classes.bias": torch.ones(313)}
    path = tmp_path / "aerial.safetensors"
    weights.write(delta, path, "reel", {"base": base.sha256})
    loaded, whole = zoo.load(str(path), CPU).colorizer.state_dict(), zoo.load("reel", CPU).colorizer.state_dict()
    assert torch.equal(loaded["classes.bias"], torch.ones(313))
    assert torch.equal(loaded["layer3.0.conv1.weight"], whole["layer3.0.conv1.weight"])
    weights.write(delta, path, "reel", {"base": "0" * 64})
    with pytest.raises(ModelError, match="goes on from"):
        zoo.load(str(path), CPU)


@pytest.mark.parametrize("name", SPACES)
def test_colours_come_back_from_every_space(name: str) -> None:
    """At the light that the space takes for the colour's own, ab comes back; Oklab's is that of an equal grey."""
    space = SPACES[name]
    rgb = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(3)) * 0.6 + 0.2
    ab = color.lab_from_rgb(rgb)[:, 1:]
    light = color.lightness_from_luma(color.luma_from_rgb(rgb)) / 100
    found = space.decode(space.encode(rgb), light)
    assert float((found - ab).abs().max()) < (6.0 if name == "oklab" else 0.05)
    assert float(space.decode(torch.zeros(1, 2, 4, 5), light).abs().max()) < 0.02
    assert 5 < float(space.encode(rgb).abs().mean()) < 40


def test_the_lstm_is_left_out_for_single_pictures() -> None:
    torch.manual_seed(1)
    network = CnnLstm().fold().requires_grad_(False)
    assert isinstance(network, CnnLstm)
    light = torch.rand(2, 1, 32, 40)
    single, _ = network(light[:1], network.start())
    torch.nn.init.normal_(network.memory.out.weight)
    torch.nn.init.normal_(network.memory.gates.weight)
    again, state = network(light[:1], network.start())
    assert torch.equal(single, again)
    second, _ = network(light[1:], state)
    alone, _ = network(light[1:], network.start())
    assert float((second - alone).abs().max()) > 1e-3


def test_a_scene_is_named_by_all_frames_of_its_shot() -> None:
    torch.manual_seed(1)
    network = zoo.make(next(row for row in zoo.table() if row.name == "two-stream"), {"labels": '["sea", "wood"]'})
    network.fold().requires_grad_(False)
    light = torch.rand(3, 1, 32, 40)
    _, whole = network(light, network.start())
    state = network.start()
    for frame in light.split(1):
        _, state = network(frame, state)
    shares = network.shown(whole)
    assert list(shares) == ["sea", "wood"]
    assert sum(shares.values()) == pytest.approx(1)
    assert network.shown(state) == pytest.approx(shares, abs=1e-5)
    assert network.shown(network.start()) == {}


def painted_style(manner: dict[str, float], warm: bool = True) -> tuple[Style, torch.Tensor]:
    torch.manual_seed(1)
    network = start_network("style", None, {"labels": '["field"]', "manner": json.dumps({"steps": 12, **manner})})
    assert isinstance(network, Style)
    tile = torch.rand(1, 3, 32, 32) * torch.tensor([1.0, 0.7, 0.3] if warm else [0.3, 0.7, 1.0]).view(1, 3, 1, 1)
    network.take_style(0, [tile, tile[..., :24]])
    network.requires_grad_(False)
    with torch.inference_mode():
        ab, _ = network(torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(5)), network.start())
    return network, ab


def test_style_takes_its_colours_from_the_tiles() -> None:
    _, warm = painted_style({})
    _, cold = painted_style({}, warm=False)
    assert float(warm[:, 1].mean()) > 5 > -5 > float(cold[:, 1].mean())


def test_a_reference_picture_alone_becomes_the_style(tmp_path: Path) -> None:
    from PIL import Image

    ramp = np.linspace(80, 250, 48)[:, None, None] * np.array([1.0, 0.8, 0.5])
    Image.fromarray(np.broadcast_to(ramp, (48, 40, 3)).astype(np.uint8)).save(tmp_path / "sepia.png")
    taught = start_network("style", None, {"labels": '["field", "sea"]'})
    weights.write(taught.state_dict(), tmp_path / "taught.safetensors", "style", taught.facts())
    words = ["--pictures", str(tmp_path / "sepia.png"), "--init", str(tmp_path / "taught.safetensors")]
    out = tmp_path / "mine"
    assert main(["train", "--network", "style", "--minutes", "0", "--out", str(out), *words]) == 0
    made = zoo.load(str(out / "weights.safetensors"), CPU).colorizer
    assert isinstance(made, Style)
    assert float(made.mean[0, 1]) > 10
    assert torch.equal(made.conv1.weight, taught.half().float().conv1.weight)


def test_the_ratio_and_the_layer_of_style_are_heard() -> None:
    _, usual = painted_style({})
    _, faint = painted_style({"ratio": 1e-6})
    _, other = painted_style({"layer": 2})
    assert float(faint.abs().mean()) < 0.8 * float(usual.abs().mean())
    assert not torch.equal(usual, other)


def test_style_can_be_guided_by_a_reference() -> None:
    network, warm = painted_style({})
    light, blue = torch.rand(1, 1, 32, 32), torch.tensor([0.0, -40.0]).view(1, 2, 1, 1).expand(1, 2, 16, 16)
    network.mean.zero_()
    guided, _ = network(light, network.guide(network.start(), light, blue, torch.ones(1, 1, 16, 16)))
    plain, _ = network(light, network.start())
    assert float(guided[:, 1].mean()) < float(plain[:, 1].mean()) - 1


def test_style_works_where_everything_before_it_was_inference() -> None:
    color._matrices.cache_clear()
    with torch.inference_mode():
        color.rgb_from_lab(torch.zeros(1, 3, 2, 2))
    _, ab = painted_style({})
    assert float(ab.abs().max()) > 1


@pytest.mark.parametrize("name", ["resnet-half", "cnn-lstm"])
def test_classic_networks_carry_coloured_keys_too(name: str) -> None:
    torch.manual_seed(1)
    network = start_network(name).fold().requires_grad_(False)
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    light = (0.5 + 0.2 * torch.sin(x / 5) + 0.2 * torch.cos(y / 7))[None, None].repeat(2, 1, 1, 1)
    key = torch.tensor([30.0, -30.0]).view(1, 2, 1, 1).expand(1, 2, 48, 64)
    state = network.guide(network.start(), light[:1], key, torch.ones(1, 1, 48, 64))
    ab, _ = network(light, state)
    plain, _ = network(light, network.start())
    assert float((ab[0] - key[0]).abs().mean()) < 5
    assert float((plain.mean((0, 2, 3)) - torch.tensor([30.0, -30.0])).abs().mean()) > 10


def test_frozen_layers_of_style_do_not_learn(material: Material, tmp_path: Path) -> None:
    trainer = trained("style", material, tmp_path)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    for _ in range(2):
        trainer.step()
    after = trainer.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"layer2", "kinds"}
    assert all(name.startswith(("layer2.1", "kinds")) for name in changed)


def test_two_networks_are_taught_by_one_command_that_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        grid = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(grid).resize((64, 48)).save(folder / f"{number}.png")
    words = ["train", "--pictures", str(folder), "--out", str(tmp_path / "zoo"), "--network", "all"]
    small = ["--set", "steps=1", "--set", "height=32", "--set", "width=32", "--set", "batch=2", "--set", "stills=1"]
    assert main([*words, *small]) == 0
    said = capsys.readouterr().err
    assert "no --tiles were named" in said
    made = sorted(path.parent.name for path in (tmp_path / "zoo").glob("*/weights.safetensors"))
    assert made == sorted(set(COURSES) - {"reel", "style", "aerial"})
    assert main([*words, *small]) == 0
    assert "going on after step 1, 100% of the budget" in capsys.readouterr().err
    assert main([*words, "--init", "packaged"]) == 2
    assert main(["train", "--pictures", str(folder), "--network", "nobody"]) == 2
    with pytest.raises(UsageError, match="known are"):
        zoo.load("nobody", CPU)


def test_contract_of_state_holds_for_films_side_by_side() -> None:
    """A state says how many films it is of: stacking two is colouring two."""
    network: Colorizer = start_network("cnn-lstm").fold().requires_grad_(False)
    light = torch.rand(2, 2, 1, 32, 32)
    _, state = network(light, network.start(2))
    one = State({name: tensor[:1] for name, tensor in state.tensors.items()})
    _, alone = network(light[:, :1], network.start(1))
    assert all(torch.allclose(one.tensors[name], alone.tensors[name], atol=1e-4) for name in one.tensors)
