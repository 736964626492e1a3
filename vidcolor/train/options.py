"""`vidcolor train`: its options, and what they start."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from vidcolor.models.reel import Reel
from vidcolor.train.loop import Material, Recipe, Trainer
from vidcolor.train.store import CLIPS, PICTURES, open_store


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `vidcolor train`."""
    path = {"type": Path, "metavar": "PATH"}
    parser.add_argument("--pictures", nargs="+", required=True, help="folders or tar files of colour pictures", **path)
    parser.add_argument("--clips", nargs="*", default=[], help="folders or files of colour film", **path)
    parser.add_argument("--check", nargs="*", default=[], help="pictures to measure on, never trained on", **path)
    parser.add_argument("--out", default=Path("runs/reel"), help="folder for checkpoint, log and weights", **path)
    parser.add_argument("--init", help="'imagenet:FILE' (encoder), or a safetensors file to go on from", metavar="FROM")
    parser.add_argument("--minutes", type=float, default=90.0, help="of training in all; the learning rate follows")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (0: torch's choice)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance")


def train(args: argparse.Namespace) -> Path:
    """Train as told; resume if the folder holds a checkpoint. Returns the path of the weights."""
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
    network = Reel()
    if init and init.startswith("imagenet:"):
        network.start_from_imagenet(load_file(init.removeprefix("imagenet:")))
    elif init:
        network.load_state_dict({n: t.float() for n, t in load_file(init).items()})
    return network
