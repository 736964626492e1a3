"""What to restore and where to: looks at the input, settles the output, and gives the job that does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streams.errors import UsageError
from streams.sink import EncodeOptions, default_target, moved, plan_output
from streams.source import VideoSource
from vidcolor import zoo
from vidcolor.brake import Brake
from vidcolor.films import FilmJob
from vidcolor.job import Job, check_apart
from vidcolor.options import Options
from vidcolor.resume import ResumableJob
from vidcolor.stills import StillJob, default_still
from vidcolor.watch import Report, Watcher

PIPE = "-"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A place for an output whose suffix is still to be settled: `stem.color.*` in `folder`."""

    folder: Path
    stem: str


def restore(
    source: Path | str,
    target: Path | str | None = None,
    options: Options | None = None,
    watcher: Watcher | None = None,
    brake: Brake | None = None,
    **choices: Any,  # noqa: ANN401 - of as many kinds as the options have
) -> Report:
    """Restore a film, or a picture, in colour.

    Args:
        source: a file; "-" reads stdin.
        target: a file; None = `old.color.mp4` beside `old.mp4`; "-" writes `options.format` to stdout.
        options: how; None = as good as it gets without being told anything.
        watcher: hears how it goes.
        brake: stops the run from another thread.
        choices: single options by their names, as `keys="keys/"`; they change those of `options`.

    Raises:
        FilmError: one of its kinds, with the reason in one sentence; then nothing is written.
    """
    with prepare(source, target, replace(options or Options(), **choices)) as job:
        job.check_free()
        return job.run(watcher or Watcher(), brake or Brake())


@contextmanager
def prepare(source: Path | str, target: Path | str | Shelf | None, options: Options) -> Iterator[Job]:
    """Look at the input and settle the output, before anything is coloured; a shelf lets the film choose its suffix.

    Raises:
        FilmError: what `restore` would raise for wrong use, for the input, and for the output's place and form.
    """
    if source == PIPE and target is None:
        raise UsageError("stdin has no name to make another of: give -o OUTPUT")
    if options.resume and PIPE in (source, target):
        raise UsageError("--resume needs files: nothing that went through a pipe can be gone on with")
    if options.is_guided:
        check_guides(source, options)
    with closing(open_source(source, options)) as film:
        yield _still_job(film, target, options) if film.still and target != PIPE else _film_job(film, target, options)


def check_guides(source: Path | str, options: Options) -> None:
    """Look whether a film can be coloured by what it is to be coloured by, before it is opened.

    Raises:
        UsageError: the film comes through a pipe, or OpenCV is not installed.
        InputError: there are no keys, their names are not numbers of frames, or hints make no sense.
    """
    from vidcolor.guide.files import check

    if options.is_keyed and source == PIPE:
        raise UsageError("--keys, --hints and --guide need a film that can be read twice: a pipe cannot")
    check(options)


def open_source(source: Path | str, options: Options) -> VideoSource:
    """Open the part of a film that was asked for, once its options are known to make sense.

    Raises:
        UsageError: there is no such network.
        InputError: the input cannot be read, or holds no pictures.
    """
    zoo.check_name(options.model)
    return VideoSource(_path(source), start=options.start, stop=options.stop, is_exact=options.resume)


def _still_job(film: VideoSource, target: Path | str | Shelf | None, options: Options) -> StillJob:
    assert film.still is not None
    if options.is_guided:
        raise UsageError("--keys, --hints, --guide and --reference are for films, not for a still picture")
    path = film.info.path
    if target is None or isinstance(target, Shelf):
        assert path is not None
        wanted = _shelved(target, default_still(film.still, path))
    else:
        wanted = Path(target)
    check_apart(path, wanted)
    return StillJob(film, film.still, wanted, options)


def _film_job(film: VideoSource, target: Path | str | Shelf | None, options: Options) -> FilmJob:
    encoder = EncodeOptions(
        options.codec, options.crf, options.preset, options.lossless, options.ffmpeg, options.format
    )
    shelf = target if isinstance(target, Shelf) else None
    if target is None or isinstance(target, Shelf):
        wanted: Path | None = _shelved(shelf, default_target(film.info, encoder))
    else:
        wanted = _path(target)
    check_apart(film.info.path, wanted)
    plan = plan_output(film.info, wanted, encoder)
    if shelf and wanted:
        plan = replace(plan, warnings=tuple(dict.fromkeys((*plan.warnings, *moved(film.info, wanted)))))
    return (ResumableJob if options.resume else FilmJob)(film, plan, options)


def _shelved(shelf: Shelf | None, usual: Path) -> Path:
    return shelf.folder / f"{shelf.stem}.color{usual.suffix}" if shelf else usual


def _path(place: Path | str) -> Path | None:
    return None if place == PIPE else Path(place)
