"""How a picture is stored: layout, depth, range, matrix; every such question is asked here and nowhere else.

To add a packed YUV layout, add one row to `_PACKED`; everything else is read from FFmpeg's own description of the
pixel format, never from digits in its name (nv12 has 8 bits).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from streams.errors import InputError, OutputError, printable

Kind = Literal["yuv", "grey", "rgb", "palette"]

# FFmpeg's numbers (ITU-T H.273 code points) to FFmpeg's option names. Unstated (2) and reserved numbers are absent.
_RANGES = {1: "tv", 2: "pc"}
_MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "jedec-p22",
}
_TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}

# Stated matrix to the one we calculate with. SMPTE 240M differs from BT.709 by less than one code value in chroma.
# Matrices that are absent (YCgCo, ICtCp, ...) do not hold Cb and Cr: they are replaced, not followed.
_FOLLOWED = {
    "bt709": "bt709",
    "smpte240m": "bt709",
    "smpte170m": "bt601",
    "bt470bg": "bt601",
    "fcc": "bt601",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}

# Kr, Kg, Kb of ITU-R BT.601-7, BT.709-6 and BT.2020-2.
_LUMA_WEIGHTS = {
    "bt601": (0.299, 0.587, 0.114),
    "bt709": (0.2126, 0.7152, 0.0722),
    "bt2020": (0.2627, 0.6780, 0.0593),
}

_SAMPLINGS = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (2, 0): "411", (0, 1): "440", (2, 2): "410"}

_HD_LINES = 720
_DEEPEST = 16


def luma_weights(matrix: str) -> tuple[float, float, float]:
    """Return the shares of R', G' and B' in luma for "bt601", "bt709" or "bt2020" (ITU-R BT.601, 709, 2020)."""
    return _LUMA_WEIGHTS[matrix]


@dataclass(frozen=True, slots=True)
class ColorTags:
    """What a film states about its colours, in FFmpeg's option names ("tv", "smpte170m", ...); None is unstated."""

    range: str | None = None
    matrix: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    location: str | None = None

    @classmethod
    def of_container(cls, context: VideoCodecContext) -> ColorTags:
        """Read what a container states, before anything is decoded: decoders put their own in its place."""
        return cls(
            range=_RANGES.get(context.color_range),
            matrix=_MATRICES.get(context.colorspace),
            primaries=_PRIMARIES.get(context.color_primaries),
            transfer=_TRANSFERS.get(context.color_trc),
        )

    def over(self, other: ColorTags) -> ColorTags:
        """Return these tags, and those of `other` where nothing is stated here."""
        return ColorTags(*(getattr(self, name) or getattr(other, name) for name in self.__slots__))

    @classmethod
    def of_frame(cls, frame: VideoFrame, location: str | None = None) -> ColorTags:
        """Read the tags of a decoded picture; the place of chroma samples is not among them, so it is passed in."""
        return cls(
            range=_RANGES.get(int(frame.color_range)),
            matrix=_MATRICES.get(int(frame.colorspace)),
            primaries=_PRIMARIES.get(int(frame.color_primaries)),
            transfer=_TRANSFERS.get(int(frame.color_trc)),
            location=location,
        )


_UNSTATED = ColorTags()


@dataclass(frozen=True, slots=True)
class Packed:
    """Where luma and alpha lie in a packed YUV layout, in words from the start of a group of pixels."""

    word_bytes: int
    group_words: int
    luma_words: tuple[int, ...]
    alpha_word: int | None = None
    shift: int = 0


_PACKED = {
    "yuyv422": Packed(1, 2, (0,)),
    "yvyu422": Packed(1, 2, (0,)),
    "uyvy422": Packed(1, 2, (1,)),
    "uyyvyy411": Packed(1, 6, (1, 2, 4, 5)),
    "vyu444": Packed(1, 3, (1,)),
    "vuyx": Packed(1, 4, (2,)),
    "vuya": Packed(1, 4, (2,), 3),
    "ayuv": Packed(1, 4, (1,), 0),
    "uyva": Packed(1, 4, (1,), 3),
    "ya8": Packed(1, 2, (0,), 1),
    "ya16": Packed(2, 2, (0,), 1),
    "y210": Packed(2, 2, (0,), shift=6),
    "y212": Packed(2, 2, (0,), shift=4),
    "y216": Packed(2, 2, (0,)),
    "xv36": Packed(2, 4, (1,), shift=4),
    "xv48": Packed(2, 4, (1,)),
    "ayuv64": Packed(2, 4, (1,), 0),
    "xv30": Packed(4, 1, (0,), shift=10),
    "v30x": Packed(4, 1, (0,), shift=12),
}


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """One pixel format as FFmpeg describes it: `depth` is bits a luma sample once it lies in an array."""

    name: str
    kind: Kind
    depth: int
    log2_chroma_w: int
    log2_chroma_h: int
    has_alpha: bool
    big_endian: bool
    packed: Packed | None
    shift: int


