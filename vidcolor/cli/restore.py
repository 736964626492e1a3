"""`vidcolor restore INPUT`: a black-and-white film in, the same film in colour out."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import InputError, UsageError, printable
from vidcolor import threads
from vidcolor.brake import Brake
from vidcolor.cli import many
from vidcolor.cli.voice import Voice
from vidcolor.options import PRECISIONS, RUNTIMES, Options, parse_time
from vidcolor.stock import STOCKS

if TYPE_CHECKING:
    from vidcolor.job import Job

FORMATS = ("y4m", "nut", "matroska", "rawvideo")
PIPE = "-"


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Put the command on the list."""
    text = "restore a black-and-white film, or a picture, in colour"
    parser = parsers.add_parser("restore", help=text, description=text, allow_abbrev=False)
    inputs = "films, pictures, folders, patterns ('reels/**/*.mkv'); - reads one film from stdin"
    parser.add_argument("input", nargs="*", metavar="INPUT", help=inputs)
    _add_output(parser)
    many.add(parser)
    _add_network(parser)
    _add_guides(parser)
    _add_encoder(parser)
    add_speech(parser)
    parser.set_defaults(run=run)


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o",
        "--output",
        metavar="OUTPUT",
        help="a file (many inputs: a folder); - writes to stdout (default: old.color.mp4)",
    )
    group.add_argument("-y", "--yes", action="store_true", help="replace an output that is there already")
    group.add_argument("-n", "--no", action="store_true", help="keep an output that is there already, and do nothing")
    group.add_argument("--format", choices=FORMATS, help="what is written to stdout")
    group.add_argument(
        "--start", type=_time, metavar="T", help="leave out what comes before (12.5 or 1:02.5; default: none)"
    )
    group.add_argument("--stop", type=_time, metavar="T", help="leave out what comes from there on (default: end)")
    again = "work in segments that outlive a crash; go on with those that an earlier run left"
    group.add_argument("--resume", action="store_true", help=again)
    group.add_argument("--strict", action="store_true", help="end with an error where there would be a warning")
    group.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("colour")
    base = Options()
    group.add_argument("--model", metavar="NAME|FILE", help=f"see `vidcolor models` (default: {base.model})")
    group.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    group.add_argument("--precision", choices=PRECISIONS, help="of the network's arithmetic (default: auto)")
    group.add_argument(
        "--runtime", choices=RUNTIMES, help="what runs the network; openvino is an extra (default: torch)"
    )
    group.add_argument("--side", type=int, metavar="N", help="long side of what the network sees (default: as trained)")
    group.add_argument("--batch", type=int, metavar="N", help="most pictures a step (default: 4 on a CPU, 16 on a GPU)")
    group.add_argument("--saturation", type=float, metavar="X", help="multiplies the colours, 0 to 4 (default: 1)")
    stock = "what the film saw: no green or red (blue), no red (ortho), all (pan) (default: by --year, else untold)"
    group.add_argument("--stock", choices=("auto", *STOCKS), help=stock)
    catalogue = "write what each shot shows there, as JSON (networks that tell it: two-stream; default: none)"
    group.add_argument("--labels", metavar="FILE", help=catalogue)
    group.add_argument("--year", type=int, metavar="Y", help="the film was shot in; suggests its --stock")


def _add_guides(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("coloured pictures to go by")
    keys = "folder of coloured frames, named by their numbers as `vidcolor keyframes` does (default: none)"
    group.add_argument("--keys", metavar="DIR", help=keys)
    hints = "JSON file of dots and strokes of colour on frames, see docs/guide.md (default: none)"
    group.add_argument("--hints", metavar="FILE", help=hints)
    model = "ONNX file of a still colorizer: colours frames of each shot, to be carried on (default: none)"
    group.add_argument("--guide", metavar="MODEL", help=model)
    like = "a coloured picture of the same place, costume or person; may be given again (default: none)"
    group.add_argument("--reference", metavar="IMAGE", action="append", help=like)


def _add_encoder(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("encoder")
    group.add_argument("--codec", metavar="NAME", help="of the pictures (default: what the container holds best)")
    group.add_argument("--crf", type=int, metavar="N", help="quality, less is better (default: by codec)")
    group.add_argument("--preset", metavar="NAME", help="speed against size (default: by codec)")
    group.add_argument("--lossless", action="store_true", help="keep every luma value exactly")
    group.add_argument("--ffmpeg", metavar="PATH", help="the ffmpeg to use (default: $VIDCOLOR_FFMPEG, or a good one)")


def add_speech(parser: argparse.ArgumentParser) -> None:
    """Put the flags of messages on the list."""
    group = parser.add_argument_group("messages")
    loud = group.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true", help="say nothing but warnings and errors")
    loud.add_argument("-v", "--verbose", action="store_true", help="say more: streams, codec, model, device")
    group.add_argument(
        "--progress",
        choices=("auto", "none", "json"),
        default="auto",
        help="auto shows a bar on a terminal; json writes one object a line (default: auto)",
    )


def run(args: argparse.Namespace, voice: Voice, brake: Brake) -> int:
    """Restore the film, or all of them."""
    options = _options(args)
    if args.yes and args.no:
        raise UsageError("-y and -n contradict each other")
    if many.is_many(args):
        return many.run(args, options, voice, brake)
    return _run_one(args, options, voice, brake)


def _run_one(args: argparse.Namespace, options: Options, voice: Voice, brake: Brake) -> int:
    (name,) = args.input
    if name != PIPE and Path(name).is_dir():
        raise InputError(
            f"{printable(name)} is a folder, not a film: {printable(name)}{os.sep} or -o OUTDIR restores all in it"
        )
    if not args.dry_run:
        warm()
    from vidcolor.pipeline import prepare

    with prepare(_place(name), args.output and _place(args.output), options) as job:
        if args.no and job.is_taken:
            voice.kept(str(job.target))
            return 0
        if job.is_taken and not args.yes:
            _ask(job, voice)
        if args.dry_run:
            voice.plan(job.rehearse(voice), job.total)
        else:
            job.run(voice, brake)
    return 0


def _options(args: argparse.Namespace) -> Options:
    """The options that were given; those that were not keep their defaults."""
    names = Options.__dataclass_fields__
    given = {name: value for name, value in vars(args).items() if name in names and value is not None}
    if "reference" in given:
        given["reference"] = tuple(given["reference"])
    return Options(**given)


def _place(word: str) -> Path | str:
    return PIPE if word == PIPE else Path(word)


def _time(text: str) -> object:
    try:
        return parse_time(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def warm() -> None:
    """Load torch while the input is looked at: both take their time, and on two cores together no longer than one.

    How many threads it gets, and how they wait, is said before, unless the user has said otherwise.
    """
    for name, value in threads.settings(threads.share()).items():
        os.environ.setdefault(name, value)  # read once, when torch is loaded

    def load() -> None:
        gc.disable()  # torch makes half a million objects, and all of them stay
        with suppress(Exception):  # whatever it is comes again, and is told, where the module is really used
            import_module("vidcolor.painter")
        gc.freeze()
        gc.enable()

    threading.Thread(target=load, name="warm", daemon=True).start()


def _ask(job: Job, voice: Voice) -> None:
    """Ask a person, if there is one, whether the output may be replaced; else let it be refused."""
    if voice.quiet or sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        job.check_free()
    sys.stderr.write(f"vidcolor: {printable(job.target)} is there already. Replace it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        job.check_free()
