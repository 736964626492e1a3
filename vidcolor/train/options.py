"""`vidcolor train`: its options, and what they start; loads nothing heavy until it starts."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vidcolor import weights, zoo

if TYPE_CHECKING:
    from torch import Tensor

    from vidcolor.models.reel import Reel
    from vidcolor.train.recipe import Recipe
    from vidcolor.train.step import Material


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `vidcolor train`."""
    add = partial(parser.add_argument, metavar="PATH", type=Path)
    add("--pictures", nargs="+", required=True, help="folders or tar files of colour pictures")
    add("--clips", nargs="*", default=[], help="folders or files of colour film")
    add("--check", nargs="*", default=[], help="folders or tar files of pictures to measure on, never trained on")
    add("--check-clips", nargs="*", default=[], help="folders of clips to measure on, never trained on")
    add("--out", default=Path("runs/reel"), help="folder for checkpoint, log and weights (default: %(default)s)")
    add("--cache", help="folder for what was decoded (default: OUT/cache)")
    start = "packaged, imagenet:FILE (encoder only), or a safetensors file to go on from (default: nothing learned)"
    parser.add_argument("--init", metavar="FROM", help=start)
    budget = "of training in all; the learning rate follows (default: %(default)s)"
    parser.add_argument("--minutes", type=float, default=90.0, help=budget)
    parser.add_argument("--pause", type=float, default=math.inf, metavar="M", help="stop for now after M minutes")
    every = "between two checkpoints (default: %(default)s)"
    parser.add_argument("--checkpoint-minutes", type=float, default=5.0, metavar="M", help=every)
    early = "checkpoints without a better score, after which training ends (default: never)"
    parser.add_argument("--patience", type=int, default=0, metavar="N", help=early)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--compile", action="store_true", help="compile the network for single pictures (on a GPU)")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (default: torch's choice)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default: %(default)s)")
    more = "change any other choice of the recipe, like blame.edges=0.1 (vidcolor/train/recipe.py lists them)"
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=more)
    parser.add_argument("--prepare", action="store_true", help="decode everything into the cache, and train nothing")


def train(
    args: argparse.Namespace, check: Callable[[], None] = lambda: None, tell: Callable[[str], None] = lambda text: None
) -> Path:
    """Train as told; resume if the folder holds a checkpoint. Returns the path of the weights (of the cache).

    Args:
        args: from `add_options`.
        check: called at every step; what it raises ends the run, once a checkpoint is written.
        tell: hears a sentence now and then of how it goes.

    Raises:
        UsageError: a setting that is none.
        InputError: nothing to learn from.
        ModelError: no such device.
    """
    import torch

    from vidcolor.train.check import Checker
    from vidcolor.train.loop import Trainer

    recipe = _recipe(args)
    _check_device(recipe.device)
    torch.backends.cudnn.benchmark = True  # all batches are of a few sizes
    if args.threads:
        torch.set_num_threads(args.threads)
    cache = args.cache or args.out / "cache"
    material = _material(args, cache, recipe.device)
    films = 0 if material.films is None else len(material.films)
    tell(f"to learn from: {len(material.pictures)} pictures in colour, {films} shots of film")
    if args.prepare:
        return Path(cache)
    torch.manual_seed(args.seed)
    checker = Checker.of(args.check, args.check_clips, recipe.device)
    trainer = Trainer(start_network(args.init), material, recipe, args.out, checker)
    if trainer.resume():
        tell(f"going on after step {trainer.steps}, {trainer.progress:.0%} of the budget")
    trainer.run(args.pause, check, tell)
    return Path(args.out / "weights.safetensors")


def _recipe(args: argparse.Namespace) -> Recipe:
    from vidcolor.train.recipe import changed, recipe_for

    asked = {name: getattr(args, name) for name in ("minutes", "seed", "patience", "checkpoint_minutes", "compile")}
    return changed(replace(recipe_for(args.device), **asked), args.set)


def _check_device(device: str) -> None:
    from vidcolor.device import choose

    choose(device, "fp32")


def _material(args: argparse.Namespace, cache: Path, device: str) -> Material:
    from vidcolor.train.bank import Bank
    from vidcolor.train.flow import open_flows
    from vidcolor.train.step import Material
    from vidcolor.train.store import CLIPS, PICTURES, open_store

    pictures = open_store(args.pictures, cache, PICTURES, args.threads)
    if not args.clips:
        return Material(Bank.of(pictures, device), kinds=pictures.kinds)
    films = open_store(args.clips, cache, CLIPS, args.threads)
    bank = Bank.of(films, device)
    return Material(Bank.of(pictures, device), bank, open_flows(films, bank, args.threads), pictures.kinds)


def start_network(init: str | None) -> Reel:
    """A network with nothing learned, an ImageNet encoder, or earlier weights."""
    from vidcolor.models.reel import Reel

    network = Reel()
    if init and init.startswith("imagenet:"):
        network.start_from_imagenet(_tensors(Path(init.removeprefix("imagenet:"))))
    elif init:
        network.load_state_dict(_tensors(_path(init)))
    return network


def _path(init: str) -> Path:
    """Where to start from: "packaged" stands for the packaged weights of the main network."""
    return zoo.table()[0].path if init == "packaged" else Path(init)


def _tensors(path: Path) -> dict[str, Tensor]:
    return weights.tensors(weights.read(path), path)
