"""A film on its way: decoded, coloured and encoded, three steps that overlap in threads with bounded queues."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from streams.errors import InputError, ModelError, OutputError, printable
from streams.formats import PictureFormat
from streams.prefetch import prefetch
from streams.shots import Gatherer, Pace
from streams.sink import OutputPlan, VideoSink
from streams.source import FilmInfo, Frame, VideoSource
from vidcolor.brake import Brake
from vidcolor.catalogue import Catalogue
from vidcolor.job import Job, Warnings, mark_of
from vidcolor.options import Options
from vidcolor.watch import Watcher

if TYPE_CHECKING:
    from vidcolor.checkpoint import Checkpoint
    from vidcolor.guide.plan import Guidance
    from vidcolor.painter import Painter, Picture
    from vidcolor.zoo import LoadedModel

MOST_AHEAD = 1 << 25  # luma samples that may wait in each queue: 16 pictures of 1080p, 4 of 2160p


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
        mark = str(mark_of(model, self.options, self._source.info.path))
        catalogue = Catalogue.of(self.options.labels, self.options.overwrite, model)
        studio = Studio(model, self.options, warnings).guided_for(self._source, brake, watcher)
        self.guide_seconds = studio.guide_seconds
        with VideoSink(self._plan, self._source.info, mark) as sink, brake.guarding(sink.abort):
            watcher.started(self.total, self._guess())
            with closing(studio.colour(self._source, self._plan.coded)) as coloured:
                for count, picture in enumerate(coloured, 1):
                    brake.check()
                    sink.write(picture.frame, picture.cb, picture.cr)
                    catalogue.hear(picture)
                    watcher.progressed(count)
            self.damage = self._source.damage
            warnings.tell(self._source.warnings, InputError)
            warnings.tell(sink.warnings, OutputError)
            frames = sink.finish()
        catalogue.write(self._source.info.name, model)
        return frames

    def _guess(self) -> int | None:
        """How many pictures there may be: length by rate."""
        info, cut = self._source.info, self._source.info.cut
        if not info.duration_from_header or not info.average_rate:
            return None
        begin, end = (cut.start, cut.stop) if cut else (0, None)
        length = min(info.duration_from_header, end or info.duration_from_header) - begin
        return max(1, round(length * info.average_rate))


class Footage(Protocol):
    """A film, or a part of one, as it is coloured."""

    info: FilmInfo

    def __iter__(self) -> Iterator[Frame]:
        """Give its pictures."""


class Studio:
    """Where films get their colours: a network, and how it is to be used."""

    def __init__(self, model: LoadedModel, options: Options, warnings: Warnings) -> None:
        """One serves any number of films, one after the other."""
        self.model = model
        self.warnings = warnings
        self._options = options
        self._guidance: Guidance | None = None

    def guided_for(self, film: VideoSource, brake: Brake, watcher: Watcher | None = None) -> Studio:
        """Look for the keys of a film before work begins, if there are any; returns itself.

        Raises:
            InputError: a key cannot be read, or names no frame of the film.
        """
        if self._options.is_guided:
            from vidcolor.guide.crew import Crew

            crew = Crew(self._options, self._left_out, watcher or Watcher(), brake)
            self._guidance = crew.guidance_of(film, self._seen_size(film.info.format))
        return self

    @property
    def guide_seconds(self) -> float:
        """How long another network took to colour keys."""
        return self._guidance.seconds if self._guidance else 0.0

    def colour(
        self, film: Footage, coded: PictureFormat, pace: Pace | None = None, since: Checkpoint | None = None
    ) -> Generator[Picture, None, None]:
        """Give a film's pictures with the chroma that the network sees in them.

        Args:
            film: where pictures come from.
            coded: the form that chroma is to have.
            pace: where segments begin; None = there are none.
            since: what was known where another run stopped.
        """
        form = film.info.format
        ahead = max(2, min(16, MOST_AHEAD // (form.width * form.height)))
        gatherer = self._gatherer(form, pace, since)
        painter = self._painter(form, coded, since)
        self._last = (gatherer, painter)
        with (
            prefetch(film, ahead) as frames,
            prefetch(painter.sketched(gatherer.batches(frames)), ahead) as sketches,
        ):
            yield from painter.finished(sketches)  # where pictures are written: the network is the slowest of all

    @property
    def after(self) -> Checkpoint:
        """What is known behind the last picture, once `colour` has given all."""
        from vidcolor.checkpoint import Checkpoint

        gatherer, painter = self._last
        return Checkpoint(painter.state, gatherer.memory, painter.is_fp32)

    def _gatherer(self, form: PictureFormat, pace: Pace | None, since: Checkpoint | None) -> Gatherer:
        limit = self._options.batch or self.model.place.batch
        return Gatherer(self._seen_size(form), limit, pace, since.cuts if since else None)

    def _seen_size(self, form: PictureFormat) -> tuple[int, int]:
        from vidcolor.planes import network_size

        spec = self.model.colorizer.spec
        return network_size((form.height, form.width), self._options.side or spec.side, spec.stride)

    def _painter(self, form: PictureFormat, coded: PictureFormat, since: Checkpoint | None) -> Painter:
        from vidcolor.painter import Painter
        from vidcolor.planes import ChromaMaker

        if self._guidance is not None:
            from vidcolor.guide.crew import painter_of

            return painter_of(self.model, (form, coded), self._options, self._warned, since, self._guidance)
        maker = ChromaMaker(form, coded, self._options.saturation)
        return Painter(self.model, maker, self._warned, self._options.told, since)

    def _left_out(self, text: str) -> None:
        self.warnings.tell([text], InputError)

    def _warned(self, text: str) -> None:
        self.warnings.tell([text], ModelError)
