"""How the command speaks: sentences on stderr, as text, as JSON lines, or with a moving bar; data on stdout."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from streams.errors import printable
from vidcolor.watch import Report, Watcher

QUIETEST = 0.06  # seconds between two progress lines: at most twenty a second
HEARTBEAT = 0.5  # seconds after which a line comes though nothing was finished (an encoder's last pictures take long)


class Voice(Watcher):
    """Speaks text: warnings and errors always, the rest unless told to be quiet."""

    def __init__(self, quiet: bool = False, verbose: bool = False, closing: bool = True) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.closing = closing
        self._begun = time.monotonic()
        self._done_before = 0

    def data(self, line: str) -> None:
        """A line of data, to stdout."""
        print(line, file=sys.stdout)  # noqa: T201 - this is the room that prints

    def write(self, line: str) -> None:
        """A line to stderr, with everything escaped that could steer a terminal."""
        _to_stderr(printable(line))

    def error(self, sentence: str, code: int) -> None:
        """Why the run ends."""
        del code
        self.write(f"vidcolor: error: {sentence}")

    def warned(self, text: str) -> None:
        """Something could not be carried over, or was damaged."""
        self.write(f"vidcolor: warning: {text}")

    def noted(self, text: str) -> None:
        """A detail, with -v."""
        if self.verbose:
            self.write(f"vidcolor: {text}")

    def plan(self, lines: Sequence[str], total: int | None) -> None:
        """What a dry run would do."""
        del total
        for line in () if self.quiet else lines:
            self.write(f"vidcolor: {line}")

    def kept(self, output: str) -> None:
        """The output is there already and stays."""
        if not self.quiet:
            self.write(f"vidcolor: {output} is there already and was kept")

    def started(self, total: int | None, about: int | None = None) -> None:
        """Note when the work began."""
        del total, about
        self._begun = time.monotonic()

    def resumed(self, frames: int) -> None:
        """Say what an earlier run has done already."""
        self._done_before = frames
        if frames and not self.quiet:
            self.write(f"vidcolor: {frames} pictures are there already: going on from them")

    def paused(self, frames: int) -> None:
        """Say what is kept, and how to go on."""
        self.write(f"vidcolor: {frames} pictures are kept: the same command with --resume goes on from there")

    def spread(self, films: int, total: int, pictures: int) -> None:
        """Show how far a run over many films is: so many of them ended, so many pictures made."""

    def finished(self, report: Report) -> None:
        """One closing line."""
        if self.closing and not self.quiet:
            rate = (report.frames - self._done_before) / max(time.monotonic() - self._begun, 1e-3)
            where = report.output or "stdout"
            lost = f"; the input has lost some: {report.damage}" if report.damage else ""
            guided = f"; the guide took {report.guide_seconds:.1f} s before" if report.guide_seconds else ""
            self.write(f"vidcolor: {where}: {report.frames} pictures, {rate:.1f} a second{guided}{lost}")

    def close(self) -> None:
        """Stop whatever moves."""


class JsonVoice(Voice):
    """Speaks one JSON object a line, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._total: int | None = None
        self._frame = 0
        self._told = (-1, 0.0)  # the frame last told, and when
        self._over = threading.Event()

    def event(self, name: str, **values: object) -> None:
        """Write one object."""
        _to_stderr(json.dumps({"event": name, **values}))

    def error(self, sentence: str, code: int) -> None:
        """Why the run ends."""
        self.event("error", message=printable(sentence), code=code)

    def warned(self, text: str) -> None:
        """Something could not be carried over, or was damaged."""
        self.event("warning", message=printable(text))

    def noted(self, text: str) -> None:
        """Details have no form here."""

    def plan(self, lines: Sequence[str], total: int | None) -> None:
        """What a dry run would do."""
        self.event("start", total=total, resumed_from=0, plan=[printable(line) for line in lines])

    def kept(self, output: str) -> None:
        """The output is there already and stays."""
        self.event("done", frame=0, output=output, kept=True)

    def started(self, total: int | None, about: int | None = None) -> None:
        """Say how much there is, and begin the heartbeat."""
        super().started(total, about)
        self._total = total
        self.event("start", total=total, resumed_from=self._done_before)
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def guided(self, keys: int, total: int) -> None:
        """Say how far the key frames are."""
        self.event("guide", frame=keys, total=total)

    def resumed(self, frames: int) -> None:
        """Remember what an earlier run has done already: `start` says it."""
        self._done_before = frames

    def paused(self, frames: int) -> None:
        """Say what is kept, and how to go on."""
        self.event("warning", message=f"{frames} pictures are kept: the same command with --resume goes on from there")

    def progressed(self, frame: int) -> None:
        """Say how far it is, not too often."""
        with self._lock:
            self._frame = frame
            if self._told[0] < 0 or time.monotonic() - self._told[1] >= QUIETEST:
                self._tell()

    def finished(self, report: Report) -> None:
        """Say the last picture and the end."""
        self.close()
        with self._lock:
            self._frame = report.frames
            if self._told[0] != report.frames:
                self._tell()
        guided = {"guide_seconds": round(report.guide_seconds, 3)} if report.guide_seconds else {}
        self.event("done", frame=report.frames, output=str(report.output or "-"), **guided)

    def close(self) -> None:
        """End the heartbeat."""
        self._over.set()

    def _tell(self) -> None:
        now = time.monotonic()
        rate = round((self._frame - self._done_before) / max(now - self._begun, 1e-3), 2)
        self.event("progress", frame=self._frame, total=self._total, fps=rate)
        self._told = (self._frame, now)

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT):
            with self._lock:
                if self._told[0] >= 0 and time.monotonic() - self._told[1] >= HEARTBEAT and not self._over.is_set():
                    self._tell()


def _to_stderr(line: str) -> None:
    """Write a line; a film is not given up because nobody reads what is said about it."""
    if sys.stderr is not None:  # `2>&-` leaves none, and print would take stdout instead
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201
