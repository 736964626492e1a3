"""The contract that every network meets: light and memory in, colour and memory out; knows no files and no film."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidcolor.memory import State

if TYPE_CHECKING:
    from vidcolor.steady import Pace

Look = Callable[[Tensor, State], tuple[Tensor, State]]
"""A network on some frames and its memory: ab, and the memory behind them."""
Way = NDArray[np.float32]
"""(H, W, 2): where each pixel of a frame was in the frame before (vidcolor.guide.motion)."""

__all__ = ["Answer", "Colorizer", "Spec", "State"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What the world must know of a network before it may be fed.

    Attributes:
        name: as the zoo lists it.
        side: long side, in pixels, that it was trained to see.
        stride: height and width of its input must be multiples of this.
        scale: its colours come out at 1/scale of the input's height and width.
        licence: of the weights.
        needs_state: False for networks that look at single pictures.
        takes_stock: whether it can be told what the film stock saw.
    """

    name: str
    side: int
    stride: int
    scale: int
    licence: str
    needs_state: bool
    takes_stock: bool = False


class Answer(NamedTuple):
    """What a network says of T frames of B films, told apart for whoever teaches it; None where it has no such thing.

    Attributes:
        ab: (T*B, 2, h, w) CIE Lab a*, b*, before what is done for the eye alone.
        scores: (T*B, Q, h', w') of ab classes.
        deep: (T*B, C, h'', w'') what it understood of each picture.
        own: (T*B, 2, h, w) its colours in the space that it was taught in (vidcolor.spaces).
        labels: (T*B, K) scores of what whole pictures show.
    """

    ab: Tensor
    scores: Tensor | None = None
    deep: Tensor | None = None
    own: Tensor | None = None
    labels: Tensor | None = None


def network_size(size: tuple[int, int], side: int, stride: int) -> tuple[int, int]:
    """Height and width at which a network sees a (height, width): long side ``side``, multiples of ``stride``."""
    unit = side / max(size)
    height, width = (max(1, round(length * unit / stride)) * stride for length in size)
    return height, width


