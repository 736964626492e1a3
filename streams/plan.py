"""What will be written, decided before any picture is coloured: container, codec, form, streams, and what is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from streams.containers import CONTAINERS, MATROSKA, PIPE_FORMATS, Container, container_of
from streams.encoders import CODECS, Codec, codec_named
from streams.errors import OutputError, UsageError, printable
from streams.ffmpeg import Ffmpeg, find_ffmpeg
from streams.formats import PictureFormat, pixel_layout
from streams.passengers import Manifest, manifest
from streams.target import check_place

if TYPE_CHECKING:
    from streams.info import FilmInfo

_RGB_MATRICES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}
# Below this depth nothing of what a film can hold is lost to an eye; above it, no codec but FFV1 goes.
_WRITTEN_BY_US = ("yuv4mpegpipe", "rawvideo")


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """What a person may ask of the encoder; None leaves it to the film and the container.

    `format` names what standard output carries: "y4m", "nut", "matroska" or "rawvideo".
    """

    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    lossless: bool = False
    ffmpeg: str | None = None
    format: str | None = None


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
    own = _own_container(info)
    if own is None or not _fits(info, own, options or EncodeOptions()):
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
    fit = _fit(info, container, options)
    coded = _stated(info.format, fit)
    carried = manifest(info, container, is_same=container == _own_container(info))
    warnings = (
        _moved(info, target, options),
        fit.losses(info.format),
        _unstated(coded, fit, container),
        _unmarked(container),
        _merged(info, fit),
    )
    return OutputPlan(
        target,
        container,
        fit.codec,
        coded,
        coded.depth - info.format.depth,
        options,
        None if container.muxer in _WRITTEN_BY_US else find_ffmpeg(options.ffmpeg),
        carried,
        (*chain.from_iterable(warnings), *carried.warnings),
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
    """Say why the output lies in another container than the film, where nobody asked for that."""
    own = _own_container(info)
    if target is None or info.path is None or container_of(target) == own or target != default_target(info, options):
        return
    why = f"{own.name} cannot hold the coloured pictures" if own else f"{info.container} cannot hold film in colour"
    yield f"{why}: the output is {MATROSKA.name}"


@dataclass(frozen=True, slots=True)
class _Fit:
    """One codec with the form that it would take the pictures in, and what that form lacks."""

    codec: Codec
    depth: int
    log2_w: int
    log2_h: int
    alpha: bool
    lacks_alpha: bool
    lacks_depth: bool

    def losses(self, form: PictureFormat) -> Iterator[str]:
        if self.lacks_alpha:
            yield f"transparency (alpha) cannot be held by {self.codec.name} here and is left out"
        if self.lacks_depth:
            yield f"{form.depth} bits a sample become {self.depth} in {self.codec.name}; --lossless keeps them"


def _fit(info: FilmInfo, container: Container, options: EncodeOptions) -> _Fit:
    """Return the first codec of the container that loses nothing, else the one that loses least."""
    fits = _fits(info, container, options)
    if not fits:
        how = "bit for bit " if options.lossless else ""
        with_codec = f" with {options.codec}" if options.codec else ""
        raise OutputError(
            f"{container.name} cannot hold {info.format.width}x{info.format.height} pictures"
            f" of {info.format.depth} bits {how}here{with_codec}: choose another container, such as .mkv"
        )
    return min(fits, key=lambda fit: (fit.lacks_depth, fit.lacks_alpha))


def _fits(info: FilmInfo, container: Container, options: EncodeOptions) -> list[_Fit]:
    chosen = _chosen_codecs(container, options)
    fits = (_fit_codec(info, codec, options.lossless) for codec in chosen)
    return [fit for fit in fits if fit is not None]


def _chosen_codecs(container: Container, options: EncodeOptions) -> list[Codec]:
    if container.muxer in _WRITTEN_BY_US:
        return [CODECS["rawvideo"]]
    known = find_ffmpeg(options.ffmpeg).encoders
    names = container.codecs
    if options.codec:
        row = codec_named(options.codec)
        _of_quality([row], options)
        names = (row.name,) if row.name in names else ()
    elif options.format == "nut":
        # NUT on a pipe goes to another program: plain pictures cost nothing and wait for nobody.
        names = ("rawvideo",)
    return _of_quality([CODECS[name] for name in names if CODECS[name].encoder in known], options)


def _of_quality(rows: list[Codec], options: EncodeOptions) -> list[Codec]:
    """Keep the codecs to which the asked crf and preset mean something; raises UsageError where there is none."""
    faults = [_quality_fault(row, options) for row in rows]
    if rows and all(faults):
        raise UsageError(faults[0])
    return [row for row, fault in zip(rows, faults, strict=True) if fault is None]


def _quality_fault(codec: Codec, options: EncodeOptions) -> str | None:
    if options.crf is not None and codec.crf is None:
        return f"--crf means nothing to {codec.name}"
    if options.crf is not None and codec.crf and not codec.crf[0] <= options.crf <= codec.crf[2]:
        return f"--crf {options.crf} is outside {codec.crf[0]} to {codec.crf[2]} for {codec.name}"
    if options.preset is not None and options.preset not in codec.presets:
        return f"--preset {printable(options.preset)} is unknown to {codec.name}: {', '.join(codec.presets) or 'none'}"
    return None


def _fit_codec(info: FilmInfo, codec: Codec, lossless: bool) -> _Fit | None:
    form = info.format
    if min(form.width, form.height) < codec.smallest or (lossless and codec.exact is None):
        return None
    held = [fit for fit in (_fit_pixels(info, codec, name) for name in codec.pixels) if fit is not None]
    if lossless:
        held = [fit for fit in held if not fit.lacks_depth]
    # Alpha kept before depth kept before the least depth before the coarsest sampling.
    return min(held, key=lambda fit: (fit.lacks_depth, fit.lacks_alpha, _excess(fit)), default=None)


def _excess(fit: _Fit) -> tuple[bool, int, int]:
    depth = -fit.depth if fit.lacks_depth else fit.depth
    return fit.alpha, depth, -(fit.log2_w + fit.log2_h)


def _fit_pixels(info: FilmInfo, codec: Codec, name: str) -> _Fit | None:
    """Say how the pictures lie in the pixels called `name`; None where they do not."""
    form, layout = info.format, pixel_layout(name)
    w, h = layout.log2_chroma_w, layout.log2_chroma_h
    widest, highest = _coarsest(form)
    if w > widest or h > highest:
        return None
    # Each field by itself must have an even number of lines.
    lines = 4 if info.interlaced else 2
    if codec.even and ((w and form.width % 2) or (h and form.height % lines)):
        return None
    lacks_depth = layout.depth < form.depth
    if lacks_depth and layout.depth < min(form.depth, 12):
        return None
    return _Fit(codec, layout.depth, w, h, layout.has_alpha, form.has_alpha and not layout.has_alpha, lacks_depth)


def _coarsest(form: PictureFormat) -> tuple[int, int]:
    """Grey has no sampling of its own and takes 4:2:0; RGB and palettes are 4:4:4."""
    return (1, 1) if form.kind == "grey" else (form.log2_chroma_w, form.log2_chroma_h)


def _stated(form: PictureFormat, fit: _Fit) -> PictureFormat:
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


def _unstated(coded: PictureFormat, fit: _Fit, container: Container) -> Iterator[str]:
    if container.states_color or container.muxer in _WRITTEN_BY_US:
        return
    if coded.full_range and not fit.codec.states_range:
        yield f"{fit.codec.name} in {container.name} cannot say that the range is full"
    tags = coded.stated
    if (tags.matrix or tags.primaries or tags.transfer) and not fit.codec.states_color:
        yield f"{fit.codec.name} in {container.name} cannot state the colour tags of the film"


def _unmarked(container: Container) -> Iterator[str]:
    if container.marks == "none":
        yield f"{container.name} has no place for the mark that says the colours are machine-made"


def _merged(info: FilmInfo, fit: _Fit) -> Iterator[str]:
    if info.interlaced and fit.codec.fields is None:
        yield f"{fit.codec.name} cannot say that pictures are interlaced"
