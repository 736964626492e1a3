"""Contact sheets: pictures beside each other, as they came out, for eyes to judge what figures cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vidcolor.evaluate.lab import Floats, chroma, lab_from_rgb
from vidcolor.evaluate.samples import Sample

GAP, HEADING = 4, 14
WIDTH = 1600
QUALITY = 90
"""Of sheets that are written as JPEG: what lives in a repository should not be large."""


@dataclass(slots=True)
class Sheet:
    """Gathers what is shown of each sample.

    Attributes:
        rows: which colourings, from left to right.
        frames: how many frames of a clip, spread evenly.
        strips: (how far the network's colours are from the truth, name, pictures beside each other).
    """

    rows: Sequence[str]
    frames: int = 1
    strips: list[tuple[float, str, list[Floats]]] = field(default_factory=list)

    def show(self, sample: Sample, colourings: Mapping[str, Floats]) -> None:
        """Take in a sample."""
        shown = [colourings[row] for row in self.rows if row in colourings]
        if not shown:
            return
        for index in [(2 * i + 1) * len(shown[0]) // (2 * self.frames) for i in range(self.frames)]:
            pictures = [rgb[index] for rgb in shown]
            ab = [lab_from_rgb(rgb)[..., 1:] for rgb in (shown[1 % len(shown)][index], sample.truth[index])]
            self.strips.append((float(chroma(ab[0] - ab[1]).mean()), sample.name, pictures))

    def write(self, path: Path, most: int, worst: int = 0) -> Path | None:
        """Draw up to ``most`` strips spread over all of them, the ``worst`` ones first; None if there are none.

        The format is the path's: PNG, JPEG and what else Pillow writes.
        """
        if not self.strips:
            return None
        ranked = sorted(self.strips, key=lambda strip: -strip[0])[:worst]
        rest = [strip for strip in self.strips if not any(strip is one for one in ranked)]
        room = max(0, min(most - len(ranked), len(rest)))
        chosen = ranked + [rest[i * len(rest) // room] for i in range(room)]
        _draw([(name, pictures) for _, name, pictures in chosen], " | ".join(self.rows)).save(path, quality=QUALITY)
        return path


def _draw(strips: Sequence[tuple[str, Sequence[Floats]]], heading: str) -> Image.Image:
    """Strips from left to right, line after line."""
    tiles = [_strip(name, pictures) for name, pictures in strips]
    lines: list[list[Image.Image]] = [[]]
    for tile in tiles:
        if lines[-1] and sum(one.width + GAP for one in lines[-1]) + tile.width > WIDTH:
            lines.append([])
        lines[-1].append(tile)
    width = max(sum(tile.width + GAP for tile in line) for line in lines)
    height = HEADING + sum(max(tile.height for tile in line) + GAP for line in lines)
    whole = Image.new("RGB", (max(width, 7 * len(heading)), height), "white")
    ImageDraw.Draw(whole).text((2, 1), heading, fill="black")
    top = HEADING
    for line in lines:
        left = 0
        for tile in line:
            whole.paste(tile, (left, top))
            left += tile.width + GAP
        top += max(tile.height for tile in line) + GAP
    return whole


def _strip(name: str, pictures: Sequence[Floats]) -> Image.Image:
    height, width = pictures[0].shape[:2]
    tile = Image.new("RGB", (len(pictures) * (width + 1), height + HEADING), "white")
    for place, rgb in enumerate(pictures):
        eight = np.floor(np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
        tile.paste(Image.fromarray(eight), (place * (width + 1), HEADING))
    ImageDraw.Draw(tile).text((2, 1), name, fill="black")
    return tile
