"""What will be written, decided before any picture is coloured: container, codec, form, streams, and what is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import OutputError, UsageError, printable
from streams.formats import PictureFormat
from streams.writing.choice import WRITTEN_BY_US, EncodeOptions, Fit, best_fit, fits
from streams.writing.containers import CONTAINERS, MATROSKA, PIPE_FORMATS, Container, container_of
from streams.writing.encoders import Codec
from streams.writing.ffmpeg import Ffmpeg, find_ffmpeg
from streams.writing.passengers import Manifest, manifest
from streams.writing.target import check_place

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo

_RGB_MATRICES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """All that is settled about the output; `warnings` names what cannot be carried, one sentence each.

    `target` None is standard output. `luma_shift`: bits that luma moves left (right if negative) to lie in `coded`.
    """

    target: Path | None
    container: Container
    codec: Codec
    coded: PictureFormat
    luma_shift: int
    options: EncodeOptions
    ffmpeg: Ffmpeg | None
    manifest: Manifest
    warnings: tuple[str, ...]

    @property
    def muxer(self) -> str:
        """FFmpeg's name of the container."""
        return self.container.muxer

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder."""
        return self.codec.encoder

    @property
    def is_live(self) -> bool:
        """Tell whether pictures go to standard output, where each must leave as soon as it is written."""
        return self.target is None


def default_target(info: FilmInfo, options: EncodeOptions | None = None) -> Path:
    """Return `old.color.mp4` for `old.mp4`; `.mkv` where the film's own container cannot hold what will be written.

    Raises UsageError for a film without a name (from standard input), and for options that make no sense.
    """
    if info.path is None:
        raise UsageError("standard input has no name to make another of: give -o OUTPUT")
    own = None if info.is_still else _own_container(info)
    if info.is_still:
        suffix = info.path.suffix
    elif own is None or not fits(info, own, options or EncodeOptions()):
        suffix = MATROSKA.suffixes[0]
    else:
        suffix = info.path.suffix if container_of(info.path) == own else own.suffixes[0]
    return info.path.with_name(f"{info.path.stem}.color{suffix}")


def plan_output(info: FilmInfo, target: Path | None, options: EncodeOptions) -> OutputPlan:
    """Settle how `info` is written to `target` (None: standard output, in `options.format`).

    Raises UsageError for options that make no sense, OutputError where the target cannot be written or its container
    cannot hold the pictures.
    """
    container = _asked_container(target, options)
    if target is not None:
        check_place(target)
    fit = best_fit(info, container, options)
    coded = _stated(info.format, fit)
    carried = manifest(info, container, is_same=container == _own_container(info))
    warnings = (*_moved(info, target, options), *fit.losses(info), *carried.warnings)
    return OutputPlan(
        target,
        container,
        fit.codec,
        coded,
        coded.depth - info.format.depth,
        options,
        None if container.muxer in WRITTEN_BY_US else find_ffmpeg(options.ffmpeg),
        carried,
        warnings,
    )


def _asked_container(target: Path | None, options: EncodeOptions) -> Container:
    if target is None:
        return _piped_container(options.format)
    container = container_of(target)
    if container is None:
        known = " ".join(suffix for row in CONTAINERS.values() for suffix in row.suffixes)
        raise OutputError(f"{printable(target.name)}: films are written to files that end in one of {known}")
    return container


def _piped_container(wanted: str | None) -> Container:
    if wanted is None or wanted not in PIPE_FORMATS:
        raise UsageError(f"standard output needs --format with one of {', '.join(PIPE_FORMATS)}")
    if sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("pictures are not written to a terminal: send standard output into a file or a program")
    return PIPE_FORMATS[wanted]


def _own_container(info: FilmInfo) -> Container | None:
    """Return the row that writes what was read; the suffix decides between containers that are read alike."""
    by_name = container_of(info.path) if info.path else None
    rows = [row for row in CONTAINERS.values() if _is_read_as(info.container, row)]
    return by_name if by_name in rows else next(iter(rows), None)


def _is_read_as(demuxer: str, row: Container) -> bool:
    return bool(set(demuxer.split(",")) & set(row.demuxer.split(",")))


def _moved(info: FilmInfo, target: Path | None, options: EncodeOptions) -> Iterator[str]:
    if target is not None and info.path is not None and target == default_target(info, options):
        yield from moved(info, target)


def moved(info: FilmInfo, target: Path) -> Iterator[str]:
    """Say why the output lies in another container than the film, where nobody asked for that."""
    own = _own_container(info)
    if container_of(target) == own:
        return
    why = f"{own.name} cannot hold the coloured pictures" if own else f"{info.container} cannot hold film in colour"
    yield f"{why}: the output is {MATROSKA.name}"


def _stated(form: PictureFormat, fit: Fit) -> PictureFormat:
    """Return the coded form with its tags: what the film states stays stated, what we had to settle is said."""
    coded = form.carried(fit.depth, fit.log2_w, fit.log2_h, fit.alpha)
    tags = coded.stated
    if form.kind != "yuv" or form.full_range:
        tags = replace(tags, range="pc" if form.full_range else "tv")
    if form.kind in ("rgb", "palette"):
        tags = replace(tags, matrix=_RGB_MATRICES[form.matrix])
    if (fit.log2_w, fit.log2_h) != (form.log2_chroma_w, form.log2_chroma_h):
        tags = replace(tags, location=None)
    return replace(coded, stated=tags)
