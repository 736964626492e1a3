"""A film restored in segments, so that a run that died goes on where it stopped, to the very same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import av

from streams.errors import InputError, ModelError, OutputError, printable
from streams.segments import Folder, SegmentedSink, fingerprint
from streams.shots import Pace
from streams.sink import OutputPlan
from streams.source import VideoSource
from vidcolor import __version__
from vidcolor.brake import Brake
from vidcolor.films import FilmJob, Studio
from vidcolor.job import Warnings, mark_of
from vidcolor.watch import Watcher

if TYPE_CHECKING:
    from vidcolor.checkpoint import Checkpoint
    from vidcolor.zoo import LoadedModel

# Pictures of a segment. It begins at a cut if that comes in time; what a crash costs is one segment at most, and an
# encoder that starts anew costs about as much as three pictures of 480p.
SHORTEST, LONGEST = 40, 80


def program_of(plan: OutputPlan) -> str:
    """The versions of all programs that pictures depend on."""
    return f"vidcolor {__version__}, av {av.__version__}, ffmpeg {plan.ffmpeg and plan.ffmpeg.version}"


class ResumableJob(FilmJob):
    """A film whose restoration leaves, whatever ends it, what another run can go on with."""

    @property
    def source(self) -> VideoSource:
        """The film, open."""
        return self._source

    @property
    def plan(self) -> OutputPlan:
        """How it is written."""
        return self._plan

    def work(self, model: LoadedModel, warnings: Warnings, watcher: Watcher, brake: Brake) -> int:
        """Colour what is not coloured yet, then join it all."""
        assert self.target is not None
        studio = Studio(model, self.options, warnings).guided_for(self._source, brake, watcher)
        self.guide_seconds = studio.guide_seconds
        with Folder(self.target, self.identity(model)) as folder:
            warnings.tell(folder.sentences, OutputError)
            with self._telling(folder, watcher):
                since = self._taken_up(folder, warnings, brake)
                watcher.resumed(folder.frames)
                watcher.started(self.total, self._guess())
                return self._go_on(folder, studio, since, watcher, brake)

    def identity(self, model: LoadedModel) -> dict[str, str]:
        """All that the pictures depend on: work that was done otherwise does not fit."""
        info, plan, options = self._source.info, self._plan, self.options
        assert info.path is not None
        cut = f"{options.start} to {options.stop}"
        encoder = [plan.encoder, plan.coded.pixels, options.crf, options.preset, options.lossless]
        try:
            film = fingerprint(info.path)
        except OSError as error:
            raise InputError(f"{info.name} cannot be read: {error.strerror}") from error
        return {
            "input": film,
            "part of the film": cut,
            "model": model.sha256,
            "setting": repr(mark_of(model, options, None).settings),
            "device": model.place.device.type,
            "encoder": " ".join(map(str, encoder)),
            "program": program_of(plan),
        }

    @contextmanager
    def _telling(self, folder: Folder, watcher: Watcher) -> Iterator[None]:
        """Say, whatever ends the run too early, what is kept."""
        try:
            yield
        except BaseException:
            if folder.records:
                watcher.paused(folder.frames)
            raise

    def _taken_up(self, folder: Folder, warnings: Warnings, brake: Brake) -> Checkpoint | None:
        """Go to where the other run stopped; None where there is nothing to go on with, or nothing left to colour."""
        if not folder.records or folder.is_complete:
            return None
        from vidcolor.checkpoint import Checkpoint

        try:
            since = Checkpoint.from_bytes(folder.state())
            if self._source.skip_to(folder.records[-1].seam, brake.check):
                return since
            why = "the film does not give the same pictures again"
        except ModelError as error:
            why = str(error)
        warnings.tell([f"work begun on {printable(self.target)} is not used: {why}"], InputError)
        folder.restart()
        return None

    def _go_on(self, folder: Folder, studio: Studio, since: Checkpoint | None, watcher: Watcher, brake: Brake) -> int:
        source = self._source
        mark = str(mark_of(studio.model, self.options, source.info.path))
        sink = SegmentedSink(self._plan, source.info, mark, folder, lambda: source.is_sound)
        with sink, brake.guarding(sink.abort):
            if not folder.is_complete:
                self._colour(folder.frames, sink, studio, since, (watcher, brake))
            said = (folder.records[-1].said if folder.is_complete else None) or source.warnings
            self.damage = source.damage
            studio.warnings.tell(said, InputError)
            studio.warnings.tell(sink.warnings, OutputError)
            return sink.finish(said)

    def _colour(
        self, done: int, sink: SegmentedSink, studio: Studio, since: Checkpoint | None, ears: tuple[Watcher, Brake]
    ) -> None:
        watcher, brake = ears
        pace = Pace(SHORTEST, LONGEST)
        with closing(studio.colour(self._source, self._plan.coded, pace, since)) as coloured:
            for count, picture in enumerate(coloured, done + 1):
                brake.check()
                if picture.before:
                    sink.cut(picture.before.to_bytes())
                sink.write(picture.frame, picture.cb, picture.cr)
                watcher.progressed(count)
