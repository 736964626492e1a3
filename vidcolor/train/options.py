"""`vidcolor train`: its options, and what they start; loads nothing heavy until it starts."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from streams.errors import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `vidcolor train`."""
    which = "one of the zoo, all but the main one (each in a folder under OUT), or guide (default: %(default)s)"
    parser.add_argument("--network", default="reel", metavar="NAME|all|guide", help=which)
    add = partial(parser.add_argument, metavar="PATH", type=Path)
    add("--pictures", nargs="+", default=[], help="folders or tar files of colour pictures")
    add("--clips", nargs="*", default=[], help="folders or files of colour film")
    add("--check", nargs="*", default=[], help="folders or tar files of pictures to measure on, never trained on")
    add("--check-clips", nargs="*", default=[], help="folders of clips to measure on, never trained on")
    add("--tiles", nargs="*", default=[], help="folders or tar files of labelled tiles, for style and aerial")
    add("--out", help="folder for checkpoint, log and weights (default: runs/NETWORK; of all: runs/zoo)")
    add("--cache", help="folder for what was decoded (default: OUT/cache)")
    start = "packaged, imagenet:FILE (encoder only), or a safetensors file to go on from (default: nothing learned)"
    parser.add_argument("--init", metavar="FROM", help=start)
    budget = "of training in all, for each network; the learning rate follows (default: %(default)s)"
    parser.add_argument("--minutes", type=float, default=90.0, help=budget)
    parser.add_argument("--pause", type=float, default=math.inf, metavar="M", help="stop for now after M minutes")
    every = "between two checkpoints (default: %(default)s)"
    parser.add_argument("--checkpoint-minutes", type=float, default=5.0, metavar="M", help=every)
    early = "checkpoints without a better score, after which training ends (default: never, cnn9: 4)"
    parser.add_argument("--patience", type=int, metavar="N", help=early)
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
    """Train as told; resume where a folder holds a checkpoint. Returns the path of the weights (folder, cache).

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

    from vidcolor.device import choose

    if args.network == "guide":
        from vidcolor.train.guiding import teach

        return teach(args, check, tell)
    if not args.pictures:
        raise UsageError("--pictures: name folders or tar files of colour pictures to learn from")
    from vidcolor.train.school import School, check_sense

    check_sense(args)
    choose(args.device, "fp32")
    torch.backends.cudnn.benchmark = True  # all batches are of a few sizes
    if args.threads:
        torch.set_num_threads(args.threads)
    return School(args, check, tell).teach()
