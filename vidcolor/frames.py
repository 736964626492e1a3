"""`for frame in colorize("old.mp4")`: a film's pictures in colour, one by one, in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from streams.errors import OutputError
from streams.formats import PictureFormat
from vidcolor.brake import Brake
from vidcolor.films import Studio
from vidcolor.job import Warnings, check_told, load_model
from vidcolor.options import Options
from vidcolor.pipeline import open_source
from vidcolor.watch import Watcher

Plane = NDArray[np.uint8] | NDArray[np.uint16]
_MATRICES = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}


@dataclass(frozen=True, slots=True)
class ColorFrame:
    """A picture in colour, and when it is shown.

    Attributes:
        index: 0 for the first.
        time: seconds, exactly, as the film counts them.
        luma: (H, W), as decoded; the decoder's memory, read-only.
        cb: (h, w) = `format.chroma_size`.
        cr: likewise.
        format: how the planes are to be read.
    """

    index: int
    time: Fraction
    luma: Plane
    cb: Plane
    cr: Plane
    format: PictureFormat

    def rgb(self) -> NDArray[np.uint8]:
        """The picture as (H, W, 3) of R'G'B', 0 to 255; made when asked for, and not kept."""
        picture = VideoFrame(self.format.width, self.format.height, self.format.pixels)
        picture.colorspace = _MATRICES[self.format.matrix]
        picture.color_range = ColorRange.JPEG if self.format.full_range else ColorRange.MPEG
        for plane, values in zip(picture.planes, (self.luma, self.cb, self.cr), strict=True):
            _fill(plane, values)
        return picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def colorize(
    source: Path | str, options: Options | None = None, watcher: Watcher | None = None
) -> Iterator[ColorFrame]:
    """Give the pictures of a film in colour, in display order, each once, with exact times.

    Only a few are in memory at a time. Stop iterating whenever you like.

    Args:
        source: a file; "-" reads stdin.
        options: how; those of encoder and output mean nothing here.
        watcher: hears warnings.

    Raises:
        FilmError: the input cannot be read, or the network fails.
    """
    options = options or Options()
    warnings = Warnings(watcher or Watcher(), options.strict)
    with closing(open_source(source, options)) as film:
        coded = in_memory(film.info.format)
        model = load_model(options)
        check_told(model, options)
        studio = Studio(model, options, warnings).guided_for(film, Brake())
        with closing(studio.colour(film, coded)) as pictures:
            for picture in pictures:
                frame = picture.frame
                yield ColorFrame(frame.index, frame.time, frame.luma, picture.cb, picture.cr, coded)


def in_memory(form: PictureFormat) -> PictureFormat:
    """The planar form of a film's pictures in memory: their own depth and sampling, 4:2:0 for grey."""
    halves = (1, 1) if form.kind == "grey" else (form.log2_chroma_w, form.log2_chroma_h)
    try:
        return form.carried(form.depth, *halves, alpha=False)
    except OutputError:  # 4:1:1 and 4:1:0 have 8 bits only
        return form.carried(form.depth, 0, 0, alpha=False)


def _fill(plane: VideoPlane, values: Plane) -> None:
    """Copy samples into a plane whose lines may be longer than the picture is wide."""
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    lines.view(values.dtype)[:, : values.shape[1]] = values
