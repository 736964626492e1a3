"""The training loop: stills, then moving pictures with carried memory, in a budget that the learning rate follows."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor import weights
from vidcolor.color import ab_bins, annealed_mean, lab_from_rgb
from vidcolor.memory import State
from vidcolor.models.reel import Reel
from vidcolor.train.data import Sample, clips, moving_pictures
from vidcolor.train.film import Wear, expose
from vidcolor.train.losses import Weights, class_loss, distance_loss, held_still_loss, steady_loss
from vidcolor.train.store import Store


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        minutes: of training in all, both stages, over every resumption.
        stills: share of the minutes spent on single pictures alone; the rest is shared with moving ones.
        size: height and width of crops.
        batch: single pictures a step.
        clips: films a step in the second stage.
        times: frames of a film a step, drawn anew for each.
        before: frames that its memory has already seen by then, without being taught by them, drawn anew for each: a
            film is longer than any step, and a memory must stay sane beyond what is unrolled.
        rate: highest learning rate; the encoder's is ``encoder`` times that, the memories' ``memory`` times: they begin
            at nothing, and only the second stage teaches them.
        seed: of all chance.
    """

    minutes: float = 90.0
    stills: float = 0.62
    size: tuple[int, int] = (128, 176)
    batch: int = 16
    clips: int = 4
    times: tuple[int, ...] = (4, 5, 6)
    before: tuple[int, ...] = (0, 0, 3, 10)
    rate: float = 1e-3
    encoder: float = 0.25
    memory: float = 8.0
    decay: float = 0.02
    average: float = 0.998
    seed: int = 1
    device: str = "cpu"
    checkpoint_minutes: float = 5.0
    weights: Weights = field(default_factory=Weights)
    wear: Wear = field(default_factory=Wear)


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from, and to check on (None: no check)."""

    pictures: Store
    films: Store | None
    check: Store | None


class Trainer:
    """A network in training: everything that a checkpoint must hold."""

    def __init__(self, network: Reel, material: Material, recipe: Recipe, out: Path) -> None:
        self.recipe, self.material, self.out = recipe, material, out
        self.network = network.to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.bins = ab_bins()
        self.rebalance = self.bins.rebalancing(recipe.weights.rebalancing)
        self.optimizer = torch.optim.AdamW(self._groups(), lr=recipe.rate, weight_decay=recipe.decay)
        self.random = torch.Generator().manual_seed(recipe.seed)
        self.steps, self.crops, self.spent = 0, 0, 0.0

    def _groups(self) -> list[dict[str, Any]]:
        shares = {"encoder": self.recipe.encoder, "decoder": 1.0, "memory": self.recipe.memory}
        parts: dict[str, list[nn.Parameter]] = {part: [] for part in shares}
        for name, parameter in self.network.named_parameters():
            parts[_part(name)].append(parameter)
        return [{"params": parts[part], "share": share} for part, share in shares.items()]

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0..1."""
        return min(1.0, self.spent / (60 * self.recipe.minutes))

    @property
    def on_stills(self) -> bool:
        """Whether this is the first stage."""
        return self.progress < self.recipe.stills

    def run(self) -> None:
        """Train until the budget is spent, writing a checkpoint and a line of the log every few minutes."""
        self.out.mkdir(parents=True, exist_ok=True)
        said, due = time.monotonic(), self.spent + 60 * self.recipe.checkpoint_minutes
        sums: dict[str, float] = {}
        while self.progress < 1:
            began = time.monotonic()
            for name, value in self.step().items():
                sums[name] = 0.98 * sums.get(name, value) + 0.02 * value
            self.spent += time.monotonic() - began
            if time.monotonic() - said > 30:
                said = time.monotonic()
                self._say(sums)
            if self.spent > due:
                due += 60 * self.recipe.checkpoint_minutes
                self.save()
        self.save()

    def _say(self, sums: dict[str, float]) -> None:
        row = {"minutes": round(self.spent / 60, 2), "steps": self.steps, "crops": self.crops}
        row |= {name: round(value, 4) for name, value in sums.items()}
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")

    def step(self) -> dict[str, float]:
        """One batch, one step of the optimizer; what it was blamed for."""
        self._set_rate()
        # the second stage keeps one step in four for stills: a moving picture shows one scene where a batch shows many
        blames = self._blame_still() if self.on_stills or self.steps % 4 == 3 else self._blame_moving()
        total = torch.stack(list(blames.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        if torch.isfinite(norm):
            self.optimizer.step()
            self._follow()
        self.steps += 1
        return {name: float(value.detach()) for name, value in blames.items()}

    def _set_rate(self) -> None:
        warm = min(1.0, (self.steps + 1) / 100)
        rate = self.recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]

    @torch.no_grad()
    def _follow(self) -> None:
        """The exponential moving average of the weights is what is kept and measured."""
        keep = min(self.recipe.average, (1 + self.steps) / (10 + self.steps))
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - keep)
            else:
                self.average[name].copy_(tensor)

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(torch.device(self.recipe.device).type, torch.bfloat16)

    def _blame_still(self) -> dict[str, Tensor]:
        self.network.train()
        store = self.material.films if self.material.films and self.steps % 12 == 11 else self.material.pictures
        draw = clips if store is self.material.films else moving_pictures
        return self._blame(draw(store, self.random, self.recipe.size, self.recipe.batch, 1))

    def _blame_moving(self) -> dict[str, Tensor]:
        """Batch norm rests: films of a few frames would bend its statistics."""
        self.network.eval()
        before, frames = self._one_of(self.recipe.before), self._one_of(self.recipe.times)
        films, size, batch = self.material.films, self.recipe.size, self.recipe.clips
        if films and self.steps % 4 == 1:
            return self._blame(clips(films, self.random, size, batch, before + frames), before)
        return self._blame(moving_pictures(self.material.pictures, self.random, size, batch, before + frames), before)

    def _one_of(self, choices: tuple[int, ...]) -> int:
        return choices[int(torch.randint(len(choices), (), generator=self.random))]

    def _blame(self, sample: Sample, before: int = 0) -> dict[str, Tensor]:
        device, blame_of = self.recipe.device, self.recipe.weights
        light, condition = expose(sample.rgb, self.recipe.wear, self.random)
        sample = sample.after(before)
        truth = lab_from_rgb(sample.rgb.flatten(0, 1))
        self.crops += len(truth)
        ab4, ab2 = (F.avg_pool2d(truth[:, 1:], k).to(device) for k in (4, 2))
        film = rearrange(light, "b t c h w -> t b c h w").to(device)
        state, film = self._remember(film[:before], condition.to(device)), film[before:]
        with self._autocast():
            logits, features, _ = self.network.classify(film, state, condition.to(device))
            small = annealed_mean(logits, self.network.centers, self.network.temperature)
            ab = self.network.enlarge(small, features, film)
        order = "(t b) c h w -> (b t) c h w"
        logits, ab = (rearrange(x, order, t=len(film)) for x in (logits, ab))
        blame, weight = class_loss(logits, ab4, self.bins, self.rebalance)
        blames = {"classes": blame, "distance": blame_of.distance * distance_loss(ab, ab2, weight)}
        if len(film) > 1:
            blames["steady"] = blame_of.steady * self._unsteady(ab, ab2, truth, sample)
        return blames

    @torch.no_grad()
    def _remember(self, film: Tensor, condition: Tensor) -> State:
        """The memory after some frames (T, B, 1, H, W) that nothing is to be learned from."""
        state: State = self.network.start()
        if len(film):
            with self._autocast():  # one of its own: a shared one keeps weights cast without their gradient
                *_, state = self.network.classify(film, state, condition)
        return state

    def _unsteady(self, ab: Tensor, ab2: Tensor, truth: Tensor, sample: Sample) -> Tensor:
        time = sample.rgb.shape[1]
        film, true = (rearrange(x, "(b t) c h w -> b t c h w", t=time) for x in (ab, ab2))
        if sample.maps is not None:
            return steady_loss(film, sample.maps.to(ab.device))
        light = rearrange(F.avg_pool2d(truth[:, :1], 2) / 100, "(b t) c h w -> b t c h w", t=time)
        return held_still_loss(film, true, light.to(ab.device))

    def save(self) -> None:
        """Write checkpoint and averaged weights, each whole or not at all; add a line of figures to the table."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.get_state(),
            "counts": {"steps": self.steps, "crops": self.crops, "spent": self.spent},
        }
        part = self.out / "checkpoint.part"
        torch.save(state, part)
        part.replace(self.out / "checkpoint.pt")
        weights.write(self.average, self.out / "weights.safetensors", self.network.spec.name)
        if self.material.check:
            row = {"minutes": round(self.spent / 60, 2), "crops": self.crops} | self.check(self.material.check)
            with (self.out / "table.jsonl").open("a") as table:
                table.write(json.dumps(row) + "\n")

    def resume(self) -> bool:
        """Take up from the checkpoint in the folder, if there is one."""
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])
        for name, value in state["counts"].items():
            setattr(self, name, value)
        return True

    @torch.no_grad()
    def check(self, store: Store, pictures: int = 64) -> dict[str, float]:
        """Class loss, ab error and chroma ratio of the averaged weights on pictures never trained on."""
        network = Reel()
        network.load_state_dict(self.average, strict=False)
        network.fold().to(self.recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        losses, errors, chroma, true_chroma = [], [], [], []
        for sample in _fixed(store, self.recipe.size, pictures):
            truth = lab_from_rgb(sample.rgb[:, 0])
            light, _ = expose(sample.rgb, Wear(0, 0, 0, 0, 0, 0), self.random)
            with self._autocast():
                film = rearrange(light, "b t c h w -> t b c h w").to(self.recipe.device)
                logits, _, _ = network.classify(film, network.start(), None)
            ab4 = F.avg_pool2d(truth[:, 1:], 4)
            losses.append(float(class_loss(logits.cpu(), ab4, self.bins, self.rebalance)[0]))
            ab = annealed_mean(logits.cpu(), self.bins.centers, network.temperature)
            errors.append(float((ab - ab4).norm(dim=1).mean()))
            chroma.append(float(ab.norm(dim=1).mean()))
            true_chroma.append(float(ab4.norm(dim=1).mean()))
        count = len(losses)
        return {
            "loss": round(sum(losses) / count, 4),
            "ab_error": round(sum(errors) / count, 3),
            "grey_error": round(sum(true_chroma) / count, 3),
            "chroma_ratio": round(sum(chroma) / sum(true_chroma), 3),
        }


def _part(name: str) -> str:
    """Which part of the network a parameter belongs to."""
    if name.startswith("memory"):
        return "memory"
    return "encoder" if name.startswith(("conv1", "layer")) else "decoder"


def _fixed(store: Store, size: tuple[int, int], pictures: int) -> Iterator[Sample]:
    random = torch.Generator().manual_seed(7)
    for _ in range(pictures // 8):
        yield moving_pictures(store, random, size, 8, 1)
