"""The film as it is read: every picture once, in display order, at its exact time, only a few of them in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from types import TracebackType

import av.error
from av.video.frame import VideoFrame

from streams.errors import InputError, UsageError
from streams.guard import check_head, check_size
from streams.inlet import Inlet
from streams.luma import Plane, alpha_of, luma_of
from streams.reading.clock import Clock, usual_step
from streams.reading.fields import FieldOrder
from streams.reading.film import Film, LibraryFilm
from streams.reading.fit import Fitter
from streams.reading.info import Chapter, Cut, FilmInfo, StreamInfo
from streams.reading.sniff import Nature, nature_of
from streams.reading.webp import WebpFilm
from streams.side import Unmoved
from streams.still import Still, read_still, still_info

__all__ = ["Chapter", "Cut", "FilmInfo", "Frame", "Seam", "StreamInfo", "VideoSource", "digest_of"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: luma (H, W) uint8 or uint16, a read-only view of the decoder's memory wherever that can be.

    `pts` and `duration` are ticks of `time_base`; `index` counts delivered pictures from 0. `origin` is the
    decoder's picture with what must pass through (side data); None for still pictures.
    """

    luma: Plane
    pts: int
    time_base: Fraction
    duration: int | None
    index: int
    alpha: Plane | None = None
    interlaced: bool = False
    top_field_first: bool = False
    origin: VideoFrame | None = None

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds."""
        return self.pts * self.time_base


@dataclass(frozen=True, slots=True)
class Seam:
    """Where another run stopped reading a film: after `frames` pictures.

    `last` has the times (ticks) and luma digests of the last few of them. `is_sound`: nothing had been amiss, so that
    a seek gives the same pictures as reading from the beginning does.
    """

    frames: int
    last: tuple[tuple[int, str], ...]
    is_sound: bool


def digest_of(frame: Frame) -> str:
    """A fingerprint of a picture's luma, hexadecimal."""
    return hashlib.blake2b(frame.luma.tobytes(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class _Timed:
    """A decoded picture with a time that rises, in ticks."""

    picture: VideoFrame
    pts: int


class VideoSource:
    """A film, opened: `info` is known at once, pictures come by iterating, once.

    `warnings` are sentences about what was amiss; those about the whole film are there when the pictures end, and so is
    `damage`: what was lost, counted.
    """

    info: FilmInfo

    def __init__(
        self,
        path: Path | None,
        *,
        start: Fraction | None = None,
        stop: Fraction | None = None,
        format: str | None = None,
        is_exact: bool = False,
    ) -> None:
        """Open `path`, or stdin for None, and decode up to the first picture.

        `start` and `stop` are seconds from the film's beginning: pictures with start <= t < stop are kept, and their
        times count from `start`. `format` names the container instead of guessing it. `is_exact`: damaged
        pictures too come out the same every time, at the price of some speed. Raises InputError for what
        cannot be read, is not allowed or has no pictures, UsageError for a format that does not exist.
        """
        self.warnings: list[str] = []
        self.damage = ""
        self.still: Still | None = None
        self._film: Film | None = None
        self._asked = (start, stop, format)
        self._is_exact = is_exact
        self._inlet = Inlet(path)
        self._passed: Iterator[Frame] | None = None
        try:
            self._open(*self._asked)
        except BaseException:
            self.close()
            raise

    def _open(self, start: Fraction | None, stop: Fraction | None, form: str | None) -> None:
        check_head(self._inlet)
        nature = Nature("film") if form else nature_of(self._inlet)
        if nature.kind == "still":
            self._open_still(is_cut=start is not None or stop is not None)
            return
        film: Film
        film = (
            WebpFilm(self._inlet)
            if nature.kind == "moving webp"
            else LibraryFilm(self._inlet, form or nature.demuxer, is_exact=self._is_exact)
        )
        self._film = film
        self._cut = None if start is None and stop is None else Cut(start or Fraction(0), stop, film.origin)
        self._clock = Clock(film.time_base, 1)
        self._fitter: Fitter | None = None
        begin = self._cut.origin + self._cut.start if self._cut and self._cut.start else None
        timed = self._kept(film, film.pictures(begin))
        first = next(timed, None)
        if first is None:
            raise InputError(self._nothing(film))
        self._timed: Iterator[_Timed] = chain([first], timed)
        self._describe(film, first)

    def _open_still(self, is_cut: bool) -> None:
        if is_cut:
            raise UsageError(f"{self._inlet.name} is a still picture: it has no part between two times")
        self.still = read_still(self._inlet)
        self.warnings += self.still.warnings
        self.info = still_info(self.still, self._inlet)

    def _nothing(self, film: Film) -> str:
        if self._cut and self._clock.last is not None:
            return f"{self._inlet.name} has no pictures between the times that were asked for"
        if self._inlet.path is None and film.is_indexed:
            return f"{self._inlet.name} has its index at its end, where a pipe cannot go: give it as a file"
        return f"{self._inlet.name} has no pictures that can be decoded"

    def _describe(self, film: Film, first: _Timed) -> None:
        check_size(first.picture.width, first.picture.height, self._inlet.name)
        info = film.info(first.picture)
        self._clock.step = usual_step(info.time_base, info.average_rate)
        frames = None if self._cut else info.frames_from_header
        start = first.pts * info.time_base
        self.info = replace(info, cut=self._cut, frames_from_header=frames, start=start)

    def _kept(self, film: Film, pictures: Iterator[VideoFrame]) -> Iterator[_Timed]:
        """Give pictures of the part that was asked for, times counted from its start."""
        base, cut = film.time_base, self._cut
        begin = cut.origin + cut.start if cut else None
        end = cut.origin + cut.stop if cut and cut.stop is not None else None
        shift = self._shift(film)
        for picture in pictures:
            pts = self._clock.stamp(picture.pts if picture.pts is not None else picture.dts, picture.duration)
            if end is not None and pts * base >= end:
                return
            if begin is None or pts * base >= begin:
                yield _Timed(picture, pts - shift)

    def _shift(self, film: Film) -> int:
        """Ticks from the zero of the film's clock to the start of the part that was asked for."""
        return (self._cut.origin + self._cut.start) // film.time_base if self._cut else 0

    def __iter__(self) -> Iterator[Frame]:
        """Give the pictures, each once."""
        return self._pages(self.still) if self.still else self._passed or self._frames()

    @property
    def is_sound(self) -> bool:
        """Whether nothing has been amiss so far."""
        film, clock, fitter = self._film, self._clock, self._fitter
        damage = film.damage if film else None
        fitted = fitter.sentence() if fitter else None
        return not (fitted or clock.falling or clock.missing or (damage and (damage.undecoded or damage.marred)))

    @property
    def is_seekable(self) -> bool:
        """Whether a seek can give the pictures that reading on gives; without one, all before it must be decoded."""
        return self._film is not None and self._film.can_seek and not self.info.interlaced

    def skip_to(self, seam: Seam, beat: Callable[[], None]) -> bool:
        """Go to the picture after a seam, before any was taken; `beat` is called again and again while that lasts.

        False where the film has not the pictures that were read before it; then it must be opened anew.
        """
        if self._seeks(seam) and self._meets(seam, beat):
            return True
        if self._passed is not None:
            self.close()
            self._inlet = Inlet(self._inlet.path)
            self._open(*self._asked)
        return self._counts(seam, beat)

    def _seeks(self, seam: Seam) -> bool:
        """Go to a picture at or before the seam's first, if reading on from there gives what a reading of all gives."""
        if self._film is None or not seam.is_sound or not seam.last or self.info.interlaced:
            return False
        pictures = self._film.again((seam.last[0][0] + self._shift(self._film)) * self.info.time_base)
        if pictures is not None:
            self._clock = Clock(self.info.time_base, self._clock.step)
            self._timed = self._kept(self._film, pictures)
        return pictures is not None

    def _meets(self, seam: Seam, beat: Callable[[], None]) -> bool:
        """Pass over pictures until the last ones before the seam have come, as they were."""
        rest, frames = list(seam.last), self._frames()
        self._passed = frames
        for frame in frames:
            beat()
            if frame.pts < rest[0][0]:
                continue
            if (frame.pts, digest_of(frame)) != rest.pop(0):
                return False
            if not rest:
                ahead = seam.frames - frame.index - 1
                self._passed = (replace(later, index=later.index + ahead) for later in frames)
                return True
        return False

    def _counts(self, seam: Seam, beat: Callable[[], None]) -> bool:
        """Pass over as many pictures as were read before."""
        frames = self._frames()
        last: list[tuple[int, str]] = []
        for frame in islice(frames, seam.frames):
            beat()
            if frame.index >= seam.frames - len(seam.last):
                last.append((frame.pts, digest_of(frame)))
        self._passed = frames
        return tuple(last) == seam.last

    def _pages(self, still: Still) -> Iterator[Frame]:
        for index, page in enumerate(still.pages):
            yield Frame(page.luma, index, Fraction(1), 1, index, page.alpha)

    def _frames(self) -> Iterator[Frame]:
        assert self._film is not None
        fitter, order, unmoved = Fitter(self.info.format, self._inlet.name), FieldOrder(), Unmoved()
        self._fitter = fitter
        index = 0
        for timed in self._timed:
            try:
                picture = fitter.fitted(timed.picture)
                unmoved.note(timed.picture)
            except av.error.FFmpegError:
                self._film.damage.undecoded += 1
                continue
            yield self._frame(picture, timed.pts, index, order.is_top_first(timed.picture))
            index += 1
        self._say_what_was_amiss(self._film, fitter, unmoved)

    def _frame(self, picture: VideoFrame, pts: int, index: int, top_first: bool) -> Frame:
        fmt = self.info.format
        return Frame(
            luma_of(picture, fmt),
            pts,
            self.info.time_base,
            picture.duration or None,
            index,
            alpha_of(picture, fmt),
            picture.interlaced_frame,
            top_first,
            picture,
        )

    def _say_what_was_amiss(self, film: Film, fitter: Fitter, unmoved: Unmoved) -> None:
        name = self._inlet.name
        said = (film.damage.sentence(name), self._clock.sentence(name), fitter.sentence(), unmoved.sentence(name))
        self.warnings += [sentence for sentence in said if sentence]
        self.damage = film.damage.count

    def close(self) -> None:
        """Let go of the film. Twice does no harm; pictures that were given out stay valid."""
        if self._film:
            self._film.close()
            self._film = None
        self._inlet.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
