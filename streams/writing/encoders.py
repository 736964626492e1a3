"""The ways to encode pictures that are known here: one row a codec.

To add a codec, add one row to `CODECS`, and its name to the containers that can hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streams.errors import UsageError, printable

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to encode pictures.

    `pixels`: the planar forms it takes. `even`: where chroma is halved, that side of the picture must be even.
    `smallest`: of a side, in samples. `fixed`, `lossy`, `exact`: FFmpeg's options always, usually, and to keep luma
    bit for bit (None: it cannot). `crf`: lowest, default, highest; `crf_option`: what FFmpeg calls it. `presets`:
    fastest first. `states_range`, `states_color`: the stream itself says whether its range is full, and which matrix,
    primaries and transfer it has, so that any container will do. `fields`, `exact_fields`: options for interlaced
    pictures, usually and to keep luma bit for bit (None: such streams cannot say that they are interlaced). `rates`:
    pictures a second that it knows (None is any). `one_rate`: its clock counts pictures.
    """

    name: str
    encoder: str
    pixels: tuple[str, ...]
    fixed: Options = ()
    lossy: Options = ()
    exact: Options | None = None
    crf: tuple[int, int, int] | None = None
    crf_option: str = "crf"
    presets: tuple[str, ...] = ()
    preset: str | None = None
    preset_option: str = "preset"
    even: bool = False
    smallest: int = 1
    states_range: bool = False
    states_color: bool = False
    fields: Options | None = None
    exact_fields: Options | None = None
    rates: frozenset[Fraction] | None = None
    one_rate: bool = False


def _planar(samplings: str, depths: str, alpha: str = "") -> tuple[str, ...]:
    """Name planar forms: `_planar("420 444", "8 10")` is yuv420p, yuv444p, yuv420p10le, yuv444p10le."""
    ends = ["" if depth == "8" else f"{depth}le" for depth in depths.split()]
    return tuple(f"yuv{alpha}{sampling}p{end}" for end in ends for sampling in samplings.split())


def _speeds(count: int) -> tuple[str, ...]:
    return tuple(str(speed) for speed in reversed(range(count)))


_BROADCAST = frozenset(Fraction(n, d) for d in (1000, 1001) for n in (24000, 30000, 60000)) | {
    Fraction(25),
    Fraction(50),
}
_FIELDS = (("flags", "+ilme+ildct"),)
_X26X = tuple(
    ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"]
)

