"""Sets all networks of the zoo side by side: figures and sheets made anew, the words around them from a template."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from streams.errors import InputError, ModelError, printable
from vidcolor import zoo
from vidcolor.colorizer import Colorizer
from vidcolor.device import choose
from vidcolor.evaluate import columns, landcover, paint, report, tellers
from vidcolor.evaluate.bins import read_table
from vidcolor.evaluate.columns import Column, Rows
from vidcolor.evaluate.cost import cost
from vidcolor.evaluate.lab import Floats
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.report import Ways
from vidcolor.evaluate.samples import Sample, read_clips, read_pictures
from vidcolor.evaluate.sheet import Sheet
from vidcolor.evaluate.tiles import Tiles, read_tiles

PLACE = re.compile(r"^\{\{(\w+)\}\}$", re.M)
SPACES = ("resnet-half", "resnet-half-ycbcr", "resnet-half-oklab")
ON_TILES = ("style", "aerial", "reel")
TILE_SIDE = 128
"""Long side at which tiles are restored: they have 150 pixels, and `style` pays for every one."""
FILM_SIZE = (144, 256)
COST_COLUMNS = (
    Column("parameters, M", "parameters"),
    Column("file, MB", "megabytes", 1),
    Column("GFLOP a frame", "gflop"),
    Column("core-ms a frame", "ms", 0),
    Column("core-ms a frame of film", "film_ms", 0),
)
COVER_COLUMNS = (
    Column("macro F1", "f1", 3),
    Column("recovery", "recovery"),
    Column("F1, taught on grey", "f1_grey_teller", 3),
    Column("F1, ridge", "f1_ridge", 3),
    Column("recovery, ridge", "recovery_ridge"),
    Column("RMSE", "rmse", 1),
)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A network that is compared."""

    name: str
    network: Colorizer
    sha256: str
    path: Path


@dataclass(slots=True)
class Page:
    """What the template's places are filled with.

    Attributes:
        folder: for sheets and figures.
        parts: text by place.
        figures: everything measured, by place.
    """

    folder: Path
    parts: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Rows] = field(default_factory=dict)

    def table(self, place: str, rows: Rows, shown: Sequence[Column], corner: str) -> None:
        """Fill a place with a table."""
        self.figures[place] = rows
        self.parts[place] = columns.markdown(rows, shown, corner)

    def sheet(self, place: str, sheet: Sheet, most: int) -> None:
        """Fill a place with a contact sheet."""
        drawn = sheet.write(self.folder / f"{place}.jpg", most)
        if drawn:
            self.parts[place] = (
                f"From left to right: {', '.join(sheet.rows)}.\n\n![{place}]({self.folder.name}/{drawn.name})"
            )

    def write(self, template: Path, out: Path, facts: Mapping[str, object]) -> None:
        """Fill the template; a place without anything says so."""
        text = PLACE.sub(lambda found: self.parts.get(found[1], "*Not measured in this run.*"), template.read_text())
        out.write_text(text)
        whole = {**facts, **self.figures}
        (self.folder / "comparison.json").write_text(json.dumps(whole, indent=1) + "\n")


def run(args: argparse.Namespace) -> Path:
    """Measure everything that there is, and write the page; ``args`` from ``scripts/compare``.

    Raises:
        InputError: something cannot be read.
    """
    torch.set_num_threads(max(1, args.threads))
    folder = args.out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    page = Page(folder)
    entrants = list(_entrants(args, args.models or [row.name for row in zoo.table()]))
    if not entrants:
        raise InputError(f"no networks: none are packaged, and {printable(args.trained)} holds none")
    for section in (_networks, _pictures, _clips, _archives, _spaces, _cover):
        section(args, page, entrants)
    facts = {one.name: one.sha256 for one in entrants}
    page.parts["state"] = args.note
    page.write(args.template, args.out, {"networks": facts, "note": args.note})
    return Path(args.out)


