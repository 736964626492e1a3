"""The command line of the report: what is measured, with which networks, and where the figures go."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import torch

from streams.errors import UsageError
from vidcolor.evaluate.bins import read_table
from vidcolor.evaluate.book import Book
from vidcolor.evaluate.options import add_options, settle
from vidcolor.evaluate.sections import Found, Task, wanted


def run(args: argparse.Namespace, write: Callable[[str], object]) -> None:
    """Measure what was asked for; ``write`` gets text, a table or a line at a time.

    Raises:
        UsageError: nothing to measure was named.
        InputError: something cannot be read.
        ModelError: a network cannot be loaded.
    """
    settle(args)
    sections = list(wanted(args))
    if not sections:
        raise UsageError("nothing to measure: give --data, or --pictures, --clips, --archival or --photos")
    torch.set_num_threads(max(1, args.threads))
    began, book = time.process_time(), Book(write, args.out)
    models = [] if args.plain else [_load(args, model) for model in args.models or [_usual()]]
    task = Task(args, read_table(), models, book)
    for section in sections:
        section(task)
    spent = time.process_time() - began
    named = ", ".join(f"model {one.name} {one.sha256[:12]}" for one in models) or "no network"
    book.say(f"{named}; {spent:.0f} s of CPU time")
    facts = {"models": [{"name": one.name, "sha256": one.sha256} for one in models], "options": _options(args)}
    book.close({**facts, "cpu_seconds": round(spent, 1)}, args.json)


def _usual() -> str:
    from vidcolor.options import Options

    return Options().model


def _load(args: argparse.Namespace, model: str) -> Found:
    from vidcolor import zoo
    from vidcolor.device import choose

    loaded = zoo.load(model, choose(args.device, args.precision))
    return Found(loaded.colorizer, loaded.name, loaded.sha256)


def _options(args: argparse.Namespace) -> dict[str, object]:
    kept = {"points", "limit", "clip_limit", "frames", "side", "precision", "curve", "stocks", "drift"}
    return {name: value for name, value in vars(args).items() if name in kept}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the report as a program of its own; returns its exit code."""
    import sys

    from streams.errors import FilmError

    parser = argparse.ArgumentParser(prog="python -m vidcolor.evaluate", description=__doc__, allow_abbrev=False)
    add_options(parser)
    args = parser.parse_args(argv)
    try:
        run(args, lambda text: sys.stdout.write(text + "\n"))
    except FilmError as error:
        sys.stderr.write(f"vidcolor: error: {error}\n")
        return error.exit_code
    with suppress(OSError):
        sys.stdout.flush()
    return 0
