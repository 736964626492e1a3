"""The comparison: land cover told by classifiers, what networks cost, and a page whose words are kept."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm, tiny_model
from PIL import Image

from streams.errors import InputError
from vidcolor import weights
from vidcolor.evaluate import landcover, tellers
from vidcolor.evaluate.compare import Page
from vidcolor.evaluate.cost import cost
from vidcolor.evaluate.tiles import Tiles, read_tiles

ROOT = Path(__file__).parents[1]


def tiles(count: int, seed: int = 0) -> Tiles:
    """Noise in two hues."""
    chance = np.random.default_rng(seed)
    kinds = np.arange(count) % 2
    hues = np.array([[1.0, 0.8, 0.3], [0.3, 0.8, 1.0]])[kinds][:, None, None]
    grain = chance.uniform(60, 200, (count, 32, 32, 1))
    return Tiles((grain * hues).astype(np.uint8), kinds.astype(np.int64), ("field", "sea"))


def archive(path: Path, some: Tiles) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"file": f"{i}.png", "label": some.names[kind]} for i, kind in enumerate(some.kinds)]
    with tarfile.open(path, "w") as tar:
        _put(tar, "index.jsonl", "\n".join(map(json.dumps, rows)).encode())
        for row, rgb in zip(rows, some.rgb, strict=True):
            held = io.BytesIO()
            Image.fromarray(rgb).save(held, "png")
            _put(tar, row["file"], held.getvalue())
    return path


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def test_tiles_come_out_of_their_archive_with_their_names(tmp_path: Path) -> None:
    made = tiles(4)
    path = archive(tmp_path / "val.tar", made)
    read = read_tiles(path)
    assert read.names == ("field", "sea")
    assert np.array_equal(read.rgb, made.rgb)
    assert read_tiles(path, names=("sea", "field")).kinds.tolist() == [1, 0, 1, 0]
    (tmp_path / "no.tar").write_bytes(b"nothing")
    with pytest.raises(InputError, match="tar archive"):
        read_tiles(tmp_path / "no.tar")


def test_a_classifier_taught_in_colour_tells_hues_and_not_greys() -> None:
    known, others = tiles(24), tiles(20, seed=1)
    tell = tellers.taught(known, epochs=10)
    grey = others.looking(np.repeat(others.rgb.mean(-1, keepdims=True) / 255, 3, -1))
    looks = {"grey": tell(grey), "restored": tell(others), "truth": tell(others)}
    rows = landcover.rows_of(looks, others.kinds, 2)
    assert rows["truth"]["f1"] == 1
    assert rows["grey"]["f1"] < 0.8
    assert rows["restored"]["recovery"] == pytest.approx(1)
    assert "recovery" not in rows["grey"]


def test_a_ridge_on_features_tells_hues(tmp_path: Path) -> None:
    torch.manual_seed(1)
    path = tmp_path / "encoder.safetensors"
    weights.write(tellers._Encoder().state_dict(), path, "none")
    tell = tellers.ridge(tiles(24), path)
    assert (tell(tiles(12, seed=1)) == tiles(12, seed=1).kinds).mean() > 0.9


def test_no_way_is_no_recovery() -> None:
    rows = landcover.rows_of({name: np.array([0, 1]) for name in ("grey", "mine", "truth")}, np.array([0, 1]), 2)
    assert rows["mine"] == {"f1": 1.0}


def test_rmse_is_in_eight_bit_values(tmp_path: Path) -> None:
    error = landcover.rmse(np.zeros((1, 2, 2, 3)), np.full((1, 2, 2, 3), 0.2))
    assert error == pytest.approx(np.full((1, 2, 2), 51.0))
    pytest.importorskip("matplotlib")
    assert landcover.draw_rmse({"mine": error}, tmp_path / "rmse.png") == tmp_path / "rmse.png"


def test_arithmetic_is_counted_and_packed_convolutions_too(tmp_path: Path) -> None:
    """4x4 and stride 4 on 144x256: 2304 places of 16 products for 6 channels, and so on: two operations each."""
    model = tiny_model()
    path = tmp_path / "weights"
    path.write_bytes(bytes(3_000_000))
    found = cost(model.colorizer, path)
    encode, gates, out, decode = 16 * 6, 9 * 8 * 16, 4 * 4, 6 * 2 * 4
    assert found["gflop"] == pytest.approx(2 * 36 * 64 * (encode + gates + out + decode) / 1e9, rel=0.01)
    assert found["megabytes"] == 3
    assert found["ms"] > 0
    assert "film_ms" not in found
    assert cost(model.colorizer, path, [torch.full((3, 1, 48, 64), 0.5)])["film_ms"] > 0


def test_words_around_the_figures_are_kept(tmp_path: Path) -> None:
    template = tmp_path / "page.in.md"
    template.write_text("Words.\n\n{{costs}}\n\nMore words.\n\n{{clips}}\n")
    page = Page(tmp_path)
    page.parts["costs"] = "| a table |"
    page.write(template, tmp_path / "page.md", {"note": "n"})
    assert (tmp_path / "page.md").read_text() == (
        "Words.\n\n| a table |\n\nMore words.\n\n*Not measured in this run.*\n"
    )
    assert json.loads((tmp_path / "comparison.json").read_text()) == {"note": "n"}


def test_one_command_makes_the_page(make_film: MakeFilm, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    data, picture = tmp_path / "data", Image.fromarray(tiles(1).rgb[0])
    for folder in ("pictures", "clips/val", "photos", "archival"):
        (data / folder).mkdir(parents=True)
    archive(data / "pictures" / "val.tar", tiles(1))
    picture.save(data / "photos" / "old.png")
    make_film(frames=4).rename(data / "clips" / "val" / "a.mkv")
    make_film("b.mkv", frames=1).rename(data / "archival" / "b.mkv")
    archive(data / "aerial" / "train.tar", tiles(8))
    archive(data / "aerial" / "val.tar", tiles(2))
    words = [
        ROOT / "scripts" / "compare",
        data,
        "--out",
        tmp_path / "page.md",
        "--epochs",
        "1",
        "--note",
        "Noted.",
        "--models",
        "reel",
    ]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.md").read_text()
    assert "Noted." in text
    assert "{{" not in text
    assert text.count("| reel |") >= 4
    assert (tmp_path / "page" / "sheet_pictures.jpg").exists()
    assert text.count("Not measured") == 1, "the ablation needs trained networks"
