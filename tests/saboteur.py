"""Lets the n-th call of a system function fail, for every n: what a full disk, a broken one, or a stranger does."""

from __future__ import annotations

import errno
import io
import os
import pathlib
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# One after the other, so that each call is seen to fail in each way as n goes on.
FAULTS = (errno.ENOSPC, errno.EIO, errno.EACCES)
KINDS = ("open", "write", "fsync", "replace", "close", "unlink", "spawn")


class Saboteur:
    """Counts the calls that touch files below `folder`, and fails the n-th of one kind; none without a kind.

    `failed` says which path it was, once it did: "" where there is none. `calls` has the counts.
    """

    def __init__(self, folder: Path, kind: str = "", number: int = 0) -> None:
        self._kind = kind
        self._folder = os.path.realpath(folder)
        self._number = number
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._paths: dict[int, str] = {}
        self.failed: str | None = None

    def installed(self, patch: pytest.MonkeyPatch) -> Saboteur:
        """Stand in for the system's functions as long as `patch` holds."""
        for name in ("open", "write", "fsync", "replace", "close", "unlink"):
            patch.setattr(os, name, getattr(self, f"_{name}")(getattr(os, name)))
        patch.setattr(pathlib.Path, "open", self._path_open(pathlib.Path.open))
        patch.setattr(subprocess, "Popen", self._spawn(subprocess.Popen))
        return self

    def _strike(self, kind: str, path: str) -> None:
        """Fail, if it is the call."""
        with self._lock:
            self.calls[kind] += 1
            if kind != self._kind or self.calls[kind] != self._number:
                return
            self.failed = path
        code = FAULTS[self._number % len(FAULTS)]
        raise OSError(code, os.strerror(code), path or None)

    def _is_ours(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return os.path.realpath(os.fsdecode(path)).startswith(self._folder)

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, *rest: Any, **more: Any) -> int:  # noqa: ANN401 - as os.open
            if not self._is_ours(path):
                return real(path, *rest, **more)
            self._strike("open", os.fsdecode(path))
            descriptor = real(path, *rest, **more)
            self._paths[descriptor] = os.fsdecode(path)
            return descriptor

        return call

    def _of_descriptor(self, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *rest: Any) -> Any:  # noqa: ANN401 - as os.write and its kin
            if descriptor in self._paths:
                self._strike(kind, self._paths[descriptor])
            return real(descriptor, *rest)

        return call

    def _write(self, real: Callable[..., int]) -> Callable[..., int]:
        return self._of_descriptor("write", real)

    def _fsync(self, real: Callable[..., None]) -> Callable[..., None]:
        return self._of_descriptor("fsync", real)

    def _close(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            real(descriptor)  # a close that fails has closed all the same
            path = self._paths.pop(descriptor, None)
            if path is not None:
                self._strike("close", path)

        return call

    def _replace(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, **more: Any) -> None:  # noqa: ANN401 - as os.replace
            if self._is_ours(source):
                self._strike("replace", os.fsdecode(source))
            real(source, target, **more)

        return call

    def _unlink(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, **more: Any) -> None:  # noqa: ANN401 - as os.unlink
            if self._is_ours(path):
                self._strike("unlink", os.fsdecode(path))
            real(path, **more)

        return call

    def _path_open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as Path.open
            if not self._is_ours(path):
                return real(path, *rest, **more)
            self._strike("open", str(path))
            return _Watched(real(path, *rest, **more), lambda kind: self._strike(kind, str(path)))

        return call

    def _spawn(self, real: type[Any]) -> type[Any]:
        saboteur = self

        class Popen(real):  # type: ignore[misc]
            def __init__(self, *rest: Any, **more: Any) -> None:  # noqa: ANN401 - as Popen
                saboteur._strike("spawn", "")
                super().__init__(*rest, **more)

        return Popen


class _Watched:
    """A file whose writes and whose end can be made to fail."""

    def __init__(self, file: io.IOBase, strike: Callable[[str], None]) -> None:
        self._file = file
        self._strike = strike

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        self._strike("write")
        return int(self._file.write(data))  # type: ignore[attr-defined]

    def close(self) -> None:
        self._file.close()
        self._strike("close")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever files have
        return getattr(self._file, name)

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Any:  # noqa: ANN401 - lines
        return iter(self._file)
