"""`vidcolor restore` with many inputs: which they are, how they are told of, and the report at the end."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from streams.errors import InputError, OutputError, UsageError, printable
from vidcolor.archive.ear import Ear
from vidcolor.archive.entries import Entry, gather, is_pattern
from vidcolor.archive.result import STATES, Result, table, worst
from vidcolor.brake import Brake
from vidcolor.cli.voice import JsonVoice, Voice
from vidcolor.cluster import NO_RAY

if TYPE_CHECKING:
    from vidcolor.options import Options

MOST_JOBS = 256
PIPE = "-"
FOLDERS = "VIDCOLOR_FOLDERS"  # in the environment, as in the container image: a folder alone is no slip


def add(parser: argparse.ArgumentParser) -> None:
    """Put the flags on the list."""
    group = parser.add_argument_group("many inputs")
    group.add_argument("--list", metavar="FILE", help="restore the films named in FILE, one a line; - reads stdin")
    group.add_argument("--jobs", type=int, metavar="N", help="films at a time, which share the processors (default: 1)")
    where = "spread films and their segments over this machine, or over the Ray cluster at HOST:PORT (extra: ray)"
    group.add_argument("--on", metavar="ray[://HOST:PORT]", help=where)
    group.add_argument("--report", metavar="FILE", help="write what became of each film: one JSON object a line")


def is_many(args: argparse.Namespace) -> bool:
    """Whether a command line is about more than one file."""
    words: list[str] = args.input
    given = any(value is not None for value in (args.list, args.jobs, args.report, args.on))
    if given or len(words) != 1 or is_pattern(words[0]) or _is_folder(args.output):
        return True
    # A folder alone is more often a slip than an archive, unless it is written as one, or this machine is there for it.
    is_meant = args.output is not None or _is_folder(words[0]) or bool(os.environ.get(FOLDERS))
    return is_meant and Path(words[0]).is_dir()


def _is_folder(output: str | None) -> bool:
    """Whether an output says of itself that it is a folder; one that only happens to be one is a slip."""
    return output is not None and output.endswith(("/", os.sep))


def run(args: argparse.Namespace, options: Options, voice: Voice, brake: Brake) -> int:
    """Restore all films; the exit code is 0, or that of the worst."""
    _check(args, options)
    entries = _entries(args)
    with _report(None if args.dry_run else args.report, entries) as report:
        chorus = (JsonChorus if isinstance(voice, JsonVoice) else Chorus)(voice, len(entries), report)
        work = _here if args.on is None or args.dry_run else _on_cluster
        results = work(args, options, entries, (chorus, brake))
        chorus.over(results)
    return brake.code or worst(results)


def _entries(args: argparse.Namespace) -> list[Entry]:
    """The films that were asked for; a single one may have its output named."""
    output = Path(args.output) if args.output else None
    if _is_one_to_one(args):
        source = Path(args.input[0])
        return [Entry(source, source.parent, source.stem, output)]
    return gather(args.input, None if args.list is None else _lines(args.list), output)


def _is_one_to_one(args: argparse.Namespace) -> bool:
    return (
        _is_of_one(args) and args.output is not None and not _is_folder(args.output) and not Path(args.output).is_dir()
    )


def _is_of_one(args: argparse.Namespace) -> bool:
    words: list[str] = args.input
    return len(words) == 1 and args.list is None and not is_pattern(words[0]) and not Path(words[0]).is_dir()


def _here(
    args: argparse.Namespace, options: Options, entries: Sequence[Entry], ears: tuple[Chorus, Brake]
) -> list[Result]:
    from vidcolor.archive.hand import command_of
    from vidcolor.archive.run import Plan, Run

    plan = Plan(options, tuple(command_of("vidcolor.cli.hand")), args.no, args.jobs or 1, args.dry_run)
    return Run(entries, plan, *ears).perform()


def _on_cluster(
    args: argparse.Namespace, options: Options, entries: Sequence[Entry], ears: tuple[Chorus, Brake]
) -> list[Result]:
    from vidcolor.cluster.run import ClusterRun, Plan

    return ClusterRun(entries, Plan(options, address_of(args.on), args.jobs, args.no), *ears).perform()


def _check(args: argparse.Namespace, options: Options) -> None:
    if not args.input and args.list is None:
        raise UsageError("restore what? Name an INPUT (see vidcolor restore --help)")
    if args.jobs is not None and not 1 <= args.jobs <= MOST_JOBS:
        raise UsageError(f"--jobs {args.jobs}: 1 to {MOST_JOBS}")
    if options.format is not None or args.output == PIPE:
        raise UsageError("many films cannot go to stdout: -o names a folder for them")
    if options.labels is not None:
        raise UsageError("--labels is of one film: restore it by itself")
    if (options.keys is not None or options.hints is not None) and not _is_of_one(args):
        raise UsageError("--keys and --hints are for frames of one film: give one INPUT")
    if args.on is not None:
        address_of(args.on)
        if find_spec("ray") is None:  # once, and not for each film
            raise UsageError(NO_RAY)
    if args.output and not _is_one_to_one(args) and Path(args.output).exists() and not Path(args.output).is_dir():
        raise OutputError(f"{printable(args.output)} is no folder: many outputs need one")


def address_of(on: str) -> str | None:
    """The address in `ray://ADDRESS`, None in `ray`; raises UsageError for anything else."""
    kind, _, address = on.partition("://")
    if kind != "ray" or (not address and on != "ray"):
        raise UsageError(f"--on {printable(on)}: ray, or ray://HOST:PORT")
    return address or None


def _lines(name: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if name == PIPE else Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"the list {printable(name)} cannot be read: {error.strerror}") from error
    return [os.fsdecode(line.rstrip(b"\r")) for line in data.split(b"\n") if line.strip()]


@contextmanager
def _report(name: str | None, entries: Sequence[Entry]) -> Iterator[TextIO | None]:
    """Open the report; each line reaches the file at once, so that a run that dies leaves what it knew."""
    if name is None:
        with nullcontext() as nothing:
            yield nothing
        return
    path = Path(name)
    if any(path.exists() and entry.source.exists() and path.samefile(entry.source) for entry in entries):
        raise UsageError(f"the report {printable(name)} is an input: it would be lost")
    try:
        file = path.open("w", encoding="ascii", newline="\n", buffering=1)
    except OSError as error:
        raise OutputError(f"the report {printable(name)} cannot be written: {error.strerror}") from error
    with file:
        yield file


class Chorus(Ear):
    """Tells of many films in text: a line when one is done, its warnings and errors by its name, a table at the end."""

    def __init__(self, voice: Voice, total: int, report: TextIO | None) -> None:
        self._voice = voice
        self._total = total
        self._report = report
        self._ended = 0
        self._frames: dict[Entry, int] = {}  # of each film, those of earlier runs and of this one
        self._given = 0  # by earlier runs

    def heard(self, entry: Entry, event: Mapping[str, Any]) -> None:
        """Pass on a warning; tell how far the whole run is."""
        if event["event"] == "start":
            self._frames[entry] = event.get("resumed_from", 0)
            self._given += self._frames[entry]
        elif event["event"] == "progress":
            self._frames[entry] = event["frame"]
            self._voice.spread(self._ended, self._total, sum(self._frames.values()) - self._given)
        elif event["event"] == "warning":
            self._voice.warned(f"{printable(entry.source)}: {event.get('message', '')}")

    def ended(self, result: Result) -> None:
        """Say what became of a film, and put it into the report."""
        self._ended += 1
        if self._report is not None:
            self._report.write(result.to_line())
        self._voice.spread(self._ended, self._total, sum(self._frames.values()) - self._given)
        self.tell(result)

    def tell(self, result: Result) -> None:
        """Say what became of a film."""
        if result.state == "failed":
            name = printable(result.entry.source)
            known = "" if name in result.error else f"{name}: "
            self._voice.error(f"{known}{result.error}", result.code)
        elif not self._voice.quiet and self._voice.closing and result.state in ("done", "kept"):
            many = "" if result.frames is None else f": {result.frames} pictures in {result.seconds:.1f} s"
            where = f"{printable(result.output)}{many}"
            self._voice.write(f"vidcolor: {self._ended} of {self._total}: {result.state}: {where}")

    def over(self, results: Sequence[Result]) -> None:
        """Say how it all went."""
        self._voice.close()
        if not self._voice.quiet:
            for line in table(results):
                self._voice.write(line)


class JsonChorus(Chorus):
    """Tells of many films in JSON: each film's own events with its `input`, and how it all went."""

    def __init__(self, voice: Voice, total: int, report: TextIO | None) -> None:
        super().__init__(voice, total, report)
        assert isinstance(voice, JsonVoice)
        self._event = voice.event
        self._event("run", films=total)

    def heard(self, entry: Entry, event: Mapping[str, Any]) -> None:
        """Pass on what is said while it is restored; its end comes with its result."""
        if event["event"] in ("start", "progress", "warning"):
            self._event(**{"name": event["event"], "input": str(entry.source), **_but_name(event)})

    def tell(self, result: Result) -> None:
        """Say what became of a film."""
        if result.state == "failed":
            self._event("error", input=str(result.entry.source), message=printable(result.error), code=result.code)
        else:
            self._event("stopped" if result.state == "stopped" else "done", **json.loads(result.to_line()))

    def over(self, results: Sequence[Result]) -> None:
        """Say how it all went."""
        counts = {state: sum(result.state == state for result in results) for state in STATES}
        self._event("summary", films=self._total, code=worst(results), **counts)


def _but_name(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "event"}
