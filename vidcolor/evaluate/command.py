"""The command line of the report: what is measured, with which network, and where the figures go."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from streams.errors import UsageError
from vidcolor.colorizer import Colorizer
from vidcolor.evaluate import report
from vidcolor.evaluate.bins import AbTable, read_table
from vidcolor.evaluate.lab import Floats
from vidcolor.evaluate.options import add_options
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.report import Rows
from vidcolor.evaluate.samples import Sample, read_clips, read_pictures


@dataclass(frozen=True, slots=True)
class Found:
    """The network that is measured."""

    network: Colorizer
    name: str
    sha256: str


def run(args: argparse.Namespace, write: Callable[[str], object]) -> None:
    """Measure what was asked for; ``write`` gets text, a table or a line at a time.

    Raises:
        UsageError: neither pictures nor clips were named.
        InputError: something cannot be read.
        ModelError: the network cannot be loaded.
    """
    if not args.pictures and not args.clips:
        raise UsageError("nothing to measure: give --pictures or --clips")
    torch.set_num_threads(max(1, args.threads))
    began, table = time.process_time(), read_table()
    found = None if args.plain else _load(args)
    sections: dict[str, Rows] = {}
    if args.pictures:
        sections["pictures"] = _pictures(args, table, found)
        write(report.markdown(sections["pictures"], report.STILL_COLUMNS, "pictures") + "\n")
    if args.clips:
        sections["clips"] = _clips(args, table, found)
        write(report.markdown(sections["clips"], report.CLIP_COLUMNS, "clips") + "\n")
        sections["cuts"] = _cuts(args, found)
    if sections.get("cuts"):
        write(report.markdown(sections["cuts"], report.leak_columns(sections["cuts"]), "ab leaked over cuts") + "\n")
    spent = time.process_time() - began
    write(f"{_described(found)}; {spent:.0f} s of CPU time")
    if args.json:
        whole = {"model": _facts(found), "options": _options(args), "cpu_seconds": round(spent, 1), **sections}
        args.json.write_text(json.dumps(whole, indent=1) + "\n")


def _load(args: argparse.Namespace) -> Found:
    from vidcolor import zoo
    from vidcolor.device import choose
    from vidcolor.options import Options

    loaded = zoo.load(args.model or Options().model, choose(args.device, args.precision))
    return Found(loaded.colorizer, loaded.name, loaded.sha256)


def _settings(args: argparse.Namespace) -> list[Setting]:
    return [Setting(temperature, scale, side=args.side) for temperature, scale in args.points]


def _pictures(args: argparse.Namespace, table: AbTable, found: Found | None) -> Rows:
    def colour(sample: Sample) -> dict[str, Floats]:
        return report.paint_points(found.network, found.name, sample, _settings(args)) if found else {}

    return report.picture_rows(read_pictures(args.pictures, args.limit), table, colour)


def _clips(args: argparse.Namespace, table: AbTable, found: Found | None) -> Rows:
    """Clips of one shot; those with cuts serve the cut table alone."""

    def colour(sample: Sample) -> dict[str, Floats]:
        return report.steady_pair(found.network, found.name, sample, _settings(args)[0]) if found else {}

    samples = read_clips(args.clips, args.clip_limit, args.frames, with_cuts=False)
    return report.clip_rows(samples, table, colour)


def _cuts(args: argparse.Namespace, found: Found | None) -> Rows:
    if not found:
        return {}
    samples = read_clips(args.clips, args.clip_limit, None, with_cuts=True)
    return report.cut_leaks(found.network, samples, _settings(args)[0], product_cuts)


def product_cuts(luma: Floats) -> Sequence[int]:
    """The cuts that the product sees in a grey film (T, H, W), 0..1."""
    from streams.shots import CutFinder

    finder = CutFinder()
    small = np.floor(luma * 255 + 0.5).astype(np.uint8)
    return [index for index, frame in enumerate(small) if finder.is_cut(frame) and index]


def _described(found: Found | None) -> str:
    return f"model {found.name} {found.sha256[:12]}" if found else "no network"


def _facts(found: Found | None) -> dict[str, str] | None:
    return {"name": found.name, "sha256": found.sha256} if found else None


def _options(args: argparse.Namespace) -> dict[str, object]:
    kept = {"points", "limit", "clip_limit", "frames", "side", "precision"}
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
