"""What films and still pictures share when they are restored: a place to go to, warnings, a network, a mark."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import FilmError, InputError, OutputError, UsageError, printable
from streams.writing.folder import fingerprint
from vidcolor import __version__, zoo
from vidcolor.brake import Brake
from vidcolor.mark import Mark
from vidcolor.options import Options
from vidcolor.watch import Report, Watcher

if TYPE_CHECKING:
    from vidcolor.zoo import LoadedModel


class Warnings:
    """Passes warnings on, keeps them for the report, and ends a strict run at the first."""

    def __init__(self, watcher: Watcher, strict: bool) -> None:
        self._watcher = watcher
        self._strict = strict
        self.told: list[str] = []

    def tell(self, texts: Iterable[str], kind: type[FilmError]) -> None:
        """Warn; `kind` is the error that it is in a strict run."""
        for text in texts:
            if self._strict:
                raise kind(f"{text} (and the run is --strict)")
            self.told.append(text)
            self._watcher.warned(text)


class Job(ABC):
    """Something that may be restored: its input is open, its output settled."""

    def __init__(self, target: Path | None, options: Options) -> None:
        """`target` None is stdout."""
        self.target = target
        self.options = options
        self.damage = ""
        self.guide_seconds = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether the output is there already."""
        return self.target is not None and self.target.exists()

    def check_free(self) -> None:
        """Raise OutputError if the output is there already and may not be replaced."""
        if self.is_taken and not self.options.overwrite:
            raise OutputError(f"{printable(self.target)} is there already: -y replaces it, -n keeps it")

    @property
    @abstractmethod
    def total(self) -> int | None:
        """How many pictures there are, where the input says so."""

    @abstractmethod
    def describe(self) -> list[str]:
        """The plan in words: what comes in, what goes out."""

    @abstractmethod
    def losses(self) -> Iterable[str]:
        """What the output cannot hold, one sentence each, known before work begins."""

    @abstractmethod
    def work(self, model: LoadedModel, warnings: Warnings, watcher: Watcher, brake: Brake) -> int:
        """Colour and write it whole; returns the number of pictures."""

    def rehearse(self, watcher: Watcher) -> list[str]:
        """Do all that comes before the work: tell the losses, and say what would be done."""
        Warnings(watcher, self.options.strict).tell(self.losses(), OutputError)
        return self.describe()

    def run(self, watcher: Watcher, brake: Brake) -> Report:
        """Restore it.

        Raises:
            FilmError: with the reason; then nothing is written.
        """
        warnings = Warnings(watcher, self.options.strict)
        warnings.tell(self.losses(), OutputError)
        for line in self.describe():
            watcher.noted(line)
        model = load_model(self.options)
        check_told(model, self.options)
        brake.check()
        watcher.noted(f"model {printable(model.name)} on {model.place}, weights {model.sha256}")
        frames = self.work(model, warnings, watcher, brake)
        told, seconds = tuple(warnings.told), self.guide_seconds
        report = Report(frames, self.target, model.name, model.sha256, told, self.damage, seconds)
        watcher.finished(report)
        return report


def check_apart(source: Path | None, target: Path | None) -> None:
    """Raise UsageError where output and input are one file, by whatever names and links."""
    if source is None or target is None:
        return
    try:
        same = target.samefile(source)
    except OSError:
        return
    if same:
        raise UsageError(f"the output {printable(target)} is the input: it would be lost")


def load_model(options: Options) -> LoadedModel:
    """Load the network that was asked for, where it was asked for.

    Raises:
        ModelError: no such device or runtime, or weights that cannot be trusted.
    """
    if options.runtime == "openvino":
        from vidcolor import runtime

        return runtime.load(options.model, options.precision)
    from vidcolor import device

    return zoo.load(options.model, device.choose(options.device, options.precision))


def check_told(model: LoadedModel, options: Options) -> None:
    """Raise UsageError where the network is to be told of a film stock that it knows nothing of."""
    if options.told is not None and not model.colorizer.spec.takes_stock:
        raise UsageError(f"the model {printable(model.name)} knows no film stocks: leave out --stock and --year")


def fingerprint_of(source: Path | None) -> str | None:
    """What tells one input from another; None for what can be read only once.

    Raises:
        InputError: it can no longer be read.
    """
    try:
        return fingerprint(source) if source is not None and source.is_file() else None
    except OSError as error:
        raise InputError(f"{printable(source)} cannot be read: {error.strerror or error}") from error


def mark_of(model: LoadedModel, options: Options, source: Path | None) -> Mark:
    """What is written into the output about the origin of its colours; `source` None is a pipe."""
    film = fingerprint_of(source)
    settings = (
        ("side", str(options.side or model.colorizer.spec.side)),
        ("saturation", f"{options.saturation:g}"),
        ("precision", model.place.precision),
        *([("runtime", options.runtime)] if options.other_runtime else []),
        *([("stock", options.known_stock)] if options.known_stock else []),
        *([("guides", options.guides_digest)] if options.is_guided else []),
        *([("input", film)] if film else []),
        ("options", options.digest),
    )
    return Mark(model.name, model.sha256, __version__, settings)
