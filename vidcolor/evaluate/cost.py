"""What a network costs: parameters, bytes, arithmetic and processor time a frame."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch

from vidcolor.colorizer import Colorizer

FRAME = (144, 256)
TIMED = 3


def cost(network: Colorizer, weights: Path) -> dict[str, float]:
    """Figures of a network at 256x144, one frame a step.

    Args:
        network: loaded and folded, on a CPU.
        weights: its file.

    Returns:
        parameters (millions), megabytes of the file, GFLOP (a multiplication and an addition are two), core-ms a frame.
    """
    own = next(network.parameters())
    generator = torch.Generator().manual_seed(1)
    light = torch.rand(TIMED + 1, 1, *FRAME, generator=generator).to(own)
    return {
        "parameters": sum(tensor.numel() for tensor in network.parameters()) / 1e6,
        "megabytes": weights.stat().st_size / 1e6,
        "gflop": _gflop(network, light),
        "ms": _core_ms(network, light),
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
