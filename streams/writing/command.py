"""The command line that makes ffmpeg write a film: our pictures from a pipe, everything else from the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import ffmpeg

from streams.guard import gate_options
from streams.writing import boxes, marks
from streams.writing.beat import first_beat
from streams.writing.containers import ITUNES_TAGS
from streams.writing.light import x26x_light
from streams.writing.passengers import Passenger
from streams.writing.tags import boxed_tags, film_tags, older_marks, statistics

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.writing.plan import OutputPlan

# Names of files are put in after ffmpeg-python has done its part: it cannot hash bytes that are not UTF-8.
_PICTURES, _FILM, _TARGET = "pipe:0", "the film", "the target"
# Beyond any number of streams: of a damaged film ffmpeg may see more streams than we do.
_NO_STREAM = "99999?"
_IMPATIENT = {
    "h264": ("bframes=0:rc-lookahead=0:sync-lookahead=0:mbtree=0:sliced-threads=1",),
    "hevc": ("bframes=0:rc-lookahead=0:cutree=0:scenecut=0:frame-threads=1",),
}
# The filter knows these two curves by the standards that brought them, encoders by their exponents.
_CURVES = {"gamma22": "bt470m", "gamma28": "bt470bg"}
_FILLER = "room for vidcolor's mark, "


@dataclass(frozen=True, slots=True)
class Command:
    """An ffmpeg command; `own_tags` are those that must still be put in the place of `filler`, `tail` goes behind."""

    words: tuple[str, ...] = field(repr=False)
    own_tags: Mapping[str, str] = field(default_factory=dict)
    filler: str = _FILLER
    tail: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Coded:
    """How pictures come that are coded already: the container on the pipe, their clock, seconds they are early."""

    form: str
    tick: Fraction
    early: Fraction = Fraction(0)


def build(
    plan: OutputPlan,
    info: FilmInfo,
    mark: str,
    target: Path | None,
    covers: tuple[Path, ...] = (),
    coded: Coded | None = None,
) -> Command:
    """Build the command that encodes `info` as `plan` says to `target` (None: standard output).

    `covers` are files to attach, in the order of `plan.manifest.attached`. `coded`: pictures are copied, not encoded.
    """
    own_tags = _own_tags(plan, info, mark)
    pictures = _pictures(plan, info, mark) if coded is None else _copied_pictures(plan, info, mark, coded)
    chosen = {**_whole(plan, info), **_marked(plan, info, mark, own_tags), **pictures}
    for at, passenger in enumerate(plan.manifest.mapped):
        chosen |= _stream(plan, at, passenger, "copy" if coded else plan.encoder)
        if info.cut is not None and passenger.way != "pictures":
            # Packets between the place found by seeking and the start: with -copyts they would come along.
            chosen[f"copypriorss:{at}"] = "0"
    output = ffmpeg.output(*_inputs(plan, info, coded), _TARGET, **chosen)
    words = ffmpeg.get_args(output)
    words[-1:-1] = [*_repeated(plan, info), *_attachments(plan, covers)]
    names = {_FILM: f"file:{info.path}", _TARGET: "pipe:1" if target is None else f"file:{target}"}
    program = plan.ffmpeg.path if plan.ffmpeg else "ffmpeg"
    start = (program, "-hide_banner", "-nostdin", "-v", "error", "-y", "-copyts")
    return Command((*start, *(names.get(word, word) for word in words)), own_tags, tail=_tail(plan, mark))


def _inputs(plan: OutputPlan, info: FilmInfo, coded: Coded | None) -> list[ffmpeg.nodes.FilterableStream]:
    pictures = ffmpeg.input(_PICTURES, **_pipe(coded), **_roll(plan, info))
    streams = plan.manifest.mapped
    if not _has_film(plan, info):
        return [pictures["v:0"]]
    film = ffmpeg.input(_FILM, **gate_options(), **_span(plan, info))
    chosen = [pictures["v:0"] if one.way == "pictures" else film[str(one.stream.index)] for one in streams]
    # A stream that is not there, optional: it brings the film in for its tags even if no stream of it is copied.
    return [*chosen, film[_NO_STREAM]]


def _pipe(coded: Coded | None) -> dict[str, str]:
    if coded is None:
        # Pictures are read as they come, without a look ahead for facts that the options state.
        return {"f": "nut", "probesize": "32", "analyzeduration": "0", "fpsprobesize": "0"}
    return {"f": coded.form, **({"itsoffset": _seconds(-coded.early)} if coded.early else {})}


def _has_film(plan: OutputPlan, info: FilmInfo) -> bool:
    return info.path is not None and plan.manifest.carries


def _film_number(plan: OutputPlan) -> str:
    """Return the number of the original among the inputs: they are numbered as the streams first name them."""
    return "1" if plan.manifest.main == 0 else "0"


def _span(plan: OutputPlan, info: FilmInfo) -> dict[str, str]:
    """Cut the other streams as the pictures are cut, and let their times begin where the pictures' begin."""
    moved = _clock_shift(plan, info)
    if info.cut is None:
        return {"itsoffset": _seconds(moved)} if moved else {}
    begin = info.cut.origin + info.cut.start
    return {"itsoffset": _seconds(moved - _zero(info)), "ss": _seconds(begin), "seek_timestamp": "1"}


