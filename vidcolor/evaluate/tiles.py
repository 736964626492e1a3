"""Land-cover tiles: labelled pictures in colour, and how they look grey, restored, and in true colour."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError, printable
from vidcolor.evaluate.lab import Bytes, Floats
from vidcolor.evaluate.samples import Sample, pick, picture_sample, read_rgb8

Kinds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tiles:
    """Labelled tiles of one size.

    Attributes:
        rgb: (N, H, W, 3) 8 bit.
        kinds: (N,) numbers of what they show.
        names: of the kinds.
    """

    rgb: Bytes
    kinds: Kinds
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rgb)

    def samples(self) -> list[Sample]:
        """Each as a picture whose grey may be coloured."""
        numbered = enumerate(zip(self.rgb, self.kinds, strict=True))
        return [picture_sample(f"{self.names[kind]}-{i}", one) for i, (one, kind) in numbered]

    def looking(self, rgb: Floats) -> Tiles:
        """The same tiles in other colours: (N, H, W, 3) in 0..1."""
        return Tiles(np.floor(np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8), self.kinds, self.names)


def read_tiles(archive: Path, limit: int | None = None, names: tuple[str, ...] = ()) -> Tiles:
    """Tiles of a tar archive whose ``index.jsonl`` labels them.

    Args:
        archive: the tar.
        limit: how many, spread evenly; None for all.
        names: of the kinds, so that two archives number them alike; those of this archive, sorted, if none are given.

    Raises:
        InputError: it cannot be read, or labels nothing.
    """
    try:
        with tarfile.open(archive) as tar:
            files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
            contents = {name: file.read() for name, file in files.items() if file}
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{printable(archive)} is no tar archive of tiles") from error
    lines = contents.get("index.jsonl", b"").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("label") and row["file"] in contents]
    if not rows:
        raise InputError(f"{printable(archive)} has no index.jsonl that labels its tiles")
    known = names or tuple(sorted({row["label"] for row in rows}))
    chosen = [rows[i] for i in pick(len(rows), limit) if rows[i]["label"] in known]
    rgb = [read_rgb8(contents[row["file"]], row["file"]) for row in chosen]
    return Tiles(np.stack(rgb), np.array([known.index(row["label"]) for row in chosen], np.int64), known)
