"""`vidcolor doctor`: is this machine fit, and with a file: were its colours made by a machine."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path

from vidcolor import __version__
from vidcolor.brake import Brake
from vidcolor.cli.voice import Voice

PACKAGES = ("torch", "av", "numpy", "safetensors", "Pillow")


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "look at this machine; with FILE: say whether its colours were made by a machine"
    parser = parsers.add_parser("doctor", help=text, description=text, allow_abbrev=False)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a film or a picture")
    parser.add_argument("--ffmpeg", metavar="PATH", help="the ffmpeg to look at (default: the first good one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Write what was found to stdout; fail as `restore` would where something is missing."""
    del brake
    for line in _file(args.file) if args.file is not None else _machine(args.ffmpeg):
        voice.data(line)
    return 0


def _file(path: Path) -> Iterator[str]:
    from vidcolor.mark import Mark

    text = _mark(path)
    mark = Mark.parse(text) if text else None
    yield f"machine-made: {'no' if mark is None else 'yes'}"
    if mark is not None:
        yield from (f"model: {mark.model}", f"sha256: {mark.sha256}", f"version: {mark.version}")
        yield from (f"{name}: {value}" for name, value in mark.settings)


def _mark(path: Path) -> str | None:
    from streams.inlet import Inlet
    from streams.reading.sniff import nature_of
    from streams.sink import read_mark
    from streams.still import read_still_mark

    with Inlet(path) as inlet:
        is_still = nature_of(inlet).kind == "still"
    return read_still_mark(path) if is_still else read_mark(path)


def _machine(ffmpeg: str | None) -> Iterator[str]:
    from importlib.metadata import version

    yield f"vidcolor: {__version__}"
    yield f"python: {platform.python_version()} on {platform.platform()}"
    yield from (f"{package.lower()}: {version(package)}" for package in PACKAGES)
    yield from _devices()
    yield _encoder(ffmpeg)
    yield from _weights()


def _devices() -> Iterator[str]:
    from vidcolor import device

    yield from (f"device {line}" for line in device.describe())


def _encoder(explicit: str | None) -> str:
    from streams.writing.ffmpeg import find_ffmpeg

    found = find_ffmpeg(explicit)
    return f"ffmpeg: {found.version} ({found.origin}) {found.path}"


def _weights() -> Iterator[str]:
    from vidcolor import zoo

    for row in zoo.table():
        yield f"model {row.name}: {zoo.verify(row)}"
    from vidcolor.guide import lead

    lead.verify()
    yield "guide: verified"
