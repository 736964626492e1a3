"""Where the output goes: whether a file can be there at all, and how it appears there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streams.errors import OutputError, printable

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed and so needs no lock
    fcntl = None  # type: ignore[assignment]

_MARK = ".vidcolor-"
# 255 bytes is what file systems allow; the rest is room for the mark, a random part and a suffix.
_LONGEST_STEM = 200


def check_place(target: Path) -> None:
    """Raise OutputError if no file can be written at `target`; touches nothing."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:
        raise OutputError(f"{printable(target)} cannot be written: {plain_reason(error)}") from error
    if mode is not None and not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise OutputError(f"{printable(target)} is {what}, not a file that can be written")
    _check_folder(followed(target).parent)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise OutputError(f"there is no folder {printable(folder)} to write to")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {printable(folder)} may not be written to")


def followed(target: Path) -> Path:
    """Follow links, so that what they point to is replaced and they stay."""
    return Path(os.path.realpath(target))


class Temporary:
    """A hidden file in the target's folder, `.NAME.vidcolor-RANDOM.ext`, that becomes the target or goes away.

    As long as this process lives it holds a lock on the file; so the next run can tell a leftover (of a process
    that was killed) from the file of a run beside it.
    """

    def __init__(self, target: Path, suffix: str | None = None) -> None:
        """Create it, after removing leftovers of the same name; raises OutputError where that fails."""
        self._final = followed(target)
        sweep(target)
        name = hidden_stem(self._final) + _MARK + secrets.token_hex(4) + (suffix or self._final.suffix)
        self.path = self._final.with_name(name)
        self._lock: int | None = None
        with writing(target):
            # The mode is 0666 less the umask, as for any file a program creates.
            self._lock = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _QUIET, 0o666)
        if fcntl is None or self._lock is None:
            self._unlock()
        else:
            # Some network file systems have no locks; then a run beside this one may take the file for a leftover.
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX)

    def commit(self) -> None:
        """Bring the file to the disk, then to its name; raises OutputError where that fails, and nothing is left."""
        try:
            with writing(self._final):
                sync(self.path)
                self._unlock()
                self.path.replace(self._final)
        except BaseException:
            self.discard()
            raise
        sync_folder(self._final.parent)

    def discard(self) -> None:
        """Remove the file, if it is still there. Twice does no harm."""
        self._unlock()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            # Nothing was written through it, so nothing is lost if it does not close well.
            with suppress(OSError):
                os.close(lock)


_QUIET = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)


def hidden_stem(final: Path) -> str:
    """Return the hidden beginning of a temporary's name, cut by whole characters to what a file system can hold."""
    stem = final.stem.lstrip(".")
    while len(os.fsencode(stem)) > _LONGEST_STEM:
        stem = stem[:-1]
    return f".{stem}"


def sweep(target: Path) -> None:
    """Remove temporaries of `target` that a killed run left; those of a run that lives are kept."""
    final = followed(target)
    for path in _leftovers(final):
        if not _is_held(path):
            # On Windows a file that is in use stays; elsewhere another run may have been faster.
            with suppress(OSError):
                path.unlink()


def _leftovers(final: Path) -> Iterator[Path]:
    beginning = hidden_stem(final) + _MARK
    try:
        yield from [path for path in final.parent.iterdir() if path.name.startswith(beginning)]
    except OSError:
        return


def _is_held(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDWR | _QUIET)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        with suppress(OSError):
            os.close(descriptor)
    return False


def sync(path: Path) -> None:
    """Bring a file's bytes to the disk."""
    _sync(path, os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can: the files themselves are whole already."""
    if os.name == "posix":
        with suppress(OSError):
            _sync(folder, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | _QUIET)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(target: Path | None) -> Iterator[None]:
    """Turn whatever keeps a file from being written into an OutputError that names `target`."""
    try:
        yield
    except OSError as error:
        name = "standard output" if target is None else printable(target.name)
        raise OutputError(f"{name} cannot be written: {plain_reason(error)}") from error


def plain_reason(error: OSError | ValueError) -> str:
    """Say in a few words why a file could not be written."""
    code = error.errno if isinstance(error, OSError) else errno.EINVAL
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "no space left on the disk"
    return os.strerror(code or errno.EINVAL).lower()
