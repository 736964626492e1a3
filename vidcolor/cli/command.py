"""The command line as a whole: its parser, and the one place where every failure becomes a sentence and a code."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from streams.errors import FilmError, Interrupted, ReaderLeft, UsageError, printable
from vidcolor import __version__
from vidcolor.brake import Brake
from vidcolor.cli import demo, doctor, evaluate, keyframes, models, restore, train
from vidcolor.cli.choose import early_voice, voice_of
from vidcolor.cli.supervisor import Supervisor
from vidcolor.cli.voice import Voice

COMMANDS = (restore, keyframes, demo, models, doctor, evaluate, train)
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_CLOSED = {errno.EPIPE, errno.ESHUTDOWN}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are UsageError: one sentence, told where all others are."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print and exit for."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(prog="vidcolor", description="Restores black-and-white film in colour.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"vidcolor {__version__}")
    parsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command_name", required=True, parser_class=Parser
    )
    for command in COMMANDS:
        command.add(parsers)
    return parser


def perform(argv: list[str] | None, supervisor: Supervisor) -> int:
    """Read the command line, run its command under the supervisor, return the exit code."""
    words = sys.argv[1:] if argv is None else argv
    voice = early_voice(words)
    parsed: list[argparse.Namespace] = []

    def parse() -> int:
        parsed.append(build_parser().parse_args(words))
        return 0

    code = guarded(parse, voice, supervisor.brake)
    if not parsed:
        return code
    args = parsed[0]
    voice, brake = voice_of(args), supervisor.brake

    def work() -> int:
        with brake.guarding(voice.close):  # or a bar would leave the terminal without its cursor
            return int(args.run(args, voice, brake))

    return supervisor.oversee(lambda: guarded(work, voice, brake))


def guarded(work: Callable[[], int], voice: Voice, brake: Brake) -> int:
    """Run `work`; whatever it raises is said in one sentence and becomes an exit code.

    After the brake was pulled nothing is said: an encoder that was ended then ends with an error of its own.
    """
    try:
        return work()
    except SystemExit as end:  # argparse, after --help and --version
        return end.code if isinstance(end.code, int) else 0
    except BaseException as error:  # noqa: BLE001 - the one place: nobody ever sees a traceback
        code, sentence = explain(error)
        voice.close()
        if sentence and brake.code is None:
            voice.error(sentence, code)
        return brake.code or code


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for a failure; an empty sentence is not said."""
    if isinstance(error, Interrupted):
        return error.exit_code, ""
    if isinstance(error, ReaderLeft):
        return error.exit_code, ""
    if isinstance(error, FilmError):
        return error.exit_code, str(error) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return 130, ""
    if isinstance(error, MemoryError):
        return 5, "out of memory: try a smaller --side or --batch"
    if isinstance(error, OSError):
        return _explain_system(error)
    return 5, f"unexpected {type(error).__name__}: {_first_line(error)} ({_place(error)})"


def _explain_system(error: OSError) -> tuple[int, str]:
    if isinstance(error, BrokenPipeError) or error.errno in _CLOSED:
        return 4, ""
    if error.errno in _FULL:
        return 4, f"no space left for the output{_named(error)}"
    reason = error.strerror or _first_line(error)
    return 4, f"{reason}{_named(error)} ({_place(error)})"


def _named(error: OSError) -> str:
    return f": {printable(error.filename)}" if error.filename else ""


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
