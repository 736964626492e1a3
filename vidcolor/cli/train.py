"""`vidcolor train`: teach a network on colour pictures and clips; what it does is told in `vidcolor.train`."""

from __future__ import annotations

import argparse

from vidcolor.brake import Brake
from vidcolor.cli.voice import Voice
from vidcolor.train.options import add_options


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "teach a network on colour pictures and clips"
    parser = parsers.add_parser("train", help=text, description=text, allow_abbrev=False)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Train, and write the path of the weights to stdout."""
    from vidcolor.train.options import train

    voice.data(str(train(args, brake.check, voice.write)))
    return 0
