"""`vidcolor models`: a line for each network that is known: name, sha256, path, with tabs between."""

from __future__ import annotations

import argparse

from vidcolor.brake import Brake
from vidcolor.cli.voice import Voice


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "list the networks: name, sha256 of the weights, file"
    parser = parsers.add_parser("models", help=text, description=text, allow_abbrev=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Write the table to stdout."""
    from vidcolor import zoo

    del args, brake
    for row in zoo.table():
        voice.data(f"{row.name}\t{row.sha256 or '-'}\t{row.path or '-'}")
    missing = [row.name for row in zoo.table() if row.path is None]
    if missing:
        voice.write(f"vidcolor: {', '.join(missing)}: {zoo.NOT_PACKAGED}")
    return 0