def _zero(info: FilmInfo) -> Fraction:
    """Return where the pictures of a cut film count from: the last tick of their clock before the cut."""
    assert info.cut is not None
    return (info.cut.origin + info.cut.start) // info.time_base * info.time_base


def _seconds(time: Fraction) -> str:
    return f"{float(time):.6f}"


def _roll(plan: OutputPlan, info: FilmInfo) -> dict[str, str | None]:
    """Matroska keeps a turn as an angle; the matrix of MP4 is set afterwards, with all its nine numbers."""
    if plan.container.turns != "roll" or info.rotation % 360 == 0:
        return {}
    return {"display_rotation": str(info.rotation), "noautorotate": None}


def _whole(plan: OutputPlan, info: FilmInfo) -> dict[str, str]:
    chosen = {"f": plan.muxer, **dict(plan.container.fixed)}
    if plan.container.keeps_negative:
        # Without it Matroska moves every stream, and no chapter, by the negative decoding times of B pictures.
        chosen["avoid_negative_ts"] = "disabled"
    chosen["max_muxing_queue_size"] = "9999"
    if plan.is_live:
        # Matroska would hold a second of film back to make one cluster of it.
        chosen |= {"flush_packets": "1", **({"cluster_time_limit": "1"} if plan.muxer == "matroska" else {})}
    if info.cut is not None and info.cut.stop is not None:
        # It ends all streams, but must not end the pictures, which were cut already: at their beat some come later.
        slack = 1 / info.average_rate if _counts(plan) and info.average_rate else Fraction(0)
        chosen["t"] = _seconds(info.cut.origin + info.cut.stop - _zero(info) + slack)
    if _has_film(plan, info):
        film = _film_number(plan)
        chosen |= {"map_metadata": film, "map_chapters": film if plan.manifest.chapters else "-1"}
    return chosen


def _marked(plan: OutputPlan, info: FilmInfo, mark: str, own_tags: Mapping[str, str]) -> dict[str, str]:
    if own_tags:
        return {"metadata": f"{marks.free_atom(info.tags)}={boxes.placeholder(own_tags, _FILLER)}"}
    if plan.container.marks in ("tag", "key"):
        return {"metadata": f"{marks.TAG}={mark}"}
    if plan.container.marks == "info":
        return {"metadata": f"{marks.free_chunk(info.tags)}={marks.tagged(mark)}"}
    return {}


def _tail(plan: OutputPlan, mark: str) -> bytes:
    """Keep the mark in what readers skip, where there are no tags, and no message among H.264 pictures."""
    is_needed = plan.container.marks == "stream" and plan.codec.name != "h264"
    return marks.stuffing(plan.muxer, mark) if is_needed else b""


def _own_tags(plan: OutputPlan, info: FilmInfo, mark: str) -> dict[str, str]:
    """Collect the tags that MP4 holds only in boxes of their own: the mark, and what of the film has no other place."""
    return {marks.TAG: mark, **boxed_tags(info)} if plan.container.marks == "atom" else {}


