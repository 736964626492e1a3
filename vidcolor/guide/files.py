"""The files that colour is taken from: whether they are there, and what tells them from others; reads no picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from streams.errors import InputError, printable
from vidcolor.guide import exported
from vidcolor.guide.hints import read_hints
from vidcolor.guide.keys import listed
from vidcolor.guide.motion import check_motion


class Guides(Protocol):
    """Where colour is to be taken from: paths, as vidcolor.options has them."""

    @property
    def keys(self) -> str | None:
        """A folder of coloured frames."""

    @property
    def hints(self) -> str | None:
        """A file of dots."""

    @property
    def guide(self) -> str | None:
        """Another model."""

    @property
    def reference(self) -> tuple[str, ...]:
        """Pictures of the same things."""


def check(guides: Guides) -> None:
    """Look whether all is there.

    Raises:
        UsageError: OpenCV is not installed; or there is no such model, or nothing to run it by.
        InputError: something cannot be read, keys are not named by their frames, or hints are none.
    """
    check_motion()
    if guides.hints is not None:
        read_hints(Path(guides.hints))
    if guides.guide is not None:
        exported.check_model(Path(guides.guide))
    for path in _pictures(guides):
        if not path.is_file():
            raise InputError(f"{printable(path)} is no file: a reference is a coloured picture")


def digest_of(guides: Guides) -> str:
    """A fingerprint of all of them, by name and content.

    Raises:
        InputError: one cannot be read.
    """
    whole = hashlib.blake2b(digest_size=16)
    for path in (*_pictures(guides), *([Path(guides.hints)] if guides.hints is not None else [])):
        try:
            content = hashlib.blake2b(path.read_bytes()).digest()
        except OSError as error:
            raise InputError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
        whole.update(path.name.encode(errors="surrogateescape") + b"\0" + content)
    if guides.guide is not None:
        whole.update(b"guide\0" + exported.digest_of(Path(guides.guide)))
    return whole.hexdigest()


def _pictures(guides: Guides) -> Iterator[Path]:
    if guides.keys is not None:
        yield from (key.path for key in listed(Path(guides.keys)))
    yield from map(Path, guides.reference)
