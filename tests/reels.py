"""Small films for the tests of reading: luma that is known sample by sample, coded by the libraries in PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streams.luma import Plane


def textures(count: int, size: tuple[int, int] = (72, 96), seed: int = 1, top: int = 219) -> list[NDArray[Any]]:
    """`count` pictures (H, W) of one soft texture that drifts by two samples a picture, 16 to 16 + `top`."""
    rng = np.random.default_rng(seed)
    height, width = size
    coarse = rng.random((height // 8 + 2, (width + 2 * count) // 8 + 2))
    wide = np.kron(coarse, np.ones((8, 8)))
    for axis in (0, 1):
        wide = sum(np.roll(wide, shift, axis) for shift in range(-3, 4)) / 7
    dtype = np.uint8 if top < 256 else np.uint16
    return [(16 + top * wide[:height, 2 * i : 2 * i + width]).astype(dtype) for i in range(count)]


def frame_of(luma: Plane, pixels: str = "yuv420p", alpha: Plane | None = None) -> av.VideoFrame:
    """A planar or grey picture with the given luma (and alpha), chroma at its middle."""
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], pixels)
    for number, plane in enumerate(frame.planes):
        fill: Any = 1 << (frame.format.components[0].bits - 1)
        fill = luma if number == 0 else alpha if number == 3 else fill
        rows = np.frombuffer(plane, luma.dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
        rows[:, : plane.width] = fill
    return frame


def write_film(
    path: Path,
    pictures: Sequence[av.VideoFrame],
    codec: str = "ffv1",
    *,
    stamps: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    form: str | None = None,
) -> Path:
    """Code pictures into a film; `stamps` are milliseconds, 40 apart if not given."""
    clock = Fraction(1, 1000)
    with av.open(str(path), "w", format=form) as film:
        stream = film.add_stream(codec, rate=25, options=options or {})
        first = pictures[0]
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        if stamps is not None:
            stream.codec_context.time_base = clock
        for number, picture in enumerate(pictures):
            picture.time_base = clock if stamps is not None else Fraction(1, 25)
            picture.pts = stamps[number] if stamps is not None else number
            film.mux(stream.encode(picture))
        film.mux(stream.encode(None))
    return path


def y4m(lumas: Sequence[NDArray[Any]]) -> list[bytes]:
    """The parts of a 4:2:0 Y4M film: its head, then one part a picture."""
    height, width = lumas[0].shape
    grey = bytes([128]) * (2 * ((height + 1) // 2) * ((width + 1) // 2))
    head = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n".encode()
    return [head, *(b"FRAME\n" + luma.tobytes() + grey for luma in lumas)]