def _pictures(plan: OutputPlan, info: FilmInfo, mark: str) -> dict[str, str]:
    at = plan.manifest.main
    chosen = _quality(plan, info) | _stated(plan) | {"fps_mode": "passthrough", "enc_time_base": _clock(plan, info)}
    chosen["filter"] = ",".join(_filters(plan, info))
    messages = list(_message(plan, mark))
    chosen |= {"bsf": messages[0]} if messages else {}
    return {f"{name}:{at}": value for name, value in chosen.items()}


def _copied_pictures(plan: OutputPlan, info: FilmInfo, mark: str, coded: Coded) -> dict[str, str]:
    order = {True: "tt", False: "bb"}[info.top_field_first] if info.interlaced else "progressive"
    # An encoder would have said the range even where nobody stated it.
    said = {"color_range": "pc" if plan.coded.full_range else "tv"}
    chosen = said | _stated(plan) | {"field_order": order, "bsf": ",".join(_copying(plan, mark, coded))}
    at = plan.manifest.main
    # QuickTime names every coder; as a tag of the film it would be news.
    return {f"{name}:{at}": value for name, value in chosen.items()} | {f"metadata:s:{at}": "encoder="}


def _copying(plan: OutputPlan, mark: str, coded: Coded) -> Iterator[str]:
    """Put packets into the form in which an encoder would have given them."""
    if plan.codec.name == "h264" and coded.form == "mov" and plan.muxer == "vob":
        yield "h264_mp4toannexb"  # other muxers that want start codes see to it themselves
    yield from _message(plan, mark)
    # NUT makes a finer clock of every clock.
    yield f"setts=pts=PTS:dts=DTS:time_base={coded.tick.numerator}/{coded.tick.denominator}"


def _message(plan: OutputPlan, mark: str) -> Iterator[str]:
    """Say among H.264 pictures whose colours they are: it outlives every copy, also into files that lose their tags."""
    if plan.codec.name == "h264" and mark:
        yield f"h264_metadata=sei_user_data={marks.message(mark)}"


def _clock(plan: OutputPlan, info: FilmInfo) -> str:
    if _counts(plan) and info.average_rate:
        return f"{info.average_rate.denominator}/{info.average_rate.numerator}"
    return f"{info.time_base.numerator}/{info.time_base.denominator}"


def _counts(plan: OutputPlan) -> bool:
    """Tell whether pictures are counted, not timed: by the container or in the stream."""
    return plan.container.one_rate or plan.codec.one_rate


def _clock_shift(plan: OutputPlan, info: FilmInfo) -> Fraction:
    """Return how far the first picture moves onto the clock of a container or codec that counts pictures.

    Everything else moves as far, so that sound stays in step.
    """
    if not (_counts(plan) and info.average_rate):
        return Fraction(0)
    beat = max(0, first_beat(plan, info)) if plan.container.leads else first_beat(plan, info)
    return beat / info.average_rate - info.start


def _quality(plan: OutputPlan, info: FilmInfo) -> dict[str, str]:
    codec, options = plan.codec, plan.options
    rows = [codec.fixed, (codec.exact or ()) if options.lossless else codec.lossy]
    if info.interlaced:
        rows.append((codec.exact_fields if options.lossless else codec.fields) or ())
    library = codec.encoder.removeprefix("lib")
    params = [(f"{library}-params", text) for text in _params(plan, info)] if library != codec.encoder else []
    chosen = _joined([*rows, params])
    if codec.crf and not (options.lossless and codec.exact):
        chosen[codec.crf_option] = str(codec.crf[1] if options.crf is None else options.crf)
    if codec.preset:
        chosen[codec.preset_option] = options.preset or codec.preset
    return chosen


def _params(plan: OutputPlan, info: FilmInfo) -> Iterator[str]:
    """Give x264 and x265 what has no option of ffmpeg's."""
    if plan.codec.name == "hevc":
        yield "log-level=error"
    if plan.codec.name in ("h264", "hevc"):
        yield from x26x_light(plan.codec.name, info.side_data)
    if plan.codec.name == "h264" and info.interlaced:
        yield "tff=1" if info.top_field_first else "bff=1"
    if plan.is_live:
        # No picture waits for later ones: whoever reads the pipe sees it as soon as it is coloured.
        yield from _IMPATIENT.get(plan.codec.name, ())


