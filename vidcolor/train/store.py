"""Colour pictures and clips as one flat file of bytes, so that training draws crops without decoding anything twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError, printable
from vidcolor.train.decode import CLIPS, PICTURES, SIDE, Clip, Found, decoded

__all__ = ["CLIPS", "PICTURES", "Store", "open_store"]

FORM = 2
_END = 1 << 16
"""Of the flat file and its index: films cut into shots, labels kept."""
GREY = 2.0
"""Mean distance from grey, in 8-bit code values, under which something is taken for black and white and left out."""
ENOUGH = 20
"""Pictures with one label, under which it teaches nothing."""


@dataclass(frozen=True, slots=True)
class Store:
    """Clips in a flat file; a picture is a clip of one frame.

    Attributes:
        pixels: every frame's RGB bytes, one after the other (memory-mapped).
        offsets: (N,) where each clip begins in ``pixels``.
        shapes: (N, 3) frames, height, width of each.
        labels: (N,) number of what each shows, -1 where that is unknown or rare.
        path: of the flat file.
        names: of the labels, in the order of their numbers.
    """

    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int64]
    labels: NDArray[np.int64]
    path: Path
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def kinds(self) -> int:
        """How many labels there are."""
        return int(self.labels.max(initial=-1)) + 1

    def clip(self, index: int) -> Clip:
        """All frames of one clip: (T, H, W, 3), a view."""
        frames, height, width = (int(v) for v in self.shapes[index])
        start = int(self.offsets[index])
        return self.pixels[start : start + frames * height * width * 3].reshape(frames, height, width, 3)


def open_store(sources: Iterable[Path], cache: Path, kind: frozenset[str], threads: int = 0) -> Store:
    """Gather everything of one kind in folders and tar files, decoding it only the first time.

    Args:
        sources: folders (searched whole), tar files, single files.
        cache: folder for the flat file, named after the sources' names, sizes, beginnings and ends.
        kind: PICTURES or CLIPS.
        threads: that decode; 0 = one a processor.

    Raises:
        InputError: nothing of the kind is there, or all of it is grey.
    """
    named = sorted(sources)
    files = [entry for source in named for entry in _listing(source, kind)]
    what = "picture" if kind is PICTURES else "clip"
    if not files:
        raise InputError(f"no {what} found in {', '.join(printable(source) for source in named)}")
    digest = hashlib.sha256(repr((FORM, [_stamp(path) for path in files])).encode())
    base = cache / f"{what}s-{SIDE}-{digest.hexdigest()[:12]}"
    if not base.with_suffix(".json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        _write(base, decoded(files, kind, threads or os.cpu_count() or 1))
    return _read(base, what)


def _stamp(path: Path) -> tuple[str, int, str]:
    """What a file is known by again when it was copied: its time says nothing then."""
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = file.read(_END)
        file.seek(max(0, size - _END))
        ends += file.read(_END)
    return path.name, size, hashlib.sha256(ends).hexdigest()


def _listing(source: Path, kind: frozenset[str]) -> list[Path]:
    if source.is_dir():
        return sorted(p for p in source.rglob("*") if p.suffix.lower() in kind | {".tar"} and p.is_file())
    if not source.exists():
        raise InputError(f"{printable(source)} does not exist")
    return [source]


def _is_colour(clip: Clip) -> bool:
    """Whether any of a few frames has colour: a film may begin in black."""
    some = clip[:: max(1, len(clip) // 4)].astype(np.float32)
    return float(np.abs(some - some.mean(-1, keepdims=True)).mean((1, 2, 3)).max()) >= GREY


def _write(base: Path, everything: Iterable[Found]) -> None:
    """The flat file first, its index last: an index is only there when the bytes are whole."""
    shapes, labels, grey = [], list[str | None](), 0
    with base.with_suffix(".bytes").open("wb") as out:
        for found in everything:
            for clip in found.clips:
                if not _is_colour(clip):
                    grey += 1
                    continue
                out.write(np.ascontiguousarray(clip).data)
                shapes.append(clip.shape[:3])
                labels.append(found.label)
    index = {"shapes": shapes, "labels": labels, "grey": grey}
    base.with_suffix(".json").write_text(json.dumps(index))


def _read(base: Path, what: str) -> Store:
    index = json.loads(base.with_suffix(".json").read_text())
    if not index["shapes"]:
        base.with_suffix(".json").unlink()
        raise InputError(f"no {what} in colour: {index['grey']} were black and white, the others could not be read")
    shapes = np.array(index["shapes"], np.int64)
    sizes = shapes.prod(1) * 3
    offsets = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    path = base.with_suffix(".bytes")
    # copied on write: torch wants memory that could be written to, and nothing ever reaches the file
    labels, names = _numbered(index["labels"])
    return Store(np.memmap(path, np.uint8, "c"), offsets, shapes, labels, path, names)


def _numbered(labels: list[str | None]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    counts = Counter(label for label in labels if label is not None)
    known = sorted(label for label, count in counts.items() if count >= ENOUGH)
    numbers = {label: number for number, label in enumerate(known)}
    told = [numbers.get(label, -1) if label is not None else -1 for label in labels]
    return np.array(told, np.int64), tuple(known)
