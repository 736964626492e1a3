"""Which voice a run has: by its flags, and by whether anybody looks at a terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from vidcolor.cli.voice import JsonVoice, Voice


def early_voice(words: Sequence[str]) -> Voice:
    """The voice for errors in the command line itself, before it is understood."""
    pairs = zip(words, words[1:], strict=False)
    return JsonVoice() if "--progress=json" in words or ("--progress", "json") in pairs else Voice()


def voice_of(args: argparse.Namespace) -> Voice:
    """The voice that a parsed command line asks for."""
    progress = getattr(args, "progress", "none")
    quiet, verbose = bool(getattr(args, "quiet", False)), bool(getattr(args, "verbose", False))
    if progress == "json":
        return JsonVoice()
    if progress == "auto" and not quiet and sys.stderr is not None and sys.stderr.isatty():
        from vidcolor.cli.bar import BarVoice  # only here: rich is not for free

        return BarVoice(verbose=verbose)
    return Voice(quiet, verbose, closing=progress == "auto")
