"""The files that colour is taken from: whether they are there, and what tells them from others; reads no picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import InputError, printable
from vidcolor.guide import exported
from vidcolor.guide.hints import read_hints
from vidcolor.guide.keys import listed
from vidcolor.guide.motion import check_motion

if TYPE_CHECKING:
    from vidcolor.options import Options


def check(options: Options) -> None:
    """Look whether all is there.

    Raises:
        UsageError: OpenCV is not installed; or there is no such model, or nothing to run it by.
        InputError: something cannot be read, keys are not named by their frames, or hints are none.
    """
    check_motion()
    if options.hints is not None:
        read_hints(Path(options.hints))
    if options.guide is not None:
        exported.check_model(Path(options.guide))
    for path in _pictures(options):
        if not path.is_file():
            raise InputError(f"{printable(path)} is no file: a reference is a coloured picture")


def digest_of(options: Options) -> str:
    """A fingerprint of all of them, by name and content.

    Raises:
        InputError: one cannot be read.
    """
    whole = hashlib.blake2b(digest_size=16)
    for path in (*_pictures(options), *([Path(options.hints)] if options.hints is not None else [])):
        try:
            content = hashlib.blake2b(path.read_bytes()).digest()
        except OSError as error:
            raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
        whole.update(path.name.encode(errors="surrogateescape") + b"\0" + content)
    if options.guide is not None:
        whole.update(b"guide\0" + exported.digest_of(Path(options.guide)))
    return whole.hexdigest()


def _pictures(options: Options) -> Iterator[Path]:
    if options.keys is not None:
        yield from (key.path for key in listed(Path(options.keys)))
    yield from map(Path, options.reference)
