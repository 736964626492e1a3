"""Hints: dots and strokes of colour on frames of a film, in a JSON file; read, checked and written with nothing heavy.

The file is documented in docs/guide.md. What its strokes mean is told by `vidcolor.guide.spread`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from streams.errors import InputError, OutputError, printable

FORMAT, VERSION = "vidcolor-hints", 1
MOST = 20_000
"""Hints of one film."""
MOST_POINTS = 10_000
"""Points of one stroke."""
MOST_BYTES = 1 << 26
BLINK = 0.002
"""Seconds by which a time may be off that was written with a few digits only."""
LARGEST = 0.5
"""Radius, in widths of the picture."""
_LAST_FRAME = 10**12
_LAST_SECOND = 10**9
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_WHOLE = {"format", "version", "film", "hints"}
_ONE = {"time", "frame", "colour", "radius", "points"}

Point = tuple[float, float]


class Wrong(ValueError):
    """Something in hints that makes no sense; its text says what, in words that follow "hint 3: "."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A dot or a stroke of one colour on one frame.

    Attributes:
        colour: sRGB, "#rrggbb"; its light is not looked at. A grey asks for grey.
        radius: of the brush, in widths of the picture: more than 0, at most 0.5.
        points: x to the right and y down, in widths and heights of the picture, 0 to 1: one is a dot, more a stroke.
        time: seconds since the film's first picture; the frame that is shown then is meant.
        frame: or its number, 0 for the first, in order of display. One of the two is given.

    Raises:
        Wrong: one of these is not so.
    """

    colour: str
    radius: float
    points: tuple[Point, ...]
    time: float | None = None
    frame: int | None = None

    def __post_init__(self) -> None:
        _demand((self.time is None) != (self.frame is None), "it needs a time or a frame, one of the two")
        _demand(self.time is None or _is_within(self.time, 0, _LAST_SECOND), f"time {self.time} is no time of a film")
        frames = type(self.frame) is int and 0 <= self.frame < _LAST_FRAME
        _demand(self.frame is None or frames, f"frame {self.frame} is no number of a frame")
        is_colour = isinstance(self.colour, str) and bool(_COLOUR.fullmatch(self.colour))
        _demand(is_colour, f"'{self.colour}' is no colour: #rrggbb is")
        good = _is_within(self.radius, 0, LARGEST) and self.radius > 0
        _demand(good, f"radius {self.radius} is not between 0 and {LARGEST:g} widths of the picture")
        _demand(0 < len(self.points) <= MOST_POINTS, f"it has {len(self.points)} points: 1 to {MOST_POINTS}")
        for point in self.points:
            inside = len(point) == 2 and all(_is_within(part, 0, 1) for part in point)
            _demand(inside, f"the point {list(point)} is not in the picture: x and y go from 0 to 1")

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Its colour, gamma-encoded, 0..1."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red / 255, green / 255, blue / 255


@dataclass(frozen=True, slots=True)
class Hints:
    """All hints of a film, in the order they were painted in: a later one lies over an earlier one.

    Attributes:
        hints: of all frames.
        film: the name of the film, for people; nothing depends on it.
    """

    hints: tuple[Hint, ...] = ()
    film: str | None = None

    def __post_init__(self) -> None:
        _demand(len(self.hints) <= MOST, f"there are {len(self.hints)} hints: more than {MOST} are not taken")


def read_hints(path: Path) -> Hints:
    """Read a file of hints.

    Raises:
        InputError: it cannot be read, or is no such file; the sentence names what is wrong, and in which hint.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"the hints {printable(path)} cannot be read: {error.strerror or error}") from error
    return parse_hints(content, printable(path))


def parse_hints(content: bytes | str, name: str = "the hints") -> Hints:
    """Take hints from JSON text.

    Args:
        content: of the file.
        name: that the sentence of an error begins with.

    Raises:
        InputError: as `read_hints`.
    """
    if len(content) > MOST_BYTES:
        raise InputError(f"{name} is larger than any file of hints: more than {MOST_BYTES >> 20} MiB are not read")
    try:
        whole = json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)
    except Wrong as error:
        raise InputError(f"{name}: {printable(error)}") from error
    except RecursionError as error:
        raise InputError(f"{name} is no file of hints: it is nested too deep") from error
    except ValueError as error:
        raise InputError(f"{name} is not JSON: {printable(error)}") from error
    try:
        return _hints_of(whole)
    except Wrong as error:
        raise InputError(f"{name}: {printable(error)}") from error


def json_of(hints: Hints) -> str:
    """The text of the file: what `parse_hints` takes."""
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if hints.film is not None:
        head["film"] = {"name": hints.film}
    lines = ",\n".join("  " + json.dumps(_fields(hint), ensure_ascii=False) for hint in hints.hints)
    opened = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    return f'{opened},\n "hints": [\n{lines}\n ]\n}}\n' if lines else f'{opened},\n "hints": []\n}}\n'


def write_hints(path: Path, hints: Hints) -> None:
    """Write a file of hints, whole or not at all; one that is there is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json_of(hints), encoding="utf-8", errors="backslashreplace", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"the hints {printable(path)} cannot be written: {error.strerror or error}") from error


def _hints_of(whole: object) -> Hints:
    fields = _object(whole, _WHOLE, "it")
    _demand(fields.get("format") == FORMAT, f'it is no file of hints: its format is not "{FORMAT}"')
    version = fields.get("version")
    _demand(version == VERSION and type(version) is int, f"version {version} is not known here: {VERSION} is")
    listed = fields.get("hints")
    if not isinstance(listed, list):
        raise Wrong("it has no list of hints")
    return Hints(tuple(_hint(one, number) for number, one in enumerate(listed, 1)), _film(fields.get("film")))


def _film(film: object) -> str | None:
    if film is None:
        return None
    name = _object(film, {"name"}, "film").get("name")
    _demand(name is None or isinstance(name, str), "film: its name is no text")
    return name


def _hint(one: object, number: int) -> Hint:
    try:
        fields = _object(one, _ONE, "it")
        for name in ("colour", "radius", "points"):
            _demand(name in fields, f"it has no {name}")
        points = fields["points"]
        if not isinstance(points, list) or not all(isinstance(point, list) for point in points):
            raise Wrong("its points are no list of [x, y]")
        placed = tuple(tuple(point) for point in points)
        return Hint(fields["colour"], fields["radius"], placed, fields.get("time"), fields.get("frame"))
    except Wrong as error:
        raise Wrong(f"hint {number}: {error}") from error


def _object(value: object, known: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"{what} is no object")
    for name in value:
        _demand(name in known, f"{what} has a field '{name}' that is not known: {', '.join(sorted(known))} are")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a field that stands there twice could mean either."""
    found = dict(pairs)
    _demand(len(found) == len(pairs), "a field stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise Wrong(f"{text} is no number")


def _is_within(value: object, low: float, high: float) -> bool:
    """Whether it is a number (true and false are none) in an interval."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _fields(hint: Hint) -> dict[str, Any]:
    place = {"time": hint.time} if hint.frame is None else {"frame": hint.frame}
    return {**place, "colour": hint.colour, "radius": hint.radius, "points": [list(point) for point in hint.points]}


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)
