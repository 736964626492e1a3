"""Colour pictures and clips as one flat file of bytes, so that training draws crops without decoding anything twice."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from streams.errors import InputError

PICTURES = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
CLIPS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"}
SIDE = 192
"""Shorter side that pictures and clips are reduced to: a network that sees 256 x 144 learns nothing from more."""
LONGEST = 144
"""Frames kept of one clip: a shot that is longer teaches little that is new."""
GREY = 2.0
"""Mean distance from grey, in 8-bit code values, under which something is taken for black and white and left out."""


@dataclass(frozen=True, slots=True)
class Store:
    """Clips in a flat file; a picture is a clip of one frame.

    Attributes:
        pixels: every frame's RGB bytes, one after the other (memory-mapped).
        offsets: (N,) where each clip begins in ``pixels``.
        shapes: (N, 3) frames, height, width of each.
    """

    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)

    def clip(self, index: int, first: int = 0, count: int | None = None) -> NDArray[np.uint8]:
        """Frames of one clip: (count, H, W, 3), a view."""
        frames, height, width = (int(v) for v in self.shapes[index])
        count = frames - first if count is None else count
        one = height * width * 3
        start = int(self.offsets[index]) + first * one
        return self.pixels[start : start + count * one].reshape(count, height, width, 3)


def open_store(sources: Iterable[Path], cache: Path, kind: set[str]) -> Store:
    """Gather everything of one kind in folders and tar files, decoding it only the first time.

    Args:
        sources: folders (searched whole), tar files, single files.
        cache: folder for the flat file, named after the sources' names, sizes and times.
        kind: PICTURES or CLIPS.

    Raises:
        InputError: nothing of the kind is there, or all of it is grey.
    """
    named = sorted(sources)
    files = [entry for source in named for entry in _listing(source, kind)]
    what = "picture" if kind is PICTURES else "clip"
    if not files:
        raise InputError(f"no {what} found in {', '.join(str(source) for source in named)}")
    digest = hashlib.sha256(repr([(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]).encode())
    base = cache / f"{what}s-{SIDE}-{digest.hexdigest()[:12]}"
    if not base.with_suffix(".json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        _write(base, _decode_all(files, kind))
    return _read(base, what)


def _listing(source: Path, kind: set[str]) -> list[Path]:
    if source.is_dir():
        return sorted(p for p in source.rglob("*") if p.suffix.lower() in kind | {".tar"} and p.is_file())
    if not source.exists():
        raise InputError(f"{source} does not exist")
    return [source]


def _decode_all(files: list[Path], kind: set[str]) -> Iterator[NDArray[np.uint8]]:
    for path in files:
        if path.suffix.lower() == ".tar":
            yield from _decode_tar(path, kind)
        elif kind is PICTURES:
            yield from _decode_picture(path.read_bytes())
        else:
            yield from _decode_clip(path)


def _decode_tar(path: Path, kind: set[str]) -> Iterator[NDArray[np.uint8]]:
    with tarfile.open(path) as tar:
        for member in tar:
            data = tar.extractfile(member) if Path(member.name).suffix.lower() in kind else None
            if data and kind is PICTURES:
                yield from _decode_picture(data.read())


def _decode_picture(data: bytes) -> Iterator[NDArray[np.uint8]]:
    """One picture as a clip of one frame; nothing if it cannot be read (folders of pictures hold other things too)."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            rgb = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return
    scale = SIDE / min(rgb.size)
    if scale < 1:
        size = (round(rgb.width * scale), round(rgb.height * scale))
        rgb = rgb.resize(size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS)
    yield np.asarray(rgb)[None]


def _decode_clip(path: Path) -> Iterator[NDArray[np.uint8]]:
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                scale = min(1.0, SIDE / min(frame.width, frame.height))
                size = round(frame.width * scale), round(frame.height * scale)
                frames.append(frame.to_ndarray(width=size[0], height=size[1], format="rgb24", interpolation="AREA"))
                if len(frames) == LONGEST:
                    break
    except (av.FFmpegError, IndexError):
        return
    if frames:
        yield np.stack(frames)


def _is_colour(clip: NDArray[np.uint8]) -> bool:
    first = clip[0].astype(np.int16)
    return float(np.abs(first - first.mean(-1, keepdims=True)).mean()) >= GREY


def _write(base: Path, clips: Iterable[NDArray[np.uint8]]) -> None:
    """The flat file first, its index last: an index is only there when the bytes are whole."""
    shapes, grey = [], 0
    with base.with_suffix(".bytes").open("wb") as out:
        for clip in clips:
            if not _is_colour(clip):
                grey += 1
                continue
            out.write(np.ascontiguousarray(clip).data)
            shapes.append(clip.shape[:3])
    base.with_suffix(".json").write_text(json.dumps({"shapes": shapes, "grey": grey}))


def _read(base: Path, what: str) -> Store:
    index = json.loads(base.with_suffix(".json").read_text())
    if not index["shapes"]:
        base.with_suffix(".json").unlink()
        raise InputError(f"no {what} in colour: {index['grey']} were black and white, the others could not be read")
    shapes = np.array(index["shapes"], np.int64)
    sizes = shapes.prod(1) * 3
    offsets = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return Store(np.memmap(base.with_suffix(".bytes"), np.uint8, "r"), offsets, shapes)
