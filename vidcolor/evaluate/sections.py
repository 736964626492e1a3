"""The sections of the report: each looks at one kind of material with all networks, and puts a table into the book."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from vidcolor import stock
from vidcolor.colorizer import Colorizer
from vidcolor.evaluate import columns, curve, drift, guided, paint, report
from vidcolor.evaluate.bins import AbTable
from vidcolor.evaluate.book import Book
from vidcolor.evaluate.lab import Floats
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.report import Rows, Ways
from vidcolor.evaluate.samples import Sample, read_clips, read_pictures
from vidcolor.evaluate.sheet import Sheet

FINE = 512
"""Long side at which bleeding is looked for."""
FILM_FRAMES = 48
"""Of an archival film, where nobody says how many."""
DRIFTING = 3
"""Pictures that drift is measured on."""


@dataclass(frozen=True, slots=True)
class Found:
    """A network that is measured."""

    network: Colorizer
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Task:
    """What is measured, how, and where it goes."""

    args: argparse.Namespace
    table: AbTable
    models: Sequence[Found]
    book: Book

    @property
    def settings(self) -> list[Setting]:
        """Temperatures and scales of pictures; clips take the first."""
        side, mirrored = self.args.side, self.args.mirrored
        return [Setting(warmth, scale, side=side, mirrored=mirrored) for warmth, scale in self.args.points]

    def ways(self, sample: Sample) -> Ways:
        """All networks at all points."""
        parts = [report.network_ways(one.network, one.name, sample, self.settings) for one in self.models]
        return {name: way for part in parts for name, way in part.items()}

    def steady_ways(self, sample: Sample) -> Ways:
        """All networks, with memory and without."""
        parts = [report.steady_ways(one.network, one.name, sample, self.settings[0]) for one in self.models]
        return {name: way for part in parts for name, way in part.items()}

    def first_row(self, suffix: str = "") -> str:
        """The first network's row at the first point."""
        return report.named(self.models[0].name, self.settings[0]) + suffix if self.models else "truth's ab on the grey"


def pictures(task: Task) -> None:
    """Colour pictures: every still figure, and a contact sheet whose worst six come first."""
    args, sheet = task.args, Sheet(["grey", task.first_row(), "truth"])
    samples = read_pictures(args.pictures, args.limit, FINE)
    rows = report.picture_rows(samples, task.table, task.ways, sheet.show)
    task.book.add("pictures", rows, columns.STILL_COLUMNS)
    if place := task.book.place("pictures.png"):
        task.book.show(sheet.write(place, 24, worst=6))


def curves(task: Task) -> None:
    """Every network on the curve of temperature and scale."""
    args = task.args
    found = {
        one.name: curve.curve(one.network, read_pictures(args.pictures, args.curve), task.table, args.side)
        for one in task.models
    }
    shown = (
        *columns_of_curve(),
        columns.Column("ab err / grey's", "error_ratio"),
        columns.Column("CF ratio", "cf_ratio"),
    )
    task.book.add("curve", curve.table_of(found), shown)
    if place := task.book.place("curve.png"):
        task.book.show(curve.draw(found, place))


def columns_of_curve() -> list[columns.Column]:
    """Gains over grey."""
    headings = {"half": "AuC reb (0.5)", "zero": "AuC reb (0)", "raw": "AuC raw"}
    return [columns.Column(f"{heading}, gain", f"gain_{name}") for name, heading in headings.items()]


def stocks(task: Task) -> None:
    """Pictures filmed on each stock: the network untold, told the truth, and told another stock."""
    for name in stock.STOCKS:
        samples = read_pictures(task.args.pictures, task.args.stocks, stock=stock.mean_shares(name))
        rows = report.picture_rows(samples, task.table, partial(_told_ways, task, name))
        kept = {row: figures for row, figures in rows.items() if row in ("grey", "truth") or "told" in row}
        task.book.add(f"film stock {name}", kept, columns.STOCK_COLUMNS)


def _told_ways(task: Task, true: str, sample: Sample) -> Ways:
    ways: Ways = {}
    for one in task.models:
        kinds = stock.STOCKS if one.network.spec.takes_stock else ()
        for kind in (None, *sorted(kinds, key=lambda kind: kind != true)):
            told = None if kind is None else stock.mean_shares(kind)
            what = "untold" if kind is None else f"told {kind}"
            setting = replace(task.settings[0], told=told)
            ab = paint.predict(one.network, sample, setting) * setting.scale
            ways[f"{one.name}, {what}"] = partial(paint.paint, ab)
    return ways


