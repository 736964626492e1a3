"""Which codec takes the pictures, and in which form: the one that loses nothing, else the one that loses least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.errors import OutputError, UsageError, printable
from streams.formats import PictureFormat, pixel_layout
from streams.writing.containers import Container
from streams.writing.encoders import BY_CARD, CODECS, Codec, codec_named
from streams.writing.ffmpeg import find_ffmpeg

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo

# These are written without ffmpeg.
WRITTEN_BY_US = ("yuv4mpegpipe", "rawvideo")
# To fewer bits than this no picture is brought down: 8-bit film becomes no less, deeper film no less than this.
_LEAST_DEPTH = 12
_LIGHT = ("h264", "hevc")
_HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
# Screens and players look for HDR in these; losing nothing else, FFV1 will do.
_HDR_CODECS = ("hevc", "av1", "vp9", "ffv1")


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
class Fit:
    """One codec in one container, the form in which it would take the pictures, and what of them would be lost."""

    codec: Codec
    container: Container
    depth: int
    log2_w: int
    log2_h: int
    alpha: bool
    lacks_range: bool
    lacks_depth: bool
    grows: bool
    lacks_alpha: bool
    lacks_hdr: bool

    @property
    def rank(self) -> tuple[bool, bool, bool, bool, bool]:
        """Order of harm: a wrong range changes all light, depth some; HDR in H.264 only looks wrong on some screens.

        Samples that grow by more than one bit (9 to 10) are no longer the film's own code values.
        """
        return self.lacks_range, self.lacks_depth, self.grows, self.lacks_alpha, self.lacks_hdr

    def losses(self, info: FilmInfo) -> Iterator[str]:
        """Say in a sentence each what of the film's pictures is lost."""
        name, place = self.codec.name, self.container.name
        if self.lacks_range:
            yield f"{name} in {place} cannot say that the range is full"
        if self.lacks_depth:
            yield f"{info.format.depth} bits a sample become {self.depth} in {name}; --lossless keeps them"
        if self.lacks_alpha:
            yield f"transparency (alpha) cannot be held by {name} in {place} and is left out"
        if _states_color(info.format) and not (self.container.states_color or self.codec.states_color):
            yield f"{name} in {place} cannot state the colour tags of the film"
        if info.sample_aspect_ratio and not self._keeps_shape(info):
            yield f"{place} rounds the pixel shape of {info.sample_aspect_ratio} to whole pixels"
        if info.interlaced and self.codec.fields is None:
            yield f"{name} cannot say that pictures are interlaced"
        if info.side_data and (name not in _LIGHT or "DYNAMIC_HDR_PLUS" in info.side_data):
            yield f"HDR light data cannot all be held by {name} and are left out"
        if self.container.marks == "none":
            yield f"{place} has no place for the mark that says the colours are machine-made"

    def _keeps_shape(self, info: FilmInfo) -> bool:
        """Matroska and WebM hold the size to show in whole pixels; most streams say the ratio itself, these do not."""
        shown = info.format.width * (info.sample_aspect_ratio or 1)
        return self.codec.name not in ("vp9", "av1") or not self.container.states_range or shown == round(shown)


def _states_color(form: PictureFormat) -> bool:
    return any((form.stated.matrix, form.stated.primaries, form.stated.transfer))


def best_fit(info: FilmInfo, container: Container, options: EncodeOptions) -> Fit:
    """Return the first codec of the container that loses nothing, else the one that loses least.

    Raises OutputError where none can hold the pictures, UsageError for a codec or quality that does not exist.
    """
    found = fits(info, container, options)
    if found:
        return min(found, key=lambda fit: fit.rank)
    form, how = info.format, " bit for bit" if options.lossless else ""
    with_codec = f" with {printable(options.codec)}" if options.codec else ""
    raise OutputError(
        f"{container.name} cannot hold {form.width}x{form.height} pictures of {form.depth} bits{how}{with_codec}:"
        " choose another container, such as .mkv"
    )


def fits(info: FilmInfo, container: Container, options: EncodeOptions) -> list[Fit]:
    """List the codecs of a container that can hold the pictures, in order of preference."""
    made = (_fit_codec(info, container, codec, options) for codec in _candidates(container, options))
    return [fit for fit in made if fit is not None]


def _candidates(container: Container, options: EncodeOptions) -> list[Codec]:
    rows = [CODECS[name] for name in container.codecs]
    if options.codec:
        asked = codec_named(options.codec)
        _of_quality([asked], options)
        rows = [asked] if asked.name in container.codecs else []
    elif options.format == "nut":
        # NUT on a pipe goes to another program: plain pictures cost nothing and wait for nobody.
        rows = [CODECS["rawvideo"]]
    if container.muxer not in WRITTEN_BY_US:
        ffmpeg = find_ffmpeg(options.ffmpeg)
        if rows and all(row.encoder in BY_CARD and row.encoder not in ffmpeg.encoders for row in rows):
            raise UsageError(f"{printable(ffmpeg.path)} has no encoder {rows[0].encoder}")
        rows = [row for row in rows if row.encoder in ffmpeg.encoders]
    return _of_quality(rows, options)


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


def _fit_codec(info: FilmInfo, container: Container, codec: Codec, options: EncodeOptions) -> Fit | None:
    is_too_small = min(info.format.width, info.format.height) < codec.smallest
    is_too_odd = codec.rates is not None and info.average_rate not in codec.rates
    if is_too_small or is_too_odd or (options.lossless and codec.exact is None):
        return None
    held = [fit for fit in (_fit_pixels(info, container, codec, name) for name in codec.pixels) if fit is not None]
    if options.lossless:
        held = [fit for fit in held if not fit.lacks_depth]
    return min(held, key=lambda fit: (*fit.rank, *_excess(fit)), default=None)


def _excess(fit: Fit) -> tuple[bool, int, int]:
    """Order forms that lose equally: no alpha for nothing, the least depth that holds all, the coarsest sampling."""
    depth = -fit.depth if fit.lacks_depth else fit.depth
    return fit.alpha, depth, -(fit.log2_w + fit.log2_h)


def _fit_pixels(info: FilmInfo, container: Container, codec: Codec, name: str) -> Fit | None:
    """Say how the pictures lie in the pixels called `name`; None where they do not."""
    form, layout = info.format, pixel_layout(name)
    w, h = layout.log2_chroma_w, layout.log2_chroma_h
    widest, highest = _coarsest(form)
    # Each field by itself must have an even number of lines.
    lines = 4 if info.interlaced else 2
    is_odd = codec.even and bool((w and form.width % 2) or (h and form.height % lines))
    if w > widest or h > highest or is_odd or layout.depth < min(form.depth, _LEAST_DEPTH):
        return None
    says_range = container.states_range or codec.states_range
    return Fit(
        codec,
        container,
        layout.depth,
        w,
        h,
        layout.has_alpha,
        lacks_range=form.full_range and not says_range,
        lacks_depth=layout.depth < form.depth,
        grows=layout.depth > form.depth + 1,
        lacks_alpha=form.has_alpha and not layout.has_alpha,
        lacks_hdr=form.stated.transfer in _HDR_TRANSFERS and codec.name not in _HDR_CODECS,
    )


def _coarsest(form: PictureFormat) -> tuple[int, int]:
    """Grey has no sampling of its own and takes 4:2:0; RGB and palettes are 4:4:4."""
    return (1, 1) if form.kind == "grey" else (form.log2_chroma_w, form.log2_chroma_h)
