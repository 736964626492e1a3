"""How the command speaks on a terminal: text, with a bar that moves while the film is restored."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from streams.errors import printable
from vidcolor.cli.voice import Voice
from vidcolor.watch import Report


class SpeedColumn(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        """The speed over the last seconds, nothing while it is unknown."""
        return Text(f"{task.speed:.1f} fps" if task.speed else "", style="progress.data.speed")


class BarVoice(Voice):
    """Text, with a moving bar (pictures, speed, time to go; only the first two where the length is unknown)."""

    def __init__(self, verbose: bool = False) -> None:
        super().__init__(verbose=verbose)
        columns = (BarColumn(), MofNCompleteColumn(), SpeedColumn(), TimeRemainingColumn(compact=True))
        self._bar = Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True)
        self._moving = False

    def guided(self, keys: int, total: int) -> None:
        """Show the bar of the key frames, or move it."""
        if not self._moving:
            self._show("key frames for the guide", total)
        self.progressed(keys)

    def started(self, total: int | None, about: int | None = None) -> None:
        """Show the bar."""
        super().started(total, about)
        self._show("", total or about, self._done_before)

    def _show(self, what: str, total: int | None, done: int = 0) -> None:
        """A bar of its own for each thing that takes long."""
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        self._bar.add_task(what, total=total, completed=done)
        self._bar.start()
        self._moving = True

    def progressed(self, frame: int) -> None:
        """Move it."""
        self._bar.update(self._bar.task_ids[0], completed=frame)

    def spread(self, films: int, total: int, pictures: int) -> None:
        """Show the bar of a run over many films, or move it."""
        if not self._moving:
            columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=self._bar.console, transient=True)
            self._bar.add_task("", total=total)
            self._bar.start()
            self._moving, self._begun = True, time.monotonic()
        rate = pictures / max(time.monotonic() - self._begun, 1e-3)
        said = f"{films}/{total} films, {pictures} pictures, {rate:.1f} fps"
        self._bar.update(self._bar.task_ids[0], completed=films, description=said)

    def write(self, line: str) -> None:
        """A line, above the bar if it moves."""
        if self._moving:
            self._bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
        else:
            super().write(line)

    def finished(self, report: Report) -> None:
        """Take the bar away, say the end."""
        self.close()
        super().finished(report)

    def close(self) -> None:
        """Take the bar away."""
        self._moving = False
        self._bar.stop()
