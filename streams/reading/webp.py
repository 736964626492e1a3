"""Moving WebP as a film: FFmpeg's libraries do not decode it, Pillow does."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from streams.formats import ColorTags, PictureFormat
from streams.guard import MAX_SAMPLES, check_size
from streams.inlet import Inlet
from streams.reading.decode import Damage
from streams.reading.info import FilmInfo, StreamInfo
from streams.still import PILLOW_FAILS, open_picture

_MILLISECOND = Fraction(1, 1000)


class WebpFilm:
    """A moving WebP, its pictures as RGB or RGBA, its times in milliseconds."""

    time_base = _MILLISECOND
    origin = Fraction(0)
    is_indexed = False

    can_seek = False

    def __init__(self, inlet: Inlet) -> None:
        """Read the file; raises InputError for broken or too large ones."""
        self.damage = Damage()
        self._name = inlet.name
        self._path = inlet.path
        self._image: Any = open_picture(inlet.read_all(MAX_SAMPLES), inlet.name)
        check_size(*self._image.size, inlet.name)

    def pictures(self, begin: Fraction | None) -> Iterator[VideoFrame]:
        """Give all pictures in order; `begin` is not looked at, for every picture needs those before."""
        time = 0
        for index in range(self._image.n_frames):
            try:
                self._image.seek(index)
                pixels = np.asarray(self._image)
            except PILLOW_FAILS:
                self.damage.undecoded += self._image.n_frames - index
                return
            picture = VideoFrame.from_ndarray(pixels, "rgba" if pixels.shape[2] == 4 else "rgb24")
            picture.time_base = _MILLISECOND
            picture.pts, picture.duration = time, int(self._image.info.get("duration", 0)) or 1
            time += picture.duration
            yield picture

    def again(self, at: Fraction) -> None:
        """Say that no picture can be reached but through those before it."""
        del at

    def info(self, first: VideoFrame) -> FilmInfo:
        """Describe the film, given its first picture."""
        fmt = PictureFormat.of((first.width, first.height), first.format.name, ColorTags())
        stream = StreamInfo(0, "video", "webp", {}, frozenset({"default"}), _MILLISECOND, 0, None)
        return FilmInfo(
            path=self._path,
            name=self._name,
            container="webp",
            streams=(stream,),
            main=0,
            format=fmt,
            time_base=_MILLISECOND,
            frames_from_header=int(self._image.n_frames),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._image.close()
