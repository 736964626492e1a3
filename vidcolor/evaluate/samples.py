"""Reads colour pictures and clips as samples: the grey that a network may see, and the truth beside it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from streams.errors import InputError, printable
from vidcolor.evaluate.lab import (
    Bytes,
    Floats,
    grey_from_rgb8,
    linear_from_srgb,
    rgb_from_luma_chroma,
    srgb_from_linear,
)
from vidcolor.evaluate.size import evaluation_size, resize, resize_colour
from vidcolor.stock import Shares

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.plane import VideoPlane

PICTURES = frozenset({".avif", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})
FILMS = frozenset({".avi", ".mkv", ".mov", ".mp4", ".webm"})
_MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
_FULL_RANGE = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """A film of T frames with its truth; a still picture is a film of one.

    Attributes:
        name: of the file.
        luma: (T, H, W) Y' in 0..1 at the size it was found: all that a network may see.
        grey: (T, h, w) the same at evaluation size.
        truth: (T, h, w, 3) RGB in 0..1 at evaluation size.
        matrix: whose luma it is.
        cuts: first frames of shots but the first.
        fine: the same at long side 512, for figures of edges; None where nobody asked for it.
    """

    name: str
    luma: Floats
    grey: Floats
    truth: Floats
    matrix: str
    cuts: tuple[int, ...] = ()
    fine: Sample | None = None


def pick(count: int, limit: int | None) -> list[int]:
    """Which of ``count`` things to take when ``limit`` are wanted: spread evenly, always the same."""
    if limit is None or limit >= count:
        return list(range(count))
    return [i * count // limit for i in range(limit)]


def read_pictures(
    source: Path, limit: int | None, fine: int | None = None, stock: Shares | None = None
) -> Iterator[Sample]:
    """Pictures of a folder or a tar archive, in the order of their names.

    Args:
        source: the folder, or the archive.
        limit: how many, spread evenly; None for all.
        fine: long side of `Sample.fine`, if it is wanted.
        stock: film them as this stock saw them (`picture_sample`).

    Raises:
        InputError: there are none, or one cannot be read.
    """
    opened = _pictures_of_tar(source) if source.is_file() else _files(source, PICTURES)
    names = sorted(opened)
    for i in pick(len(names), limit):
        rgb = read_rgb8(opened[names[i]], names[i])
        sample = picture_sample(names[i], rgb, stock=stock)
        yield replace(sample, fine=picture_sample(names[i], rgb, fine, stock)) if fine else sample


def _files(folder: Path, endings: frozenset[str]) -> dict[str, Path]:
    found = {path.name: path for path in folder.glob("*") if path.suffix.lower() in endings}
    if not found:
        raise InputError(f"nothing to measure in {printable(folder)}")
    return found


def _pictures_of_tar(archive: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar if Path(member.name).suffix.lower() in PICTURES]
            return {member.name: _content(tar, member) for member in members}
    except tarfile.TarError as error:
        raise InputError(f"{printable(archive)} is neither a folder nor a tar archive") from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def read_rgb8(content: Path | bytes, name: str) -> Bytes:
    """Pixels (H, W, 3) of a picture.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{printable(name)} cannot be read as a picture") from error


def picture_sample(name: str, rgb: Bytes, side: int = 256, stock: Shares | None = None) -> Sample:
    """A picture as a film of one frame.

    Args:
        name: of the file.
        rgb: (H, W, 3).
        side: long side at which it is compared.
        stock: shares of red, green and blue, in linear light, of what its grey is made; None for BT.709 luma.
    """
    size = evaluation_size(rgb.shape[0], rgb.shape[1], side)
    luma = (grey_from_rgb8(rgb) if stock is None else _exposed(rgb, stock))[None].astype(np.float32) / 255
    truth = resize_colour(rgb[None].astype(np.float32) / 255, size)
    return Sample(name, luma, resize(luma, size), np.clip(truth, 0, 1), "bt709")


