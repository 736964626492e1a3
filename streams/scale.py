"""Single planes made smaller or larger by swscale, which PyAV brings: no float copies, no further package.

Planes go in and come out as grey of the same depth, so that no range is ever stretched. (From limited-range YUV to
`gray`, libswscale stretches it by several code values.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from streams.luma import Plane


class Scaler:
    """One swscale context, kept from call to call; not to be shared between threads."""

    def __init__(self) -> None:
        self._shrinker = VideoReformatter()
        self._enlarger = VideoReformatter()

    def small(self, plane: Plane, size: tuple[int, int]) -> Plane:
        """Average a plane (H, W) uint8 or uint16 down to `size` = (h, w), each sample with its share of area."""
        return _scaled(self._shrinker, plane, size, Interpolation.AREA)

    def enlarge(self, plane: Plane, size: tuple[int, int]) -> Plane:
        """Enlarge a plane (h, w) uint8 or uint16 to `size` = (H, W) by bicubic interpolation."""
        return _scaled(self._enlarger, plane, size, Interpolation.BICUBIC)


def _scaled(reformatter: VideoReformatter, plane: Plane, size: tuple[int, int], way: Interpolation) -> Plane:
    if plane.shape == size:
        return plane
    source = VideoFrame.from_numpy_buffer(_readable(plane), _grey_name(plane))
    # One thread: frames already run in parallel stages, and swscale's own threads cost more than these sizes.
    result = reformatter.reformat(source, size[1], size[0], interpolation=way, threads=1)
    return _view(result, plane.dtype)


def _grey_name(plane: Plane) -> str:
    return "gray" if plane.dtype == np.uint8 else "gray16le"


def _readable(plane: Plane) -> Plane:
    """Return the plane itself, or a copy where its rows are not contiguous or run upwards."""
    is_plain = plane.strides[1] == plane.itemsize and plane.strides[0] >= plane.shape[1] * plane.itemsize
    return plane if is_plain else np.ascontiguousarray(plane)


def _view(frame: VideoFrame, dtype: np.dtype[Any]) -> Plane:
    plane = frame.planes[0]
    rows: NDArray[Any] = np.frombuffer(plane, dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
    return rows[:, : frame.width]