def _entrants(args: argparse.Namespace, names: Sequence[str]) -> list[Entrant]:
    """The networks of these names that are trained: packaged, or in the folder of trained ones."""
    found = []
    for name in names:
        row, file = zoo.row_of(name), args.trained / name / "weights.safetensors" if args.trained else None
        path = file if file and file.is_file() else row.path if row else None
        if path is None:
            continue
        try:
            loaded = zoo.load(str(path), choose("cpu", args.precision))
        except ModelError:  # of another layout by now: as good as not trained
            continue
        found.append(Entrant(name, loaded.colorizer, loaded.sha256, path))
    return found


def _networks(args: argparse.Namespace, page: Page, entrants: Sequence[Entrant]) -> None:
    clips = read_clips(args.data / "clips" / "val", args.clip_limit, args.frames, with_cuts=False)
    shots = [paint.light_of(clip.luma, FILM_SIZE) for clip in clips]  # of other shapes they are as much work
    # style takes seconds a frame
    rows = {one.name: cost(one.network, one.path, shots if one.network.taught == "colours" else ()) for one in entrants}
    page.table("costs", rows, COST_COLUMNS, "network")


def _ways(entrants: Sequence[Entrant], sample: Sample, side: int | None = None) -> Ways:
    setting = Setting(side=side)
    return {one.name: partial(paint.paint, paint.predict(one.network, sample, setting)) for one in entrants}


def _small(sheet: Sheet, sample: Sample, shown: Mapping[str, Floats]) -> None:
    """Show a sample at half size: a dozen colourings beside each other are wide."""
    halves = {name: _halved(rgb) for name, rgb in shown.items() if name in sheet.rows}
    like = Sample(sample.name, sample.luma, sample.grey, _halved(sample.truth), sample.matrix)
    sheet.show(like, halves)


