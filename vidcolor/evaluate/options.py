"""The options of the report; loads nothing heavy, so that the command line can show them at once."""

from __future__ import annotations

import argparse
from pathlib import Path

Points = tuple[tuple[float | None, float], ...]
OWN = "own"
POINTS: Points = ((None, 1.0), (None, 0.85), (None, 0.7), (1.0, 1.0))
"""Temperature (None: the network's own) and scale at which pictures are coloured when nothing else is asked for; clips
take the first."""

PARTS = {
    "pictures": ("pictures/val.tar", "pictures"),
    "clips": ("clips/val", "clips"),
    "archival": ("archival",),
    "photos": ("photos",),
}
"""Where --data may hold what: the first that is there is taken."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the report's options to a parser."""
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="networks to measure: names or files (default: reel)"
    )
    _add_material(parser)
    _add_manner(parser)
    _add_extent(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report, figures, plots and contact sheets there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")


def _add_material(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="holds pictures, clips, archival and photos, or some")
    parser.add_argument("--pictures", type=Path, metavar="DIR|TAR", help="colour pictures: a folder or a tar archive")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="colour clips; cuts are read from an index.json")
    parser.add_argument("--archival", type=Path, metavar="DIR", help="black-and-white films, measured without a truth")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="black-and-white photographs, likewise")


def _add_manner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16 (default: auto)")
    parser.add_argument("--side", type=int, metavar="N", help="long side the network sees (default: its own)")
    parser.add_argument(
        "--points", type=points, default=POINTS, metavar="T:K,...", help="temperatures (or own) and scales of ab"
    )
    text = "take the mean with the mirror image's colours, at twice the price"
    parser.add_argument("--mirrored", action="store_true", help=text)
    parser.add_argument("--plain", action="store_true", help="measure no network, only grey, plain ways and the truth")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")


def _add_extent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, metavar="N", help="take N pictures, spread evenly (default: all)")
    parser.add_argument("--clip-limit", type=int, metavar="N", help="take N clips, spread evenly (default: all)")
    parser.add_argument("--frames", type=int, metavar="N", help="take the first N frames of each clip (default: all)")
    text = "draw every network's curve over temperature and scale, on N of the pictures (default: none)"
    parser.add_argument("--curve", type=int, default=0, metavar="N", help=text)
    text = "measure what it brings to be told the film stock, on N of the pictures (default: none)"
    parser.add_argument("--stocks", type=int, default=0, metavar="N", help=text)
    text = "colour clips by their own first frame, its left half, or first and last; measure all others (default: none)"
    parser.add_argument("--keys", choices=("first", "ends", "half"), help=text)
    text = "measure drift over N frames of still pictures with grain (default: none)"
    parser.add_argument("--drift", type=int, default=0, metavar="N", help=text)


def settle(args: argparse.Namespace) -> None:
    """Find under --data what was not named by itself."""
    for name, places in PARTS.items():
        if args.data and getattr(args, name) is None:
            setattr(args, name, next((args.data / place for place in places if (args.data / place).exists()), None))


def points(text: str) -> Points:
    """Read "own:1,0.38:0.8" as pairs of temperature and scale; a missing scale is 1."""
    try:
        parts = [point.partition(":") for point in text.split(",")]
        pairs = tuple((None if warmth == OWN else float(warmth), float(scale or 1)) for warmth, _, scale in parts)
    except ValueError:
        pairs = ()
    if not pairs or any(temperature is not None and temperature <= 0 for temperature, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like {OWN}:1,0.38:0.8")
    return pairs
