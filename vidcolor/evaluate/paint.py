"""Colours samples as the product does, network size and constant luma, and in the plain ways it must beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from vidcolor.color import chroma_from_rgb, rgb_at_luma
from vidcolor.colorizer import Colorizer, network_size
from vidcolor.evaluate.bins import AbTable
from vidcolor.evaluate.lab import LUMA, Floats, lab_from_rgb, lightness, luma, rgb_from_lab, rgb_from_luma_chroma
from vidcolor.evaluate.motion import shots
from vidcolor.evaluate.samples import Sample
from vidcolor.evaluate.size import resize
from vidcolor.stock import Shares

SEPIA = (6.0, 18.0)
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """How a network's colours are taken.

    Attributes:
        temperature: of the annealed mean; None leaves the network's own.
        scale: factor on its ab.
        recurrent: carry the memory from frame to frame; else every frame stands alone.
        side: long side that the network sees; None for the one it was trained on.
        told: what the network is told of the film stock.
        mirrored: take the mean of the colours of the picture and of its mirror image, at twice the price.
    """

    temperature: float | None = None
    scale: float = 1.0
    recurrent: bool = True
    side: int | None = None
    told: Shares | None = None
    mirrored: bool = False


@contextmanager
def at_temperature(network: Colorizer, temperature: float | None) -> Iterator[None]:
    """Lend a network another temperature; networks without one are left alone."""
    before = getattr(network, "temperature", None)
    if temperature is None or before is None:
        yield
        return
    network.temperature = temperature  # type: ignore[assignment]
    try:
        yield
    finally:
        network.temperature = before


def predict(network: Colorizer, sample: Sample, setting: Setting, cuts: Sequence[int] | None = None) -> Floats:
    """A network's colours for a sample.

    Args:
        network: meets the contract.
        sample: its luma is all that is seen.
        setting: temperature, memory; the scale is *not* applied.
        cuts: where memory is dropped; the sample's own if None.

    Returns:
        (T, h, w, 2) ab at the network's own output size.
    """
    if setting.mirrored:
        once = replace(setting, mirrored=False)
        turned = replace(sample, luma=sample.luma[..., ::-1])
        return (predict(network, sample, once, cuts) + predict(network, turned, once, cuts)[:, :, ::-1]) / 2
    size = network_size(sample.luma.shape[1:], setting.side or network.spec.side, network.spec.stride)
    light = light_of(sample.luma, size)
    known = sample.cuts if cuts is None else cuts
    runs = shots(len(light), known if setting.recurrent else range(len(light)))
    with torch.inference_mode(), at_temperature(network, setting.temperature):
        parts = [part for run in runs for part in _colour_shot(network, light[run.start : run.stop], setting.told)]
    return np.concatenate(parts)


def light_of(luma: Floats, size: tuple[int, int]) -> torch.Tensor:
    """What a network sees: (T, H, W) luma in 0..1 to (T, 1, h, w) L*/100."""
    height, width = luma.shape[1:]
    # a picture under network size is enlarged, and bicubic overshoots
    small = np.clip(resize(luma, size), 0, 1) if size != (height, width) else luma
    return torch.from_numpy((lightness(small.astype(np.float32)) / 100).clip(0, 1))[:, None]


def _colour_shot(network: Colorizer, light: torch.Tensor, told: Shares | None) -> Iterator[Floats]:
    own = next(network.parameters())
    state, known = network.start(), () if told is None else (torch.tensor(told).to(own),)
    for first in range(0, len(light), _BATCH):
        ab, state = network(light[first : first + _BATCH].to(own), state, *known)
        yield np.moveaxis(ab.float().cpu().numpy(), 1, -1)


def paint(ab: Floats, sample: Sample) -> Floats:
    """Lay colours over a sample's grey: ab (T, h', w', 2) of any size to RGB (T, h, w, 3).

    As the product does it: at the colours' own size they become Cb and Cr at the luma that they stand in, and only
    those are enlarged. What then leaves the RGB cube is clipped, as a player would.
    """
    light = resize(sample.luma, ab.shape[1:3])
    small = np.stack([_chroma(*pair, sample.matrix) for pair in zip(ab, light, strict=True)])
    planes = resize(small, sample.grey.shape[1:])
    return rgb_from_luma_chroma(np.stack((sample.grey, planes[:, 0], planes[:, 1]), -1), sample.matrix)


def _chroma(ab: Floats, grey: Floats, matrix: str) -> Floats:
    """Cb and Cr (2, h, w) of ab (h, w, 2) at a luma (h, w)."""
    colours = torch.from_numpy(np.ascontiguousarray(np.moveaxis(ab, -1, 0), np.float32))
    light = torch.from_numpy(np.clip(grey, 0, 1).astype(np.float32))[None]
    return chroma_from_rgb(rgb_at_luma(colours, light, matrix), matrix).numpy()


def grey_of(sample: Sample) -> Floats:
    """The sample without colour: RGB (T, h, w, 3)."""
    return np.repeat(sample.grey[..., None], 3, -1)


def sepia_of(sample: Sample) -> Floats:
    """One brown for everything, at the grey's own lightness: RGB (T, h, w, 3)."""
    tone = np.broadcast_to(np.array(SEPIA, np.float32), (*sample.grey.shape, 2))
    return rgb_from_lab(np.concatenate((lightness(sample.grey)[..., None], tone), -1))


def mean_of(sample: Sample, table: AbTable) -> Floats:
    """The natural mean colour of each lightness: RGB (T, h, w, 3)."""
    return paint(table.ab_by_lightness(lightness(sample.grey)), sample)


def ceiling_of(sample: Sample) -> Floats:
    """The truth's ab laid over the grey: what a perfect network would reach; RGB (T, h, w, 3)."""
    return paint(lab_from_rgb(sample.truth)[..., 1:], sample)


def cheap_of(sample: Sample) -> Floats:
    """The truth's ab at the grey's own lightness, then at its luma: tones stay, but vivid blues and reds lose colour.

    What a product pays that does not solve for the luma; RGB (T, h, w, 3).
    """
    ab = lab_from_rgb(sample.truth)[..., 1:]
    rgb = rgb_from_lab(np.concatenate((lightness(sample.grey)[..., None], ab), -1))
    red, _, blue = LUMA[sample.matrix]
    light = luma(rgb, sample.matrix)
    cb, cr = (rgb[..., 2] - light) / (2 * (1 - blue)), (rgb[..., 0] - light) / (2 * (1 - red))
    return rgb_from_luma_chroma(np.stack((sample.grey, cb, cr), -1), sample.matrix)
