"""A film's file: it has its name when it is whole and checked, or there is nothing at all."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
import av.error
from av.container import InputContainer

from streams.errors import EncoderError, OutputError, printable
from streams.guard import open_again
from streams.writing import boxes, flash, riff
from streams.writing.beat import lead
from streams.writing.child import Child
from streams.writing.command import Coded, build
from streams.writing.folder import clear
from streams.writing.plain import Ending
from streams.writing.target import Temporary, writing

if TYPE_CHECKING:
    from streams.reading.info import FilmInfo
    from streams.writing.plan import OutputPlan


class Output(ABC):
    """One film as it is written. Leaving the `with` block by an error, or without `finish`, leaves nothing behind.

    `abort` may be called from another thread.
    """

    def __init__(self, plan: OutputPlan, info: FilmInfo, mark: str) -> None:
        """Open the output; `mark` is one line that says how the colours were made.

        Raises OutputError where the place cannot be written, EncoderError where ffmpeg does not start.
        """
        self._plan = plan
        self._info = info
        self._frames = 0
        self._is_over = False
        self._guard = threading.RLock()
        self._temporaries: list[Temporary] = []
        self._ending: Ending | None = None
        try:
            self._file = self._temporary(plan.target) if plan.target else None
            self._ending = self._opened(mark)
        except BaseException:
            self.abort()
            raise

    def _temporary(self, target: Path, suffix: str | None = None) -> Temporary:
        made = Temporary(target, suffix)
        self._temporaries.append(made)
        return made

    @abstractmethod
    def _opened(self, mark: str) -> Ending:
        """Begin the output: what goes on until it ends well or is killed."""

    def _ffmpeg(self, mark: str, coded: Coded | None = None) -> Child:
        """Start the ffmpeg that writes the file (None: standard output)."""
        path = self._file.path if self._file else None
        self._command = build(self._plan, self._info, mark, path, tuple(self._covers()), coded)
        return Child(self._command.words, to_stdout=path is None)

    def _covers(self) -> Iterator[Path]:
        """Lay cover art beside the output, from where ffmpeg attaches it; Matroska would make it a second film."""
        attached = self._plan.manifest.attached
        if not attached or self._info.path is None or self._plan.target is None:
            return
        for stream in attached:
            made, picture = self._temporary(self._plan.target, ".cover"), _cover(self._info.path, stream.index)
            with writing(self._plan.target):
                made.path.write_bytes(picture)
            yield made.path

    @property
    def _is_open(self) -> bool:
        return self._ending is not None and not self._is_over

    def finish(self) -> int:
        """End the film, check it, and give it its name; returns the number of pictures.

        Raises OutputError or EncoderError; then nothing is left.
        """
        try:
            if self._ending is None or self._is_over:
                raise EncoderError("the output is closed")
            self._ending.finish()
            if self._file is not None:
                self._complete(self._file)
        except BaseException:
            self.abort()
            raise
        self._close()
        return self._frames

    def _complete(self, file: Temporary) -> None:
        if self._plan.ffmpeg is not None:
            with writing(self._plan.target):
                self._amend(file.path)
                self._tell_times(file.path)
        self._check(file.path)
        with self._guard:
            if self._is_over:
                raise EncoderError("the output is closed")
            file.commit()
        if self._plan.target is not None:
            clear(self._plan.target)

    def _amend(self, path: Path) -> None:
        """Put in what no option of ffmpeg's does."""
        if self._command.tail:
            with path.open("ab") as file:
                file.write(self._command.tail)
        matrix = self._info.display_matrix if self._plan.container.turns == "matrix" else None
        if matrix is None and not self._command.own_tags:
            return
        with path.open("r+b") as file:
            if matrix is not None:
                boxes.set_matrix(file, self._plan.manifest.track, matrix)
            if self._command.own_tags:
                boxes.replace_placeholder(file, self._command.own_tags, self._command.filler)

    def _tell_times(self, path: Path) -> None:
        """Say in the head what the muxer got wrong: where the pictures begin, how long the film is."""
        info, slots = self._info, lead(self._plan, self._info)
        length = info.duration_from_header if info.container == self._plan.muxer == "flv" and not info.cut else None
        if not slots and not length:
            return
        with path.open("r+b") as file:
            if slots:
                riff.set_start(file, self._plan.manifest.main, slots)
            if length:
                flash.set_end(file, length)

    def _check(self, path: Path) -> None:
        """Raise EncoderError unless the file opens, decodes, and holds as many pictures as were written."""
        try:
            with open_again(path, self._plan.container.demuxer.partition(",")[0]) as film:
                held = _count(film, self._plan.manifest.picture_number)
        except (av.error.FFmpegError, IndexError, OSError) as error:
            raise EncoderError("the file that ffmpeg wrote cannot be read") from error
        if held != self._frames:
            raise EncoderError(f"ffmpeg wrote {held} pictures of {self._frames}")

    def abort(self) -> None:
        """End at once and leave nothing behind. Twice, or after `finish`, does no harm.

        Whoever calls it second waits for the first: when it returns, nothing is left.
        """
        with self._guard:
            if self._is_over:
                return
            self._is_over = True
            if self._ending is not None:
                self._ending.kill()
            for temporary in self._temporaries:
                temporary.discard()

    def _close(self) -> None:
        with self._guard:
            self._is_over = True
            for temporary in self._temporaries:
                temporary.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def _count(film: InputContainer, number: int) -> int:
    """Count the packets of a picture stream, and decode its first picture."""
    stream = [one for one in film.streams.video if not one.disposition & av.stream.Disposition.attached_pic][number]
    packets, pictures = 0, 0
    for packet in film.demux(stream):
        packets += bool(packet.size)
        pictures = pictures or len(packet.decode())
    return packets if pictures else 0


def _cover(path: Path, index: int) -> bytes:
    try:
        with open_again(path) as film:
            return bytes(next(film.demux(film.streams[index])))
    except (av.error.FFmpegError, StopIteration, OSError) as error:
        raise OutputError(f"the cover art of {printable(path.name)} cannot be read") from error
