"""The pipeline: a film is decoded, coloured and encoded, three steps that overlap in threads with bounded queues."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import InputError, ModelError, OutputError, UsageError, printable
from streams.formats import PictureFormat
from streams.prefetch import prefetch
from streams.scale import Scaler
from streams.shots import batches
from streams.sink import EncodeOptions, OutputPlan, VideoSink, default_target, plan_output
from streams.source import VideoSource
from vidcolor import zoo
from vidcolor.brake import Brake
from vidcolor.job import Job, Warnings, check_apart, mark_of
from vidcolor.options import Options
from vidcolor.stills import StillJob, default_still
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
        yield _still_job(film, target, options) if film.still and target != PIPE else _film_job(film, target, options)


def open_source(source: Path | str, options: Options) -> VideoSource:
    """Open the part of a film that was asked for, once its options are known to make sense.

    Raises:
        UsageError: there is no such network.
        InputError: the input cannot be read, or holds no pictures.
    """
    zoo.check_name(options.model)
    return VideoSource(_path(source), start=options.start, stop=options.stop)


def _still_job(film: VideoSource, target: Path | str | None, options: Options) -> StillJob:
    assert film.still is not None
    path = film.info.path
    if target is None:
        assert path is not None
        wanted = default_still(film.still, path)
    else:
        wanted = Path(target)
    check_apart(path, wanted)
    return StillJob(film, film.still, wanted, options)


def _film_job(film: VideoSource, target: Path | str | None, options: Options) -> FilmJob:
    encoder = EncodeOptions(
        options.codec, options.crf, options.preset, options.lossless, options.ffmpeg, options.format
    )
    wanted = default_target(film.info, encoder) if target is None else _path(target)
    check_apart(film.info.path, wanted)
    return FilmJob(film, plan_output(film.info, wanted, encoder), options)


def _path(place: Path | str) -> Path | None:
    return None if place == PIPE else Path(place)


class FilmJob(Job):
    """A film that may be restored."""

    def __init__(self, source: VideoSource, plan: OutputPlan, options: Options) -> None:
        """`plan` says how it will be written."""
        super().__init__(plan.target, options)
        self._source = source
        self._plan = plan

    @property
    def total(self) -> int | None:
        """How many pictures its header claims."""
        return self._source.info.frames_from_header

    def describe(self) -> list[str]:
        """The plan in words."""
        info, plan = self._source.info, self._plan
        count = "an unknown number of" if self.total is None else self.total
        return [
            f"input {printable(info.name)}: {info.container}, {info.format.width}x{info.format.height}"
            f" {info.format.pixels}, {count} pictures",
            *(f"stream {stream.index}: {stream.kind} {printable(stream.codec)}" for stream in info.streams),
            f"output {printable(plan.target or 'stdout')}: {plan.muxer}, {plan.encoder}, {plan.coded.pixels}",
        ]

    def losses(self) -> Iterable[str]:
        """What the output cannot hold."""
        return self._plan.warnings

    def work(self, model: LoadedModel, warnings: Warnings, watcher: Watcher, brake: Brake) -> int:
        """Colour all pictures and write them."""
        mark = str(mark_of(model, self.options))
        with VideoSink(self._plan, self._source.info, mark) as sink, brake.guarding(sink.abort):
            watcher.started(self.total, self._guess())
            with closing(colour(self._source, self._plan.coded, model, self.options, warnings)) as coloured:
                for count, picture in enumerate(coloured, 1):
                    brake.check()
                    sink.write(picture.frame, picture.cb, picture.cr)
                    watcher.progressed(count)
            warnings.tell(self._source.warnings, InputError)
            warnings.tell(sink.warnings, OutputError)
            return sink.finish()

    def _guess(self) -> int | None:
        """How many pictures there may be: length by rate."""
        info, cut = self._source.info, self._source.info.cut
        if not info.duration_from_header or not info.average_rate:
            return None
        begin, end = (cut.start, cut.stop) if cut else (0, None)
        length = min(info.duration_from_header, end or info.duration_from_header) - begin
        return max(1, round(length * info.average_rate))


def colour(
    film: VideoSource, coded: PictureFormat, model: LoadedModel, options: Options, warnings: Warnings
) -> Generator[Picture, None, None]:
    """Give a film's pictures with the chroma that the network sees in them, in the form `coded`."""
    from vidcolor.painter import Painter
    from vidcolor.planes import ChromaMaker, network_size

    form, spec = film.info.format, model.colorizer.spec
    ahead = max(2, min(16, MOST_AHEAD // (form.width * form.height)))
    size = network_size((form.height, form.width), options.side or spec.side, spec.stride)
    maker = ChromaMaker(form, coded, options.saturation)
    painter = Painter(model, maker, lambda text: warnings.tell([text], ModelError), options.told)
    with prefetch(film, ahead) as frames:
        shots = batches(frames, size, options.batch or model.place.batch, Scaler())
        with prefetch(painter.paint(shots), ahead) as pictures:
            yield from pictures
