"""Where a task reads a film: by its path where that leads to it, else from a copy that came in bounded pieces."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from streams.errors import FilmError, InputError, printable
from streams.segments import fingerprint
from streams.writing.lock import Lock
from vidcolor.cluster.values import Film

PIECE = 4 << 20  # bytes that travel at once
Fetch = Callable[[str, int, int], bytes]

_NAME = "vidcolor-films-"
_LIMIT = 3600.0  # seconds that a copy may take that another process makes
_FORGOTTEN = 24 * 3600.0  # seconds after which a copy that nobody used is what a dead run left


def located(film: Film, fetch: Fetch | None) -> Path:
    """Where this machine has the film; `fetch(path, begin, count)` gives bytes from the machine that has it.

    Raises InputError where it is neither here nor can be fetched, FilmError where there is no room for a copy.
    """
    source = film.entry.source
    if (film.is_shared or fetch is None) and _is_it(source, film):
        return source
    if fetch is None:
        raise InputError(f"{printable(source)} has changed, or is gone, since the run began")
    copy = _home() / film.print / source.name
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        _sweep(copy.parent.parent)
        return _copied(copy, film, fetch)
    except OSError as error:
        raise FilmError(f"there is no room for a copy of {printable(source)}: {error.strerror or error}") from error


def _is_it(path: Path, film: Film) -> bool:
    try:
        return path.is_file() and path.stat().st_size == film.size and _print_of(path) == film.print
    except OSError:
        return False


_prints: dict[tuple[str, int, int], str] = {}


def _print_of(path: Path) -> str:
    """A file's fingerprint, taken once by each process as long as the file does not change."""
    seen = path.stat()
    key = (str(path), seen.st_size, seen.st_mtime_ns)
    if key not in _prints:
        _prints.clear()
        _prints[key] = fingerprint(path)
    return _prints[key]


def _copied(copy: Path, film: Film, fetch: Fetch) -> Path:
    limit = time.monotonic() + _LIMIT
    while not _is_it(copy, film):
        with suppress(BlockingIOError):
            lock = Lock(copy.with_name("lock"))
            try:
                _copy(copy, film, fetch)
            finally:
                lock.release()
            continue
        if time.monotonic() > limit:
            raise InputError(f"{printable(film.entry.source)} did not arrive in an hour")
        time.sleep(0.1)
    os.utime(copy.parent)
    return copy


def _copy(copy: Path, film: Film, fetch: Fetch) -> None:
    """Fetch the film piece by piece: no more than one of them is ever in memory here."""
    if _is_it(copy, film):
        return
    part = copy.with_name("part")
    with part.open("wb") as file:
        for begin in range(0, film.size, PIECE):
            file.write(fetch(str(film.entry.source), begin, PIECE))
    part.replace(copy)
    if not _is_it(copy, film):
        raise InputError(f"{printable(film.entry.source)} changed while it was copied")


def forget(film: Film) -> None:
    """Remove this machine's copy of a film."""
    shutil.rmtree(_home() / film.print, ignore_errors=True)
    with suppress(OSError):
        _home().rmdir()  # if it was the last


def own_room() -> tempfile.TemporaryDirectory[str]:
    """A folder for a task's own files; if the task is killed, it goes when nobody can need it any more."""
    home = _home()
    home.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="segments-", dir=home)


def _home() -> Path:
    who = hashlib.blake2b(str(Path.home()).encode(), digest_size=4).hexdigest()
    return Path(tempfile.gettempdir()) / f"{_NAME}{who}"


def _sweep(home: Path) -> None:
    """Remove copies that nobody has used for a day."""
    for folder in home.iterdir():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _FORGOTTEN:
                shutil.rmtree(folder, ignore_errors=True)


def piece_of(path: str, begin: int, count: int) -> bytes:
    """Some bytes of a file; raises OSError."""
    with Path(path).open("rb") as file:
        file.seek(begin)
        return file.read(count)
