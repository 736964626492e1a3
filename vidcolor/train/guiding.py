"""Teaches who judges between carried, found and automatic colours: lessons drawn from clips once, then a few minutes.

The main network is frozen: it only looks. A lesson is one picture of a clip with what there is to judge by, the colours
that there are, and the true ones; colours are turned by chance, because a key may have any.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from streams.errors import UsageError
from vidcolor import device, weights, zoo
from vidcolor.color import lab_from_rgb
from vidcolor.colorizer import Colorizer, network_size
from vidcolor.guide import carry, judge, motion
from vidcolor.guide.judge import Carried, Case, Judge
from vidcolor.guide.memory import Key, grey_of, made
from vidcolor.train.decode import Clip
from vidcolor.train.dice import Dice
from vidcolor.train.film import expose
from vidcolor.train.recipe import UNWORN, Wear
from vidcolor.train.store import CLIPS, Store, open_store

FRAMES = 48
EACH = 6
"""Lessons of a clip."""
TURNED = 0.35
PARTLY = 0.25
STRANGE = 0.06
"""Shares of clips whose colours are turned, whose keys are coloured in part, and whose keys are of another clip."""
WORN = 0.5
KEEP = 0.995


@dataclass(frozen=True, slots=True)
class Lessons:
    """Many pictures: planes (N, 27, h, w), shares (N, 4, 2h, 2w), colours (N, 4, 2, 2h, 2w), truth (N, 2, 2h, 2w)."""

    planes: Tensor
    shares: Tensor
    colours: Tensor
    truth: Tensor

    @classmethod
    def of(cls, parts: list[dict[str, Tensor]]) -> Lessons:
        """Put lessons together."""
        return cls(*(torch.stack([part[name] for part in parts]) for name in cls.__dataclass_fields__))


class Teacher:
    """Draws lessons from clips."""

    def __init__(self, network: Colorizer, store: Store, seed: int) -> None:
        self.network, self.store = network, store
        self.seed, self.dice = seed, Dice(seed, "cpu")
        self.kind = next(network.parameters()).dtype

    def lessons(self, index: int) -> Iterator[dict[str, Tensor]]:
        """Lessons of one clip."""
        clip = self.store.clip(index)
        first = int(self.dice.below(max(1, len(clip) - FRAMES + 1), 1)[0])
        light, ab = self._filmed(clip[first : first + FRAMES])
        if len(light) < 4:
            return
        onward, back = self._chain(light, ab, index, 0), self._chain(light.flip(0), ab.flip(0), index, 1)
        for frame in sorted(set((1 + self.dice.below(len(light) - 2, EACH)).tolist())):
            yield self._lesson(light[frame], ab[frame], onward(frame), back(len(light) - 1 - frame))

    def _filmed(self, clip: Clip) -> tuple[Tensor, Tensor]:
        """Light (T, 1, H, W) and ab (T, 2, H, W) at the size that the network sees; worn, turned, by chance."""
        rgb = torch.from_numpy(np.ascontiguousarray(clip)).movedim(-1, 1).float() / 255
        size = network_size((clip.shape[1], clip.shape[2]), self.network.spec.side, self.network.spec.stride)
        rgb = F.interpolate(rgb, size=size, mode="bilinear", antialias=True).clamp(0, 1)
        wear = Wear() if self._chance(WORN) else UNWORN
        light, _ = expose(rgb[None], wear, self.dice)
        ab = lab_from_rgb(rgb)[:, 1:]
        if self._chance(TURNED):
            angle, scale = (float(self.dice.uniform(low, high, (1,))) for low, high in ((0, 6.28), (0.5, 1.3)))
            cos, sin = scale * math.cos(angle), scale * math.sin(angle)
            ab = torch.stack((cos * ab[:, 0] - sin * ab[:, 1], sin * ab[:, 0] + cos * ab[:, 1]), 1)
        return light[0], ab

    def _chance(self, share: float) -> bool:
        return bool(self.dice.uniform(0, 1, (1,)) < share)

    def _chain(self, light: Tensor, ab: Tensor, index: int, number: int) -> Callable[[int], tuple[Key, Carried]]:
        """The key at the first picture, carried to all that follow."""
        mask = self._mask(light[0])
        if self._chance(STRANGE):
            other = self.store.clip((index + 7) % len(self.store))[:1]
            strange, colours = self._filmed(np.repeat(other, 2, 0))
            size = (light.shape[-2], light.shape[-1])
            first = F.interpolate(strange[:1], size=size), F.interpolate(colours[:1], size=size)
        else:
            first = light[:1], ab[:1]
        key = made(first[0], (first[1], mask[None]), self._look(first[0])[1], number)
        keys, known = carry.followed((key,), None, grey_of(first[0]))
        found = [(keys[0], known[0])]
        for now, before in zip(light[1:], light, strict=False):
            grey = grey_of(now[None])
            keys, known = carry.followed(keys, motion.way(grey.numpy(), grey_of(before[None]).numpy()), grey)
            found.append((keys[0], known[0]))
        return found.__getitem__

    def _mask(self, light: Tensor) -> Tensor:
        """(1, H, W) where a key is coloured: everywhere, or in a blob or outside of it."""
        if not self._chance(PARTLY):
            return torch.ones_like(light)
        noise = F.interpolate(self.dice.normal((1, 1, 5, 7)), size=light.shape[-2:], mode="bicubic")[0]
        return (noise > 0).float()

    @torch.inference_mode()
    def _look(self, light: Tensor) -> tuple[Tensor, Tensor]:
        own, _, eighth = self.network.perceive(light.to(self.kind), self.network.start())
        assert eighth is not None
        return own[0].float(), eighth

    def _lesson(
        self, light: Tensor, truth: Tensor, past: tuple[Key, Carried], after: tuple[Key, Carried]
    ) -> dict[str, Tensor]:
        own, eighth = self._look(light[None])
        way = float(self.dice.uniform(0, 1, (1,)))
        has_past, has_next = way < 0.9, way > 0.45
        there = [one if is_there else None for one, is_there in ((past, has_past), (after, has_next))]
        keys = [one[0] for one in there if one]
        alike = tuple(carry.alike_of(one[1], keys, eighth) if one else None for one in there)
        carried = [(one[1], like) for one, like in zip(there, alike, strict=True) if one]
        found = carry.found_again(keys, light[None], eighth, carried)
        first, last = (one[1] if one else None for one in there)
        case = Case(light[0], first, last, found, own, (alike[0], alike[1]))
        ground = judge.evidence(case)
        lesson = {"planes": ground.planes, "shares": ground.shares, "truth": F.avg_pool2d(truth, 2)}
        lesson["colours"] = torch.stack(_choices(case))
        return {name: tensor.half() for name, tensor in lesson.items()}


def _choices(case: Case) -> list[Tensor]:
    """The colours of each kind, (2, H/2, W/2); none where it is not there."""
    size = (case.light.shape[-2] // 2, case.light.shape[-1] // 2)
    nothing, found = torch.zeros(2, *size), carry.spread_out(case.seen, size)
    carried = [nothing if one is None else F.avg_pool2d(one.ab, 2) for one in (case.past, case.after)]
    return [*carried, nothing if found is None else torch.from_numpy(found), case.own]


def draw_lessons(teacher: Teacher, cache: Path, check: Callable[[], None], tell: Callable[[str], None]) -> list[Path]:
    """Draw the lessons of all clips into a folder, a file a clip; those that are there already are kept."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(len(teacher.store)):
        path = cache / f"lessons-{index:05d}.pt"
        if not path.exists():
            check()
            teacher.dice = Dice(
                teacher.seed * len(teacher.store) + index, "cpu"
            )  # the same lessons, whichever run draws them
            part = path.with_suffix(".part")
            torch.save(list(teacher.lessons(index)), part)
            part.replace(path)
            if index % 20 == 0:
                tell(f"lessons of {index} of {len(teacher.store)} clips")
        paths.append(path)
    return paths


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how: minutes, pictures a step, learning rate."""

    minutes: float = 6.0
    batch: int = 8
    rate: float = 2e-3


def learn(paths: list[Path], out: Path, course: Course, check: Callable[[], None], tell: Callable[[str], None]) -> Path:
    """Teach a judge; goes on from what the folder holds. Returns the path of its averaged weights.

    Lessons of different sizes stay apart: a batch holds pictures of one.
    """
    groups = _groups(paths)
    network, out_path = Judge(), out / "guide.safetensors"
    mean = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), lr=course.rate, weight_decay=1e-4)
    spent, steps = _taken_up(out, network, mean, optimizer)
    began, said, blame = time.monotonic() - spent, spent, 0.0
    dice = np.random.default_rng(steps)
    while (spent := time.monotonic() - began) < 60 * course.minutes:
        check()
        share = spent / (60 * course.minutes)
        optimizer.param_groups[0]["lr"] = course.rate * 0.5 * (1 + math.cos(math.pi * share)) * min(1, (steps + 1) / 50)
        loss = _blame(network, _drawn(groups, dice, course.batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        steps += 1
        keep = min(KEEP, (1 + steps) / (10 + steps))
        for name, tensor in network.state_dict().items():
            mean[name].lerp_(tensor, 1 - keep)
        now = float(loss.detach())
        blame = 0.98 * blame + 0.02 * now if blame else now
        if spent - said > 30:
            said = spent
            tell(f"minute {spent / 60:.1f}: step {steps}, mean error {blame:.3f}")
            _keep(out, network, mean, optimizer, (spent, steps))
    _keep(out, network, mean, optimizer, (spent, steps))
    weights.write(mean, out_path, "guide")
    tell(f"{steps} steps, mean error {blame:.3f}")
    return out_path


def _groups(paths: list[Path]) -> list[Lessons]:
    by_size: dict[torch.Size, list[dict[str, Tensor]]] = {}
    for path in paths:
        for lesson in torch.load(path, weights_only=True):
            by_size.setdefault(lesson["truth"].shape, []).append(lesson)
    return [Lessons.of(group) for group in by_size.values()]


def _drawn(groups: list[Lessons], dice: np.random.Generator, batch: int) -> Lessons:
    sizes = np.array([len(group.truth) for group in groups], float)
    group = groups[dice.choice(len(groups), p=sizes / sizes.sum())]
    chosen = torch.from_numpy(dice.integers(0, len(group.truth), batch))
    return Lessons(*(getattr(group, name)[chosen].float() for name in Lessons.__dataclass_fields__))


def _blame(network: Judge, lessons: Lessons) -> Tensor:
    """Mean distance of the colours from the true ones, in Lab units, smooth around none."""
    shares = network(lessons.planes, lessons.shares)
    ab = (shares.unsqueeze(2) * lessons.colours).sum(1)
    blame: Tensor = ((ab - lessons.truth).square().sum(1) + 1).sqrt().mean() - 1
    return blame


def _taken_up(
    out: Path, network: Judge, mean: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[float, int]:
    path = out / "guide.pt"
    if not path.exists():
        return 0.0, 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    mean.update(state["mean"])
    optimizer.load_state_dict(state["optimizer"])
    return state["spent"], state["steps"]


def _keep(
    out: Path, network: Judge, mean: dict[str, Tensor], optimizer: torch.optim.Optimizer, counts: tuple[float, int]
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    part = out / "guide.part"
    state = {"network": network.state_dict(), "mean": mean, "optimizer": optimizer.state_dict()}
    torch.save({**state, "spent": counts[0], "steps": counts[1]}, part)
    part.replace(out / "guide.pt")
    (out / "guide.json").write_text(json.dumps({"minutes": round(counts[0] / 60, 2), "steps": counts[1]}))


def teach(args: argparse.Namespace, check: Callable[[], None], tell: Callable[[str], None]) -> Path:
    """Teach a judge as `vidcolor train --network guide` asks: lessons first, then the time that is left to learn.

    Raises:
        UsageError: there are no clips to learn from, or OpenCV is not installed.
    """
    if not args.clips:
        raise UsageError("--network guide learns from --clips")
    motion.check_motion()
    out = args.out or Path("runs/guide")
    cache = args.cache or out / "cache"
    store = open_store(args.clips, cache, CLIPS, args.threads)
    loaded = zoo.load(zoo.table()[0].name, device.choose("cpu"))
    tell(f"to learn from: {len(store)} shots of film")
    lessons = cache / f"guide-{store.path.stem}-{loaded.sha256[:8]}-{args.seed}"
    paths = draw_lessons(Teacher(loaded.colorizer, store, args.seed), lessons, check, tell)
    return Path(cache) if args.prepare else learn(paths, out, Course(args.minutes), check, tell)