def _joined(rows: list[tuple[tuple[str, str], ...] | list[tuple[str, str]]]) -> dict[str, str]:
    """Make one option of each name; lists of parameters grow, other values are replaced."""
    chosen: dict[str, str] = {}
    for name, value in (pair for row in rows for pair in row):
        grows = name.endswith("-params") and name in chosen
        chosen[name] = f"{chosen[name]}:{value}" if grows else value
    return chosen


def _filters(plan: OutputPlan, info: FilmInfo) -> Iterator[str]:
    """State what raw pictures cannot say of themselves; no sample is touched."""
    names = {"range": "range", "colorspace": "matrix", "color_primaries": "primaries", "color_trc": "transfer"}
    words = {name: getattr(plan.coded.stated, field) for name, field in names.items()}
    words["color_trc"] = _CURVES.get(words["color_trc"], words["color_trc"])
    if plan.ffmpeg is not None and plan.ffmpeg.places_chroma:
        words["chroma_location"] = plan.coded.stated.location
    stated = ":".join(f"{name}={value}" for name, value in words.items() if value)
    if stated:
        yield f"setparams={stated}"
    ratio = info.sample_aspect_ratio
    if ratio:
        yield f"setsar={ratio.numerator}/{ratio.denominator}:max={max(ratio.numerator, ratio.denominator, 100)}"
    order = ("tff" if info.top_field_first else "bff") if info.interlaced else "prog"
    yield f"setfield={order}"


def _stated(plan: OutputPlan) -> dict[str, str]:
    """Tell the encoder the same: one that cannot state a range (FFV1) would have full range squeezed without it."""
    tags = plan.coded.stated
    words = {
        "color_range": tags.range,
        "colorspace": tags.matrix,
        "color_primaries": tags.primaries,
        "color_trc": tags.transfer,
        "chroma_sample_location": tags.location,
    }
    return {name: value for name, value in words.items() if value}


def _stream(plan: OutputPlan, at: int, passenger: Passenger, encoder: str) -> dict[str, str]:
    way, stream = passenger.way, passenger.stream
    codec = {"pictures": encoder, "text": plan.container.text or "copy"}.get(way, "copy")
    chosen = {f"c:{at}": codec}
    if plan.manifest.carries:
        chosen[f"map_metadata:s:{at}"] = f"{_film_number(plan)}:s:{stream.index}"
    # Every flag is given: ffmpeg would set the default flag where a film has none.
    chosen[f"disposition:{at}"] = "+".join(sorted(stream.disposition)) or "0"
    if plan.codec.name == "hevc" and way == "pictures" and plan.container.turns == "matrix":
        chosen[f"tag:{at}"] = "hvc1"
    return chosen


def _repeated(plan: OutputPlan, info: FilmInfo) -> Iterator[str]:
    """Say what takes one option several times, which ffmpeg-python cannot."""
    at = plan.manifest.main
    for name in statistics(info):
        yield from (f"-metadata:s:{at}", f"{name}=")
    for name, value in film_tags(info).items():
        if plan.container.marks == "info" and name.lower() == "product":
            # FFmpeg reads the chunk of albums by this name, and writes it by its own only.
            yield from ("-metadata", f"IPRD={value}")
    if plan.manifest.carries:
        ours = marks.free_chunk(info.tags) if plan.container.marks == "info" else marks.TAG
        for name in older_marks(info):
            yield from ("-metadata", f"{name}=") if name.lower() != ours.lower() else ()
        return
    for name, value in film_tags(info).items():
        if plan.container.marks != "atom" or name.lower() in ITUNES_TAGS:
            yield from ("-metadata", f"{name}={value}")
    for name in ("language", "title"):
        value = plan.manifest.mapped[at].stream.tags.get(name, "")
        yield from (f"-metadata:s:{at}", f"{name}={value}") if value else ()


def _attachments(plan: OutputPlan, covers: tuple[Path, ...]) -> Iterator[str]:
    first = len(plan.manifest.mapped)
    for at, (stream, path) in enumerate(zip(plan.manifest.attached, covers, strict=True), first):
        yield from ("-attach", f"file:{path}")
        for name in ("filename", "mimetype", "title"):
            value = stream.tags.get(name) or stream.tags.get(name.upper())
            if value:
                yield from (f"-metadata:s:{at}", f"{name}={value}")