def _exposed(rgb: Bytes, stock: Shares) -> Floats:
    """(H, W) code values of a picture as a film stock saw it."""
    linear = linear_from_srgb(rgb.astype(np.float32) / 255) @ np.array(stock, np.float32)
    return np.floor(srgb_from_linear(np.clip(linear, 0, 1)) * 255 + 0.5)


def read_clips(
    folder: Path, limit: int | None, frames: int | None = None, *, with_cuts: bool | None = None
) -> Iterator[Sample]:
    """Clips of a folder, in the order of their names; their cuts from ``index.json`` in it or above it.

    Args:
        folder: holds the clips.
        limit: how many clips, spread evenly.
        frames: how many frames of each, from its first.
        with_cuts: only clips of several shots (True), only of one (False), or both.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    clips = _files(folder, FILMS)
    cuts = read_cuts(folder)
    names = sorted(name for name in clips if with_cuts in (None, bool(cuts.get(name))))
    for i in pick(len(names), limit):
        yield clip_sample(clips[names[i]], cuts.get(names[i], ()), frames)


def read_cuts(folder: Path) -> dict[str, tuple[int, ...]]:
    """Cut frames by file name, from the index beside or above the clips; none without an index."""
    index = next((path for path in (folder / "index.json", folder.parent / "index.json") if path.is_file()), None)
    if index is None:
        return {}
    lists = [part for part in json.loads(index.read_text()).values() if isinstance(part, list)]
    return {Path(row["file"]).name: tuple(row.get("cut_frames") or ()) for part in lists for row in part}


def clip_sample(path: Path, cuts: tuple[int, ...] = (), frames: int | None = None, side: int = 256) -> Sample:
    """A clip with its truth at evaluation size.

    Raises:
        InputError: it cannot be read.
    """
    import av  # here: who measures pictures alone needs none

    from streams.guard import open_again

    try:
        with open_again(path) as container:
            decoded = _decode(container, frames)
    except (av.FFmpegError, IndexError) as error:
        raise InputError(f"{printable(path)} cannot be read as a film") from error
    if not decoded:
        raise InputError(f"{printable(path)} holds no pictures")
    matrix = _matrix(decoded[0])
    planes = [planes_of(frame) for frame in decoded]
    luma = np.stack([plane[0] for plane in planes])
    size = evaluation_size(luma.shape[1], luma.shape[2], side)
    grey = resize(luma, size)
    colour = [np.stack([_chroma_at(plane[k], luma.shape[1:], size) for plane in planes]) for k in (1, 2)]
    truth = rgb_from_luma_chroma(np.stack((grey, *colour), -1), matrix)
    inside = tuple(cut for cut in cuts if cut < len(luma))
    return Sample(path.name, luma, grey, truth, matrix, inside)


def _decode(container: InputContainer, frames: int | None) -> list[VideoFrame]:
    decoded: list[VideoFrame] = []
    for frame in container.decode(container.streams.video[0]):
        if len(decoded) == frames:
            break
        # another layout of chroma costs nothing here; depth and range stay
        decoded.append(
            frame if frame.format.name in ("yuv420p", "yuvj420p") else frame.reformat(format="yuv420p", threads=1)
        )
    return decoded


def _matrix(frame: VideoFrame) -> str:
    """The matrix that the film states, else the one its height suggests."""
    return _MATRICES.get(int(frame.colorspace), "bt709" if frame.height >= 720 else "bt601")


def planes_of(frame: VideoFrame) -> tuple[Floats, Floats, Floats]:
    """Y' (0..1), Cb and Cr (-0.5..0.5) of an 8-bit planar frame, float32, each at its own size."""
    full = int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj")
    zero, span, chroma_span = (0, 255, 255) if full else (16, 219, 224)
    y, cb, cr = (_samples(plane).astype(np.float32) for plane in frame.planes[:3])
    return np.clip((y - zero) / span, 0, 1), (cb - 128) / chroma_span, (cr - 128) / chroma_span


def _samples(plane: VideoPlane) -> Bytes:
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width]


def _chroma_at(plane: Floats, full: tuple[int, ...], size: tuple[int, int]) -> Floats:
    """A chroma plane at evaluation size, by way of the luma's size."""
    height, width = full
    return resize(resize(plane, (height, width)), size)
