"""What a network remembers of coloured keys: a few pictures with their colours, in the State beside its memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.guide import attend
from vidcolor.memory import State

PREFIX = "guide."
MOST = 6
"""Keys that are remembered at once; the one that has not been seen for longest goes first."""
REFERENCE = -1
_LAST = PREFIX + "last"
_SHOWN = PREFIX + "shown"
_AHEAD = PREFIX + "ahead"


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A coloured picture.

    Attributes:
        grey: (H, W) uint8, its light in 256 levels of L*.
        planes: (H, W, 3) how much of it is coloured, last; that times a* and b* before.
        rows, spots, mean, values: as `attend.Shown`; empty where the network has no features to find it again by.
        where: (H, W, 2) where each pixel of the last picture lies in it; empty where that is not known.
        age: frames since it was the picture; -1: it has not come, or never will (a still of the same place).
        number: of its frame, where the film counts them; REFERENCE: it is no frame of this shot, only like it.
    """

    grey: Tensor
    planes: Tensor
    rows: Tensor
    spots: Tensor
    mean: Tensor
    values: Tensor
    where: Tensor
    age: int = -1
    number: int = 0

    @property
    def in_place(self) -> bool:
        """Whether it is a frame of this shot."""
        return self.number != REFERENCE

    @property
    def is_whole(self) -> bool:
        """Whether all of it is coloured."""
        return bool((self.planes[..., 2] == 1).all())

    @property
    def shown(self) -> attend.Shown:
        """What is looked into."""
        return attend.Shown(self.rows, self.spots, self.mean, self.values)

    def pack(self) -> dict[str, Tensor]:
        """As tensors with names."""
        named = {name: getattr(self, name) for name in _TENSORS}
        return {**named, "numbers": torch.tensor([self.age, self.number])}

    @classmethod
    def unpack(cls, named: dict[str, Tensor]) -> Key:
        """What ``pack`` gave."""
        age, number = named["numbers"].tolist()
        return cls(**{name: named[name] for name in _TENSORS}, age=int(age), number=int(number))


@dataclass(frozen=True, slots=True, eq=False)
class Back:
    """Where a picture lies in a key after it.

    Attributes:
        where: (H, W, 2) x and y of each of its pixels there.
        age: frames until the key.
        number: of the key's frame.
    """

    where: Tensor
    age: int
    number: int


_TENSORS = ("grey", "planes", "rows", "spots", "mean", "values", "where")


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """All that is remembered of keys.

    Attributes:
        keys: oldest first.
        last: (H, W) uint8, grey of the last picture.
        shown: (H, W, 2) the colours it was shown in.
        ahead: where the next picture lies in a key after it.
    """

    keys: tuple[Key, ...] = ()
    last: Tensor | None = None
    ahead: Back | None = None
    shown: Tensor | None = None


def is_guided(state: State) -> bool:
    """Whether a state remembers keys."""
    return any(name.startswith(PREFIX) for name in state.tensors)


def without(state: State) -> State:
    """The state without what it remembers of keys."""
    return State({name: tensor for name, tensor in state.tensors.items() if not name.startswith(PREFIX)})


def read(state: State) -> Memory:
    """What a state remembers of keys."""
    tensors = state.tensors
    numbers = sorted(
        {name.split(".")[1] for name in tensors if name.endswith(".numbers") and name[len(PREFIX)].isdigit()}
    )
    keys = tuple(
        Key.unpack({part: tensors[f"{PREFIX}{number}.{part}"].cpu() for part in (*_TENSORS, "numbers")})
        for number in numbers
    )
    ahead = None
    if _AHEAD in tensors:
        age, number = tensors[_AHEAD + ".numbers"].tolist()
        ahead = Back(tensors[_AHEAD].cpu(), int(age), int(number))
    last, shown = (tensors[name].cpu() if name in tensors else None for name in (_LAST, _SHOWN))
    return Memory(keys, last, ahead, shown)


def written(state: State, memory: Memory) -> State:
    """The state with this memory of keys in the place of what it had."""
    named = dict(without(state).tensors)
    for index, key in enumerate(memory.keys[-MOST:]):
        named |= {f"{PREFIX}{index}.{part}": tensor for part, tensor in key.pack().items()}
    if memory.last is not None and memory.keys:
        named[_LAST] = memory.last
    if memory.shown is not None and memory.keys:
        named[_SHOWN] = memory.shown
    if memory.ahead is not None:
        named[_AHEAD] = memory.ahead.where
        named[_AHEAD + ".numbers"] = torch.tensor([memory.ahead.age, memory.ahead.number])
    return State(named)


def made(light: Tensor, coloured: tuple[Tensor, Tensor], eighth: Tensor | None, number: int = 0) -> Key:
    """A key, ready to be remembered.

    Args:
        light: (1, 1, H, W) of its picture, L*/100.
        coloured: its ab (1, 2, h, w) and where it has any (1, 1, h, w), of any size.
        eighth: (1, C, H/8, W/8) what the network sees in the light.
        number: of its frame, or REFERENCE.
    """
    size = (light.shape[-2], light.shape[-1])
    mask = sized(coloured[1], size).clamp(0, 1)
    ab = sized(coloured[0] * coloured[1], size) / mask.clamp_min(1e-3)
    planes = torch.cat((ab * mask, mask), 1)[0].permute(1, 2, 0).contiguous()
    nothing = planes.new_zeros(0)
    key = Key(grey_of(light), planes, nothing, nothing, nothing, nothing, nothing, -1, number)
    if eighth is None:
        return key
    found = attend.shown(eighth.float().cpu(), light.float().cpu(), attend.values_of(planes), key.in_place)
    return replace(key, rows=found.rows, spots=found.where, mean=found.mean, values=found.values)


def grey_of(light: Tensor) -> Tensor:
    """What motion is sought in, and keys are known by: (1, 1, H, W) L*/100 as (H, W) uint8."""
    return (light[0, 0].float() * 255 + 0.5).clamp(0, 255).byte().cpu()


def coloured_key(key: Key, planes: Tensor) -> Key:
    """The key with other colours (H, W, 3)."""
    values = attend.values_of(planes) if len(key.rows) else key.values
    return replace(key, planes=planes, values=values)


def taken_in(state: State, key: Key) -> State:
    """A state that remembers one more key."""
    memory = read(state)
    return written(state, replace(memory, keys=(*memory.keys, key)))


def sized(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Planes (N, C, H, W) at another size: the mean of what a pixel covers, or between pixels where they grow."""
    planes = planes.float().cpu()
    if planes.shape[-2:] == size:
        return planes
    return F.interpolate(planes, size=size, mode="area" if size[0] < planes.shape[-2] else "bilinear")
