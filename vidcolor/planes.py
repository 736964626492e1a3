"""From a network's small ab to full-size chroma planes at constant luma; the only place where Lab becomes Cb and Cr."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from streams.errors import ModelError
from streams.formats import PictureFormat
from streams.scale import Scaler
from vidcolor.color import chroma_from_rgb, lightness_from_luma, rgb_at_luma
from vidcolor.colorizer import network_size as network_size

Plane = NDArray[np.uint8] | NDArray[np.uint16]


class ChromaMaker:
    """Makes the chroma planes of one film's pictures.

    Luma goes past it untouched: it only reads the small luma that the network saw, because the colour of a Lab a*, b*
    depends on the light it stands in.
    """

    def __init__(self, source: PictureFormat, coded: PictureFormat, saturation: float = 1.0) -> None:
        self._source = source
        self._coded = coded
        self._saturation = saturation
        self._scaler = Scaler()
        self._lights: NDArray[np.float32] | None = None  # by code value: a curve costs ten times as much as a table

    def small_to_light(self, small: Plane) -> Tensor:
        """What the network sees: (T, h, w) luma code values of the source to L*/100, (T, 1, h, w) float32 in 0..1."""
        table = self._lights
        if table is None or len(table) <= int(small.max()):
            codes = np.arange(1 << (8 * small.itemsize), dtype=np.uint16)
            table = self._lights = np.asarray(lightness_from_luma(self._luma(codes[None, None]))[0, 0, 0] / 100)
        return torch.from_numpy(table[small]).unsqueeze(1)

    def chroma(self, ab: Tensor, small: Plane) -> Iterator[tuple[Plane, Plane]]:
        """Full-size planes of some pictures.

        Args:
            ab: (T, 2, h/k, w/k) float32 on the CPU, Lab units.
            small: (T, h, w) luma code values of the source, as the network saw them.

        Yields:
            Cb and Cr of each picture at the coded format's chroma size, in its code values.

        Raises:
            ModelError: a colour is not a finite number.
        """
        for colours, light in zip(ab, self._luma(small), strict=True):
            with torch.inference_mode():
                codes = self._small_codes(colours[None], light[None])
            yield self._enlarge(codes[0]), self._enlarge(codes[1])

    def _small_codes(self, ab: Tensor, luma: Tensor) -> NDArray[np.uint16]:
        """(2, h/k, w/k) code values of one picture, each at its own light."""
        self._check_finite(ab)
        luma = F.interpolate(luma, size=ab.shape[-2:], mode="area")
        rgb = rgb_at_luma(ab * self._saturation, luma, self._coded.matrix)
        chroma = chroma_from_rgb(rgb, self._coded.matrix)[0] * self._coded.chroma_span + self._coded.chroma_mid
        top = (1 << self._coded.depth) - 1
        return chroma.round().clamp(0, top).numpy().astype(np.uint16)

    @staticmethod
    def _check_finite(ab: Tensor) -> None:
        if not bool(torch.isfinite(ab).all()):
            raise ModelError("the network gave colours that are not finite numbers: its weights are damaged")

    def _enlarge(self, codes: NDArray[np.uint16]) -> Plane:
        """Bicubic, in integers; a 16-bit plane may overshoot what its depth can hold."""
        deep = self._coded.depth > 8
        plane: Plane = self._scaler.enlarge(codes if deep else codes.astype(np.uint8), self._coded.chroma_size)
        return np.minimum(plane, np.uint16((1 << self._coded.depth) - 1)) if deep else plane

    def _luma(self, small: Plane) -> Tensor:
        """(T, h, w) code values to (T, 1, h, w) luma in 0..1."""
        codes = torch.from_numpy(small.astype(np.float32)).unsqueeze(1)
        zero, peak = self._source.luma_zero, self._source.luma_peak
        return ((codes - zero) / (peak - zero)).clamp(0, 1)