# The first codec on a container's list that loses nothing is taken. H.264 at crf 18 and veryfast: grain keeps above
# 40 dB, and the encoder stays the largest part of the price without dwarfing the colour (a 1080p frame: veryfast
# 69 ms, medium 185 ms, everything else together 30 ms); whoever wants smaller files asks for a slower preset.
_ROWS = (
    Codec(
        "h264",
        "libx264",
        _planar("420 422 444", "8 10"),
        # Half of x264's own dead zones: grain and edges stay as steep as they were (0.95 at worst instead of 0.90),
        # for a sixth more bytes and no time. Presets from "faster" on decide otherwise (trellis) and ignore it.
        lossy=(("x264-params", "deadzone-inter=11:deadzone-intra=6"),),
        exact=(("qp", "0"),),
        crf=(0, 18, 51),
        presets=_X26X,
        preset="veryfast",
        even=True,
        states_range=True,
        states_color=True,
        fields=_FIELDS,
        # True field coding at qp 0 is off by one here and there (seen with x264 of 2022 and of 2026).
        exact_fields=(("x264-params", "fake-interlaced=1"),),
    ),
    Codec(
        "hevc",
        "libx265",
        _planar("420 422 444", "8 10 12"),
        exact=(("x265-params", "lossless=1"),),
        crf=(0, 18, 51),
        presets=_X26X,
        preset="fast",
        even=True,
        smallest=16,
        states_range=True,
        states_color=True,
    ),
    Codec(
        "av1",
        "libsvtav1",
        _planar("420", "8 10"),
        crf=(0, 20, 63),
        presets=_speeds(14),
        preset="8",
        even=True,
        smallest=64,
        states_range=True,
        states_color=True,
    ),
    Codec(
        "vp9",
        "libvpx-vp9",
        _planar("420 422 440 444", "8 10 12"),
        fixed=(("row-mt", "1"), ("deadline", "good")),
        lossy=(("b", "0"),),
        exact=(("lossless", "1"),),
        crf=(0, 15, 63),
        presets=_speeds(9),
        preset="4",
        preset_option="cpu-used",
        states_range=True,
    ),
    Codec(
        "ffv1",
        "ffv1",
        (
            *_planar("420 422 444", "8 9 10 12 14 16"),
            *_planar("440", "8 10 12"),
            *_planar("411 410", "8"),
            # 12 bits with alpha: only decoders of 2025 and later know it.
            *_planar("420 422 444", "8 9 10 16", "a"),
        ),
        # Version 3, every picture a key picture, checksums: what archives ask for.
        fixed=(("level", "3"), ("g", "1"), ("slicecrc", "1")),
        exact=(),
        fields=(),
        exact_fields=(),
    ),
    Codec(
        "prores",
        "prores_ks",
        (*_planar("422 444", "10"), "yuva444p10le"),
        fixed=(("vendor", "apl0"),),
        states_color=True,
        fields=(("flags", "+ildct"),),
    ),
    Codec(
        "mpeg2",
        "mpeg2video",
        _planar("420 422", "8"),
        lossy=(("q", "2"),),
        states_color=True,
        fields=_FIELDS,
        rates=_BROADCAST,
        one_rate=True,
    ),
    Codec("mpeg4", "mpeg4", _planar("420", "8"), lossy=(("q", "2"), ("bf", "0")), fields=_FIELDS, one_rate=True),
    # Of a picture equal to the one before, Theora makes a packet without a byte, which decoders do not give back.
    Codec("theora", "libtheora", _planar("420 422 444", "8"), lossy=(("q", "10"), ("g", "1")), one_rate=True),
    Codec(
        "rawvideo",
        "rawvideo",
        (
            *_planar("420 422 444", "8 9 10 12 14 16"),
            *_planar("440 411 410", "8"),
            *_planar("420 422 444", "8 9 10 16", "a"),
        ),
        exact=(),
        fields=(),
        exact_fields=(),
    ),
)
CODECS: dict[str, Codec] = {row.name: row for row in _ROWS}


def _by_nvidia(name: str) -> Codec:
    return Codec(
        name,
        f"{name}_nvenc",
        _planar("420 444", "8"),
        lossy=(("rc", "vbr"),),
        crf=(1, 19, 51),
        crf_option="cq",
        presets=tuple(f"p{speed}" for speed in range(1, 8)),
        preset="p5",
        even=True,
        smallest=160,
        states_range=True,
        states_color=True,
    )


# Encoders of graphics cards are taken only where they are asked for by name: that ffmpeg has one tells of no card.
BY_CARD: dict[str, Codec] = {row.encoder: row for row in (_by_nvidia("h264"), _by_nvidia("hevc"))}

# Names people use for the same thing.
_ALIASES = {
    "avc": "h264",
    "x264": "h264",
    "h265": "hevc",
    "x265": "hevc",
    "mpeg2video": "mpeg2",
    **{row.encoder: row.name for row in _ROWS},
}


def codec_named(name: str) -> Codec:
    """Return the row of a codec by its name or an encoder's; raises UsageError for a name that is in no row."""
    row = BY_CARD.get(name.lower()) or CODECS.get(_ALIASES.get(name.lower(), name.lower()))
    if row is None:
        raise UsageError(f"unknown codec {printable(name)}: known are {', '.join((*CODECS, *BY_CARD))}")
    return row
