"""The files that colour is taken from: whether they are there, and what tells them from others; reads no picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from streams.errors import InputError, printable
from vidcolor.guide.keys import listed
from vidcolor.guide.motion import check_motion


def check(keys: str | None, references: Sequence[str]) -> None:
    """Look whether all is there.

    Raises:
        UsageError: OpenCV is not installed.
        InputError: something cannot be read, or keys are not named by their frames.
    """
    check_motion()
    for path in _paths(keys, references):
        if not path.is_file():
            raise InputError(f"{printable(path)} is no file: a reference is a coloured picture")


def digest_of(keys: str | None, references: Sequence[str]) -> str:
    """A fingerprint of all of them, by name and content.

    Raises:
        InputError: one cannot be read.
    """
    whole = hashlib.blake2b(digest_size=16)
    for path in _paths(keys, references):
        try:
            content = hashlib.blake2b(path.read_bytes()).digest()
        except OSError as error:
            raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
        whole.update(path.name.encode(errors="surrogateescape") + b"\0" + content)
    return whole.hexdigest()


def _paths(keys: str | None, references: Sequence[str]) -> Iterator[Path]:
    if keys is not None:
        yield from (key.path for key in listed(Path(keys)))
    yield from map(Path, references)
