"""Who hears how a restoration goes, and what is told at its end; knows neither torch nor film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    """What a restoration did.

    Attributes:
        frames: pictures written.
        output: the file, None for a pipe.
        model: the network's name.
        sha256: of its weights.
        warnings: what could not be carried over, what was damaged.
        damage: of that the pictures that the input has lost, counted; empty where it is whole.
        guide_seconds: that another network took to colour keys, before all else.
    """

    frames: int
    output: Path | None
    model: str
    sha256: str
    warnings: tuple[str, ...] = ()
    damage: str = ""
    guide_seconds: float = 0.0


class Watcher:
    """Hears how a restoration goes; every method does nothing until it is overridden.

    All are called from the thread that called `restore`. One that raises ends the run, with nothing written.
    """

    def started(self, total: int | None, about: int | None = None) -> None:
        """Work begins: `total` pictures where the file says so, else perhaps a guess from its length."""

    def guided(self, keys: int, total: int) -> None:
        """Before work begins: another network has coloured as many of the key frames that it is asked for."""

    def resumed(self, frames: int) -> None:
        """Before work begins: as many pictures were finished by an earlier run."""

    def paused(self, frames: int) -> None:
        """The run ends too early; as many pictures are kept, for a run with `resume` to go on with."""

    def progressed(self, frame: int) -> None:
        """As many pictures are finished."""

    def warned(self, text: str) -> None:
        """Something could not be carried over, or was damaged."""

    def noted(self, text: str) -> None:
        """A detail for those who ask for details."""

    def finished(self, report: Report) -> None:
        """The output is whole and has its name."""
