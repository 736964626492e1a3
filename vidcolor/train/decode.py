"""Colour pictures and films of any kind as arrays of RGB, small, shot by shot; what cannot be read is passed over."""

from __future__ import annotations

import io
import json
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from streams.errors import FilmError

if TYPE_CHECKING:
    from streams.source import Frame, VideoSource

Clip = NDArray[np.uint8]
"""(T, H, W, 3); a picture is a clip of one frame."""

PICTURES = frozenset(
    {
        ".apng",
        ".avif",
        ".bmp",
        ".gif",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".png",
        ".ppm",
        ".qoi",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    }
)
CLIPS = frozenset(
    {
        ".3gp",
        ".asf",
        ".avi",
        ".flv",
        ".gif",
        ".m2ts",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".nut",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    }
)
SIDE = 192
"""Shorter side that pictures and clips are reduced to: a network that sees 256 x 144 learns nothing from more."""
LONGEST = 144
"""Frames kept of one shot: a shot that is longer teaches little that is new."""
SHORTEST = 4
"""Frames; a shot of fewer is a flash between two cuts."""
EXCERPTS = 48
"""Parts of a long film that are looked at, spread evenly over it."""


@dataclass(frozen=True, slots=True)
class Found:
    """Clips that came out of one file, and what they show, where that is known."""

    clips: list[Clip]
    label: str | None = None


Job = Callable[[], Found]


def decoded(files: Iterable[Path], kind: frozenset[str], threads: int) -> Iterator[Found]:
    """Decode everything of one kind, several files at a time, in order."""
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for job in _jobs(files, kind):
            waiting.append(pool.submit(job))
            if len(waiting) >= 2 * threads:  # no more than that in memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _jobs(files: Iterable[Path], kind: frozenset[str]) -> Iterator[Job]:
    for path in files:
        if path.suffix.lower() == ".tar":
            yield from _tar_jobs(path, kind)
        elif kind is PICTURES:
            yield partial(_picture_file, path)
        else:
            yield from (partial(_shots, path, start) for start in excerpts(path))


def _picture_file(path: Path) -> Found:
    return _picture(path.read_bytes(), None)


def _tar_jobs(path: Path, kind: frozenset[str]) -> Iterator[Job]:
    """Pictures of a tar file; films must lie as files of their own."""
    labels: dict[str, str] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            held = tar.extractfile(member) if member.isfile() else None
            if held and Path(member.name).name == "index.jsonl":
                labels |= _labels(held.read())
            elif held and kind is PICTURES and Path(member.name).suffix.lower() in kind:
                yield partial(_picture, held.read(), labels.get(member.name))


def _labels(index: bytes) -> dict[str, str]:
    """What an index of one JSON object a line says that its files show."""
    try:
        rows = [json.loads(line) for line in index.splitlines() if line.strip()]
        return {str(row["file"]): str(row["label"]) for row in rows if row.get("label")}
    except (ValueError, KeyError, AttributeError):
        return {}


def _picture(data: bytes, label: str | None) -> Found:
    """Nothing if it cannot be read: folders of pictures hold other things too."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            rgb = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Found([])
    scale = SIDE / min(rgb.size)
    if scale < 1:
        size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS)
    return Found([np.asarray(rgb)[None]], label)


def excerpts(path: Path) -> list[Fraction | None]:
    """Where to begin in a film: at its beginning alone (None), or at many places of a long one, in seconds."""
    try:
        with _opened(path, None) as film:
            length = film.info.duration_from_header
            frames = film.info.frames_from_header or float((length or 0) * (film.info.average_rate or 25))
    except FilmError:
        return []
    if not length or frames <= 2 * LONGEST:
        return [None]
    count = min(EXCERPTS, int(frames // LONGEST))
    return [Fraction(length) * index / count for index in range(count)]


def _opened(path: Path, start: Fraction | None) -> VideoSource:
    from streams.source import VideoSource  # PyAV: who trains on pictures alone needs none

    return VideoSource(path, start=start)


def _shots(path: Path, start: Fraction | None) -> Found:
    """The shots of a film from a place on, as many frames as are kept of one shot."""
    from streams.shots import CutFinder

    finder, shots = CutFinder(), list[list[Clip]]([[]])
    try:
        with _opened(path, start) as film:
            for _, frame in zip(range(LONGEST), film, strict=False):
                rgb = _small_rgb(frame, film.info.format.matrix)
                if rgb is None:
                    return Found([])
                if finder.is_cut(_luma(rgb)):
                    shots.append([])
                shots[-1].append(rgb)
    except FilmError:
        pass  # what was decoded before the damage is as good as any
    return Found([np.stack(shot) for shot in shots if len(shot) >= SHORTEST])


def _small_rgb(frame: Frame, matrix: str) -> Clip | None:
    """(H, W, 3) of a frame; None for still pictures, which are no film."""
    from av.video.reformatter import Colorspace

    if frame.origin is None:
        return None
    spaces = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}
    height, width = frame.luma.shape
    scale = min(1.0, SIDE / min(height, width))
    size = {"width": max(1, round(width * scale)), "height": max(1, round(height * scale))}
    small = frame.origin.reformat(
        **size, format="rgb24", src_colorspace=spaces[matrix], interpolation="AREA", threads=1
    )
    return np.asarray(small.to_ndarray(), np.uint8)


def _luma(rgb: Clip) -> Clip:
    return (rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32) + 0.5).astype(np.uint8)
