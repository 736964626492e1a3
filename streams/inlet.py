"""The way in: a file or a pipe whose first bytes can be looked at and are given back to whoever reads next."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from streams.errors import InputError, printable

_CHUNK = 1 << 16


class Inlet:
    """Bytes of a file or of stdin, in order, with a look ahead.

    `path` is None for whatever cannot be opened a second time: stdin, named pipes. Reads go to the descriptor
    itself: `sys.stdin.buffer` would wait for a full buffer (a live pipe would stall), and a thread that waits in
    it makes the interpreter abort at its end.
    """

    def __init__(self, path: Path | None) -> None:
        """Open `path`, or stdin for None; raises InputError where that cannot be read."""
        self.name = "stdin" if path is None else printable(path)
        self._descriptor = _stdin() if path is None else _opened(path, self.name)
        self._owned = path is not None
        self._ahead = bytearray()
        self._ended = False
        is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self.path = path if is_file else None
        self.size = os.fstat(self._descriptor).st_size if path and is_file else None

    def upto(self, count: int) -> bytes:
        """Look at the first `count` bytes, fewer at the end, without taking them. A pipe is waited for."""
        while len(self._ahead) < count and self.more():
            pass
        return bytes(self._ahead[:count])

    def more(self) -> bool:
        """Look one read further; False at the end. All that was looked at is `seen`."""
        if not self._ended:
            chunk = self._take(_CHUNK)
            self._ahead += chunk
            self._ended = not chunk
        return not self._ended

    @property
    def seen(self) -> bytearray:
        """What was looked at and not yet taken; not to be changed."""
        return self._ahead

    def read(self, count: int = _CHUNK) -> bytes:
        """Take up to `count` bytes, as soon as there are any; none at the end. PyAV calls this."""
        if self._ahead:
            taken = bytes(self._ahead[:count])
            del self._ahead[:count]
            return taken
        return b"" if self._ended else self._take(count)

    def read_all(self, limit: int) -> bytes:
        """Take everything; raises InputError beyond `limit` bytes."""
        while len(self._ahead) <= limit and self.more():
            pass
        if len(self._ahead) > limit:
            raise InputError(f"{self.name} is larger than a picture may be")
        return self.read(len(self._ahead))

    def _take(self, count: int) -> bytes:
        try:
            return os.read(self._descriptor, count)
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {_plain(error)}") from error

    def close(self) -> None:
        """Close a file that was opened here; stdin stays open. Twice does no harm."""
        if self._owned:
            self._owned = False
            with suppress(OSError):  # it was only read
                os.close(self._descriptor)

    def __enter__(self) -> Inlet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _stdin() -> int:
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise InputError("there is no stdin to read from") from error


def _opened(path: Path, name: str) -> int:
    # O_BINARY exists on Windows only, where descriptors would translate line ends without it.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise InputError(_why_not(path, name, error)) from error
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{name} is a folder, not a film")
    return descriptor


def _why_not(path: Path, name: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no file {name}"
    if isinstance(error, PermissionError):
        # Windows answers so for folders too.
        return f"{name} is a folder, not a film" if path.is_dir() else f"{name} may not be read"
    return f"{name} cannot be opened: {_plain(error)}"


def _plain(error: OSError | ValueError) -> str:
    code = error.errno if isinstance(error, OSError) else errno.EINVAL
    return os.strerror(code or errno.EINVAL).lower()
