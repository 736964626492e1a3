"""Which films a run is about, and where under the output folder each of them belongs."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streams.errors import InputError, UsageError, printable
from streams.writing.containers import container_of

# A folder holds other things beside its films; what is not named so is only restored when it is named itself.
_NAMES = """
    3g2 3gp apng asf avi divx dv f4v flv gif m2p m2t m2ts m4v mjpeg mjpg mk3d mkv mod mov mp4 mpe mpeg mpg mts mxf nut
    ogg ogv ogx qt tod tp trp ts vob vro webm wmv y4m jfif jpe jpeg jpg png tif tiff webp
"""
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
_STILLS = frozenset({".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_OURS = ".color"


@dataclass(frozen=True, slots=True)
class Entry:
    """One film of a run.

    Attributes:
        source: where it lies.
        folder: where its output belongs.
        stem: the name of its output, up to `.color` and a suffix.
        target: the very file, where one was named.
    """

    source: Path
    folder: Path
    stem: str
    target: Path | None = None


def is_pattern(word: str) -> bool:
    """Whether a word names many files by a pattern; a file whose name looks like one is a file."""
    return glob.has_magic(word) and not Path(word).exists()


def gather(words: Sequence[str], listed: Sequence[str] | None, output: Path | None) -> list[Entry]:
    """Find the films that were asked for, each once, with the places of their outputs.

    Args:
        words: files, folders and patterns (`**` reaches into folders).
        listed: files of a list; their common folder is the root of its tree.
        output: the folder for all outputs; None = each beside its input.

    Raises:
        UsageError: stdin among them, or two films that would share an output.
        InputError: there are none.
    """
    if "-" in words:
        raise UsageError("- is one film from stdin; for a list of many from stdin: --list -")
    found = [*_named(words, output), *_listed(listed or (), output)]
    entries = list({_identity(entry.source): entry for entry in reversed(found)}.values())[::-1]
    if not entries:
        raise InputError(f"there are no films in {printable(' '.join(words) or 'the list')}")
    return _told_apart(entries)


def _named(words: Iterable[str], output: Path | None) -> Iterator[Entry]:
    for word in words:
        path = Path(word)
        if path.is_dir():
            yield from (_entry(file, path, output) for file in _walked(path))
        elif is_pattern(word):
            root = _root_of(word)
            matches = (Path(match) for match in sorted(glob.glob(word, recursive=True)))  # noqa: PTH207 - as typed
            yield from (_entry(file, root, output) for file in matches if file.is_file() and not _is_made(file))
        else:
            yield _entry(path, path.parent, output)


def _walked(root: Path) -> Iterator[Path]:
    """The films below a folder, in the order of their names; nothing hidden, and nothing that this command made."""
    for folder, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        paths = (Path(folder) / name for name in sorted(files) if not name.startswith("."))
        yield from (path for path in paths if path.suffix.lower() in SUFFIXES and not _is_made(path))


def _is_made(path: Path) -> bool:
    """Whether a file that nobody named is, by its name, an output of this command."""
    return path.stem.endswith(_OURS)


def _root_of(pattern: str) -> Path:
    """The folder in which a pattern begins to be one."""
    steps = []
    for step in Path(pattern).parent.parts:
        if glob.has_magic(step):
            break
        steps.append(step)
    return Path(*steps)


def _listed(lines: Sequence[str], output: Path | None) -> Iterator[Entry]:
    paths = [Path(line) for line in lines]
    if not paths:
        return
    try:
        root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    except ValueError:  # on several drives
        root = Path()
    yield from (_entry(path, root, output) for path in paths)


def _entry(source: Path, root: Path, output: Path | None) -> Entry:
    if output is None:
        return Entry(source, source.parent, source.stem)
    try:
        inner = source.absolute().parent.relative_to(root.absolute())
    except ValueError:
        inner = Path()
    return Entry(source, output / inner, source.stem)


def expected(entry: Entry) -> Path:
    """Where a film's output will be, judged by names alone: its pictures may ask for another container (`.mkv`)."""
    suffix = entry.source.suffix
    keeps = suffix.lower() in _STILLS or container_of(entry.source) is not None
    return entry.target or entry.folder / f"{entry.stem}.color{suffix if keeps else '.mkv'}"


def _identity(path: Path) -> str:
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100 - links are films of their own


def _place(entry: Entry) -> tuple[str, str]:
    return _identity(entry.folder), os.path.normcase(entry.stem)


def _told_apart(entries: list[Entry]) -> list[Entry]:
    """Let films that differ in their suffix only keep it in the name of their output; refuse what stays the same."""
    shared = Counter(map(_place, entries))
    apart = [replace(one, stem=one.source.name) if shared[_place(one)] > 1 else one for one in entries]
    first: dict[tuple[str, str], Entry] = {}
    for entry in apart:
        other = first.setdefault(_place(entry), entry)
        if other is not entry:
            both = f"{printable(other.source)} and {printable(entry.source)}"
            raise UsageError(f"{both} would have one output: give them to two runs, or name the folder above both")
    return apart
