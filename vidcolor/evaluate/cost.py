"""What a network costs: parameters, bytes, arithmetic and processor time a frame."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from vidcolor.colorizer import Colorizer

FRAME = (144, 256)
TIMED = 3


def cost(network: Colorizer, weights: Path, shots: Sequence[torch.Tensor] = ()) -> dict[str, float]:
    """Figures of a network at 256x144, one frame a step.

    Args:
        network: loaded and folded, on a CPU.
        weights: its file.
        shots: light (T, 1, H, W) of film, for what a frame of film costs those that need not look at each.

    Returns:
        parameters (millions), megabytes of the file, GFLOP (a multiplication and an addition are two), core-ms of a
        frame that has nothing in common with the one before, and, with ``shots``, of a frame of film.
    """
    own = next(network.parameters())
    generator = torch.Generator().manual_seed(1)
    light = torch.rand(TIMED + 1, 1, *FRAME, generator=generator).to(own)
    return {
        "parameters": sum(tensor.numel() for tensor in network.parameters()) / 1e6,
        "megabytes": weights.stat().st_size / 1e6,
        "gflop": _gflop(network, light),
        "ms": _core_ms(network, light),
        **({"film_ms": _film_ms(network, [shot.to(own) for shot in shots])} if shots else {}),
    }


def _gflop(network: Colorizer, light: torch.Tensor) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    # gradients on: packed convolutions (vidcolor.packed) step aside, which the counter does not know
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        network(light[:1], network.start())
    return float(counter.get_total_flops()) / 1e9


def _core_ms(network: Colorizer, light: torch.Tensor) -> float:
    """The median of a few frames behind the first."""
    spent = []
    with torch.inference_mode():
        _, state = network(light[:1], network.start())
        for index in range(1, TIMED + 1):
            began = time.process_time()
            _, state = network(light[index : index + 1], state)
            spent.append(1e3 * (time.process_time() - began))
    return statistics.median(spent)


def _film_ms(network: Colorizer, shots: Sequence[torch.Tensor]) -> float:
    """The mean over all frames."""
    began = time.process_time()
    with torch.inference_mode():
        for shot in shots:
            state = network.start()
            for light in torch.split(shot, 1):
                _, state = network(light, state)
    return 1e3 * (time.process_time() - began) / sum(len(shot) for shot in shots)
