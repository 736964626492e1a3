"""The film stock: what a year suggests, what the network is told, and that a network that knows none says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import vidcolor
from streams.errors import UsageError
from streams.sink import read_mark
from vidcolor import job, stock
from vidcolor.cli import main
from vidcolor.mark import Mark
from vidcolor.models.reel import Reel
from vidcolor.options import Options

MakeFilm = Callable[..., Path]


@pytest.fixture
def heard(tiny: str) -> list[Any]:
    """What the tiny network is told besides light and memory, once it says that it can be told a stock."""
    network = job.load_model(Options()).colorizer
    network.spec = replace(network.spec, takes_stock=True)
    told: list[Any] = []
    network.register_forward_pre_hook(lambda module, args: told.append(args[2:]))
    return told


def test_a_year_suggests_the_stock_that_was_in_use() -> None:
    assert [stock.stock_of(year) for year in (1887, 1899, 1900, 1925, 1926, 1950)] == [
        *("blue", "blue", "ortho", "ortho", "pan", "pan")
    ]
    assert Options(year=1906).known_stock == "ortho"
    assert Options(stock="pan").known_stock == "pan"
    assert Options().known_stock is None


@pytest.mark.parametrize("name", stock.STOCKS)
def test_what_is_told_lies_within_what_was_taught(name: str) -> None:
    shares = stock.mean_shares(name)
    assert sum(shares) == pytest.approx(1)
    # the ranges are scaled to sum 1 after they are drawn from, which moves their ends by a tenth at most
    assert all(0.9 * low <= share <= 1.1 * high for share, (low, high) in zip(shares, stock.STOCKS[name], strict=True))


@pytest.mark.parametrize("wrong", [{"stock": "kodak"}, {"year": 12}, {"year": 1906, "stock": "blue"}])
def test_a_stock_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--stock|--year"):
        Options(**wrong)


def test_the_network_hears_what_the_film_saw(make_film: MakeFilm, tmp_path: Path, heard: list[Any]) -> None:
    film = make_film(frames=3)
    assert main(["restore", str(film), "-o", str(tmp_path / "new.mkv"), "--year", "1906", "-q"]) == 0
    assert len(heard) == 3
    assert torch.allclose(heard[0][0], torch.tensor(stock.mean_shares("ortho")))
    mark = Mark.parse(read_mark(tmp_path / "new.mkv") or "")
    assert mark is not None
    assert ("stock", "ortho") in mark.settings


def test_nothing_is_told_where_nothing_was_said(make_film: MakeFilm, tmp_path: Path, heard: list[Any]) -> None:
    vidcolor.restore(make_film(frames=2), tmp_path / "new.mkv")
    assert heard == [(), ()]
    assert "stock" not in (read_mark(tmp_path / "new.mkv") or "")


def test_a_network_that_knows_no_stocks_says_so(
    make_film: MakeFilm, tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    film, out = make_film(frames=2), tmp_path / "new.mkv"
    assert main(["restore", str(film), "-o", str(out), "--stock", "blue"]) == 2
    assert "vidcolor: error: the model tiny knows no film stocks" in capsys.readouterr().err
    assert not out.exists()
    with pytest.raises(UsageError, match="no film stocks"):
        next(iter(vidcolor.colorize(film, Options(stock="blue"))))


def test_what_is_told_changes_the_colours() -> None:
    torch.manual_seed(3)
    network = Reel().fold()
    light = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        told, untold = (
            network(light, network.start(), *known)[0] for known in ([torch.tensor(stock.mean_shares("blue"))], [])
        )
    assert network.spec.takes_stock
    assert not torch.equal(told, untold)
