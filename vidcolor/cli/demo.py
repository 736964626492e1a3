"""`vidcolor demo`: the page for people who would rather use a browser; what it does is told in `demo`."""

from __future__ import annotations

import argparse
import sys

from demo.options import add_options, place_of
from vidcolor.brake import Brake
from vidcolor.cli.voice import Voice


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "serve a page that restores films and pictures, to this machine's browser"
    parser = parsers.add_parser("demo", help=text, description=text, allow_abbrev=False)
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Serve until a signal comes; the page's address goes to stdout when it is there."""
    place = place_of(args)
    if not place.is_private and place.lock is None:
        voice.warned(f"whoever reaches {place.host} can use this page: --auth lets in only who knows a password")
    from demo.serve import serve

    def announce(address: str) -> None:
        voice.data(address)
        sys.stdout.flush()
        voice.write("vidcolor: open this address in a browser; Ctrl-C ends the page")

    voice.write("vidcolor: loading the page")
    serve(place, announce, brake)
    return 0
