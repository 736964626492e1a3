"""`vidcolor train`: its options, and what they start; loads nothing heavy until it starts."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vidcolor import weights, zoo

if TYPE_CHECKING:
    from torch import Tensor

    from vidcolor.models.reel import Reel


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `vidcolor train`."""
    add = partial(parser.add_argument, metavar="PATH", type=Path)
    add("--pictures", nargs="+", required=True, help="folders or tar files of colour pictures")
    add("--clips", nargs="*", default=[], help="folders or files of colour film")
    add("--check", nargs="*", default=[], help="pictures to measure on, never trained on")
    add("--out", default=Path("runs/reel"), help="folder for checkpoint, log and weights (default: %(default)s)")
    start = "packaged, imagenet:FILE (encoder only), or a safetensors file to go on from (default: nothing learned)"
    parser.add_argument("--init", metavar="FROM", help=start)
    budget = "of training in all; the learning rate follows (default: %(default)s)"
    parser.add_argument("--minutes", type=float, default=90.0, help=budget)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (default: torch's choice)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default: %(default)s)")


def train(args: argparse.Namespace) -> Path:
    """Train as told; resume if the folder holds a checkpoint. Returns the path of the weights."""
    import torch

    from vidcolor.train.loop import Material, Recipe, Trainer
    from vidcolor.train.store import CLIPS, PICTURES, open_store

    if args.threads:
        torch.set_num_threads(args.threads)
    cache = args.out / "cache"
    material = Material(
        open_store(args.pictures, cache, PICTURES),
        open_store(args.clips, cache, CLIPS) if args.clips else None,
        open_store(args.check, cache, PICTURES) if args.check else None,
    )
    torch.manual_seed(args.seed)
    network = start_network(args.init)
    trainer = Trainer(network, material, Recipe(minutes=args.minutes, seed=args.seed, device=args.device), args.out)
    trainer.resume()
    trainer.run()
    return Path(args.out / "weights.safetensors")


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
