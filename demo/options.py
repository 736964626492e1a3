"""`vidcolor demo`: its options, and the limits that they set; loads nothing heavy."""

from __future__ import annotations

import argparse
import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from streams.errors import InputError, UsageError, printable

HOST = "127.0.0.1"
PORT = 7860
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one visitor, and all of them, may ask of the machine.

    Attributes:
        upload: bytes of one file.
        seconds: length of one film.
        pixels: samples of one picture.
        pictures: pictures in one order of the photo page.
        workers: processes that colour.
        queue: orders that may wait; those beyond are told that the page is busy.
        share: orders of one visitor, waiting and working.
        keep: seconds after which what a visitor left is deleted, whatever he does.
        live: seconds of one run of a film as a live stream.
    """

    upload: int = 500 * MEGABYTE
    seconds: int = 600
    pixels: int = 3840 * 2160
    pictures: int = 20
    workers: int = 2
    queue: int = 24
    share: int = 4
    keep: int = 3600
    live: int = 60


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may come in: a user and the digest of his password; the password itself is not kept."""

    user: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Lock:
        """Read `USER:PASSWORD`; raises UsageError where it is none."""
        user, colon, password = text.strip("\r\n").partition(":")
        if not user or not colon or not password:
            raise UsageError("--auth wants USER:PASSWORD")
        return cls(_digest(user), _digest(password))

    def opens_for(self, user: str, password: str) -> bool:
        """Compare in a time that tells nothing: digests are of one length, and both are always compared."""
        same_user = hmac.compare_digest(self.user, _digest(user))
        same_password = hmac.compare_digest(self.digest, _digest(password))
        return same_user & same_password


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is served, for whom, within which limits."""

    host: str = HOST
    port: int = PORT
    lock: Lock | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `vidcolor demo`."""
    base = Limits()
    parser.add_argument("--host", default=HOST, metavar="ADDRESS", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help="0 takes a free one (default: %(default)s)")
    login = parser.add_mutually_exclusive_group()
    login.add_argument("--auth", metavar="USER:PASSWORD", help="let in only who knows these (default: everybody)")
    login.add_argument("--auth-file", type=Path, metavar="FILE", help="the same, from the first line of a file")
    group = parser.add_argument_group("limits")
    group.add_argument("--max-upload", type=_size, metavar="MB", help=f"of one file (default: {base.upload >> 20})")
    group.add_argument("--max-minutes", type=_minutes, metavar="N", help=f"of one film (default: {base.seconds // 60})")
    group.add_argument("--max-pixels", type=_count, metavar="N", help=f"of one picture (default: {base.pixels})")
    group.add_argument("--workers", type=_count, metavar="N", help=f"films coloured at once (default: {base.workers})")
    group.add_argument("--queue", type=_count, metavar="N", help=f"orders that may wait (default: {base.queue})")
    group.add_argument("--keep-minutes", type=_minutes, metavar="N", help="until files are deleted (default: 60)")


def place_of(args: argparse.Namespace) -> Place:
    """What the command line asks for.

    Raises:
        UsageError: values that make no sense.
        InputError: the file with the password cannot be read.
    """
    if not 0 <= args.port < 1 << 16:
        raise UsageError(f"--port {args.port}: 0 to 65535")
    asked = {
        "upload": args.max_upload,
        "seconds": args.max_minutes,
        "pixels": args.max_pixels,
        "workers": args.workers,
        "queue": args.queue,
        "keep": args.keep_minutes,
    }
    limits = Limits(**{name: value for name, value in asked.items() if value is not None})
    if limits.keep > Limits().keep:
        raise UsageError("--keep-minutes: at most 60")
    return Place(args.host, args.port, _lock(args), limits)


def _lock(args: argparse.Namespace) -> Lock | None:
    if args.auth is not None:
        return Lock.of(args.auth)
    if args.auth_file is None:
        return None
    try:
        first, _, _ = args.auth_file.read_text(encoding="utf-8").partition("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"--auth-file {printable(args.auth_file)} cannot be read") from error
    return Lock.of(first)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _size(text: str) -> int:
    return _positive(text, MEGABYTE)


def _minutes(text: str) -> int:
    return _positive(text, 60)


def _positive(text: str, unit: int) -> int:
    value = round(float(text) * unit) if 0 < float(text) < 1e9 else 0
    if value < 1:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value
