"""Where the pixels of one small grey picture lie in another: optical flow, maps, and how well they fit; knows no film.

A map (H, W, 2) holds, for every pixel of one picture, x and y of its place in another, in pixels. The only room of the
product that needs OpenCV. Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.errors import UsageError

Grey = NDArray[np.uint8]
Planes = NDArray[np.float32]

NO_OPENCV = "colours are carried along motion with OpenCV, which is not here: pip install opencv-python-headless"
_LOOK = (5, 5)  # pixels around a place that are compared
_LESS = 0.95  # a place that is sought anew is taken where it fits better than the one carried by this much
_SMALLEST = 12  # pixels: DIS finds nothing in less
_OUTSIDE = 0.3  # what a pixel beyond the edge counts, in grey levels


@cache
def _cv2() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        import cv2
    except ImportError as error:
        raise UsageError(NO_OPENCV) from error
    # DIS shares its picture among threads and lets neighbours learn from each other inside a share only: with other
    # numbers of threads it finds other flow, and a film would have other colours on another machine.
    cv2.setNumThreads(1)
    return cv2


def check_motion() -> None:
    """Raise UsageError where OpenCV is not installed."""
    _cv2()


@cache
def _places(height: int, width: int) -> Planes:
    down, right = np.mgrid[:height, :width]
    return np.stack((right, down), -1).astype(np.float32)


def places(size: tuple[int, ...]) -> Planes:
    """The map of a picture of (height, width) onto itself."""
    return _places(size[0], size[1])


def fetched(planes: Planes | Grey, where: Planes) -> Planes:
    """Samples (H, W) or (H, W, C) at the places of a map, bilinear; outside lies what is at the edge."""
    cv2 = _cv2()
    found: Planes = cv2.remap(planes, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found


def resized(planes: Planes, size: tuple[int, int]) -> Planes:
    """Planes (H, W) or (H, W, C) at another (height, width): area mean where they shrink, bilinear where they grow."""
    cv2 = _cv2()
    way = cv2.INTER_AREA if size[0] < planes.shape[0] else cv2.INTER_LINEAR
    scaled: Planes = cv2.resize(planes, (size[1], size[0]), interpolation=way)
    return scaled


def split(planes: Planes) -> tuple[Planes, ...]:
    """Planes (H, W, C) one by one."""
    parts: tuple[Planes, ...] = _cv2().split(planes)
    return parts


def without_grain(grey: Grey) -> Planes:
    """A picture (H, W) without its grain, edges where they were: median, then bilateral."""
    cv2 = _cv2()
    smooth: Planes = cv2.bilateralFilter(cv2.medianBlur(grey, 3), 7, 18, 3).astype(np.float32)
    return smooth


class _Search(NamedTuple):
    """How DIS looks for motion: the finest size (0 = whole, 1 = half), and the patches it follows there."""

    finest: int
    patch: int
    iterations: int


# Finer than the preset, so that a person far away has a motion of his own; refining it costs more than it gives.
_AT_HALF = _Search(1, 6, 12)
_WHOLE = _Search(0, 8, 8)


def _flow(one: Grey, other: Grey, first_guess: Planes | None = None, search: _Search = _AT_HALF) -> Planes:
    cv2 = _cv2()
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    finder.setFinestScale(search.finest)
    finder.setPatchSize(search.patch)
    finder.setPatchStride(6)
    finder.setGradientDescentIterations(search.iterations)
    finder.setVariationalRefinementIterations(0)
    found: Planes = finder.calc(one, other, first_guess)
    return found


def way(now: Grey, before: Grey) -> Planes:
    """The map of a picture into the one before it; a map of that one into a third, fetched by it, is one of `now`."""
    found: Planes = _cv2().add(places(now.shape), _flow(now, before))
    return found


def shrunk_map(where: Planes, size: tuple[int, int]) -> Planes:
    """A map between two pictures as one between the same pictures at a smaller (height, width)."""
    if where.shape[:2] == size:
        return where
    scale = np.array((size[1] / where.shape[1], size[0] / where.shape[0]), np.float32)
    found: Planes = (resized(where, size) + np.float32(0.5)) * scale - np.float32(0.5)
    return found


def levels(light: Planes) -> Grey:
    """Grey levels (H, W) in whole numbers."""
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def traced(now: Grey, before: Grey) -> Planes:
    """The map of a picture into the one before it, when both are so small that every pixel counts."""
    if min(now.shape) < _SMALLEST:
        return places(now.shape)
    found: Planes = _cv2().add(places(now.shape), _flow(now, before, search=_WHOLE))
    return found


def misfit(where: Planes, there: Planes, now: Planes) -> Planes:
    """How badly pixels fit the places that a map gives them: mean difference of 5x5 pixels, in grey levels (H, W)."""
    cv2 = _cv2()
    cost = cv2.scaleAdd(_beyond(where, there.shape), _OUTSIDE, cv2.absdiff(fetched(there, where), now))
    smooth: Planes = cv2.blur(cost, _LOOK)
    return smooth


def _beyond(where: Planes, size: tuple[int, ...]) -> Planes:
    """How far places lie beyond the edge of a picture (H, W)."""
    right, down = (np.abs(where[..., axis] - (size[1 - axis] - 1) / 2) - (size[1 - axis] - 1) / 2 for axis in (0, 1))
    beyond: Planes = np.maximum(np.maximum(right, down), 0)
    return beyond


def settled(where: Planes, there: Grey, now: Grey) -> tuple[Planes, Planes]:
    """Seek every place anew around the one it was carried to, and keep what fits better: no error adds up on the way.

    Args:
        where: (H, W, 2) map of `now` into `there`, as it was carried.
        there: (H, W) the key's grey.
        now: (H, W) this picture's.

    Returns:
        The map, and its misfit (H, W).
    """
    known, seen = there.astype(np.float32), now.astype(np.float32)
    old = misfit(where, known, seen)
    sought = places(now.shape) + _flow(now, there, where - places(now.shape))
    new = misfit(sought, known, seen)
    better = (new < _LESS * old).view(np.uint8)
    cv2 = _cv2()
    return cv2.copyTo(sought, better, where.copy()), cv2.copyTo(new, better, old)
