"""Networks compiled by OpenVINO: the same colours within a code value, the memory carried on, failures told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from conftest import moving_picture

from streams.errors import ModelError, UsageError
from vidcolor import Options, restore, zoo
from vidcolor.colorizer import Colorizer, State
from vidcolor.device import Place
from vidcolor.job import load_model
from vidcolor.runtime import Compiled

MakeFilm = Callable[..., Path]
SIZE = (64, 96)
FRAMES = 6
# Of (mean, greatest) Lab units; a code value is about one. bf16 has 8 bits for each product, and so has int8.
NEAR = {"fp32": (0.001, 0.05), "bf16": (0.1, 1.0), "int8": (0.5, 6.0)}


@pytest.fixture(scope="module")
def light() -> torch.Tensor:
    """A picture that moves, (FRAMES, 1, H, W)."""
    pytest.importorskip("openvino")
    pictures = np.stack([moving_picture(number, SIZE) for number in range(FRAMES)])
    return torch.from_numpy(pictures).float()[:, None] / 255


@pytest.fixture(scope="module")
def plain() -> Colorizer:
    """The packaged network in torch."""
    return zoo.load("reel", Place(torch.device("cpu"), "fp32")).colorizer


@pytest.fixture(params=NEAR)
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def coloured(network: Colorizer, light: torch.Tensor, batches: list[int]) -> tuple[torch.Tensor, State]:
    state, parts = network.start(), []
    with torch.inference_mode():
        for part in light.split(batches):
            ab, state = network(part, state)
            parts.append(ab)
    return torch.cat(parts), state


def test_the_colours_are_those_of_torch(plain: Colorizer, light: torch.Tensor, precision: str) -> None:
    compiled = load_model(Options(runtime="openvino", precision=precision)).colorizer
    expected, memory = coloured(plain, light, [FRAMES])
    found, memory_found = coloured(compiled, light, [FRAMES])
    mean, most = NEAR[precision]
    assert expected.abs().mean() > 1
    assert (expected - found).abs().mean() < mean
    assert (expected - found).abs().max() < most
    assert memory.tensors.keys() == memory_found.tensors.keys()
    again, memory_again = coloured(compiled, light, [1, 2, 3])
    assert torch.equal(found, again)
    assert memory_found.equal(memory_again)


def test_the_film_stock_is_told(plain: Colorizer, light: torch.Tensor) -> None:
    compiled = load_model(Options(runtime="openvino", precision="fp32")).colorizer
    told = torch.tensor([0.1, 0.3, 0.6])
    with torch.inference_mode():
        expected, _ = plain(light[:1], plain.start(), told)
        found, _ = compiled(light[:1], compiled.start(), told)
        untold, _ = compiled(light[:1], compiled.start())
    assert (expected - found).abs().max() < NEAR["fp32"][1]
    assert (untold - found).abs().max() > NEAR["fp32"][1]


def test_planes_stay_within_a_code_value(light: torch.Tensor, make_film: MakeFilm, tmp_path: Path) -> None:
    """Of torch's bf16, whose own planes are as far from fp32: here and there, in one of a thousand, two code values."""
    del light
    film, planes = make_film("film.mkv", 6, SIZE), []
    for runtime in ("torch", "openvino"):
        out = tmp_path / f"{runtime}.mkv"
        options = Options(runtime=runtime, precision="bf16", device="cpu", side=96, lossless=True)
        assert restore(film, out, options).warnings == ()
        with av.open(str(out)) as made:
            planes.append(np.stack([picture.to_ndarray() for picture in made.decode(video=0)]).astype(int))
    height = SIZE[0]
    apart = np.abs(planes[0] - planes[1])
    assert len(planes[0]) == 6
    assert not apart[:, :height].any()
    assert np.ptp(planes[0][:, height:]) > 8
    assert (apart > 1).mean() < 0.001
    assert apart.max() <= 2


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match="pip install"):
        load_model(Options(runtime="openvino"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": "int8"},
        {"runtime": "openvino", "precision": "fp16"},
        {"runtime": "openvino", "device": "cuda"},
        {"runtime": "tea leaves"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Options(**wrong)  # type: ignore[arg-type]


def test_what_ran_the_network_is_part_of_what_shapes_the_output() -> None:
    assert Options(runtime="openvino").digest != Options().digest == Options(runtime="torch").digest


def test_a_network_that_cannot_be_compiled_is_refused_in_a_sentence(
    light: torch.Tensor, plain: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("Check 'false' failed at src/frontends/common/src/frontend.cpp:53")

    monkeypatch.setattr("vidcolor.runtime._graph", refuse)
    with pytest.raises(ModelError, match="cannot take the network reel: leave out --runtime"):
        Compiled(plain, "fp32")(light[:1], plain.start())
