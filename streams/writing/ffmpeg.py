"""Which ffmpeg program is used; what it can do stands in `encoders` and `containers`, what it is told in `command`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import lru_cache

import imageio_ffmpeg

from streams.errors import EncoderError, UsageError, printable

# FFmpeg 6 brought libavcodec 60. Older ones slip Opus sound by 7 ms each time it is copied into Matroska.
_OLDEST_LIBAVCODEC = 60
_ENVIRONMENT = "VIDCOLOR_FFMPEG"
_ANSWER_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg program: where it is, what it calls itself, who named it, and what it can do.

    `places_chroma`: its setparams filter knows where chroma samples sit (older ones leave that to an option of the
    encoder).
    """

    path: str
    version: str
    origin: str
    encoders: frozenset[str] = field(repr=False)
    places_chroma: bool = field(default=True, repr=False)


def find_ffmpeg(explicit: str | None = None) -> Ffmpeg:
    """Return the ffmpeg to use: the one named, else version 6 or newer on PATH, else the one imageio-ffmpeg brings.

    Raises UsageError where the named one (by argument or VIDCOLOR_FFMPEG) does not run, EncoderError where there is
    none at all.
    """
    named = explicit or os.environ.get(_ENVIRONMENT)
    if named:
        return _named(named, "--ffmpeg" if explicit else _ENVIRONMENT)
    on_path = shutil.which("ffmpeg")
    found = _asked(on_path, "PATH") if on_path else None
    if found and _libavcodec(found.path) >= _OLDEST_LIBAVCODEC:
        return found
    brought = _brought()
    if brought is None:
        raise EncoderError("there is no ffmpeg of version 6 or newer: name one with --ffmpeg")
    return brought


def _named(path: str, origin: str) -> Ffmpeg:
    found = _asked(shutil.which(path) or path, origin)
    if found is None:
        raise UsageError(f"{printable(path)} (from {origin}) does not run as ffmpeg")
    return found


def _brought() -> Ffmpeg | None:
    try:
        path = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return None
    return _asked(path, "imageio-ffmpeg")


@lru_cache(maxsize=8)
def _asked(path: str, origin: str) -> Ffmpeg | None:
    said = re.match(r"ffmpeg version (\S+)", _answer(path, "-version"))
    if said is None:
        return None
    listed = re.findall(r"^ V\S{5} (\S+)", _answer(path, "-encoders"), re.MULTILINE)
    places_chroma = "chroma_location" in _answer(path, "-h", "filter=setparams")
    return Ffmpeg(path, said[1], origin, frozenset(listed), places_chroma)


@lru_cache(maxsize=8)
def _libavcodec(path: str) -> int:
    said = re.search(r"^libavcodec\s+(\d+)\.", _answer(path, "-version"), re.MULTILINE)
    return int(said[1]) if said else 0


@lru_cache(maxsize=16)
def _answer(path: str, *question: str) -> str:
    try:
        done = subprocess.run(
            [path, *question], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