@lru_cache(maxsize=64)
def pixel_layout(name: str) -> PixelLayout:
    """Describe a pixel format by FFmpeg's name; raises InputError where it holds no luma that we can copy."""
    form = _described(name)
    if form is None or not form.components or form.is_bayer or _is_unusable(form):
        raise InputError(f"pictures stored as {printable(name)} are not supported")
    parts = form.components
    packed = _PACKED.get(_bare(name))
    kind = _kind_of(form)
    has_alpha = len(parts) in (2, 4) and kind != "palette"
    return PixelLayout(
        name,
        kind,
        8 if kind == "palette" else max(8, max(part.bits for part in parts)),
        _log2(form.width // form.chroma_width()) if kind == "yuv" else 0,
        _log2(form.height // form.chroma_height()) if kind == "yuv" else 0,
        has_alpha,
        form.is_big_endian,
        packed,
        packed.shift if packed else _sample_shift(form),
    )


def _described(name: str) -> VideoFormat | None:
    try:
        return VideoFormat(name, 1 << 8, 1 << 8)
    except ValueError:
        return None


def _is_unusable(form: VideoFormat) -> bool:
    """Tell floats (their values have no code), unknown packings, and anything deeper than 16 bits."""
    is_float = _bare(form.name).endswith(("f16", "f32"))
    is_unknown_packing = _kind_of(form) == "yuv" and not form.is_planar and _bare(form.name) not in _PACKED
    return is_float or is_unknown_packing or max(part.bits for part in form.components) > _DEEPEST


def _kind_of(form: VideoFormat) -> Kind:
    if form.has_palette:
        return "palette"
    if form.is_rgb or _bare(form.name) == "xyz12":
        return "rgb"
    return "grey" if len(form.components) < 3 else "yuv"


def _sample_shift(form: VideoFormat) -> int:
    """Return how far samples are shifted left inside their 16-bit words: P010 and its kin, and the `msb` formats."""
    bare = _bare(form.name)
    is_high = bare.endswith("msb") or (bare[0] == "p" and bare[1:].isdigit())
    return _DEEPEST - form.components[0].bits if is_high else 0


def _bare(name: str) -> str:
    return name.removesuffix("le").removesuffix("be")


def _log2(factor: int) -> int:
    return factor.bit_length() - 1


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How the pictures of a film are stored, and what was settled where the film states nothing.

    `depth` is bits a luma sample as delivered (palette and 1-bit pictures come as 8), `full_range`, `matrix`
    ("bt601", "bt709", "bt2020") and `primaries` are resolved, `stated` is what the film itself says.
    """

    width: int
    height: int
    pixels: str
    depth: int
    kind: Kind
    log2_chroma_w: int
    log2_chroma_h: int
    has_alpha: bool
    full_range: bool
    matrix: str
    primaries: str
    stated: ColorTags

    @classmethod
    def of(cls, size: tuple[int, int], pixels: str, stated: ColorTags, *, is_still: bool = False) -> PictureFormat:
        """Settle a format of `size` (width, height); raises InputError for pixels that hold no luma."""
        layout = pixel_layout(pixels)
        matrix = _settled_matrix(stated, size[1], is_still)
        if stated.matrix not in _FOLLOWED:
            stated = replace(stated, matrix=None)
        return cls(
            *size,
            pixels,
            layout.depth,
            layout.kind,
            layout.log2_chroma_w,
            layout.log2_chroma_h,
            layout.has_alpha,
            _settled_range(layout, stated),
            matrix,
            stated.primaries or ("bt2020" if matrix == "bt2020" else "bt709"),
            stated,
        )

    @classmethod
    def of_frame(cls, frame: VideoFrame, location: str | None = None, known: ColorTags = _UNSTATED) -> PictureFormat:
        """Settle the format of a decoded picture; raises InputError for pixels that hold no luma.

        `known` goes before what the decoder says.
        """
        tags = known.over(ColorTags.of_frame(frame, location))
        return cls.of((frame.width, frame.height), frame.format.name, tags)

    @property
    def chroma_size(self) -> tuple[int, int]:
        """Height and width of a chroma plane, in samples (odd pictures round up)."""
        return -(-self.height >> self.log2_chroma_h), -(-self.width >> self.log2_chroma_w)

    @property
    def luma_zero(self) -> int:
        """Code value of black."""
        return 0 if self.full_range else 16 << (self.depth - 8)

    @property
    def luma_peak(self) -> int:
        """Code value of white."""
        return (1 << self.depth) - 1 if self.full_range else 235 << (self.depth - 8)

    @property
    def chroma_mid(self) -> int:
        """Code value of no colour."""
        return 1 << (self.depth - 1)

    @property
    def chroma_span(self) -> int:
        """Code values from the lowest to the highest Cb or Cr, that is from -0.5 to 0.5."""
        return (1 << self.depth) - 1 if self.full_range else 224 << (self.depth - 8)

    def carried(self, depth: int, log2_w: int, log2_h: int, alpha: bool) -> PictureFormat:
        """Return the planar YUV form of this format that is handed to an encoder, e.g. yuv420p10le.

        Range, matrix and tags stay. Raises OutputError where FFmpeg has no such form.
        """
        sampling = _SAMPLINGS.get((log2_w, log2_h), f"({log2_w},{log2_h})")
        name = f"yuv{'a' if alpha else ''}{sampling}p" + ("" if depth == 8 else f"{depth}le")
        if _described(name) is None:
            raise OutputError(f"there is no planar picture format {name}")
        return replace(
            self,
            pixels=name,
            depth=depth,
            kind="yuv",
            log2_chroma_w=log2_w,
            log2_chroma_h=log2_h,
            has_alpha=alpha,
        )


def _settled_matrix(stated: ColorTags, height: int, is_still: bool) -> str:
    guess = "bt709" if height >= _HD_LINES and not is_still else "bt601"
    return _FOLLOWED.get(stated.matrix or "", guess)


def _settled_range(layout: PixelLayout, stated: ColorTags) -> bool:
    """Grey, RGB and `yuvj` pictures that state nothing are full range; a tag is believed, but for RGB."""
    if layout.kind in ("rgb", "palette") or layout.name.startswith(("yuvj", "mono")):
        return True
    return stated.range == "pc" if stated.range else layout.kind == "grey"
