"""Still pictures as values: pages of light, and the file they came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streams.formats import PictureFormat
from streams.luma import Plane

FileType = Literal["jpeg", "png", "tiff", "webp"]


@dataclass(frozen=True, slots=True)
class Page:
    """One picture: luma (H, W) uint8 or uint16, full range, BT.601; alpha alike, or None.

    `light` is luma before rounding, float32 in code values, where the picture was RGB; None where luma is exact.
    """

    luma: Plane
    alpha: Plane | None
    light: NDArray[np.float32] | None
    format: PictureFormat


@dataclass(frozen=True, slots=True)
class Still:
    """A still picture file: its pages, its type, and its bytes, from which all that is not picture is taken over.

    `is_lossless` says how the pictures were coded. `warnings` are sentences about what will not be in the output.
    """

    name: str
    file_type: FileType
    pages: tuple[Page, ...]
    data: bytes
    is_lossless: bool
    warnings: tuple[str, ...] = ()
