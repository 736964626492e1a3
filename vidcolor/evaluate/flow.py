"""Where things move, from the grey alone: OpenCV's DIS flow, and which pixels of it can be trusted.

Sources: Kroeger et al., ECCV 2016 (DIS); Sundaram et al., ECCV 2010 (occlusions).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streams.errors import UsageError
from vidcolor.evaluate.lab import Bytes, Mask
from vidcolor.evaluate.motion import Flow, Track, fetch, track


def dis_flow() -> Callable[[Bytes, Bytes], Flow]:
    """A function from two 8-bit grey pictures (H, W) to the flow (H, W, 2) from the first to the second.

    Raises:
        UsageError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise UsageError("measuring film needs OpenCV: pip install opencv-python-headless") from error
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def flow(one: Bytes, other: Bytes) -> Flow:
        # DIS refuses views with gaps, and takes a flow it is handed for a first guess: none is wanted
        return np.asarray(finder.calc(np.ascontiguousarray(one), np.ascontiguousarray(other), None), np.float32)  # type: ignore[call-overload]

    return flow


def trusted(forward: Flow, backward: Flow, one: Bytes, other: Bytes) -> Mask:
    """Pixels of the first picture whose place in the second is sure.

    Args:
        forward: (H, W, 2) flow from the first to the second.
        backward: (H, W, 2) flow back.
        one: (H, W) first picture, 8 bits.
        other: (H, W) second picture.

    Returns:
        (H, W) true where the place lies inside, the way back leads home, and the grey is the same within 10.
    """
    height, width = one.shape
    down, right = np.mgrid[:height, :width]
    x, y = right + forward[..., 0], down + forward[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    back = fetch(np.dstack((backward, other)).astype(np.float32), track(forward, np.ones_like(inside)))
    back = back.reshape(height, width, 3)
    home = ((forward + back[..., :2]) ** 2).sum(-1)
    allowed = 0.01 * ((forward**2).sum(-1) + (back[..., :2] ** 2).sum(-1)) + 0.5
    sure: Mask = inside & (home <= allowed) & (np.abs(one - back[..., 2]) <= 10)
    return sure


def follow(one: Bytes, other: Bytes, flow: Callable[[Bytes, Bytes], Flow]) -> Track:
    """Track of the trusted pixels from one 8-bit grey picture (H, W) to another."""
    forward, backward = flow(one, other), flow(other, one)
    return track(forward, trusted(forward, backward, one, other))
