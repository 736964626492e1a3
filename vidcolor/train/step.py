"""One step of training: a batch is drawn, filmed, coloured, blamed; stills, or moving pictures with carried memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.color import AbBins, ab_bins, lab_from_rgb
from vidcolor.colorizer import Answer, Colorizer
from vidcolor.memory import State
from vidcolor.spaces import SPACES
from vidcolor.train import losses
from vidcolor.train.adversary import Adversary
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
        names: of the labels, in the order of their numbers.
    """

    pictures: Bank
    films: Bank | None = None
    flows: Flows | None = None
    kinds: int = 0
    names: tuple[str, ...] = ()


class Student(nn.Module):
    """The network, and what it learns with but does not keep: a head that tells what a picture shows."""

    def __init__(self, network: Colorizer, kinds: int) -> None:
        super().__init__()
        self.network = network
        wanted = kinds and network.depth and not network.labels
        self.head = nn.Linear(network.depth, kinds) if wanted else None

    def answer(self, light: Tensor, state: State, condition: Tensor, temperature: float) -> Answer:
        """What the network says, its labels (B, K) told once a film."""
        answer, _ = self.network.answer(light, state, condition, temperature)
        if self.head is not None and answer.deep is not None:
            seen = rearrange(answer.deep.float().mean((2, 3)), "(t b) c -> t b c", t=len(light)).mean(0)
            return answer._replace(labels=self.head(seen))
        if answer.labels is None:
            return answer
        return answer._replace(labels=rearrange(answer.labels, "(t b) k -> t b k", t=len(light)).mean(0))


class Lesson:
    """Draws batches and tells what the student is blamed for."""

    def __init__(self, student: Student, material: Material, recipe: Recipe) -> None:
        self.student, self.material, self.recipe = student, material, recipe
        self.device = torch.device(recipe.device)
        self.dice = Dice(recipe.seed, self.device)
        self.lying, self.standing = material.pictures.upright()
        self.bins: AbBins = ab_bins().to(self.device)
        self.rebalance = self.bins.rebalancing(recipe.blame.rebalancing)
        self.adversary = Adversary(self.device) if recipe.blame.adversary else None
        self.progress = 0.0
        self.answer: Callable[..., Answer] = student.answer
        self.quick: Callable[..., Answer] = torch.compile(student.answer) if recipe.compile else student.answer

    def still(self, steps: int) -> tuple[Blames, int]:
        """A batch of single pictures, now and then of single frames; what it is blamed for, and how many they were."""
        self.student.train()
        shape = Shape(self.recipe.batch, 1, self.recipe.size, self.recipe.lens)
        if self.material.films and steps % 12 == 11:
            return self._blame(clips(self.material.films, self.dice, shape)), shape.batch
        among = self.lying
        if self.dice.chance(len(self.standing) / len(self.material.pictures)):
            # an upright picture is seen whole only through an upright window
            among, shape = self.standing, replace(shape, size=shape.size[::-1])
        sample = moving_pictures(self.material.pictures, self.dice, shape, among=among)
        return self._blame(sample), shape.batch

    def moving(self, steps: int) -> tuple[Blames, int]:
        """A batch of films; batch norm rests: films of a few frames would bend its statistics."""
        self.student.eval()
        before, frames = self.dice.one_of(self.recipe.before), self.dice.one_of(self.recipe.times)
        shape = Shape(self.recipe.clips, before + frames, self.recipe.size, self.recipe.lens)
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
            told = answer(film, state, condition, self.recipe.temperature)
        truth = lab_from_rgb(sample.rgb)
        scores, ab = (None if x is None else _by_film(x, len(film)) for x in (told.scores, told.ab))
        assert ab is not None
        blames = self._still_blames(truth.flatten(0, 1), scores, ab)
        if told.own is not None:
            own = _by_film(told.own, len(film))
            blames |= self._plain_blames(sample.rgb.flatten(0, 1), own, light[:, before:].flatten(0, 1))
        if told.labels is not None and sample.labels is not None and self.recipe.blame.labels:
            blames["labels"] = self.recipe.blame.labels * losses.label_loss(told.labels, sample.labels)
        if len(film) > 1 and self.recipe.blame.steady:
            blames["steady"] = self.recipe.blame.steady * self._unsteady(_by_film(told.ab, len(film)), truth, sample)
        return blames

    def _still_blames(self, truth: Tensor, scores: Tensor | None, ab: Tensor) -> Blames:
        """Every frame's, by itself: (B*T, 3, H, W) Lab, (B*T, Q, h, w) or nothing, (B*T, 2, h', w')."""
        counts, blames = self.recipe.blame, Blames()
        true = _pooled(truth[:, 1:], ab)
        if scores is not None:
            blame, weight = losses.class_loss(scores, _pooled(truth[:, 1:], scores), self.bins, self.rebalance)
            blames["classes"] = counts.classes * blame
        elif counts.distance:
            weight = losses.class_weight(true, self.bins, self.rebalance)
        if counts.distance:
            blames["distance"] = counts.distance * losses.distance_loss(ab, true, weight)
        if counts.edges:
            blames["edges"] = counts.edges * losses.edge_loss(ab, true)
        if counts.liveliness:
            blames["liveliness"] = counts.liveliness * losses.liveliness_loss(ab, true)
        return blames

    def _plain_blames(self, rgb: Tensor, own: Tensor, light: Tensor) -> Blames:
        """Errors in the network's own space: (N, 3, H, W) true RGB, (N, 2, h, w), (N, 1, H, W) what was seen."""
        counts, blames = self.recipe.blame, Blames()
        if not (counts.squares or counts.absolute or counts.adversary):
            return blames
        true = _pooled(SPACES[self.student.network.space].encode(rgb), own)
        if counts.squares:
            blames["squares"] = counts.squares * losses.squares_loss(own, true)
        if counts.absolute:
            blames["absolute"] = counts.absolute * losses.absolute_loss(own, true)
        if self.adversary is not None and self.progress >= 1 - self.recipe.critic:
            seen = _pooled(light, own)
            self.adversary.learn(seen, own.float(), true)
            if self.progress >= 1 - self.recipe.critic * 2 / 3:
                blames["adversary"] = counts.adversary * self.adversary.blame(seen, own.float())
        return blames

    @torch.no_grad()
    def _remember(self, film: Tensor, condition: Tensor) -> State:
        """The memory after some frames (T, B, 1, H, W) that nothing is to be learned from."""
        state: State = self.student.network.start()
        if len(film):
            with self.autocast():  # one of its own: a shared one keeps weights cast without their gradient
                state = self.student.network.remember(film, state, condition)
        return state

    def _unsteady(self, ab: Tensor, truth: Tensor, sample: Sample) -> Tensor:
        film = rearrange(ab, "(b t) c h w -> b t c h w", b=len(truth))
        if sample.layers:
            return losses.steady_loss(film, sample.layers)
        small = rearrange(_pooled(truth.flatten(0, 1), ab), "(b t) c h w -> b t c h w", b=len(truth))
        if sample.carried is not None:
            return losses.carried_loss(film, small[:, :, 1:], sample.carried)
        return losses.held_still_loss(film, small[:, :, 1:], small[:, :, :1] / 100)


def _pooled(truth: Tensor, like: Tensor) -> Tensor:
    """Means of (N, C, H, W) over the pixels that each one of ``like`` stands for."""
    return F.avg_pool2d(truth, truth.shape[-1] // like.shape[-1])


def _by_film(x: Tensor, time: int) -> Tensor:
    """Frames of one film together: the network has them the other way round."""
    return rearrange(x, "(t b) c h w -> (b t) c h w", t=time)
