"""`vidcolor evaluate`: a network's colours beside grey, plain ways and the truth, as tables and JSON."""

from __future__ import annotations

import argparse

from vidcolor.brake import Brake
from vidcolor.cli.voice import Voice
from vidcolor.evaluate.options import add_options


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "measure a network's colours on colour pictures and clips"
    parser = parsers.add_parser("evaluate", help=text, description=text, allow_abbrev=False)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Write the tables to stdout."""
    from vidcolor.evaluate import command

    del brake
    command.run(args, voice.data)
    return 0
