"""The training loop: stills, then moving pictures with carried memory, in a budget that the learning rate follows."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidcolor import weights
from vidcolor.colorizer import Colorizer
from vidcolor.train.check import Checker
from vidcolor.train.recipe import Recipe
from vidcolor.train.step import Lesson, Material, Student

SAY_EVERY = 30.0
"""Seconds between two lines of the log."""


class Trainer:
    """A network in training: everything that a checkpoint must hold."""

    def __init__(
        self, network: Colorizer, material: Material, recipe: Recipe, out: Path, checker: Checker | None = None
    ) -> None:
        self.recipe, self.out, self.checker = recipe, out, checker
        self.network = network
        student = Student(network, material.kinds if recipe.blame.labels else 0)
        self.student = student.to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.lesson = _lesson(self.student, material, recipe)
        self.optimizer = torch.optim.AdamW(
            self._groups(), lr=recipe.rate, weight_decay=recipe.decay, fused=self.lesson.device.type == "cuda"
        )
        self.steps, self.crops, self.spent = 0, 0, 0.0
        self.best, self.worse = -math.inf, 0
        self._sums: dict[str, Tensor] = {}
        self._tell: Callable[[str], None] = lambda text: None

    def _groups(self) -> list[dict[str, Any]]:
        shares = {"encoder": self.recipe.encoder, "decoder": 1.0, "memory": self.recipe.memory}
        parts: dict[str, list[nn.Parameter]] = {part: [] for part in shares}
        for name, parameter in self.student.named_parameters():
            parts[_part(name.removeprefix("network."), self.network.pretrained)].append(parameter)
        return [{"params": parts[part], "share": share} for part, share in shares.items()]

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0..1."""
        if self.recipe.steps:
            return min(1.0, self.steps / self.recipe.steps)
        return min(1.0, self.spent / (60 * self.recipe.minutes)) if self.recipe.minutes else 1.0

    @property
    def on_stills(self) -> bool:
        """Whether this is the first stage."""
        return self.progress < self.recipe.stills

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent, or patience is at its end."""
        return self.progress >= 1 or 0 < self.recipe.patience <= self.worse

    def run(
        self,
        pause: float = math.inf,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Train until the budget is spent, writing a checkpoint and a line of the log every few minutes.

        Args:
            pause: minutes after which to stop for now; a later run takes up from the checkpoint.
            check: called at every step; what it raises ends the run, once a checkpoint is written.
            tell: hears a sentence now and then of how it goes.
        """
        self._tell = tell
        self.out.mkdir(parents=True, exist_ok=True)
        began, before = time.monotonic(), self.spent
        said, due = 0.0, 60 * self.recipe.checkpoint_minutes
        saved = -1
        try:
            while not self.is_over and self.spent - before < 60 * pause:
                check()
                self.step()
                self.spent = before + time.monotonic() - began
                if self.spent - before > said + SAY_EVERY:
                    said = self.spent - before
                    self.say()
                if self.spent - before > due:
                    due += 60 * self.recipe.checkpoint_minutes
                    self.save()
                    saved = self.steps
        finally:
            if saved != self.steps:
                self.keep()
        if saved != self.steps:
            self.save()

    def say(self) -> None:
        """Add a line to the log."""
        row: dict[str, float] = {"minutes": round(self.spent / 60, 2), "steps": self.steps, "crops": self.crops}
        row |= {name: round(float(value), 4) for name, value in self._sums.items()}
        _add(self.out / "log.jsonl", row)
        spent = f"step {self.steps} of {self.recipe.steps}" if self.recipe.steps else f"minute {row['minutes']:.1f}"
        stage = "stills" if self.on_stills else "stills and films"
        blame = ", ".join(f"{name} {float(value):.3f}" for name, value in self._sums.items())
        self._tell(f"{spent}, {self.progress:.0%}: {stage}, {self.crops} crops; {blame}")

    def step(self) -> None:
        """One batch, one step of the optimizer."""
        self._set_rate()
        self.lesson.progress = self.progress
        # the second stage keeps one step in four for stills: a moving picture shows one scene where a batch shows many
        stills = self.on_stills or self.steps % 4 == 3
        blames, crops = self.lesson.still(self.steps) if stills else self.lesson.moving(self.steps)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(blames.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.student.parameters(), self.recipe.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            self._follow()
        self.steps += 1
        self.crops += crops
        self._sum(blames)

    def _sum(self, blames: dict[str, Tensor]) -> None:
        """Running means, left on the device until somebody reads them."""
        for name, value in blames.items():
            value = value.detach()
            self._sums[name] = self._sums.get(name, value).lerp(value, 0.02)

    def _set_rate(self) -> None:
        warm = min(1.0, (self.steps + 1) / self.recipe.warm)
        rate = self.recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]

    @torch.no_grad()
    def _follow(self) -> None:
        """The exponential moving average of the weights is what is kept and measured."""
        keep = min(self.recipe.average, (1 + self.steps) / (10 + self.steps))
        now = self.network.state_dict()
        floats = [name for name, tensor in now.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.average[name] for name in floats], [now[name] for name in floats], 1 - keep)
        for name in now.keys() - floats:
            self.average[name].copy_(now[name])

    def save(self) -> None:
        """Measure the averaged weights, and write them and a checkpoint (which knows how good they are)."""
        self.say()
        self.measure()
        self.keep()

    def keep(self) -> None:
        """Write checkpoint and averaged weights, each whole or not at all."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "student": self.student.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "dice": self.lesson.dice.state(),
            "counts": {name: getattr(self, name) for name in _COUNTS},
        }
        if self.lesson.adversary is not None:
            state["adversary"] = self.lesson.adversary.state()
        part = self.out / "checkpoint.part"
        torch.save(state, part)
        part.replace(self.out / "checkpoint.pt")
        self.write("weights.safetensors")

    def write(self, name: str) -> None:
        """Write the averaged weights under a name."""
        weights.write(self.average, self.out / name, self.network.spec.name, self.network.facts())

    def measure(self) -> None:
        """Add a line of figures to the table, draw the curves, and keep the weights if they are the best so far."""
        if self.checker is None:
            return
        figures = self.checker.measure(self.average, self.network)
        row = {"minutes": round(self.spent / 60, 2), "steps": self.steps, "crops": self.crops}
        _add(self.out / "table.jsonl", row | {name: round(value, 4) for name, value in figures.items()})
        self._tell("checked: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
        self.worse += 1
        if figures["score"] > self.best:
            self.best, self.worse = figures["score"], 0
            self.write("best.safetensors")
        from vidcolor.train.curves import draw_run

        draw_run(self.out)

    def resume(self) -> bool:
        """Take up from the checkpoint in the folder, if there is one."""
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True, map_location=self.recipe.device)
        self.student.load_state_dict(state["student"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.lesson.dice.restore(state["dice"])
        if self.lesson.adversary is not None:
            self.lesson.adversary.restore(state["adversary"])
        for name, value in state["counts"].items():
            setattr(self, name, value)
        return True


_COUNTS = ("steps", "crops", "spent", "best", "worse")


def _lesson(student: Student, material: Material, recipe: Recipe) -> Lesson:
    """What the network is taught: colours, or kinds of tiles."""
    if student.network.taught == "colours":
        return Lesson(student, material, recipe)
    from vidcolor.train.kinds import KindsLesson

    return KindsLesson(student, material, recipe)


def _add(path: Path, row: dict[str, float]) -> None:
    with path.open("a") as lines:
        lines.write(json.dumps(row) + "\n")


def _part(name: str, pretrained: tuple[str, ...]) -> str:
    """Which part of the network a parameter belongs to."""
    if name.startswith("memory"):
        return "memory"
    return "encoder" if name.startswith(pretrained) else "decoder"
