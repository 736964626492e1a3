"""The catalogue: what each shot shows, in a file of its own, and nothing where it cannot be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import MakeFilm
from PIL import Image

from vidcolor import weights
from vidcolor.cli import main
from vidcolor.train.school import start_network


@pytest.fixture
def teller(tmp_path: Path) -> Path:
    """A network that tells two labels, with weights of chance."""
    torch.manual_seed(1)
    network = start_network("two-stream", None, {"labels": '["street", "sea"]'})
    path = tmp_path / "teller.safetensors"
    weights.write(network.state_dict(), path, "two-stream", network.facts())
    return path


def restored(film: Path, out: Path, model: Path | str, *more: str) -> int:
    return main(["restore", str(film), "-o", str(out), "--model", str(model), "--side", "64", "-q", *more])


def test_each_shot_of_a_film_is_labelled(make_film: MakeFilm, teller: Path, tmp_path: Path) -> None:
    film, labels = make_film(frames=12, cuts=(5,)), tmp_path / "labels.json"
    assert restored(film, tmp_path / "out.mkv", teller, "--labels", str(labels)) == 0
    told = json.loads(labels.read_text())
    assert [(shot["first"], shot["frames"]) for shot in told["shots"]] == [(0, 5), (5, 7)]
    assert told["shots"][1]["start"] == pytest.approx(0.2)
    assert all(sum(shot["labels"].values()) == pytest.approx(1, abs=1e-3) for shot in told["shots"])
    assert all(shot["label"] == max(shot["labels"], key=shot["labels"].get) for shot in told["shots"])
    assert told["model"] == "teller"
    (tmp_path / "out.mkv").unlink()
    assert restored(film, tmp_path / "out.mkv", teller, "--labels", str(labels)) == 4, "it is there already"
    assert not (tmp_path / "out.mkv").exists()


def test_a_photograph_is_labelled_too(teller: Path, tmp_path: Path) -> None:
    Image.new("L", (64, 48), 120).save(tmp_path / "old.png")
    labels = tmp_path / "labels.json"
    assert restored(tmp_path / "old.png", tmp_path / "new.png", teller, "--labels", str(labels)) == 0
    assert [shot["frames"] for shot in json.loads(labels.read_text())["shots"]] == [1]


def test_labels_that_cannot_be_had_are_refused(
    make_film: MakeFilm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, labels = make_film(frames=3), str(tmp_path / "labels.json")
    assert restored(film, tmp_path / "out.mkv", "reel", "--labels", labels) == 2
    assert "tells no labels" in capsys.readouterr().err
    assert restored(film, tmp_path / "out.mkv", "reel", "--labels", labels, "--resume") == 2
    assert main(["restore", str(film), str(film), "-o", f"{tmp_path}/", "--labels", labels]) == 2
    assert not (tmp_path / "out.mkv").exists()
