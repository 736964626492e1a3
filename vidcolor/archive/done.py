"""What is done already: outputs whose mark names the same input, network and options. Loads no weights and no torch."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from pathlib import Path

from streams.errors import FilmError, InputError, ModelError, printable
from streams.inlet import Inlet
from streams.reading.sniff import nature_of
from streams.sink import read_mark
from streams.still import read_still_mark
from streams.writing.containers import container_of
from vidcolor import zoo
from vidcolor.archive.entries import Entry
from vidcolor.job import fingerprint_of
from vidcolor.mark import Mark
from vidcolor.options import Options


class Finder:
    """Finds the output that an earlier run made of a film."""

    def __init__(self, options: Options) -> None:
        """Settle what an output's mark has to say."""
        self.model_sha256 = model_sha256(options.model)
        self._options = options.digest
        self._replaces = options.overwrite

    def done(self, entry: Entry) -> Path | None:
        """The output of this input, this network and these options; None where there is none."""
        marks = [(path, self._fitting(path)) for path in _candidates(entry)]
        if not any(film for _, film in marks):
            return None
        try:
            wanted = fingerprint_of(entry.source)
        except InputError:
            return None  # its own run says why it cannot be read
        return next((path for path, film in marks if film and film == wanted), None)

    def unmarked(self, entry: Entry) -> Path | None:
        """An output that cannot say how it was made, its container having no place for a mark; None if there is none.

        It is left unless outputs are to be replaced: nobody can tell whether it is what was asked for now.
        """
        for path in () if self._replaces else _candidates(entry):
            container = container_of(path)
            if container is not None and container.marks == "none" and _is_newer(path, entry.source):
                return path
        return None

    def _fitting(self, path: Path) -> str | None:
        """The fingerprint of an output's input, if network and options are those that were asked for."""
        mark = mark_in(path)
        settings = dict(mark.settings) if mark else {}
        if mark is None or mark.sha256 != self.model_sha256 or settings.get("options") != self._options:
            return None
        return settings.get("input")


def _is_newer(path: Path, source: Path) -> bool:
    try:
        return path.stat().st_mtime >= source.stat().st_mtime
    except OSError:
        return False


def _candidates(entry: Entry) -> Iterator[Path]:
    if entry.target is not None:
        yield from [entry.target] if entry.target.is_file() else []
        return
    for stem in dict.fromkeys((entry.stem, entry.source.stem, entry.source.name)):
        yield from sorted(entry.folder.glob(f"{glob.escape(stem)}.color.*"))


def mark_in(path: Path) -> Mark | None:
    """The mark of a file; None where it has none, or cannot be read."""
    try:
        with Inlet(path) as inlet:
            is_still = nature_of(inlet).kind == "still"
        text = read_still_mark(path) if is_still else read_mark(path)
    except (FilmError, OSError):
        return None
    return Mark.parse(text) if text else None


def model_sha256(model: str) -> str:
    """The hash of a network's weights: from the table where it has a name, so that nothing is read.

    Raises:
        UsageError: there is no such model.
        ModelError: its file cannot be read.
    """
    zoo.check_name(model)
    row = next((row for row in zoo.table() if row.name == model), None)
    if row is not None:
        return row.sha256
    try:
        return sha256_of(Path(model))
    except OSError as error:
        raise ModelError(f"{printable(model)} cannot be read: {error.strerror}") from error


def sha256_of(path: Path) -> str:
    """The hash of a whole file; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
