"""One picture of a guided shot: keys are carried to it and found again in it, and set against its automatic colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcolor.guide import attend, judge, motion
from vidcolor.guide.attend import Found
from vidcolor.guide.judge import Carried, Case, Judge
from vidcolor.guide.memory import Back, Key, Memory, coloured_key, grey_of, sized
from vidcolor.guide.motion import Planes

_SURE, _LOST = 4.0, 20.0  # misfit at which carried colours are kept whole, or not at all, when a new key takes over
_NOTHING = 255.0  # misfit of what is not there
_UNLIKE = 12.0  # misfit that counts like things that have nothing in common
_SETTLED = 2  # pictures after which what is carried back is sought anew in the key: errors add up slowly
_LOOKS = 1.0  # looks behind that colours are averaged over: with more, a key ahead comes too late
_LOOKED_FOR = 6  # what is looked for is one part of so many


def followed(keys: Sequence[Key], way: Planes | None, now: Tensor) -> tuple[tuple[Key, ...], dict[int, Carried]]:
    """Carry keys to the next picture.

    Args:
        keys: of this shot.
        way: (H, W, 2) map into the picture before; None at a shot's first.
        now: of this one.

    Returns:
        The keys, and the colours of those that could be carried, by their index.
    """
    came = [index for index, key in enumerate(keys) if key.in_place and torch.equal(key.grey, now)]
    moved, known = list(keys), dict[int, Carried]()
    if way is not None and not (came and keys[came[-1]].is_whole):
        for index, key in enumerate(keys):
            if len(key.where) and index not in came:
                moved[index], known[index] = _moved(key, way, now)
    if came:  # one key at a time is carried on: the last that came has taken over what the others knew
        key = _arrived(keys[came[-1]], known.values())
        moved = [replace(one, where=one.where[:0], age=-1) for one in moved]
        moved[came[-1]] = key
        known = {came[-1]: _colours(key, np.zeros(tuple(now.shape), np.float32))}
    return tuple(moved), known


def carried_back(key: Key, lights: Sequence[Tensor]) -> list[Back]:
    """Carry a key to frames before it.

    Args:
        key: of the last of the lights.
        lights: (1, 1, H, W) of frames in order, the key's own at the end.

    Returns:
        Where each frame but the last lies in the key, in order.
    """
    greys = [grey_of(light).numpy() for light in lights]
    where, found = motion.places(greys[-1].shape), list[Back]()
    for last, now in zip(greys[:0:-1], greys[-2::-1], strict=True):
        where, age = motion.fetched(where, motion.way(now, last)), len(found) + 1
        if age % _SETTLED == 0:
            where, _ = motion.settled(where, greys[-1], now)
        found.append(Back(torch.from_numpy(where), age, key.number))
    return found[::-1]


def _brought(back: Back | None, keys: Sequence[Key], now: Tensor) -> Carried | None:
    """The colours of a key ahead that a picture (H, W) takes; None where there is no such key."""
    key = next((one for one in keys if back is not None and one.number == back.number), None)
    if back is None or key is None:
        return None
    there, here = key.grey.numpy().astype(np.float32), now.numpy().astype(np.float32)
    misfit = motion.misfit(back.where.numpy(), there, here)
    return _colours(replace(key, where=back.where, age=back.age), misfit)


def _moved(key: Key, way: Planes, now: Tensor) -> tuple[Key, Carried]:
    where, misfit = motion.settled(motion.fetched(key.where.numpy(), way), key.grey.numpy(), now.numpy())
    key = replace(key, where=torch.from_numpy(where), age=key.age + 1)
    return key, _colours(key, misfit)


def _arrived(key: Key, before: Iterable[Carried]) -> Key:
    """A key whose picture has come; where it has no colours it takes those that were carried so far."""
    planes = key.planes
    for one in before:
        sure = one.share * ((_LOST - one.misfit) / (_LOST - _SURE)).clamp(0, 1)
        left = ((1 - planes[..., 2]) * sure)[..., None]
        planes = planes + torch.cat((one.ab.permute(1, 2, 0) * left, left), -1)
    where = torch.from_numpy(motion.places(tuple(key.grey.shape)))
    return replace(coloured_key(key, planes), where=where, age=0)


def _colours(key: Key, misfit: Planes) -> Carried:
    """A key's colours at the places of its map."""
    planes = np.empty((4, *misfit.shape), np.float32)
    for plane, found in zip(planes, motion.split(motion.fetched(key.planes.numpy(), key.where.numpy())), strict=False):
        plane[:] = found
    planes[:2] /= np.maximum(planes[2], 1e-3)
    planes[3] = misfit
    coarse = key.where[attend.EIGHTH // 2 :: attend.EIGHTH, attend.EIGHTH // 2 :: attend.EIGHTH].contiguous()
    return Carried(torch.from_numpy(planes), coarse, key.age, key.number)


def found_again(
    keys: Sequence[Key], light: Tensor, eighth: Tensor | None, carried: Sequence[tuple[Carried, Tensor | None]] = ()
) -> Found | None:
    """What of the keys is seen again by its features, wherever it is; None where the network has none.

    Where colours were carried and fit, nothing is looked for: a sixth of the picture, where they fit worst, is.
    """
    known = [key for key in keys if len(key.rows)]
    if eighth is None or not known:
        return None
    there = [(key.shown, key.in_place) for key in known]
    return attend.looked_up(eighth.cpu(), light, there, _badly_fit(carried))


def alike_of(carried: Carried | None, keys: Sequence[Key], eighth: Tensor | None) -> Tensor | None:
    """How like what colours were carried to is to what they came from: (h, w) at 1/8, -1..1; None if nobody knows."""
    key = next((one for one in keys if carried is not None and one.number == carried.number and len(one.rows)), None)
    if key is None or carried is None or eighth is None:
        return None
    return attend.alike(eighth.cpu(), key.shown, carried.where)


def _badly_fit(carried: Sequence[tuple[Carried, Tensor | None]]) -> Tensor | None:
    """(n,) rows at 1/8 where what was carried fits worst; None for all where nothing was."""
    if not carried:
        return None
    costs = []
    for one, alike in carried:
        cost = torch.where(one.share > 0.5, one.misfit, _NOTHING)[None, None]
        rough = F.avg_pool2d(cost, attend.EIGHTH)[0, 0]
        costs.append(rough if alike is None else rough + _UNLIKE * (1 - alike))
    rows = torch.stack(costs).amin(0).flatten()
    return rows.topk(max(1, len(rows) // _LOOKED_FOR), sorted=False).indices.sort().values


def way_of(memory: Memory, now: Tensor) -> Planes | None:
    """(H, W, 2) map of a picture (H, W), as `grey_of` gives it, into the last; None if there was none."""
    return None if memory.last is None else motion.way(now.numpy(), memory.last.numpy())


def has_come(memory: Memory, now: Tensor) -> bool:
    """Whether a picture (H, W) is one of the keys."""
    return any(key.in_place and torch.equal(key.grey, now) for key in memory.keys)


def passed_over(memory: Memory, now: Tensor, way: Planes) -> tuple[Tensor, Memory] | None:
    """Colours of a picture (H, W) that shows nothing new: those that the last was shown in come along.

    Returns:
        ab (2, H, W), and the memory for the next picture; None if there was none before.
    """
    if memory.shown is None:
        return None
    keys = [
        replace(key, where=torch.from_numpy(motion.fetched(key.where.numpy(), way)), age=key.age + 1)
        if len(key.where)
        else key
        for key in memory.keys
    ]
    shown = torch.from_numpy(motion.fetched(memory.shown.numpy(), way))
    return shown.permute(2, 0, 1), Memory(tuple(keys), now, None, shown)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the network that is led says of a picture.

    Attributes:
        own: (2, h, w) its colours.
        eighth: (1, C, H/8, W/8) its features; None where it has none.
        known: (h, w) looks at each thing before this one, up to some; None where nobody counts.
    """

    own: Tensor
    eighth: Tensor | None = None
    known: Planes | None = None


def coloured(memory: Memory, light: Tensor, way: Planes | None, view: View, network: Judge) -> tuple[Tensor, Memory]:
    """Colour one picture.

    Args:
        memory: of keys.
        light: (1, 1, H, W) L*/100.
        way: as `way_of` gives it.
        view: of the picture.
        network: tells which colours to take where.

    Returns:
        ab (2, H, W), and the memory for the next picture.
    """
    light = light.float().cpu()
    own, eighth = sized(view.own[None], (light.shape[-2] // 2, light.shape[-1] // 2))[0], view.eighth
    now = grey_of(light)
    keys, known = followed(memory.keys, way, now)
    past = known[max(known)] if known else None
    if past is not None and past.age == 0 and bool((past.share == 1).all()):
        return past.ab, _left(keys, now, past.ab)
    after = _brought(memory.ahead, keys, now)
    alike = (alike_of(past, keys, eighth), alike_of(after, keys, eighth))
    carried = [(one, like) for one, like in zip((past, after), alike, strict=True) if one is not None]
    case = Case(light[0, 0], past, after, found_again(keys, light, eighth, carried), own, alike)
    ab = _calmed(_judged(case, network), memory.shown, way, view.known)
    if past is not None and past.age == 0:  # what was painted stays as it was painted
        ab += past.share * (past.ab - ab)
    return ab, _left(keys, now, ab)


def _calmed(ab: Tensor, shown: Tensor | None, way: Planes | None, known: Planes | None) -> Tensor:
    """Colours (2, H, W) averaged with what the last looks showed of the same things: places tremble a little."""
    if shown is None or way is None or known is None:
        return ab
    share = np.minimum(known, _LOOKS)
    share = motion.resized(share / (share + 1), (ab.shape[-2], ab.shape[-1]))
    before = torch.from_numpy(motion.fetched(shown.numpy(), way)).permute(2, 0, 1)
    return torch.lerp(ab, before, torch.from_numpy(share))


def _left(keys: tuple[Key, ...], now: Tensor, ab: Tensor) -> Memory:
    return Memory(keys, now, None, ab.permute(1, 2, 0).contiguous())


def _judged(case: Case, network: Judge) -> Tensor:
    """Colours (2, H, W): what is fine is mixed at full size, what is coarse at half."""
    ground = judge.evidence(case)
    weights = network(ground.planes[None], ground.shares[None])[0].numpy()
    size, half = (case.light.shape[0], case.light.shape[1]), (weights.shape[1], weights.shape[2])
    found = spread_out(case.seen, half)
    coarse = case.own.numpy() * weights[3] + (0 if found is None else found * weights[2])
    ab = np.stack([motion.resized(plane, size) for plane in coarse])
    for one, weight in zip((case.past, case.after), weights, strict=False):
        if one is not None:
            ab += one.ab.numpy() * motion.resized(weight, size)
    return torch.from_numpy(ab)


def spread_out(found: Found | None, size: tuple[int, int]) -> Planes | None:
    """What was found at 1/8, at (height, width): (2, H, W); colours count by their share."""
    if found is None:
        return None
    rows = torch.cat((found.ab * found.share, found.share[None])).numpy()
    fine = np.stack([motion.resized(row, size) for row in rows])
    whole: Planes = fine[:2] / np.maximum(fine[2], 1e-3)
    return whole
