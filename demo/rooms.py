"""Visitors and their rooms: one folder each, known to nobody else, gone when the visit ends; knows no film, no web.

A visitor is known by a cookie that cannot be guessed. Everything that he brings or gets lies in his folder, under
names that cannot be guessed either, and is on his list: what is not on it, does not exist for him.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.errors import OutputError

_PREFIX = "vidcolor-demo-"
_NAME_BYTES = 100  # of a file's own name that are kept
_MOST_VISITORS = 500
_MOST_FILES = 400
IDLE = 600.0  # seconds after which a visitor without an open page is gone
ABSENCE = 10.0  # seconds that a page may be away: long enough for loading it again
SPARE = 1 << 30  # bytes of the disk that uploads and results leave free


class Refused(Exception):
    """What was asked for is refused, in one sentence for the person who asked."""


@dataclass(slots=True)
class Visitor:
    """One visitor: his folder, his files, his open pages.

    Attributes:
        token: his cookie.
        folder: all that is his.
        seen: when he last asked for something.
        files: path to the name that he gave it, or that it is to be downloaded under.
        pages: open connections of each of his pages.
        events: numbers of the calls that he made.
        notes: what each of his pages is about: its film, its result.
        has_page: a page of his was open; when the last one closes, the visit ends.
    """

    token: str
    folder: Path
    seen: float
    files: dict[str, str] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_page: bool = False

    def new_path(self, name: str) -> Path:
        """A fresh place for a file, under a folder whose name cannot be guessed; it is on the list at once."""
        if len(self.files) >= _MOST_FILES:
            raise Refused("You have too many files here: close the page and open it again.")
        clean = plain_name(name)
        try:
            place = self.folder / secrets.token_urlsafe(16)
            place.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise Refused("The page has no room for files now.") from error
        self.files[str(place / clean)] = clean
        return place / clean

    def owns(self, path: object) -> bool:
        """Whether a path, exactly as he gives it, is one of his files."""
        return isinstance(path, str) and path in self.files

    def mine(self, path: object) -> Path:
        """One of his files; raises Refused for anything else."""
        if not isinstance(path, str) or path not in self.files or not Path(path).is_file():
            raise Refused("There is no such file of yours here: upload it (again) first.")
        return Path(path)

    def drop(self, path: str) -> None:
        """Delete one of his files, with its folder."""
        if self.files.pop(path, None) is not None:
            shutil.rmtree(Path(path).parent, ignore_errors=True)


def plain_name(name: str) -> str:
    """A file's name with nothing but letters, digits, blanks, `.`, `-` and `_`; it decides nothing, it is only kept."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(char if char.isalnum() or char in "._- " else "_" for char in last).strip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if not dot:
        stem, suffix = clean, ""
    stem = stem.encode()[:_NAME_BYTES].decode("utf-8", "ignore").strip(" .") or "file"
    return f"{stem}.{suffix[:10]}" if suffix else stem


class House:
    """All rooms, under one folder that is gone when the page ends."""

    def __init__(self, keep: float, clock: Callable[[], float] = time.monotonic, *, root: Path | None = None) -> None:
        """Make the folder, under a new name unless told one; raises OutputError where there is no place for it."""
        sweep()
        self.root = root or new_root()
        try:
            self.root.mkdir(mode=0o700)
        except OSError as error:
            raise OutputError(f"there is no place for temporary files: {error.strerror}") from error
        self._keep = keep
        self._clock = clock
        self._visitors: dict[str, Visitor] = {}

    def __iter__(self) -> Iterator[Visitor]:
        return iter(list(self._visitors.values()))

    def welcome(self) -> Visitor:
        """A new visitor; raises Refused where the house is full."""
        if len(self._visitors) >= _MOST_VISITORS:
            self._ask_to_leave()
        token = secrets.token_urlsafe(32)
        visitor = Visitor(token, self.root / secrets.token_urlsafe(16), self._clock())
        self._visitors[token] = visitor
        return visitor

    def _ask_to_leave(self) -> None:
        """Make room by letting go of whoever brought nothing and was seen longest ago."""
        idle = [visitor for visitor in self if not visitor.files and not visitor.pages]
        if not idle:
            raise Refused("Too many visitors: try again in a few minutes.")
        self.farewell(min(idle, key=lambda visitor: visitor.seen))

    def find(self, token: str) -> Visitor | None:
        """The visitor who has this cookie."""
        visitor = self._visitors.get(token)
        if visitor is not None:
            visitor.seen = self._clock()
        return visitor

    def owner_of_page(self, page: str) -> Visitor | None:
        """Whose page it is; a page belongs to who first used its name."""
        return next((visitor for visitor in self if page in visitor.pages), None)

    def leaving(self, busy: Callable[[Visitor], bool]) -> list[Visitor]:
        """Visitors whose visit is over: their pages are closed, or nothing was heard of them for too long."""
        now = self._clock()
        return [visitor for visitor in self if self._is_over(visitor, now, busy(visitor))]

    def _is_over(self, visitor: Visitor, now: float, is_busy: bool) -> bool:
        away = now - visitor.seen
        if any(visitor.pages.values()) or is_busy:
            return away > self._keep and not is_busy
        return away > (ABSENCE if visitor.has_page else min(IDLE, self._keep))

    def farewell(self, visitor: Visitor) -> None:
        """Delete all that is a visitor's."""
        self._visitors.pop(visitor.token, None)
        visitor.files.clear()
        shutil.rmtree(visitor.folder, ignore_errors=True)

    def check_space(self, needed: int) -> None:
        """Raise Refused where a file would fill the disk."""
        if shutil.disk_usage(self.root).free < needed + SPARE:
            raise Refused("The disk of this machine is too full for more films now.")

    def close(self) -> None:
        """Delete everything. Twice does no harm."""
        self._visitors.clear()
        shutil.rmtree(self.root, ignore_errors=True)


def new_root() -> Path:
    """A name for a house that does not stand yet; raises OutputError where there is no place for one.

    It has the number of the process, so that a later one can tell what a killed one left behind.
    """
    try:
        return Path(tempfile.gettempdir()).resolve() / f"{_PREFIX}{os.getpid()}-{secrets.token_urlsafe(12)}"
    except OSError as error:
        raise OutputError(f"there is no place for temporary files: {error.strerror}") from error


def sweep() -> None:
    """Delete what killed processes left behind: folders whose process is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if folder.is_dir() and not folder.is_symlink() and number.isdigit() and _is_gone(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_gone(process: int) -> bool:
    if sys.platform == "win32":  # there, signal 0 would end it
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
