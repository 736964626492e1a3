"""What travels beside the pictures: which streams, chapters and tags the output carries, and which it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import av
from av.codec import Codec as AnyCodec
from av.codec.codec import UnknownCodecError

from streams.errors import printable
from streams.reading.info import UNKNOWN
from streams.writing.containers import Container
from streams.writing.rehearsal import refused
from streams.writing.tags import lost_tags

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo, StreamInfo

_TEXTS = frozenset({"subrip", "ass", "ssa", "webvtt", "mov_text", "text", "ttml", "hdmv_text_subtitle"})
# A stream whose codec nobody knows (a damaged head) is refused by every muxer, and with it the whole film.
_CODED = frozenset({"video", "audio", "subtitle"})
_COVER_TYPES = frozenset({"mjpeg", "png", "bmp"})

Way = Literal["pictures", "copy", "text", "cover", "attach"]


@dataclass(frozen=True, slots=True)
class Passenger:
    """One stream of the output: where it comes from and how it gets there.

    "pictures" are ours; "copy" and "cover" take the packets as they are; "text" rewrites subtitles in the
    container's own way; "attach" makes cover art an attachment.
    """

    stream: StreamInfo
    way: Way


@dataclass(frozen=True, slots=True)
class Manifest:
    """The streams of the output in order, whether chapters come along, and a sentence for each loss.

    `carries`: the original is a second input, for its streams and tags.
    """

    passengers: tuple[Passenger, ...]
    carries: bool
    chapters: bool
    warnings: tuple[str, ...]

    @property
    def main(self) -> int:
        """Position of our pictures among the streams of the output."""
        return next(at for at, one in enumerate(self.mapped) if one.way == "pictures")

    @property
    def picture_number(self) -> int:
        """Position of our pictures among the picture streams of the output."""
        before = self.mapped[: self.main]
        return sum(one.stream.kind == "video" and one.way == "copy" for one in before)

    @property
    def track(self) -> int:
        """Position of our pictures among the tracks of an MP4 file, where cover art is none."""
        return sum(one.way != "cover" for one in self.mapped[: self.main])

    @property
    def mapped(self) -> tuple[Passenger, ...]:
        """The streams that are mapped; attached covers come in otherwise, after them."""
        return tuple(one for one in self.passengers if one.way != "attach")

    @property
    def attached(self) -> tuple[StreamInfo, ...]:
        """Cover art that is to become an attachment."""
        return tuple(one.stream for one in self.passengers if one.way == "attach")


def manifest(info: FilmInfo, container: Container, *, is_same: bool) -> Manifest:
    """Decide what `container` carries of a film; `is_same`: the film came out of such a container.

    What it came out of holds it, so the table of what may be copied counts only between containers.
    """
    if info.path is None or not _holds_others(container) or not _has_more(info):
        return _alone(info, container)
    riders: list[Passenger] = []
    losses: list[str] = []
    for stream, way in _ways(info, container, is_same):
        if way is not None:
            riders.append(Passenger(stream, way))
        if way is None and not _is_remade(stream, info, container):
            losses.append(f"{_named(stream)} cannot be held by {container.name} and is left out")
        if way == "text":
            losses.append(f"{_named(stream)} cannot be held by {container.name} and is rewritten as {container.text}")
    chapters = container.chapters and bool(info.chapters)
    losses.extend(_lost_parts(info, container, is_same=is_same))
    return Manifest(tuple(riders), True, chapters, tuple(losses))


def _ways(info: FilmInfo, container: Container, is_same: bool) -> Iterator[tuple[StreamInfo, Way | None]]:
    """Say how each stream gets into the output; None for those that do not."""
    ways: list[tuple[StreamInfo, Way | None]] = [
        (one, "pictures" if one.index == info.main else _way(one, container, is_same)) for one in info.streams
    ]
    copied = [one.index for one, way in ways if way == "copy" and one.kind != "attachment"]
    damaged = refused(info.path, copied, container.muxer) if info.path else frozenset()
    yield from ((one, None if one.index in damaged else way) for one, way in ways)


def _has_more(info: FilmInfo) -> bool:
    """Tell whether a film is more than its pictures; ffmpeg cannot read all that we can, such as moving WebP."""
    return len(info.streams) > 1 or any(stream.tags for stream in info.streams) or bool(info.tags or info.chapters)


def _holds_others(container: Container) -> bool:
    return container.marks != "none"


def _alone(info: FilmInfo, container: Container) -> Manifest:
    """Carry the pictures only: from a pipe, which cannot be read twice, or into a format that is only pictures."""
    others = [stream for stream in info.streams if stream.index != info.main]
    why = "cannot be taken from a pipe" if info.path is None else f"cannot be held by {container.name}"
    losses = [f"{_named(stream)} {why} and is left out" for stream in others]
    losses += [f"chapters {why} and are left out"] if info.chapters else []
    losses += _named_tags(lost_tags(info, container, is_same=False), container)
    main = next(stream for stream in info.streams if stream.index == info.main)
    return Manifest((Passenger(main, "pictures"),), False, False, tuple(losses))


def _way(stream: StreamInfo, container: Container, is_same: bool) -> Way | None:
    codec = canonical(stream.codec)
    if codec == UNKNOWN and stream.kind in _CODED:
        return None
    if stream.is_cover:
        return _cover_way(codec, container)
    if stream.kind == "attachment":
        return "copy" if container.attachments else None
    held = {"video": container.video, "audio": container.audio, "subtitle": container.subtitles}.get(
        stream.kind, container.data
    )
    if codec in held or "*" in held or (is_same and stream.kind in ("video", "audio", "subtitle")):
        return "copy"
    is_text = stream.kind == "subtitle" and codec in _TEXTS and container.text is not None
    return "text" if is_text else None


def _cover_way(codec: str, container: Container) -> Way | None:
    if container.attachments:
        return "attach"
    return "cover" if container.marks == "atom" and codec in _COVER_TYPES else None


def _is_remade(stream: StreamInfo, info: FilmInfo, container: Container) -> bool:
    """Tell streams that come back by themselves: timecode tracks from their tag, text tracks of chapters."""
    if stream.kind != "data":
        return False
    return "timecode" in stream.tags or (bool(info.chapters) and container.chapters and "bin" in stream.codec)


def _lost_parts(info: FilmInfo, container: Container, *, is_same: bool) -> Iterator[str]:
    if info.chapters and not container.chapters:
        yield f"chapters cannot be held by {container.name} and are left out"
    yield from _named_tags(lost_tags(info, container, is_same=is_same), container)
    turn = info.display_matrix is not None and info.rotation % 360 != 0
    if turn and container.turns == "none":
        yield f"the turn by {info.rotation} degrees cannot be held by {container.name} and is left out"


def _named_tags(names: list[str], container: Container) -> Iterator[str]:
    if names:
        yield f"tags cannot be held by {container.name} and are left out: {printable(', '.join(names))}"


def _named(stream: StreamInfo) -> str:
    language = stream.tags.get("language", "und")
    words = [stream.kind if stream.kind != "video" else "picture", canonical(stream.codec)]
    words += [language] if language != "und" else []
    what = "cover art" if stream.is_cover else "stream"
    return f"{what} {stream.index} ({printable(', '.join(words))})"


@lru_cache(maxsize=64)
def canonical(codec: str) -> str:
    """Return a codec's own name for a decoder's: `libdav1d` reads av1, `pgssub` hdmv_pgs_subtitle."""
    try:
        return AnyCodec(codec, "r").canonical_name
    except UnknownCodecError:
        return codec
    except av.error.FFmpegError:
        return codec
