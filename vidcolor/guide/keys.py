"""Coloured pictures of a film's frames: which lie in a folder, how they are named, and what is taken of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError, printable
from streams.formats import PictureFormat
from streams.still import read_rgba

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"})
MOST = 20_000
"""Keys of one film: one for each shot of the longest that are known, many times over."""
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_SAME_SHAPE = 0.015
_NEARLY_GREY = 2  # code values that coding with loss may put between the channels of a grey


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A coloured picture and the number of its frame: 0 for the first, in order of display."""

    number: int
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """A coloured picture as it was read.

    Attributes:
        rgb: (H, W, 3) float32, gamma-encoded, 0..1.
        alpha: (H, W) float32, 0..1: 0 where it is clear.
        mask: (H, W) float32, 0..1: 1 where it is coloured; 0 where it is clear, or exactly grey.
    """

    rgb: NDArray[np.float32]
    alpha: NDArray[np.float32]
    mask: NDArray[np.float32]

    @property
    def visible(self) -> bool:
        """Whether there is any colour in it."""
        return bool(self.mask.any())


def listed(folder: Path) -> list[KeyFile]:
    """The keys of a folder, in the order of their frames; what is no picture is left alone.

    Raises:
        InputError: there is no such folder, no key in it, or a picture whose name is no number of a frame, or the same.
    """
    try:
        pictures = [path for path in sorted(folder.iterdir()) if _is_picture(path)]
    except OSError as error:
        raise InputError(f"the keys {printable(folder)} cannot be read: {error.strerror or error}") from error
    if not pictures:
        raise InputError(f"there is no picture in {printable(folder)}: vidcolor keyframes writes some to be coloured")
    if len(pictures) > MOST:
        raise InputError(f"{printable(folder)} holds {len(pictures)} pictures: more than {MOST} are not taken")
    found: dict[int, KeyFile] = {}
    for path in pictures:
        key = KeyFile(_number(path), path)
        if (other := found.setdefault(key.number, key)) is not key:
            raise InputError(f"{printable(other.path)} and {printable(path)} are for the same frame")
    return sorted(found.values(), key=lambda key: key.number)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _number(path: Path) -> int:
    if not _NUMBER.fullmatch(path.stem):
        raise InputError(f"{printable(path)} is not named by the number of its frame, as 00000042.png is")
    return int(path.stem)


def read_colours(path: Path) -> Colours:
    """What a picture says of colour.

    Raises:
        InputError: it cannot be read.
    """
    samples, is_exact = read_rgba(path)
    rgb = samples[:, :, :3]
    apart = rgb.max(2).astype(np.int16) - rgb.min(2)
    alpha = samples[:, :, 3].astype(np.float32) / np.float32(255)
    is_coloured = apart > (0 if is_exact else _NEARLY_GREY)
    return Colours(rgb.astype(np.float32) / np.float32(255), alpha, alpha * is_coloured.astype(np.float32))


def check_shape(colours: Colours, form: PictureFormat, wide: float, path: Path) -> None:
    """Raise InputError unless a picture has a film's shape, as it is stored or as it is shown (`wide`: of a pixel)."""
    height, width = colours.mask.shape
    stored = form.width / form.height
    near = _SAME_SHAPE + 1 / min(height, width)
    if all(abs(width / height / shape - 1) > near for shape in (stored, stored * wide)):
        raise InputError(
            f"{printable(path)} is {width}x{height}, which is not the shape of the film, {form.width}x{form.height}"
        )
