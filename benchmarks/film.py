"""Makes the film that is measured: a real old one, enlarged, with grain laid over it, as a scan of a reel would be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "2160p": (3840, 2160)}
RATE = 24
GRAIN = 5.0
"""Standard deviation of the grain in code values: the dear case for an encoder."""
_SPARE = 64

Luma = NDArray[np.uint8]


def make(sample: Path, target: Path, size: tuple[int, int], frames: int) -> None:
    """Write a grey film of so many frames; the same input gives the same pictures.

    Args:
        sample: an old film; it is played forwards and backwards until there are enough frames.
        target: an .mkv or .mp4.
        size: width and height.
        frames: how many.
    """
    width, height = size
    with av.open(str(target), "w") as film:
        stream = film.add_stream("libx264", rate=RATE, options={"crf": "14", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for luma in with_grain(islice(there_and_back(enlarged(sample, size)), frames), size):
            film.mux(stream.encode(_frame(luma)))
        film.mux(stream.encode(None))


def there_and_back(pictures: Iterator[Luma]) -> Iterator[Luma]:
    """First to last, last to first, and so on without end: no cut that the film did not have."""
    known = list(pictures)
    return chain.from_iterable(cycle((known, known[::-1])))


def enlarged(sample: Path, size: tuple[int, int]) -> Iterator[Luma]:
    """Luma of each frame, its middle cut to the shape of ``size`` and enlarged to it."""
    width, height = size
    with av.open(str(sample)) as film:
        for frame in film.decode(film.streams.video[0]):
            ratio = max(width / frame.width, height / frame.height)
            whole = (round(frame.width * ratio), round(frame.height * ratio))
            luma = _luma(frame.reformat(*whole, format="yuv420p", interpolation="BICUBIC"))
            top, left = (luma.shape[0] - height) // 2, (luma.shape[1] - width) // 2
            yield luma[top : top + height, left : left + width].copy()


def _luma(frame: av.VideoFrame) -> Luma:
    plane = frame.planes[0]
    lines: Luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width]


def with_grain(pictures: Iterator[Luma], size: tuple[int, int], seed: int = 1) -> Iterator[Luma]:
    """Lay grain over each picture: another part of one soft random field each time, turned over now and then."""
    random = np.random.default_rng(seed)
    width, height = size
    field = _soft(random.standard_normal((height + _SPARE, width + _SPARE)).astype(np.float32))
    for luma in pictures:
        top, left = random.integers(0, _SPARE, 2)
        sign = random.choice((-1, 1))
        grain = sign * field[top : top + height, left : left + width]
        yield np.clip(luma + grain + 0.5, 16, 235).astype(np.uint8)


def _soft(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Noise correlated over about two pixels, of standard deviation GRAIN."""
    for axis in (0, 1):
        noise = noise + ((np.roll(noise, 1, axis) + np.roll(noise, -1, axis)) / 2).astype(np.float32)
    return np.multiply(noise, GRAIN / float(noise.std()), dtype=np.float32)


def _frame(luma: Luma) -> av.VideoFrame:
    height, width = luma.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, (luma, None, None), strict=True):
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        lines[:, : plane.width] = 128 if values is None else values
    return frame
