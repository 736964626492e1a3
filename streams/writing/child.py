"""The ffmpeg that encodes: fed through its standard input, its complaints kept, ended and reaped in every case."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence

from streams.errors import EncoderError, FilmError, OutputError, ReaderLeft, printable

_COMPLAINTS_KEPT = 40
_LONGEST_COMPLAINT = 200
_PIPE_BYTES = 1 << 20
# Lines that only repeat that something went wrong, after the line that says what.
_ECHOES = re.compile(
    r"Conversion failed|Error (?:while|writing|muxing|submitting|sending|initializing|closing|opening output)"
    r"|Terminating thread|Task finished|Nothing was written|Could not open encoder|Svt\[(?:info|warn)|\[out#"
)
_NAMES = re.compile(r"^(?:\[[^\]]*\] ?)+")


class Child:
    """A running ffmpeg. `write` feeds it, `finish` waits for it, `kill` ends it at once; twice does no harm."""

    def __init__(self, words: Sequence[str], *, to_stdout: bool) -> None:
        """Start it; raises EncoderError where it does not start."""
        output = None if to_stdout else subprocess.DEVNULL
        try:
            self._process = _started(words, output)
        except OSError as error:
            raise EncoderError(f"{printable(words[0])} does not start: {error.strerror}") from error
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        self._to_stdout = to_stdout
        self._complaints: deque[str] = deque(maxlen=_COMPLAINTS_KEPT)
        self._listener = threading.Thread(target=self._listen, name="ffmpeg's complaints", daemon=True)
        self._listener.start()
        _widen(self._pipe.fileno())

    def _listen(self) -> None:
        # Without a reader the child would stop at a full pipe.
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._complaints.append(line.decode("utf-8", "replace").strip())

    def write(self, data: bytes) -> int:
        """Feed it; PyAV calls this."""
        self._pipe.write(data)
        self._pipe.flush()
        return len(data)

    def finish(self) -> None:
        """Tell it that no more comes, and wait; raises what `failure` returns unless it ended well."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._process.wait()
        self._listener.join()
        if self._process.returncode != 0:
            raise self.failure()

    def failure(self) -> FilmError:
        """Say why it ended, once it has; OutputError where the place or the reader is the reason."""
        self.kill(patience=5)
        said = " ".join(self._complaints).lower()
        if "no space left" in said or "disk quota" in said:
            return OutputError("the output cannot be written: no space left on the disk")
        if self._to_stdout and ("broken pipe" in said or not self._complaints):
            return ReaderLeft("whoever read standard output has stopped reading")
        for trouble in ("permission denied", "read-only file system", "input/output error", "file too large"):
            if trouble in said and "out#" in said:
                return OutputError(f"the output cannot be written: {trouble}")
        return EncoderError(f"ffmpeg failed: {self._reason()}")

    def _reason(self) -> str:
        lines = [_NAMES.sub("", line) for line in self._complaints if line and not _ECHOES.search(line)]
        lines = lines or [_NAMES.sub("", line) for line in self._complaints if line]
        if not lines:
            return f"it ended with {self._process.returncode} and no word"
        return printable(lines[0])[:_LONGEST_COMPLAINT]

    def kill(self, patience: float = 0) -> None:
        """End it, after `patience` seconds for it to end by itself, and reap it."""
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._process.wait()
        self._listener.join()


def _started(words: Sequence[str], output: int | None) -> subprocess.Popen[bytes]:
    """Start it in a group of its own, so that the terminal's Ctrl-C reaches only us, who then end it."""
    pipe = subprocess.PIPE
    if sys.platform == "win32":
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(words, stdin=pipe, stdout=output, stderr=pipe, creationflags=group)
    return subprocess.Popen(words, stdin=pipe, stdout=output, stderr=pipe, process_group=0)


def _widen(descriptor: int) -> None:
    """Let a whole picture wait in the pipe, where the system allows it (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return
