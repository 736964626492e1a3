"""A network led by keys: its own colours where no key tells, the keys' where one does; called by the network itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from streams.errors import ModelError
from vidcolor import weights
from vidcolor.guide import carry, memory
from vidcolor.guide.judge import Judge
from vidcolor.memory import State
from vidcolor.packed import pack
from vidcolor.steady import EACH, Look, Pace, Planes, looks_before

WEIGHTS = Path(__file__).parents[1] / "data" / "guide.safetensors"
SHA256 = "20fbfda345a6f9f2047b51405fde942690ab3e14a04516ea5f928363e67d56ef"

PACE = Pace(8, 0.05)
"""How often the network looks: seldom, since most of what is shown is carried."""


class Led(Protocol):
    """What is asked of a network that is led: see vidcolor.colorizer.Colorizer."""

    def start(self) -> State:
        """The memory before a shot."""

    def perceive(
        self, light: Tensor, state: State, condition: Tensor | None = None
    ) -> tuple[Tensor, State, Tensor | None]:
        """Its colours as they come, the memory behind them, and its features."""

    def watched(
        self, look: Look, light: Tensor, state: State, pace: Pace | None = None, way: Planes | None = None
    ) -> tuple[Tensor, State]:
        """Its colours as they are shown, and the memory behind them."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights."""


def verify(path: Path = WEIGHTS) -> weights.WeightsFile:
    """Read the weights; those that are packaged by their hash.

    Raises:
        ModelError: they are missing or damaged.
    """
    file = weights.read(path)
    if path == WEIGHTS and file.sha256 != SHA256:
        raise ModelError(f"the weights of the guide are damaged: their hash is {file.sha256}, not {SHA256}")
    return file


@cache
@torch.inference_mode(False)
def judge_of(path: Path = WEIGHTS) -> Judge:
    """The packaged judge, or another's weights.

    Raises:
        ModelError: they are missing, damaged, or do not fit.
    """
    file, judge = verify(path), Judge()
    try:
        judge.load_state_dict(weights.tensors(file, path))
    except RuntimeError as error:
        raise ModelError("the weights of the guide do not fit") from error
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pack(judge.eval())
    return judge.requires_grad_(False)


def led(network: Led, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
    """Colour frames of one shot by a network whose state remembers keys.

    Frames that the network need not look at (see vidcolor.steady) take the last one's colours along.

    Args:
        network: as it is.
        light: (T, 1, H, W).
        state: with keys.
        condition: as `Colorizer.forward`.

    Returns:
        ab (T, 2, H, W), at the size of the light, and the next state.
    """
    if light.ndim != 4:
        raise ValueError("one film at a time is led by keys")
    known, state, made = memory.read(state), memory.without(state), list[Tensor]()
    for index in range(len(light)):
        frame = light[index : index + 1]
        now = memory.grey_of(frame)
        way = carry.way_of(known, now)
        own, state, looks = _looked(network, frame, (state, condition), carry.has_come(known, now), way)
        ready = None if looks or way is None else carry.passed_over(known, now, way)
        if ready is None:
            view = carry.View(own, looks[0] if looks else None, looks_before(state))
            ready = carry.coloured(known, frame, way, view, judge_of())
        ab, known = ready
        made.append(ab)
    return torch.stack(made).to(light.device), memory.written(state, known)


def _looked(
    network: Led, light: Tensor, known: tuple[State, Tensor | None], must: bool, way: Planes | None
) -> tuple[Tensor, State, list[Tensor | None]]:
    """A network's own colours (2, h, w) of a frame, its memory, and its features if it looked: it need not, or must."""
    looks = list[Tensor | None]()
    state, condition = known

    def look(frames: Tensor, before: State) -> tuple[Tensor, State]:
        own, after, eighth = network.perceive(frames, before, condition)
        looks.append(eighth)
        return own, after

    own, after = network.watched(look, light, state, EACH if must else PACE, way)
    return own[0], after, looks


def guided(network: Led, state: State, light: Tensor, coloured: tuple[Tensor, Tensor], number: int = 0) -> State:
    """A state that remembers one more key.

    Args:
        network: whose state it is.
        state: before.
        light: (1, 1, H, W) of the key's picture.
        coloured: its ab (1, 2, h, w), and where it has any: (1, 1, h, w).
        number: of its frame, or `memory.REFERENCE`.
    """
    kind = next(network.parameters())
    light = light.to(kind.device, kind.dtype)  # as it will come: by its light the frame is known again
    with torch.inference_mode():
        *_, eighth = network.perceive(light, network.start())
        return memory.taken_in(state, memory.made(light, coloured, eighth, number))
