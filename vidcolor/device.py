"""Where the network runs and how precisely: what was asked for, set against what this machine has."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from streams.errors import ModelError


@dataclass(frozen=True, slots=True)
class Place:
    """A device and the precision on it ("fp32", "bf16" or "fp16")."""

    device: torch.device
    precision: str

    @property
    def batch(self) -> int:
        """Frames to a step when nobody says: a GPU wants many, a CPU gains nothing by more than a few."""
        return 4 if self.device.type == "cpu" else 16

    def __str__(self) -> str:
        return f"{self.device} ({self.precision})"


def choose(device: str = "auto", precision: str = "auto") -> Place:
    """Settle what was left open.

    Args:
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".

    Raises:
        ModelError: this machine has no such device.
    """
    found = _device(device)
    return Place(found, _best_precision(found) if precision == "auto" else precision)


def describe() -> list[str]:
    """A line for each device of this machine, the one that "auto" takes first."""
    lines = [f"cpu: {torch.get_num_threads()} threads, {_best_precision(torch.device('cpu'))}"]
    for number in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(number).total_memory / 2**30
        lines.insert(number, f"cuda:{number}: {torch.cuda.get_device_name(number)}, {memory:.0f} GiB")
    if torch.backends.mps.is_available():
        lines.insert(0, "mps: Apple GPU")
    return lines


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 faster than fp32; elsewhere bf16 is emulated, and slower."""
    told = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if told:
        return bool(told.get("avx512_bf16") or told.get("amx_bf16"))
    return any(
        bool(getattr(torch.cpu, name, bool)())
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch before 2.10
    )


def _device(asked: str) -> torch.device:
    if asked == "auto":
        return torch.device(_first_present())
    device = torch.device(asked)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"--device {asked}: this machine has {torch.cuda.device_count()} CUDA devices")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ModelError("--device mps: this machine has no Apple GPU that torch can use")
    return device


def _first_present() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    if device.type == "mps":
        return "fp16"
    return "bf16" if has_fast_bf16() else "fp32"
