"""Whether colours wander when nothing moves: a still picture with fresh grain in every frame, thousands of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from vidcolor.colorizer import Colorizer, network_size
from vidcolor.evaluate.lab import Floats, chroma
from vidcolor.evaluate.paint import light_of
from vidcolor.evaluate.samples import Sample
from vidcolor.evaluate.tally import Figures

GRAIN = 0.02
"""Deviation of the grain, of luma in 0..1."""
WINDOW = 12
"""Frames that a mean is taken over: what is left of the grain is no drift."""
LOOKS = 64
"""How often one looks on the way."""


def drift(network: Colorizer, samples: Sequence[Sample], frames: int, seed: int = 1) -> Figures:
    """How far colours are from where they were, in Lab units; the mean over pictures.

    Args:
        network: meets the contract.
        samples: still pictures.
        frames: how many are seen of each.
        seed: of the grain.

    Returns:
        ``drift``: distance of the mean ab of the last frames from that of the first (METRICS' drift per shot);
        ``drift_most``: the largest on the way; ``drift_pixels``: mean over pixels at the end; ``frames``.
    """
    rows = [_one(network, sample, frames, seed + number) for number, sample in enumerate(samples)]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {**means, "frames": float(frames)}


def _one(network: Colorizer, sample: Sample, frames: int, seed: int) -> Figures:
    windows = list(_windows(network, sample, frames, seed))
    whole = [chroma(window.mean((0, 1)) - windows[0].mean((0, 1))) for window in windows]
    return {
        "drift": float(whole[-1]),
        "drift_most": float(max(whole)),
        "drift_pixels": float(chroma(windows[-1] - windows[0]).mean()),
    }


def _windows(network: Colorizer, sample: Sample, frames: int, seed: int) -> Iterator[Floats]:
    """Mean ab (h, w, 2) of some frames here and there, the first and the last among them."""
    looks = {round(i * (frames // WINDOW - 1) / (LOOKS - 1)) for i in range(LOOKS)}
    colours = _colours(network, sample, seed)
    for number in range(frames // WINDOW):
        window = list(islice(colours, WINDOW))
        if number in looks:
            yield np.mean(window, 0)


def _colours(network: Colorizer, sample: Sample, seed: int) -> Iterator[Floats]:
    """(h, w, 2) of one frame after the other, without end."""
    own, state = next(network.parameters()), network.start()
    size = network_size(sample.luma.shape[1:], network.spec.side, network.spec.stride)
    random = np.random.default_rng(seed)
    while True:
        grain = random.normal(0, GRAIN, (4, *sample.luma.shape[1:])).astype(np.float32)
        light = light_of(np.clip(sample.luma[:1] + grain, 0, 1), size)
        with torch.inference_mode():
            ab, state = network(light.to(own), state)
        yield from np.moveaxis(ab.float().cpu().numpy(), 1, -1)
