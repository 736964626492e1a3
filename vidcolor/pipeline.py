"""The pipeline: a film is decoded, coloured and encoded, three steps that overlap in threads with bounded queues."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import FilmError, InputError, ModelError, OutputError, UsageError, printable
from streams.formats import PictureFormat
from streams.plan import EncodeOptions, OutputPlan, default_target, plan_output
from streams.prefetch import prefetch
from streams.scale import Scaler
from streams.shots import batches
from streams.sink import VideoSink
from streams.source import VideoSource
from vidcolor import __version__, zoo
from vidcolor.brake import Brake
from vidcolor.mark import Mark
from vidcolor.options import Options
from vidcolor.watch import Report, Watcher

if TYPE_CHECKING:
    from vidcolor.painter import Picture
    from vidcolor.zoo import LoadedModel

PIPE = "-"
MOST_AHEAD = 1 << 25  # luma samples that may wait in each queue: 16 pictures of 1080p, 4 of 2160p


def restore(
    source: Path | str,
    target: Path | str | None = None,
    options: Options | None = None,
    watcher: Watcher | None = None,
    brake: Brake | None = None,
) -> Report:
    """Restore a film, or a picture, in colour.

    Args:
        source: a file; "-" reads stdin.
        target: a file; None = `old.color.mp4` beside `old.mp4`; "-" writes `options.format` to stdout.
        options: how; None = as good as it gets without being told anything.
        watcher: hears how it goes.
        brake: stops the run from another thread.

    Raises:
        FilmError: one of its kinds, with the reason in one sentence; then nothing is written.
    """
    with prepare(source, target, options or Options()) as job:
        job.check_free()
        return job.run(watcher or Watcher(), brake or Brake())


@contextmanager
def prepare(source: Path | str, target: Path | str | None, options: Options) -> Iterator[Job]:
    """Look at the input and settle the output, before anything is coloured.

    Raises:
        FilmError: what `restore` would raise for wrong use, for the input, and for the output's place and form.
    """
    if source == PIPE and target is None:
        raise UsageError("stdin has no name to make another of: give -o OUTPUT")
    with closing(open_source(source, options)) as film:
        yield Job(film, _plan(film, target, options), options)


def open_source(source: Path | str, options: Options) -> VideoSource:
    """Open the part of a film that was asked for, once its options are known to make sense.

    Raises:
        UsageError: there is no such network.
        InputError: the input cannot be read, or holds no pictures.
    """
    zoo.check_name(options.model)
    return VideoSource(_path(source), start=options.start, stop=options.stop)


def _plan(film: VideoSource, target: Path | str | None, options: Options) -> OutputPlan:
    encoder = EncodeOptions(
        options.codec, options.crf, options.preset, options.lossless, options.ffmpeg, options.format
    )
    wanted = default_target(film.info, encoder) if target is None else _path(target)
    check_apart(film.info.path, wanted)
    return plan_output(film.info, wanted, encoder)


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


@dataclass(frozen=True, slots=True)
class Job:
    """A film that may be restored: its input is open, its output settled."""

    source: VideoSource
    plan: OutputPlan
    options: Options

    def check_free(self) -> None:
        """Raise OutputError if the output is there already and may not be replaced."""
        if self.is_taken and not self.options.overwrite:
            raise OutputError(f"{printable(self.plan.target)} is there already: -y replaces it, -n keeps it")

    @property
    def is_taken(self) -> bool:
        """Whether the output is there already."""
        return self.plan.target is not None and self.plan.target.exists()

    def describe(self) -> list[str]:
        """The plan in words: what comes in, what goes out, what will be lost."""
        info, plan = self.source.info, self.plan
        frames = info.frames_from_header
        lines = [
            f"input {printable(info.name)}: {info.container}, {info.format.width}x{info.format.height}"
            f" {info.format.pixels}, {frames if frames is not None else 'an unknown number of'} pictures"
        ]
        lines += [f"stream {stream.index}: {stream.kind} {stream.codec}" for stream in info.streams]
        lines += [f"output {printable(plan.target or 'stdout')}: {plan.muxer}, {plan.encoder}, {plan.coded.pixels}"]
        return lines

    def run(self, watcher: Watcher, brake: Brake) -> Report:
        """Restore it.

        Raises:
            FilmError: with the reason; then nothing is written.
        """
        warnings = Warnings(watcher, self.options.strict)
        warnings.tell(self.plan.warnings, OutputError)
        for line in self.describe():
            watcher.noted(line)
        model = load_model(self.options)
        brake.check()
        watcher.noted(f"model {printable(model.name)} on {model.place}, weights {model.sha256}")
        frames = self._film(model, warnings, watcher, brake)
        report = Report(frames, self.plan.target, model.name, model.sha256, tuple(warnings.told))
        watcher.finished(report)
        return report

    def _film(self, model: LoadedModel, warnings: Warnings, watcher: Watcher, brake: Brake) -> int:
        mark = str(mark_of(model, self.options))
        with VideoSink(self.plan, self.source.info, mark) as sink, brake.guarding(sink.abort):
            watcher.started(self.source.info.frames_from_header, self._guess())
            with closing(colour(self.source, self.plan.coded, model, self.options, warnings)) as coloured:
                for count, picture in enumerate(coloured, 1):
                    brake.check()
                    sink.write(picture.frame, picture.cb, picture.cr)
                    watcher.progressed(count)
            warnings.tell(self.source.warnings, InputError)
            return sink.finish()

    def _guess(self) -> int | None:
        """How many pictures there may be: length by rate."""
        info = self.source.info
        if info.cut is not None or not info.duration_from_header or not info.average_rate:
            return None
        return round(info.duration_from_header * info.average_rate)


def colour(
    film: VideoSource, coded: PictureFormat, model: LoadedModel, options: Options, warnings: Warnings
) -> Generator[Picture, None, None]:
    """Give a film's pictures with the chroma that the network sees in them, in the form `coded`."""
    from vidcolor.painter import Painter
    from vidcolor.planes import ChromaMaker, network_size

    form, spec = film.info.format, model.colorizer.spec
    ahead = max(2, min(16, MOST_AHEAD // (form.width * form.height)))
    size = network_size((form.height, form.width), options.side or spec.side, spec.stride)
    painter = Painter(
        model,
        ChromaMaker(form, coded, options.saturation),
        lambda text: warnings.tell([text], ModelError),
    )
    with prefetch(film, ahead) as frames:
        shots = batches(frames, size, options.batch or model.place.batch, Scaler())
        with prefetch(painter.paint(shots), ahead) as pictures:
            yield from pictures


def load_model(options: Options) -> LoadedModel:
    """Load the network that was asked for, where it was asked for.

    Raises:
        ModelError: no such device, or weights that cannot be trusted.
    """
    from vidcolor import device

    return zoo.load(options.model, device.choose(options.device, options.precision))


def mark_of(model: LoadedModel, options: Options) -> Mark:
    """What is written into the output about the origin of its colours."""
    settings = (
        ("side", str(options.side or model.colorizer.spec.side)),
        ("saturation", f"{options.saturation:g}"),
        ("precision", model.place.precision),
    )
    return Mark(model.name, model.sha256, __version__, settings)


def _path(place: Path | str) -> Path | None:
    return None if place == PIPE else Path(place)