class Colorizer(nn.Module, ABC):
    """A network that gives light its colour.

    A network's attributes do not change while it colours: what it remembers is an argument and a result, so that two
    films may share one network and a film may be stopped and taken up anywhere.
    """

    spec: Spec
    depth: int = 0
    """Channels of ``Answer.deep``; 0 = it has none."""
    pretrained: tuple[str, ...] = ()
    """How the names of those parameters begin that weights of another task fill; they learn more slowly."""
    space: str = "lab"
    """The colour space of ``Answer.own``: a key of vidcolor.spaces."""
    taught: str = "colours"
    """What training teaches it: "colours", or "kinds" of labelled tiles."""
    labels: tuple[str, ...] = ()
    """Names of what whole pictures may show, for networks that know any."""
    is_steadied: bool = False
    """Whether ``forward`` holds colours still along motion, and passes frames over that show nothing new."""
    tells_labels: bool = False
    """Whether ``shown`` tells them of a shot."""

    @classmethod
    def made(cls, facts: Mapping[str, str]) -> Colorizer:
        """A network with weights of chance, as its weights file describes it.

        Raises:
            ValueError: the facts make no sense.
        """
        del facts
        return cls()

    def facts(self) -> dict[str, str]:
        """What its weights file must say so that ``made`` gives the same network again."""
        return {}

    def start(self, batch: int = 1) -> State:
        """The memory before a shot's first frame: nothing."""
        del batch
        return State()

    @abstractmethod
    def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """Colour T consecutive frames of one shot.

        Args:
            light: (T, 1, H, W), L*/100 in 0..1, H and W multiples of ``spec.stride``; or (T, B, 1, H, W) for B films.
            state: from ``start`` at a shot's first frame, else what the frame before returned.
            condition: (3,) or (B, 3): shares of red, green and blue in what the film stock saw; None when unknown.

        Returns:
            ab (T, 2, H/scale, W/scale), CIE Lab a*, b* (with B: (T, B, 2, ...)), and the next state.
        """

    def answer(
        self, light: Tensor, state: State, condition: Tensor | None = None, temperature: float = 0.0
    ) -> tuple[Answer, State]:
        """As ``forward``, for whoever teaches the network; ``temperature`` of the annealed mean, 0 = its own.

        A network that has nothing more to tell tells its colours.
        """
        del temperature
        ab, after = self(light, state, condition)
        return Answer(ab.flatten(0, 1) if light.ndim == 5 else ab), after

    def remember(self, light: Tensor, state: State, condition: Tensor | None = None) -> State:
        """The memory after some frames whose colours nobody asks for."""
        return self.answer(light, state, condition)[1]

    def shown(self, state: State) -> dict[str, float]:
        """What the frames of a shot up to here show: shares of ``labels``, sum 1; nothing for networks without."""
        del state
        return {}

    def perceive(
        self, light: Tensor, state: State, condition: Tensor | None = None
    ) -> tuple[Tensor, State, Tensor | None]:
        """As ``forward`` with colours as they come, not held still, and what it sees in each frame by itself: features.

        They are (T*B, C, H/8, W/8), alike for like things.

        None from a network that has no such features: then nothing is found again by them.
        """
        return (*self(light, state, condition), None)

    def watched(
        self, look: Look, light: Tensor, state: State, pace: Pace | None = None, way: Way | None = None
    ) -> tuple[Tensor, State]:
        """Colours (T, 2, h, w) as they are shown, by way of ``look``, which is the network itself: see vidcolor.steady.

        While it is taught, it looks at every frame, and its colours are left as they come. ``pace`` and ``way`` are
        for callers that know better than vidcolor.steady how often it must look, and whence the only frame moved.
        """
        if not self.is_steadied or self.is_taught:
            return look(light, state)
        from vidcolor.steady import PACE, coloured

        size = (light.shape[-2] // self.spec.scale, light.shape[-1] // self.spec.scale)
        ab, after = coloured(look, light, state, size, pace or PACE, way)
        return self.faded(ab, light), after

    def faded(self, ab: Tensor, light: Tensor) -> Tensor:
        """Colours (T, 2, h, w) that were held still, as light (T, 1, H, W) of the frames that show them leaves them.

        They come from frames before, and that light may be another. A frame that was looked at is faded a second time.
        """
        del light
        return ab

    @property
    def is_taught(self) -> bool:
        """Whether a loss may be taken of its colours."""
        return torch.is_grad_enabled() and next(self.parameters()).requires_grad

    def film_by_film(self, light: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, State]:
        """As ``forward`` for (T, B, 1, H, W), each film by itself: what one shows says nothing of another."""
        parts = []
        for film in range(light.shape[1]):
            known = State({name: some[film : film + 1] for name, some in state.tensors.items()})
            told = condition[film] if condition is not None and condition.ndim == 2 else condition
            parts.append(self(light[:, film], known, told))
        after = {name: torch.cat([one.tensors[name] for _, one in parts]) for name in parts[0][1].tensors}
        return torch.stack([ab for ab, _ in parts], 1), State(after)

    def guide(self, state: State, light: Tensor, ab: Tensor, mask: Tensor) -> State:
        """Take a coloured key into the memory: from its frame on it is carried along motion, and found again anywhere.

        It may be given before its frame comes, at the latest with it. A network that does not ask `is_led` when it
        colours forgets it.

        Args:
            state: of this shot.
            light: (1, 1, H, W) of the key's frame, the very one that `forward` is given.
            ab: (1, 2, h, w) its colours, of any size; luma follows the film's.
            mask: (1, 1, h, w) 1 where it is coloured, 0 where it says nothing.
        """
        from vidcolor.guide.lead import guided

        return guided(self, state, light, (ab, mask))

    @staticmethod
    def is_led(state: State) -> bool:
        """Whether a state remembers keys."""
        return any(name.startswith("guide.") for name in state.tensors)

    def led(self, light: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, State]:
        """Colour frames whose state remembers keys: as ``forward``, but ab comes at the size of the light."""
        from vidcolor.guide.lead import led

        return led(self, light, state, condition)

    def start_from_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Take what it can from a ResNet-18 to layer3 with folded batch norm; nothing, where it has no place for it.

        Raises:
            KeyError: a tensor is missing.
        """

    def fold(self) -> Colorizer:
        """Make the network ready for inference (batch norm folded into convolutions); in place, returns itself."""
        return self.eval()
