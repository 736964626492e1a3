"""Teaches networks one after the other: what there is to learn from, where each begins, and what each leaves behind."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import torch

from streams.errors import ModelError, UsageError, printable
from vidcolor import weights, zoo
from vidcolor.colorizer import Colorizer
from vidcolor.train.bank import Bank
from vidcolor.train.check import Checker
from vidcolor.train.courses import COURSES, GO_ON, ON_TILES, course, network_of
from vidcolor.train.flow import open_flows
from vidcolor.train.loop import Trainer
from vidcolor.train.recipe import Recipe, changed
from vidcolor.train.step import Material
from vidcolor.train.store import CLIPS, PICTURES, open_store

ALL = "all"
IMAGENET = "imagenet:"
PACKAGED = "packaged"


class School:
    """Everything that the networks of one command share."""

    def __init__(self, args: argparse.Namespace, check: Callable[[], None], tell: Callable[[str], None]) -> None:
        """`args` from `vidcolor.train.options`; who calls has looked at their sense."""
        self._args, self._check, self._tell = args, check, tell
        self._end = time.monotonic() + 60 * args.pause
        self._several = args.network == ALL
        self._out = args.out or Path("runs") / ("zoo" if self._several else args.network)
        self._cache = args.cache or self._out / "cache"

    def teach(self) -> Path:
        """Teach what was asked for; the folder of the networks, or the weights of the one, or the cache."""
        names = [name for name in courses_of(self._args.network) if self._can_learn(name)]
        recipes = {name: self._recipe(name) for name in names}
        materials = {name: self._material(name) for name in names}
        if self._args.prepare:
            return Path(self._cache)
        for name in names:
            if time.monotonic() >= self._end:
                break
            self._teach_one(name, recipes[name], materials[name])
        return self._out if self._several else self._out / "weights.safetensors"

    def _can_learn(self, name: str) -> bool:
        """Whether there is something for it to learn from; of several, one that lacks it is passed over."""
        if name not in ON_TILES or self._args.tiles or not self._several:
            return True
        self._tell(f"{name} learns from tiles, and no --tiles were named: it is passed over")
        return False

    def _recipe(self, name: str) -> Recipe:
        asked = {key: getattr(self._args, key) for key in ("minutes", "seed", "checkpoint_minutes", "compile")}
        if self._args.patience is not None:
            asked["patience"] = self._args.patience
        return changed(replace(course(name, self._args.device), **asked), self._args.set)

    def _material(self, name: str) -> Material:
        return self._tiles if name in ON_TILES and self._args.tiles else self._pictures

    @cached_property
    def _pictures(self) -> Material:
        args, device = self._args, self._args.device
        pictures = open_store(args.pictures, self._cache, PICTURES, args.threads)
        bank, films, flows = Bank.of(pictures, device), None, None
        if args.clips:
            store = open_store(args.clips, self._cache, CLIPS, args.threads)
            films = Bank.of(store, device)
            flows = open_flows(store, films, args.threads)
        count = 0 if films is None else len(films)
        self._tell(f"to learn from: {len(bank)} pictures in colour, {count} shots of film")
        return Material(bank, films, flows, pictures.kinds, pictures.names)

    @cached_property
    def _tiles(self) -> Material:
        tiles = open_store(self._args.tiles, self._cache, PICTURES, self._args.threads)
        bank = Bank.of(tiles, self._args.device)
        self._tell(f"to learn from: {len(bank)} tiles, classes: {', '.join(tiles.names) or 'none'}")
        return Material(bank, kinds=tiles.kinds, names=tiles.names)

    @cached_property
    def _checker(self) -> Checker | None:
        return Checker.of(self._args.check, self._args.check_clips, self._args.device)

    def _teach_one(self, name: str, recipe: Recipe, material: Material) -> None:
        torch.manual_seed(recipe.seed)
        network = start_network(name, self._args.init, _facts(recipe, material))
        checker = self._checker if network.taught == "colours" else None
        trainer = Trainer(network, material, recipe, self._folder(name), checker)
        if trainer.resume():
            self._tell(f"going on after step {trainer.steps}, {trainer.progress:.0%} of the budget")
        if not trainer.is_over or not (trainer.out / "weights.safetensors").exists():
            trainer.run(max(0.0, (self._end - time.monotonic()) / 60), self._check, partial_tell(name, self))
        if trainer.is_over and network.taught == "kinds":
            from vidcolor.train.kinds import styled

            trainer.average = styled(trainer.network, trainer.average, material.pictures)
            trainer.keep()

    def _folder(self, name: str) -> Path:
        return self._out / name if self._several else self._out

    def say(self, name: str, text: str) -> None:
        """Say how a network fares; by name where there are several."""
        self._tell(f"{name}: {text}" if self._several else text)


def partial_tell(name: str, school: School) -> Callable[[str], None]:
    """What a trainer tells, under its network's name."""
    return lambda text: school.say(name, text)


def courses_of(network: str) -> Sequence[str]:
    """The courses that a name stands for.

    Raises:
        UsageError: none of that name.
    """
    if network == ALL:
        return [name for name in COURSES if name != "reel"]
    if network not in COURSES:
        raise UsageError(f"--network {printable(network)}: known are {', '.join(COURSES)}, {ALL}")
    return [network]


def check_sense(args: argparse.Namespace) -> None:
    """Raise UsageError for what cannot go together."""
    courses_of(args.network)
    if args.network == ALL and args.init and not args.init.startswith(IMAGENET):
        raise UsageError("--init: weights fit one network; with --network all give imagenet:FILE, or nothing")
    if math.isnan(args.minutes) or args.minutes < 0:
        raise UsageError(f"--minutes {args.minutes}: 0 or more")


def _facts(recipe: Recipe, material: Material) -> dict[str, str]:
    manner = json.dumps(asdict(recipe.transfer))
    return {"space": recipe.space, "labels": json.dumps(material.names), "manner": manner}


def start_network(name: str, init: str | None = None, facts: dict[str, str] | None = None) -> Colorizer:
    """A course's network with nothing learned, an ImageNet encoder, or earlier weights.

    Raises:
        ModelError: the weights cannot be read, or do not fit.
    """
    row = zoo.row_of(network_of(name))
    assert row is not None
    network = zoo.make(row, facts or {})
    if name in GO_ON and (init is None or init.startswith(IMAGENET)):
        init = PACKAGED
    if init is None:
        return network
    path = Path(init.removeprefix(IMAGENET))
    if init == PACKAGED:
        path = _packaged(network.spec.name)
    try:
        _fill(network, path, init)
    except (RuntimeError, KeyError) as error:
        raise ModelError(f"{printable(path)} does not fit the network {name}") from error
    return network


def _fill(network: Colorizer, path: Path, init: str) -> None:
    """Weights into a network; an encoder only into one that has a place for it."""
    earlier = weights.tensors(weights.read(path), path)
    if init.startswith(IMAGENET) or network.taught == "kinds":  # kinds and styles are those of the tiles at hand
        network.start_from_imagenet(earlier)
    else:
        network.load_state_dict(earlier)


def _packaged(name: str) -> Path:
    zoo.check_name(name)
    row = zoo.row_of(name)
    assert row is not None
    assert row.path is not None
    return row.path