def clips(task: Task) -> None:
    """Colour clips of one shot; those with cuts serve the cut table alone."""
    args, sheet = task.args, Sheet(["grey", task.first_row(", recurrent"), "truth"])
    plain = {name: way for name, way in report.plain_ways(task.table).items() if name != "truth"}
    samples = read_clips(args.clips, args.clip_limit, args.frames, with_cuts=False)
    rows = report.clip_rows(samples, task.table, lambda one: {**plain, **task.steady_ways(one)}, sheet.show)
    task.book.add("clips", rows, columns.CLIP_COLUMNS)
    if place := task.book.place("clips.png"):
        task.book.show(sheet.write(place, 24, worst=4))
    for one in task.models:
        cuts = read_clips(args.clips, args.clip_limit, None, with_cuts=True)
        leaks = report.cut_leaks(one.network, cuts, task.settings[0], product_cuts)
        task.book.add(f"cuts, {one.name}", leaks, columns.leak_columns(leaks), "ab leaked over cuts")


def keys(task: Task) -> None:
    """Clips coloured by one or two of their own frames, beside what plain ways make of the same."""
    args = task.args
    networks = {one.name: one.network for one in task.models}
    rows = guided.rows(read_clips(args.clips, args.clip_limit, args.frames, with_cuts=False), networks, args.keys)
    task.book.add(f"keys, {args.keys}", rows, columns.KEY_COLUMNS)


def archival(task: Task) -> None:
    """Real black-and-white films: what can be said without a truth, a table a network, a row a film."""
    args, sheet = task.args, Sheet(["grey", task.first_row(", recurrent")], frames=3)
    found: dict[str, Rows] = {}
    for sample in read_clips(args.archival, args.clip_limit, args.frames or FILM_FRAMES):
        grey = paint.grey_of(sample)
        film = replace(sample, truth=grey, cuts=tuple(product_cuts(sample.luma)))
        ways = {"grey": paint.grey_of, **task.steady_ways(film)}
        for row, figures in report.clip_rows([film], task.table, lambda _, w=ways: w, sheet.show).items():  # type: ignore[misc]
            if row != "truth":
                found.setdefault(row, {})[Path(sample.name).stem] = figures
    for row, films in found.items():
        if row != "grey":
            task.book.add(f"archival, {row}", films, columns.FILM_COLUMNS, "film")
    if place := task.book.place("archival.png"):
        task.book.show(sheet.write(place, 60))


def photos(task: Task) -> None:
    """Real black-and-white photographs."""
    sheet = Sheet(["grey", task.first_row()])
    samples = (replace(one, truth=paint.grey_of(one)) for one in read_pictures(task.args.photos, task.args.limit))
    rows = report.picture_rows(samples, task.table, task.ways, sheet.show)
    kept = {
        name: rows[name] for name in rows if name in ("grey", "sepia", "mean ab by lightness") or name in sheet.rows
    }
    task.book.add("photos", kept, columns.PHOTO_COLUMNS)
    if place := task.book.place("photos.png"):
        task.book.show(sheet.write(place, 60))


def drifts(task: Task) -> None:
    """Colours of a picture that stands still for thousands of frames."""
    stills = list(read_pictures(task.args.pictures, DRIFTING))
    rows = {one.name: drift.drift(one.network, stills, task.args.drift) for one in task.models}
    task.book.add("drift", rows, columns.DRIFT_COLUMNS)


def product_cuts(luma: Floats) -> Sequence[int]:
    """The cuts that the product sees in a grey film (T, H, W), 0..1."""
    from streams.shots import CutFinder

    finder = CutFinder()
    small = np.floor(luma * 255 + 0.5).astype(np.uint8)
    return [index for index, frame in enumerate(small) if finder.is_cut(frame) and index]


def wanted(args: argparse.Namespace) -> Iterator[Callable[[Task], None]]:
    """The sections that were asked for and have material."""
    plan: list[tuple[object, Callable[[Task], None]]] = [
        (args.pictures, pictures),
        (args.pictures and args.curve and not args.plain, curves),
        (args.pictures and args.stocks and not args.plain, stocks),
        (args.clips and not args.keys, clips),
        (args.clips and args.keys, keys),
        (args.archival and not args.plain, archival),
        (args.photos and not args.plain, photos),
        (args.pictures and args.drift and not args.plain, drifts),
    ]
    yield from (section for asked, section in plan if asked)
