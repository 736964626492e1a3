"""Tags of a film: which are its own, which tell only of the old file, and which MP4 can hold in boxes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from streams.writing import boxes
from streams.writing.containers import ITUNES_TAGS, Container
from streams.writing.marks import is_mark

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo

# Every program that writes a file writes these anew.
_OF_THE_FILE = frozenset(
    (
        *("encoder", "major_brand", "minor_version", "compatible_brands", "duration"),
        *("vendor_id", "handler_name", "isvbr", "software"),
    )
)
_STATISTICS = ("bps", "number_of_frames", "number_of_bytes", "_statistics", "duration-")
# A command's argument may not be longer than 128 KiB on Linux, and MP4's own tags must fit into one.
_ROOM = 120_000


def film_tags(info: FilmInfo) -> dict[str, str]:
    """Return the global tags that belong to the film, not to the file it lay in; an older mark is none of them."""
    tags = {name: value for name, value in info.tags.items() if not is_mark(name, value)}
    return {name: value for name, value in tags.items() if name.lower() not in _OF_THE_FILE}


def older_marks(info: FilmInfo) -> list[str]:
    """Name the tags that hold the mark of an earlier run."""
    return [name for name, value in info.tags.items() if is_mark(name, value)]


def statistics(info: FilmInfo) -> Iterator[str]:
    """Name the tags of the picture stream that count packets which are no more."""
    for stream in info.streams:
        if stream.index == info.main:
            yield from (name for name in stream.tags if name.lower().startswith(_STATISTICS))


def boxed_tags(info: FilmInfo) -> dict[str, str]:
    """Return the tags that MP4 holds only in boxes of their own, as many as there is room for, the shortest first."""
    foreign = {name: value for name, value in film_tags(info).items() if name.lower() not in ITUNES_TAGS}
    kept: dict[str, str] = {}
    for name, value in sorted(foreign.items(), key=lambda tag: len(tag[1])):
        if len(boxes.freeform({**kept, name: value})) < _ROOM:
            kept[name] = value
    return kept


def lost_tags(info: FilmInfo, container: Container, *, is_same: bool) -> list[str]:
    """Name the tags that a container cannot hold; `is_same`: the film came out of such a one, which then does."""
    names = set(film_tags(info))
    if container.marks == "atom":
        held = boxed_tags(info).keys() | {name for name in names if name.lower() in ITUNES_TAGS}
        return sorted(names - held)
    if container.tags is None or (is_same and container.marks != "info"):
        return []
    return sorted(name for name in names if name.lower() not in container.tags)
