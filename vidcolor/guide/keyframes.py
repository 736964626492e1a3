"""Chooses frames of a film to be coloured, and writes them as pictures: all, or, whatever happens, none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from streams.errors import InputError, OutputError, UsageError, printable
from streams.formats import PictureFormat
from streams.luma import Plane
from streams.scale import Scaler
from streams.shots import CutFinder
from streams.source import VideoSource
from vidcolor.brake import Brake
from vidcolor.guide.choose import LOOK, ShotLook, Wish
from vidcolor.guide.contact import SHEET, Shot, sheet
from vidcolor.watch import Report, Watcher

PIPE = "-"


def write_keyframes(
    source: Path | str,
    folder: Path,
    wish: Wish | None = None,
    watcher: Watcher | None = None,
    brake: Brake | None = None,
    overwrite: bool = False,
) -> Report:
    """Write well-chosen frames of a film, shot by shot, with a sheet that shows them.

    Args:
        source: a film; no pipe, since it is read twice.
        folder: for the pictures, named by the numbers of their frames; it appears when all of them are there.
        wish: how many.
        watcher: hears how it goes.
        brake: stops it from another thread.
        overwrite: whether a folder that holds something is added to; pictures of it stay as they are.

    Raises:
        FilmError: one of its kinds, with the reason; then nothing is written.
    """
    watcher, brake = watcher or Watcher(), brake or Brake()
    if str(source) == PIPE:
        raise UsageError("keyframes reads a film twice: a pipe cannot be read again")
    _check_folder(folder, overwrite)
    shots = looked_at(Path(source), wish or Wish(), brake, watcher)
    with _hidden_beside(folder) as part:
        _write_pictures(Path(source), part, {number for _, chosen in shots for number in chosen}, brake)
        page = sheet(Path(source).name, folder.name, [_shot(look, chosen) for look, chosen in shots])
        (part / SHEET).write_text(page, encoding="utf-8")
        _brought(part, folder)
    count = sum(len(chosen) for _, chosen in shots)
    report = Report(count, folder, "", "")
    watcher.finished(report)
    return report


def _check_folder(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{printable(folder)} is no folder")
    if not folder.absolute().parent.is_dir():
        raise OutputError(f"there is no folder {printable(folder.absolute().parent)}")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError(f"{printable(folder)} is there already and holds something: -y adds to it")


def looked_at(
    source: Path, wish: Wish, brake: Brake, watcher: Watcher | None = None, is_exact: bool = False
) -> list[tuple[ShotLook, list[int]]]:
    """Every shot, and the numbers of its frames that were chosen; `is_exact` as for `VideoSource`."""
    watcher, shots = watcher or Watcher(), list[tuple[ShotLook, list[int]]]()
    with closing(VideoSource(source, is_exact=is_exact)) as film:
        if film.still is not None:
            raise InputError(f"{film.info.name} is a still picture: colour it as it is")
        watcher.started(film.info.frames_from_header)
        look, finder, scaler, sketcher = ShotLook(), CutFinder(), Scaler(), Scaler()
        for number, frame in enumerate(film):
            brake.check()
            small = scaler.small(frame.luma, LOOK)
            if finder.is_cut(small):
                shots.append(_done(look, wish))
                look = ShotLook()
            look.add(number, float(frame.time - film.info.start), small, sketcher)
            watcher.progressed(number + 1)
    return [*shots, _done(look, wish)]


def _done(look: ShotLook, wish: Wish) -> tuple[ShotLook, list[int]]:
    """A shot of which all is chosen; what it was chosen by is let go."""
    chosen = look.chosen(wish)
    look.sketches.clear()
    return look, chosen


def _shot(look: ShotLook, chosen: list[int]) -> Shot:
    times = dict(zip(look.numbers, look.times, strict=True))
    pictures = tuple((name_of(number), times[number]) for number in chosen)
    return Shot(look.times[0], look.times[-1], pictures)


def name_of(number: int) -> str:
    """`00000042.png`."""
    return f"{number:08d}.png"


def _write_pictures(source: Path, folder: Path, wanted: set[int], brake: Brake) -> None:
    with closing(VideoSource(source)) as film:
        for number, frame in enumerate(film):
            brake.check()
            if number in wanted:
                wanted.remove(number)
                _written(frame.luma, film.info.format, folder / name_of(number))
            if not wanted:
                return
    raise InputError(f"{film.info.name} does not give the same pictures again")


def _written(luma: Plane, form: PictureFormat, path: Path) -> None:
    """As RGB, not grey: what is opened as grey cannot be coloured in most programs."""
    shade = (luma.astype(np.float32) - form.luma_zero) * (255 / (form.luma_peak - form.luma_zero))
    grey = Image.fromarray(np.clip(shade + 0.5, 0, 255).astype(np.uint8))
    grey.convert("RGB").save(path, "PNG")


@contextmanager
def _hidden_beside(folder: Path) -> Iterator[Path]:
    """A hidden folder beside another, which goes away whatever happens."""
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.absolute().parent))
    except OSError as error:
        raise OutputError(f"{printable(folder)} cannot be written: {error.strerror or error}") from error
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _brought(part: Path, folder: Path) -> None:
    """Let the folder appear; in one that is there, add the pictures that it has not."""
    try:
        if not folder.exists():
            part.chmod(0o777 & ~_umask())
            part.rename(folder)
            return
        for path in sorted(part.iterdir()):
            if path.name == SHEET or not any(folder.glob(f"{path.stem}.*")):
                path.replace(folder / path.name)
    except OSError as error:
        raise OutputError(f"{printable(folder)} cannot be written: {error.strerror or error}") from error


def _umask() -> int:
    """What new files may not; it can only be read by setting it."""
    now = os.umask(0o022)
    os.umask(now)
    return now
