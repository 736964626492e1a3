"""The contract of a network, run over every network of the zoo with weights of chance: shapes, memory, sharing."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from vidcolor import zoo
from vidcolor.color import ab_bins
from vidcolor.colorizer import Colorizer
from vidcolor.memory import ConvLSTM, State
from vidcolor.models.reel import Reel
from vidcolor.packed import pack

FRAMES = 6
SAME = 1e-4  # Lab units: fp32 sums in another order
SAME_IN_BF16 = 0.5  # Lab units, half a code value: a sum rounded once where it was twice


APART = ("stock", "scene")  # what colours do not come through: unless it is told the stock; the scene's name
FACTS = {"labels": '["field", "town"]', "manner": '{"steps": 3}'}
KINDS = list({row.maker: row for row in reversed(zoo.table())}.values())[::-1]  # one network may have two rows


@pytest.fixture(params=KINDS, ids=lambda row: row.name)
def network(request: pytest.FixtureRequest) -> Colorizer:
    """A network whose memory says something: what begins at zero is given weights of chance."""
    torch.manual_seed(1)
    made = zoo.make(request.param, FACTS)
    for part in made.modules():
        if isinstance(part, ConvLSTM):
            torch.nn.init.normal_(part.out.weight, std=0.3)
        elif isinstance(part, torch.nn.Conv2d) and float(part.weight.detach().std()) < 2e-3:
            torch.nn.init.normal_(part.weight, std=0.05)  # a last layer that begins near grey
    return made.fold().requires_grad_(False)


@pytest.fixture
def light(network: Colorizer) -> torch.Tensor:
    size = 4 * network.spec.stride
    return torch.rand(FRAMES, 1, size, size + network.spec.stride, generator=torch.Generator().manual_seed(2))


def _colour(network: Colorizer, light: torch.Tensor, batches: list[int]) -> tuple[torch.Tensor, State]:
    state, parts = network.start(), []
    for part in light.split(batches):
        ab, state = network(part, state)
        parts.append(ab)
    return torch.cat(parts), state


def test_colours_come_out_at_the_stated_scale(network: Colorizer, light: torch.Tensor) -> None:
    ab, _ = network(light, network.start())
    height, width = light.shape[-2:]
    assert ab.shape == (FRAMES, 2, height // network.spec.scale, width // network.spec.scale)
    assert bool(torch.isfinite(ab).all())


@pytest.mark.parametrize("batches", [[1] * 6, [2, 4], [5, 1], [3, 3]])
def test_batch_size_does_not_change_the_colours(network: Colorizer, light: torch.Tensor, batches: list[int]) -> None:
    whole, after = _colour(network, light, [FRAMES])
    cut, after_cut = _colour(network, light, batches)
    assert torch.allclose(whole, cut, atol=SAME)
    assert after.tensors.keys() == after_cut.tensors.keys()
    assert all(torch.allclose(after.tensors[n], after_cut.tensors[n], atol=SAME) for n in after.tensors)


def test_one_frame_a_step_is_the_same_bit_for_bit_however_often_it_is_run(
    network: Colorizer, light: torch.Tensor
) -> None:
    first, state = _colour(network, light, [1] * FRAMES)
    again, state_again = _colour(network, light, [1] * FRAMES)
    assert torch.equal(first, again)
    assert state.equal(state_again)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_packed_weights_give_the_same_colours_at_one_size_after_another(
    network: Colorizer, light: torch.Tensor, kind: torch.dtype
) -> None:
    network.to(kind, memory_format=torch.channels_last)  # type: ignore[call-overload]
    sizes = [light[:3].to(kind), light[:2, :, :32, :32].to(kind), light[:3].to(kind)]
    with torch.inference_mode():
        plain = [_colour(network, some, [1] * len(some)) for some in sizes]
        pack(network)
        packed = [_colour(network, some, [1] * len(some)) for some in sizes]
    near = SAME if kind is torch.float32 else SAME_IN_BF16
    for (ab, state), (ab_packed, state_packed) in zip(plain, packed, strict=True):
        assert (ab - ab_packed).abs().max() < near
        assert all((state.tensors[n] - state_packed.tensors[n]).abs().max() < near for n in state.tensors)
    assert torch.equal(packed[0][0], packed[2][0])


def test_packing_is_no_part_of_the_weights(network: Colorizer, light: torch.Tensor) -> None:
    light = light[:1]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pack(network)
    with torch.inference_mode():
        expected, _ = _colour(network, light, [1])
    copy = deepcopy(network)
    with torch.inference_mode():
        twin, _ = _colour(copy, light, [1])
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(expected, twin)


def test_a_packed_network_follows_weights_that_are_changed_and_can_be_taught(
    network: Colorizer, light: torch.Tensor
) -> None:
    if network.taught == "kinds":
        pytest.skip("its colours are optimised: nothing goes back through them")
    pack(network)
    light = light[:2]
    with torch.inference_mode():
        before = network.perceive(light, network.start())[0]
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(1.1)
    with torch.inference_mode():
        after = network.perceive(light, network.start())[0]
    network.requires_grad_(True)
    taught = network.perceive(light, network.start())[0]
    taught.sum().backward()
    assert not torch.allclose(before, after, atol=100 * SAME)
    assert torch.allclose(after, taught, atol=SAME)
    assert all(weights.grad is not None for name, weights in network.named_parameters() if not name.startswith(APART))


def test_what_was_seen_before_colours_what_comes_after(network: Colorizer, light: torch.Tensor) -> None:
    if not network.spec.needs_state:
        pytest.skip("this network looks at single pictures")
    _, state = network(light[:3], network.start())
    remembered, _ = network(light[3:4], state)
    fresh, _ = network(light[3:4], network.start())
    assert float((remembered - fresh).abs().max()) > SAME


def test_a_state_is_not_changed_by_using_it(network: Colorizer, light: torch.Tensor) -> None:
    _, state = network(light[:2], network.start())
    kept = state.clone()
    network(light[2:], state)
    assert state.equal(kept)


def test_two_films_may_share_one_network(network: Colorizer, light: torch.Tensor) -> None:
    other = 1 - light
    alone, _ = _colour(network, light, [1] * FRAMES)
    mine, theirs, parts = network.start(), network.start(), []
    for frame, stranger in zip(light.split(1), other.split(1), strict=True):
        ab, mine = network(frame, mine)
        _, theirs = network(stranger, theirs)
        parts.append(ab)
    assert torch.equal(torch.cat(parts), alone)


def test_several_films_in_one_tensor_are_coloured_as_each_alone(network: Colorizer, light: torch.Tensor) -> None:
    pair = torch.stack((light, 1 - light), 1)
    together, _ = network(pair, network.start(2))
    alone, _ = network(light, network.start())
    assert torch.allclose(together[:, 0], alone, atol=SAME)


def test_state_survives_a_file(network: Colorizer, light: torch.Tensor, tmp_path: Path) -> None:
    _, state = network(light[:2], network.start())
    state.save(tmp_path / "state.safetensors")
    assert State.load(tmp_path / "state.safetensors").equal(state)


def test_knowing_the_film_stock_is_optional_and_heard(network: Colorizer, light: torch.Tensor) -> None:
    told, _ = network(light[:1], network.start(), torch.tensor([0.0, 0.5, 0.5]))
    untold, _ = network(light[:1], network.start(), None)
    assert told.shape == untold.shape


@pytest.mark.parametrize("row", zoo.table(), ids=lambda row: row.name)
def test_packaged_weights_are_verified_small_and_fit(row: zoo.Row) -> None:
    from vidcolor.device import Place

    if row.path is None:
        assert zoo.verify(row) == zoo.NOT_PACKAGED
        return
    assert zoo.verify(row) == "verified"
    assert row.path.stat().st_size < 24e6
    loaded = zoo.load(row.name, Place(torch.device("cpu"), "fp32"))
    assert sum(p.numel() for p in loaded.colorizer.parameters()) < 14e6


def test_colours_fade_in_the_dark_and_in_white() -> None:
    """What is guessed into black bars, dark suits, title cards and burnt-out skies is seen at once."""
    reel = Reel()
    light = torch.tensor([0.0, 0.06, 0.14, 0.275, 0.5, 0.9, 0.95, 1.0]).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    shown = reel._lit(torch.ones(8, 2, 2, 2), light)[:, 0, 0, 0] / reel.strength
    low, white = reel.dim, reel.white
    between = low + (1 - low) * 0.125 / 0.35
    assert shown.tolist() == pytest.approx([0, low / 2, low, between, 1, 1, (1 + white) / 2, white], abs=1e-6)


def test_what_glitters_is_white_though_it_is_smaller_than_a_colour() -> None:
    reel, light = Reel(), torch.full((1, 1, 16, 16), 0.6)
    light[..., 7, 7] = 1.0
    shown = reel._lit(torch.ones(1, 2, 8, 8), light)[0, 0] / reel.strength
    assert float(shown[3, 3]) == pytest.approx(reel.white, abs=1e-5)
    assert float(shown[0, 0]) == pytest.approx(1)
    shown = reel.faded(torch.ones(1, 2, 8, 8), light)[0, 0]
    assert float(shown[3, 3]) == pytest.approx(reel.white, abs=1e-5)
    assert float(shown[0, 0]) == pytest.approx(1)


@torch.inference_mode()
def test_white_walls_keep_what_is_held_when_the_lamp_flickers() -> None:
    light = torch.tensor([0.9, 0.96, 1.0]).reshape(-1, 1, 1, 1).expand(-1, 1, 64, 64)
    assert torch.equal(Reel().faded(torch.ones(3, 2, 32, 32), light), torch.ones(3, 2, 32, 32))


@torch.inference_mode()
def test_what_glitters_between_two_looks_is_white_and_leaves_no_hole() -> None:
    """Colours that come along fade by the light that they come to, and are whole again where it has gone."""
    reel, asked = Reel().eval(), []

    def look(light: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        asked.append(len(light))
        return torch.full((len(light), 2, 32, 32), 9.0), state

    film = (0.5 + 0.1 * torch.rand(64, 64, generator=torch.manual_seed(1))).expand(3, 1, 64, 64).clone()
    film[1, 0, 40, 40] = 1.0
    ab, _ = reel.watched(look, film, reel.start())
    assert asked == [1]
    assert ab[:, 0, 20, 20].tolist() == pytest.approx([9, 9 * reel.white, 9], abs=0.1)


def test_in_the_dark_colours_are_as_rare_as_they_are() -> None:
    """What learned with rare classes counting more, and knows nothing of a picture, tells the prior again."""
    reel, bins = Reel(), ab_bins()
    reel.sober = 1.0
    learned = (bins.prior * bins.rebalancing(0.5)).log()[None, :, None, None].expand(3, -1, 2, 2)
    light = torch.tensor([0.1, (reel.night + reel.noon) / 2, 0.9]).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    told = torch.softmax(reel._sobered(learned, light), 1)[..., 0, 0]
    assert torch.allclose(told[0], bins.prior, rtol=1e-4, atol=0)
    assert torch.allclose(told[2], torch.softmax(learned[2, :, 0, 0], 0))
    rare = bins.prior < bins.prior.median()
    assert told[0, rare].sum() < told[1, rare].sum() < told[2, rare].sum()