def _halved(rgb: Floats) -> Floats:
    height, width = (length // 2 * 2 for length in rgb.shape[1:3])
    whole = rgb[:, :height, :width]
    mean: Floats = whole.reshape(len(rgb), height // 2, 2, width // 2, 2, 3).mean((2, 4))
    return mean


def _pictures(args: argparse.Namespace, page: Page, entrants: Sequence[Entrant]) -> None:
    names = [one.name for one in entrants]
    sheet = Sheet(["grey", *names, "truth"])
    samples = read_pictures(args.data / "pictures" / "val.tar", args.limit)
    rows = report.picture_rows(samples, read_table(), lambda one: _ways(entrants, one), partial(_small, sheet))
    page.table("pictures", rows, columns.STILL_COLUMNS, "pictures")
    page.sheet("sheet_pictures", sheet, 12)


def _clips(args: argparse.Namespace, page: Page, entrants: Sequence[Entrant]) -> None:
    def ways(sample: Sample) -> Ways:
        found: Ways = {"grey": paint.grey_of}
        for one in entrants:
            both = report.steady_ways(one.network, one.name, sample, Setting())
            kept = both if one.network.spec.needs_state else {one.name: next(iter(both.values()))}
            found |= {name.removesuffix(", recurrent"): way for name, way in kept.items()}
        return found

    samples = read_clips(args.data / "clips" / "val", args.clip_limit, args.frames, with_cuts=False)
    page.table("clips", report.clip_rows(samples, read_table(), ways), columns.CLIP_COLUMNS, "clips")


def _archives(args: argparse.Namespace, page: Page, entrants: Sequence[Entrant]) -> None:
    """Real black-and-white pictures and films: nothing is right or wrong here, so they are only shown."""
    sheet = Sheet(["grey", *(one.name for one in entrants)])
    for sample in read_pictures(args.data / "photos", args.photos):
        shown = {"grey": paint.grey_of(sample), **{n: way(sample) for n, way in _ways(entrants, sample).items()}}
        _small(sheet, sample, shown)
    page.sheet("sheet_photos", sheet, 12)
    films = Sheet(sheet.rows)
    for sample in read_clips(args.data / "archival", None, args.film_frames):
        shown = {"grey": paint.grey_of(sample), **{n: way(sample) for n, way in _ways(entrants, sample).items()}}
        _small(films, sample, shown)
    page.sheet("sheet_films", films, 12)


def _spaces(args: argparse.Namespace, page: Page, entrants: Sequence[Entrant]) -> None:
    """One network taught in three colour spaces."""
    del entrants
    some = _entrants(args, SPACES)
    if len(some) < 2:
        return
    samples = read_pictures(args.data / "pictures" / "val.tar", args.limit)
    rows = report.picture_rows(samples, read_table(), lambda one: _ways(some, one))
    kept = {name: rows[name] for name in ("grey", *(one.name for one in some), "truth")}
    page.table("spaces", kept, columns.STILL_COLUMNS[:13], "taught in")


def _cover(args: argparse.Namespace, page: Page, entrants: Sequence[Entrant]) -> None:
    """Recolour, then classify."""
    folder = args.data / "aerial"
    if not folder.is_dir():
        return
    known = read_tiles(folder / "train.tar", args.tile_limit and 8 * args.tile_limit)
    tiles = read_tiles(folder / "val.tar", args.tile_limit, known.names)
    some = [one for one in entrants if one.name in ON_TILES]
    looks, samples = _looks(tiles, some), tiles.samples()
    true = np.concatenate([one.truth for one in samples])
    rows = _scores(args, known, looks, tiles)
    errors = {name: landcover.rmse(rgb, true) for name, rgb in looks.items() if name != "truth"}
    for name, error in errors.items():
        rows[name]["rmse"] = float(error.mean())
    page.table("cover", rows, COVER_COLUMNS, "tiles that look")
    sheet = Sheet([*looks])
    for index, sample in enumerate(samples):
        sheet.show(sample, {name: rgb[index : index + 1] for name, rgb in looks.items()})
    page.sheet("sheet_tiles", sheet, 12)
    drawn = landcover.draw_rmse(errors, page.folder / "rmse.png")
    if drawn:
        page.parts["rmse"] = f"![rmse]({page.folder.name}/{drawn.name})"


def _looks(tiles: Tiles, entrants: Sequence[Entrant]) -> dict[str, Floats]:
    """Tiles grey, restored, and in true colour: (N, H, W, 3) each."""
    looks: dict[str, list[Floats]] = {}
    for sample in tiles.samples():
        ways: Ways = {"grey": paint.grey_of, **_ways(entrants, sample, TILE_SIDE)}
        ways["truth"] = lambda one: one.truth
        for name, way in ways.items():
            looks.setdefault(name, []).append(way(sample))
    return {name: np.concatenate(some) for name, some in looks.items()}


def _scores(
    args: argparse.Namespace, known: Tiles, looks: Mapping[str, Floats], tiles: Tiles
) -> dict[str, dict[str, float]]:
    """Macro F1 by a network taught on true colours, by one taught on grey, and by a ridge on ImageNet's features."""
    shown, count = {name: tiles.looking(rgb) for name, rgb in looks.items()}, len(known.names)
    greys = known.looking(np.concatenate([paint.grey_of(one) for one in known.samples()]))
    asked = {"": tellers.taught(known, args.epochs), "_grey_teller": tellers.taught(greys, args.epochs)}
    encoder = args.data / "init" / "resnet18_layer3.safetensors"
    if encoder.is_file():
        asked["_ridge"] = tellers.ridge(known, encoder)
    rows: dict[str, dict[str, float]] = {name: {} for name in looks}
    for which, teller in asked.items():
        told = {name: teller(some) for name, some in shown.items()}
        for name, figures in landcover.rows_of(told, tiles.kinds, count).items():
            rows[name] |= {f"{figure}{which}": value for figure, value in figures.items()}
    return rows
