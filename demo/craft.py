"""What a worker can do: restore a film or a picture, and make of it what a page shows; knows nothing of the page.

The grey half of every comparison is the result's own luma: luma is the film's, untouched, so it is what was there
before, and no upload is ever decoded for it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from streams.errors import FilmError, InputError, OutputError, UsageError, printable
from streams.sink import EncodeOptions, default_target, read_mark
from streams.still import read_still_mark
from vidcolor.brake import Brake
from vidcolor.mark import Mark
from vidcolor.options import Options
from vidcolor.pipeline import open_source, restore
from vidcolor.stills import default_still
from vidcolor.watch import Report, Watcher

Order = Mapping[str, Any]
_QUICK = {".mp4", ".mkv", ".mov", ".m4v"}
_PACE = 0.1  # seconds between two words about progress


class Tell(Protocol):
    """How a worker says what happens."""

    def __call__(self, event: str, **values: object) -> None:
        """Say it."""


Task = Callable[[Order, Tell, Brake], dict[str, Any]]


class Reporter(Watcher):
    """Tells how a restoration goes: pictures done, of how many, how fast, how long still."""

    def __init__(self, tell: Tell, total: int | None = None, guides: Path | None = None) -> None:
        """`tell` is told; `total` pictures were counted, which headers only claim; `guides` is where hints lie."""
        self._tell = tell
        self._guides = guides
        self._counted = total
        self._total: int | None = None
        self._begun = self._told = time.monotonic()

    def started(self, total: int | None, about: int | None = None) -> None:
        """Work begins."""
        self._total = self._counted or total or about
        self._begun = time.monotonic()
        self._say(0)

    def progressed(self, frame: int) -> None:
        """So many are finished."""
        if time.monotonic() - self._told >= _PACE or frame == self._total:
            self._say(frame)

    def warned(self, text: str) -> None:
        """Something could not be carried over."""
        self._tell("warning", text=without(text, self._guides))

    def _say(self, frame: int) -> None:
        self._told = time.monotonic()
        rate = frame / max(self._told - self._begun, 1e-3)
        left = (self._total - frame) / rate if self._total and frame else None
        self._tell("progress", frame=frame, total=self._total, rate=round(rate, 2), left=left and max(left, 0))


def options_of(order: Order) -> Options:
    """The options that an order asks for; all were judged before, and times are exact."""
    wishes = dict(order["wishes"])
    for name in ("start", "stop"):
        if wishes.get(name) is not None:
            wishes[name] = Fraction(wishes[name])
    return Options(**wishes)


def restore_any(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """Restore `source` into `folder`; a film, or a picture, as it comes."""
    source, folder, options = Path(order["source"]), Path(order["folder"]), options_of(order)
    guides = guides_of(options)
    try:
        with closing(open_source(source, options)) as film:
            still = film.still
            encoder = EncodeOptions(options.codec, options.crf, options.preset)
            name = (default_still(still, source) if still else default_target(film.info, encoder)).name
        report = _restored(
            source,
            folder / name,
            options,
            (Reporter(tell, order.get("total"), guides), brake),
            is_quick=bool(order.get("quick")),
        )
    except InputError as error:
        said = without(str(error), guides).replace(printable(source), "the film").replace(str(source), "the film")
        raise InputError(said) from error
    assert report.output is not None
    told = _told(report, still is not None)
    told["warnings"] = [without(text, guides) for text in told["warnings"]]
    return {"film": str(report.output), "is_still": still is not None, **told}


def guides_of(options: Options) -> Path | None:
    """The folder where hints and coloured pictures lie."""
    given = options.hints or options.keys
    return Path(given).parent if given else None


def without(text: str, folder: Path | None) -> str:
    """A sentence without the place where the page keeps hints and coloured pictures."""
    if folder is None:
        return text
    for place in (folder / "keys", folder):
        text = text.replace(f"{printable(place)}{os.sep}", "")
    return text


def _restored(source: Path, target: Path, options: Options, heard: tuple[Watcher, Brake], *, is_quick: bool) -> Report:
    """Restore; a preview in the form that costs least to encode and needs no second copy, where the film allows it."""
    if is_quick and target.suffix in _QUICK:
        with suppress(UsageError, OutputError):  # a depth or a size that this encoder does not know
            return restore(source, target, replace(options, codec="libx264", preset="veryfast"), *heard)
    return restore(source, target, options, *heard)


def _told(report: Report, is_still: bool) -> dict[str, Any]:
    assert report.output is not None
    return {
        "frames": report.frames,
        "warnings": [printable(text) for text in report.warnings],
        "mark": mark_of(report.output, is_still),
    }


def mark_of(path: Path, is_still: bool) -> dict[str, Any] | None:
    """What the mark in a file says."""
    text = read_still_mark(path) if is_still else read_mark(path)
    mark = Mark.parse(text) if text else None
    if mark is None:
        return None
    return {"model": mark.model, "sha256": mark.sha256, "version": mark.version, **dict(mark.settings)}


def film(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """Restore a film, then make what a browser plays, a pair of stills, a timeline and the two side by side."""
    from demo import show

    result = restore_any(order, tell, brake)
    path, folder = Path(result["film"]), Path(order["folder"])
    if result["is_still"]:
        raise FilmError("This is a picture, not a film: take it to the Photo page.")
    tell("stage", text="Making it playable in the browser")
    result["play"] = str(show.playable(path, folder, brake))
    result["timeline"] = show.timeline(path, brake)
    middle = result["timeline"]["seconds"] / 2
    result["at"] = middle
    result["pair"] = [str(file) for file in show.pair(path, folder, middle)]
    if order.get("beside"):
        tell("part", **result)
        tell("stage", text="Putting before and after side by side")
        result["beside"] = str(show.side_by_side(path, folder, brake))
    return result


def photo(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """Restore a picture, and make a pair for the slider."""
    from demo import show

    result = restore_any(order, tell, brake)
    if not result["is_still"]:
        raise FilmError("This is a film, not a picture: take it to the Film page.")
    result["pair"] = [str(file) for file in show.pair(Path(result["film"]), Path(order["folder"]), None)]
    return result


def frame(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """A pair of stills from a film that was restored before."""
    from demo import show

    del tell, brake
    files = show.pair(Path(order["source"]), Path(order["folder"]), float(order["at"]))
    return {"pair": [str(file) for file in files], "at": order["at"]}


TASKS: dict[str, Task] = {"film": film, "photo": photo, "frame": frame}
