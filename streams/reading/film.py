"""A moving picture that was opened, whoever decodes it: FFmpeg's libraries, or Pillow for moving WebP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from types import MappingProxyType
from typing import Protocol

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streams.errors import InputError
from streams.formats import ColorTags, PictureFormat
from streams.guard import check_size, open_film
from streams.inlet import Inlet
from streams.luma import has_clear_pixels
from streams.reading.decode import Damage, Decoder
from streams.reading.fields import FieldOrder
from streams.reading.info import (
    FilmInfo,
    StreamInfo,
    describe_chapters,
    describe_streams,
    display_matrix,
    film_origin,
    header_duration,
    light_data,
    main_stream,
)
from streams.reading.place import chroma_location

# Where a seek goes by an index or by true time stamps. It is verified all the same.
_SEEKABLE = frozenset({"mov", "matroska", "nut", "flv", "mpegts"})
# Streams that have no words for colour, whose decoder makes them up all the same.
_SILENT = frozenset({"vp8", "libvpx"})
_PATIENCE_SECONDS = 1.0
_TOO_HIGH_RATE = 1000


class Film(Protocol):
    """What a source needs to know of an opened film."""

    time_base: Fraction
    origin: Fraction
    damage: Damage
    is_indexed: bool

    @property
    def can_seek(self) -> bool:
        """Whether a seek may be tried at all."""

    def pictures(self, begin: Fraction | None) -> Iterator[VideoFrame]:
        """Give pictures in display order, from the first or from some picture at or before `begin` seconds."""

    def again(self, at: Fraction) -> Iterator[VideoFrame] | None:
        """Open anew and give pictures from one at or before `at` seconds on; None where that is not sure."""

    def info(self, first: VideoFrame) -> FilmInfo:
        """Describe the film, given its first picture."""

    def close(self) -> None:
        """Let go of the file."""


class LibraryFilm:
    """A film read by FFmpeg's libraries."""

    def __init__(self, inlet: Inlet, form: str | None, *, is_exact: bool = False) -> None:
        """Open it behind the gate and choose its main picture stream; raises InputError where there is none.

        `is_exact`: damaged pictures come out the same every time. With threads what a decoder makes of them depends on
        which is faster.
        """
        self._inlet = inlet
        self._form = form
        self._busy = threading.Lock()
        self._is_exact = is_exact
        self._open(is_patient=inlet.path is not None and not is_exact)

    def _open(self, is_patient: bool) -> None:
        self._container = open_film(self._inlet, self._form)
        self.streams = describe_streams(self._container)
        self.stream = self._main()
        # Asked before anything is decoded: see there.
        self._location = chroma_location(self._container, self.stream.index)
        self._tags = self._container_tags()
        self.time_base = self.stream.time_base or Fraction(1, 1000)
        self.origin = film_origin(self._container, self.stream)
        self.is_indexed = "mov" in self._container.format.name
        self._decoder = Decoder(self._container, self.stream, is_patient, is_exact=self._is_exact)
        self.damage = self._decoder.damage

    def _main(self) -> VideoStream:
        name = self._inlet.name
        chosen = main_stream(self.streams)
        if chosen is None:
            raise InputError(_nothing_to_see(self.streams, name))
        stream = self._container.streams[chosen.index]
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            raise InputError(f"the pictures of {name} are coded in a way that cannot be decoded")
        if stream.codec_context.width and stream.codec_context.height:
            check_size(stream.codec_context.width, stream.codec_context.height, name)
        return stream

    def _container_tags(self) -> ColorTags:
        """Return colour tags that go before the decoder's: those of a stream that cannot say them itself."""
        context = self.stream.codec_context
        return ColorTags.of_container(context) if context.name in _SILENT else ColorTags()

    def pictures(self, begin: Fraction | None) -> Iterator[VideoFrame]:
        """Give pictures in display order. Damage is counted in `damage`, never raised."""
        return self._guarded(self._with_tail(self._from_time(begin) if begin else self._decoder.pictures()))

    def _with_tail(self, pictures: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """Fetch the last pictures again, one by one, where damage at the end made frame threads drop them."""
        last: int | None = None
        for picture in pictures:
            last = picture.pts
            yield picture
        if self._decoder.lost_tail and last is not None:
            damage = self.damage
            self._container.close()
            self._open(is_patient=False)
            for picture in self._from_time(last * self.time_base):
                if picture.pts is not None and picture.pts > last:
                    damage.marred += picture.is_corrupt
                    yield picture
            self.damage = damage

    def again(self, at: Fraction) -> Iterator[VideoFrame] | None:
        """Open anew and give pictures from one at or before `at` seconds on; None where that is not sure."""
        if not self.can_seek:
            return None
        self._container.close()
        self._open(self._decoder.is_patient)
        if not self._decoder.seek(int(at / self.time_base), is_continued=True):
            return None
        return self._guarded(self._with_tail(self._decoder.pictures()))

    def _from_time(self, begin: Fraction) -> Iterator[VideoFrame]:
        """Seek, and trust the seek only if it landed at or before `begin`; else decode from the first picture."""
        if not self.can_seek or not self._decoder.seek(int(begin / self.time_base)):
            return self._decoder.pictures()
        pictures = self._decoder.pictures()
        first = next(pictures, None)
        if first is not None and first.pts is not None and first.pts * self.time_base <= begin:
            return chain([first], pictures)
        self._container.close()
        self._open(self._decoder.is_patient)
        return self._decoder.pictures()

    @property
    def can_seek(self) -> bool:
        """Whether a seek may be tried: it goes by an index, or by true time stamps."""
        return self._inlet.path is not None and not _SEEKABLE.isdisjoint(self._container.format.name.split(","))

    def _guarded(self, pictures: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """Hold the lock while libraries work: closing under a decoder at work would crash the process."""
        while True:
            with self._busy:
                picture = next(pictures, None)
            if picture is None:
                return
            yield picture

    def info(self, first: VideoFrame) -> FilmInfo:
        """Describe the film, given its first picture."""
        stream = self.stream
        return FilmInfo(
            path=self._inlet.path,
            name=self._inlet.name,
            container=self._container.format.name,
            streams=self.streams,
            main=stream.index,
            format=self._format(first),
            time_base=self.time_base,
            frames_from_header=stream.frames or None,
            duration_from_header=header_duration(self._container, stream),
            average_rate=_usual_rate(stream),
            sample_aspect_ratio=stream.sample_aspect_ratio or None,
            rotation=first.rotation,
            display_matrix=display_matrix(first),
            start=(first.pts or 0) * self.time_base,
            interlaced=first.interlaced_frame,
            top_field_first=FieldOrder().is_top_first(first),
            chapters=describe_chapters(self._container),
            tags=MappingProxyType(dict(self._container.metadata)),
            side_data=light_data(first),
        )

    def _format(self, first: VideoFrame) -> PictureFormat:
        fmt = PictureFormat.of_frame(first, self._location, self._tags)
        return replace(fmt, has_alpha=True) if has_clear_pixels(first, fmt) else fmt

    def close(self) -> None:
        """Let go of the file; a decoder that waits for a pipe is left to the end of the process."""
        if self._busy.acquire(timeout=_PATIENCE_SECONDS):
            self._container.close()
            self._busy.release()


def _usual_rate(stream: VideoStream) -> Fraction | None:
    """Return pictures a second; a container's mean is passed over where it cannot be one.

    A thousand is what FFmpeg says, on a clock of milliseconds, when it does not know; told so, its muxers let the last
    picture last no time. And its guess may count fields, where the stream itself says how many pictures there are.
    """
    rates = (stream.average_rate, stream.codec_context.framerate, stream.guessed_rate)
    return next((rate for rate in rates if rate and rate < _TOO_HIGH_RATE), None)


def _nothing_to_see(streams: tuple[StreamInfo, ...], name: str) -> str:
    if any(stream.is_cover for stream in streams):
        return f"{name} has only cover art, no film"
    if any(stream.kind == "audio" for stream in streams):
        return f"{name} has sound only, no pictures"
    return f"{name} has no pictures"
