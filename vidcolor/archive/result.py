"""What became of each film of a run: as a line of the report, as a row of the table, as an exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.errors import EXIT_SIGINT, printable
from vidcolor.archive.entries import Entry

STATES = ("due", "done", "skipped", "kept", "failed", "stopped")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one film.

    Attributes:
        entry: which.
        state: "done"; "skipped": an earlier run did it; "kept": another output is there; "failed"; "stopped";
            "due": it would be restored, were the run no rehearsal.
        code: the exit code that it would have had alone.
        output: the file.
        frames: pictures in it, where this run made it.
        seconds: of work.
        warnings: what was warned of.
        error: why it failed.
        hashes: sha256 of "input", "output" and "model", where this run made the output.
    """

    entry: Entry
    state: str
    code: int = 0
    output: Path | None = None
    frames: int | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str = ""
    hashes: tuple[tuple[str, str], ...] = ()

    def to_line(self) -> str:
        """One JSON object, in ASCII."""
        told = {
            "input": str(self.entry.source),
            "output": str(self.output) if self.output else None,
            "state": self.state,
            "code": self.code,
            "frames": self.frames,
            "seconds": round(self.seconds, 2),
            "warnings": list(self.warnings),
            "error": self.error or None,
            "sha256": dict(self.hashes),
        }
        return json.dumps(told) + "\n"


def worst(results: Iterable[Result]) -> int:
    """The exit code of a run: 0 if all went well, a signal's if it was stopped, else the largest of all."""
    codes = {result.code for result in results}
    signals = {code for code in codes if code >= EXIT_SIGINT}
    return max(signals or codes, default=0)


def table(results: Sequence[Result]) -> Iterator[str]:
    """The end of a run: a row a film, then the sums."""
    width = max((len(printable(result.entry.source)) for result in results), default=0)
    for result in results:
        name = printable(result.entry.source).ljust(width)
        frames = "" if result.frames is None else str(result.frames)
        time = f"{result.seconds:.1f} s" if result.seconds else ""
        yield f"{result.state:7}  {name}  {frames:>7}  {time:>9}  {_remark(result)}".rstrip()
    counts = [(state, sum(result.state == state for result in results)) for state in STATES]
    yield f"{len(results)} films: " + ", ".join(f"{count} {state}" for state, count in counts if count)


def _remark(result: Result) -> str:
    if result.error:
        return printable(result.error)
    count = len(result.warnings)
    return f"{count} warning{'s' * (count != 1)}" if count else ""
