"""One step of training: a batch is drawn, filmed, coloured, blamed; stills, or moving pictures with carried memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.color import AbBins, ab_bins, annealed_mean, lab_from_rgb
from vidcolor.memory import State
from vidcolor.models.reel import Reel
from vidcolor.train import losses
from vidcolor.train.bank import Bank
from vidcolor.train.data import Sample, Shape, clips, moving_pictures
from vidcolor.train.dice import Dice
from vidcolor.train.film import expose
from vidcolor.train.flow import Flows
from vidcolor.train.recipe import Recipe

Blames = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from, on the device that trains.

    Attributes:
        pictures: with their labels.
        films: clips, or None.
        flows: of the clips, or None.
        kinds: how many labels there are.
    """

    pictures: Bank
    films: Bank | None = None
    flows: Flows | None = None
    kinds: int = 0


class Student(nn.Module):
    """The network, and what it learns with but does not keep: a head that tells what a picture shows."""

    def __init__(self, network: Reel, kinds: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(256, kinds) if kinds else None

    def answer(self, light: Tensor, state: State, condition: Tensor, temperature: float) -> tuple[Tensor, ...]:
        """Class scores (T*B, Q, h, w), ab at half size (T*B, 2, H, W), and scores of labels (B, K) or nothing."""
        views = self.network.look(light, condition)
        logits, features, _ = self.network.decide(views, len(light), state)
        small = annealed_mean(logits, self.network.centers, temperature)
        ab = self.network.enlarge(small, features, light)
        if self.head is None:
            return logits, ab
        seen = rearrange(views[2].float().mean((2, 3)), "(t b) c -> t b c", t=len(light)).mean(0)
        return logits, ab, self.head(seen)


class Lesson:
    """Draws batches and tells what the student is blamed for."""

    def __init__(self, student: Student, material: Material, recipe: Recipe) -> None:
        self.student, self.material, self.recipe = student, material, recipe
        self.device = torch.device(recipe.device)
        self.dice = Dice(recipe.seed, self.device)
        self.bins: AbBins = ab_bins().to(self.device)
        self.rebalance = self.bins.rebalancing(recipe.blame.rebalancing)
        self.answer: Callable[..., tuple[Tensor, ...]] = student.answer
        self.quick: Callable[..., tuple[Tensor, ...]] = (
            torch.compile(student.answer) if recipe.compile else student.answer
        )

    def still(self, steps: int) -> tuple[Blames, int]:
        """A batch of single pictures, now and then of single frames; what it is blamed for, and how many they were."""
        self.student.train()
        shape = Shape(self.recipe.batch, 1, self.recipe.size, self.recipe.zoom)
        if self.material.films and steps % 12 == 11:
            return self._blame(clips(self.material.films, self.dice, shape)), shape.batch
        return self._blame(moving_pictures(self.material.pictures, self.dice, shape)), shape.batch

    def moving(self, steps: int) -> tuple[Blames, int]:
        """A batch of films; batch norm rests: films of a few frames would bend its statistics."""
        self.student.eval()
        before, frames = self.dice.one_of(self.recipe.before), self.dice.one_of(self.recipe.times)
        shape = Shape(self.recipe.clips, before + frames, self.recipe.size, self.recipe.zoom)
        films = self.material.films
        if films and steps % 4 == 1:
            sample = clips(films, self.dice, shape, self.material.flows)
        else:
            sample = moving_pictures(self.material.pictures, self.dice, shape, self.recipe.occluders)
        return self._blame(sample, before), shape.batch * frames

    def autocast(self) -> AbstractContextManager[Any]:
        """Half precision where it is safe."""
        return torch.autocast(self.device.type, torch.bfloat16)

    def _blame(self, sample: Sample, before: int = 0) -> Blames:
        light, condition = expose(sample.rgb, self.recipe.wear, self.dice)
        sample = sample.after(before)
        film = rearrange(light, "b t c h w -> t b c h w")
        state, film = self._remember(film[:before], condition), film[before:]
        answer = self.quick if len(film) == 1 else self.answer
        with self.autocast():
            own = self.recipe.temperature or self.student.network.temperature
            logits, ab, *scores = answer(film, state, condition, own)
        truth = lab_from_rgb(sample.rgb)
        blames = self._still_blames(truth.flatten(0, 1), *(_by_film(x, len(film)) for x in (logits, ab)))
        if scores and sample.labels is not None:
            blames["labels"] = self.recipe.blame.labels * losses.label_loss(scores[0], sample.labels)
        if len(film) > 1:
            blames["steady"] = self.recipe.blame.steady * self._unsteady(_by_film(ab, len(film)), truth, sample)
        return blames

    def _still_blames(self, truth: Tensor, logits: Tensor, ab: Tensor) -> Blames:
        """Every frame's, by itself: (B*T, 3, H, W) Lab, (B*T, Q, h, w), (B*T, 2, H/2, W/2)."""
        counts = self.recipe.blame
        ab4, ab2 = (F.avg_pool2d(truth[:, 1:], k) for k in (4, 2))
        blame, weight = losses.class_loss(logits, ab4, self.bins, self.rebalance)
        return {
            "classes": blame,
            "distance": counts.distance * losses.distance_loss(ab, ab2, weight),
            "edges": counts.edges * losses.edge_loss(ab, ab2),
            "liveliness": counts.liveliness * losses.liveliness_loss(ab, ab2),
        }

    @torch.no_grad()
    def _remember(self, film: Tensor, condition: Tensor) -> State:
        """The memory after some frames (T, B, 1, H, W) that nothing is to be learned from."""
        state: State = self.student.network.start()
        if len(film):
            with self.autocast():  # one of its own: a shared one keeps weights cast without their gradient
                *_, state = self.student.network.classify(film, state, condition)
        return state

    def _unsteady(self, ab: Tensor, truth: Tensor, sample: Sample) -> Tensor:
        film = rearrange(ab, "(b t) c h w -> b t c h w", b=len(truth))
        if sample.layers:
            return losses.steady_loss(film, sample.layers)
        small = rearrange(F.avg_pool2d(truth.flatten(0, 1), 2), "(b t) c h w -> b t c h w", b=len(truth))
        if sample.carried is not None:
            return losses.carried_loss(film, small[:, :, 1:], sample.carried)
        return losses.held_still_loss(film, small[:, :, 1:], small[:, :, :1] / 100)


def _by_film(x: Tensor, time: int) -> Tensor:
    """Frames of one film together: the network has them the other way round."""
    return rearrange(x, "(t b) c h w -> (b t) c h w", t=time)
