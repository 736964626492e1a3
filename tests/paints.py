"""What tests of coloured keys share: frames of their films painted flat, and what colours come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from conftest import moving_picture
from numpy.typing import NDArray
from PIL import Image

from vidcolor.color import chroma_from_rgb, lab_from_rgb, rgb_at_luma
from vidcolor.frames import ColorFrame
from vidcolor.options import Options
from vidcolor.watch import Watcher

SIZE = (96, 128)
ORANGE = (1.0, 0.55, 0.2)
CLOSE = 3.0  # code values of chroma: what small network size, half-size chroma and rounding leave of a flat colour


class Ear(Watcher):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warned(self, text: str) -> None:
        self.said.append(text)


def paint(path: Path, index: int, scene: int, colour: tuple[float, float, float] = ORANGE, **box: slice) -> Path:
    """Write a frame of the film in one colour (`rows`, `columns`: only there)."""
    luma = moving_picture(index, SIZE, scene)
    shade = np.clip((luma.astype(np.float32) - 16) / 219, 0, 1)[..., None]
    tinted = shade * np.array(colour, np.float32)
    part = np.zeros(SIZE, bool)
    part[box.get("rows", slice(None)), box.get("columns", slice(None))] = True
    rgb = np.where(part[..., None], tinted, np.repeat(shade, 3, 2))
    path.parent.mkdir(exist_ok=True)
    Image.fromarray((rgb * 255 + 0.5).astype(np.uint8)).save(path)
    return path


def options(keys: Path | None = None, **more: object) -> Options:
    return Options(keys=None if keys is None else str(keys), side=128, **more)  # type: ignore[arg-type]


def chroma(frames: list[ColorFrame]) -> NDArray[np.float32]:
    """(T, 2, h, w), 128 taken off."""
    return np.stack([np.stack((frame.cb, frame.cr)) for frame in frames]).astype(np.float32) - 128


def wanted(index: int, scene: int, colour: tuple[float, float, float] = ORANGE) -> NDArray[np.float32]:
    """Cb and Cr that a frame has in a colour, at half size."""
    luma = torch.from_numpy(moving_picture(index, SIZE, scene).astype(np.float32))[None, None]
    luma = torch.nn.functional.avg_pool2d(((luma - 16) / 219).clamp(0, 1), 2)
    ab = lab_from_rgb(luma * torch.tensor(colour).view(1, 3, 1, 1))[:, 1:]
    rgb = rgb_at_luma(ab, luma, "bt601")
    return chroma_from_rgb(rgb, "bt601")[0].numpy() * 224
