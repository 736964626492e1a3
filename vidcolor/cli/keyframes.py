"""`vidcolor keyframes FILM -o keys/`: frames of a film to be coloured by hand, or by any other program."""

from __future__ import annotations

import argparse
from pathlib import Path

from streams.errors import UsageError
from vidcolor.brake import Brake
from vidcolor.cli.restore import add_speech
from vidcolor.cli.voice import Voice

MOST_PER_SHOT = 100


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "choose frames of a film to be coloured, for `restore --keys`"
    parser = parsers.add_parser("keyframes", help=text, description=text, allow_abbrev=False)
    parser.add_argument("film", metavar="FILM", help="a film")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for the pictures (default: old.keys beside it)")
    many = "pictures of each shot (default: 1, up to 3 of one that changes)"
    parser.add_argument("--per-shot", type=int, metavar="N", help=many)
    parser.add_argument("--every", type=float, metavar="SECONDS", help="one picture in so many seconds (default: none)")
    parser.add_argument("-y", "--yes", action="store_true", help="add to a folder that holds something already")
    add_speech(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Choose and write."""
    if args.per_shot is not None and not 1 <= args.per_shot <= MOST_PER_SHOT:
        raise UsageError(f"--per-shot {args.per_shot}: 1 to {MOST_PER_SHOT} pictures")
    if args.every is not None and not 0.01 <= args.every <= 1e6:
        raise UsageError(f"--every {args.every:g}: 0.01 to a million seconds")
    from vidcolor.guide.choose import Wish
    from vidcolor.guide.keyframes import write_keyframes

    film = Path(args.film)
    folder = Path(args.output) if args.output else film.with_name(f"{film.stem}.keys")
    source = args.film if args.film == "-" else film
    write_keyframes(source, folder, Wish(args.per_shot, args.every), voice, brake, args.yes)
    return 0
