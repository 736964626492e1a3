"""Luma and chroma of a still picture to RGB: colours outside the cube lose saturation, never light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.formats import PictureFormat, luma_weights
from streams.luma import Plane
from streams.scale import Scaler
from streams.stills.picture import Page

# Floats are made for so many pixels at a time: a plate of a hundred million pixels must not become gigabytes of them.
_PIXELS_AT_ONCE = 1 << 20


def paint(page: Page, chroma: tuple[Plane, Plane]) -> NDArray[Any]:
    """Assemble RGB, or RGBA with the page's alpha, (H, W, 3 or 4), at the page's depth.

    `chroma` is Cb and Cr in full-range code values of that depth, of any size: smaller planes are enlarged. Luma
    (ITU-R BT.601, of the rounded result) stays within a fifth of a code value of the page's exact luma, where the cube
    has room.
    """
    height, width = page.luma.shape
    scaler = Scaler()
    cb, cr = (scaler.enlarge(plane, (height, width)) for plane in chroma)
    has_alpha = page.alpha is not None
    result: NDArray[Any] = np.empty((height, width, 3 + has_alpha), page.luma.dtype)
    rows = max(1, _PIXELS_AT_ONCE // width)
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        light = page.luma[part] if page.light is None else page.light[part]
        result[part, :, :3] = _in_cube(light.astype(np.float32), cb[part], cr[part], page.format)
    if page.alpha is not None:
        result[:, :, 3] = page.alpha
    return result


def _in_cube(light: NDArray[np.float32], cb: Plane, cr: Plane, fmt: PictureFormat) -> NDArray[Any]:
    """Go from luma towards the colour as far as the cube reaches, and round."""
    red, green, blue = luma_weights(fmt.matrix)
    mid, peak = np.float32(fmt.chroma_mid), np.float32(fmt.luma_peak)
    to_red = (cr.astype(np.float32) - mid) * np.float32(2 - 2 * red)
    to_blue = (cb.astype(np.float32) - mid) * np.float32(2 - 2 * blue)
    to_green = (to_red * np.float32(red) + to_blue * np.float32(blue)) * np.float32(-1 / green)
    away = np.stack([to_red, to_green, to_blue], axis=-1)
    reach = np.minimum(_reach(peak - light, away.max(axis=-1)), _reach(light, -away.min(axis=-1)))
    return _round_at_luma(light[:, :, None] + away * reach[:, :, None], light, fmt)


def _round_at_luma(painted: NDArray[np.float32], light: NDArray[np.float32], fmt: PictureFormat) -> NDArray[Any]:
    """Round so that what rounding does to red is made good in green, and what is left over in blue.

    Three values rounded each on its own would shift luma by up to half a code value; this way it stays within a fifth,
    for one code value of blue, which weighs least.
    """
    weights, peak = np.array(luma_weights(fmt.matrix), np.float32), np.float32(fmt.luma_peak)
    rounded: NDArray[Any] = np.clip(np.rint(painted), 0, peak)
    rounded[..., 1] = np.clip(rounded[..., 1] + np.rint((light - rounded @ weights) / weights[1]), 0, peak)
    short = np.clip(np.rint((light - rounded @ weights) / weights[2]), -1, 1)
    rounded[..., 2] = np.clip(rounded[..., 2] + short, 0, peak)
    return rounded


def _reach(room: NDArray[np.float32], wish: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return which share of a wish, 0 to 1, there is room for."""
    share: NDArray[Any] = np.maximum(room, 0) / np.maximum(wish, np.maximum(room, np.float32(1e-6)))
    return share
