"""`python -m demo.probe FILE`: looks at an upload, in a process of its own that can be ended; loads no network.

What it finds goes to stdout, one JSON object a line: `facts` at once, a `shot` for each shot as it is found, its `key`
(the frame to colour by hand) when it is over, `end`; or `refused` with the reason in one sentence.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from streams.errors import FilmError, printable
from streams.formats import PictureFormat
from streams.luma import Plane
from streams.reading.info import FilmInfo
from streams.scale import Scaler
from streams.shots import CutFinder
from streams.source import Frame, VideoSource
from vidcolor.guide.choose import LOOK, ShotLook, Wish

MOST_SHOTS = 200
MOST_FRAMES = 20_000
"""Frames of one shot that can be coloured by hand: what is kept of more would fill the memory."""
_THUMBNAIL = 160  # long side, in pixels
_MEMORY = 3 << 30  # bytes of address space
_SECONDS = 600  # of processor time
_NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "MP4", "matroska,webm": "Matroska", "mpegts": "MPEG-TS", "avi": "AVI"}


def main(path: Path, most_pixels: int) -> None:
    """Look at a file."""
    hold_back()
    try:
        with VideoSource(path) as film:
            _judge(film.info, most_pixels)
            tell("facts", **facts(film))
            if film.still is None:
                _scan(film, _origin(path))
        tell("end")
    except FilmError as error:
        tell("refused", reason=without_path(str(error), path))
    except MemoryError:
        tell("refused", reason="This file asks for too much memory.")


def hold_back() -> None:
    """Take from this process what a hostile file could make it take, where the system knows how."""
    with suppress(AttributeError, OSError):
        os.nice(5)  # who looks can wait for those who work
    try:
        import resource
    except ImportError:  # Windows: its time is limited by who started it
        return
    for kind, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_FSIZE, 0)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def tell(event: str, **values: object) -> None:
    """Write one object."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def without_path(sentence: str, path: Path) -> str:
    """A sentence about a file, without the place where the page keeps it."""
    return (
        sentence.replace(printable(path), "This file").replace(str(path), "This file").replace(path.name, "This file")
    )


def _judge(info: FilmInfo, most_pixels: int) -> None:
    form = info.format
    if form.width * form.height > most_pixels:
        raise FilmError(
            f"Its pictures are too large: {form.width}x{form.height}; the limit of this page is"
            f" {most_pixels / 1e6:.1f} million samples."
        )


def facts(film: VideoSource) -> dict[str, Any]:
    """What a person wants to know of a film or picture before anything is done to it."""
    info, form = film.info, film.info.format
    sounds = [stream for stream in info.streams if stream.kind == "audio"]
    return {
        "kind": "film" if film.still is None else "picture",
        "container": film.still.file_type.upper() if film.still else _NAMES.get(info.container, info.container),
        "width": form.width,
        "height": form.height,
        "shown_width": round(form.width * float(info.sample_aspect_ratio or 1)),
        "pixels": form.pixels,
        "depth": form.depth,
        "seconds": float(info.duration_from_header) if info.duration_from_header else None,
        "frames": info.frames_from_header,
        "rate": float(info.average_rate) if info.average_rate else None,
        "codec": next((printable(stream.codec) for stream in info.streams if stream.index == info.main), ""),
        "sound": [printable(stream.codec) for stream in sounds],
        "subtitles": sum(stream.kind == "subtitle" for stream in info.streams),
        "chapters": len(info.chapters),
        "interlaced": info.interlaced,
        "rotation": info.rotation % 360,
        "pages": len(film.still.pages) if film.still else 0,
        "warnings": [printable(text) for text in film.warnings],
    }


def _origin(path: Path) -> Fraction:
    """What the film's clock reads at its beginning, where the times of `--start` count from."""
    with VideoSource(path, start=Fraction(0)) as film:
        return film.info.cut.origin if film.info.cut else Fraction(0)


def _scan(film: VideoSource, origin: Fraction) -> None:
    """Find the shots; at the end say how long the film really is."""
    finder, scaler = CutFinder(), Scaler()
    shots, count, last, shot = 0, 0, Fraction(0), _Shot(film.info)
    for frame in film:
        small = scaler.small(frame.luma, LOOK)
        if finder.is_cut(small) or not count:
            shot.tell()
            shots += 1
            shot = _Shot(film.info, shots, count, origin)
        if shots <= MOST_SHOTS:
            shot.add(frame, small)
        count, last = count + 1, frame.time - film.info.start
        if count % 100 == 0:
            tell("scanned", frames=count, seconds=float(last))
    shot.tell()
    step = 1 / (film.info.average_rate or Fraction(25))
    tell("length", frames=count, seconds=float(last + step), shots=shots, warnings=list(map(printable, film.warnings)))


@dataclass(slots=True)
class _Shot:
    """A shot as it goes by: told of when it begins, and once more when it is known which frame is its best."""

    info: FilmInfo
    number: int = 0
    first: int = 0
    origin: Fraction = Fraction(0)
    _look: ShotLook = field(default_factory=ShotLook)
    _pictures: list[bytes] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _scalers: tuple[Scaler, Scaler] = field(default_factory=lambda: (Scaler(), Scaler()))

    def add(self, frame: Frame, small: Plane) -> None:
        """Take in the next frame; `small` is its luma at LOOK."""
        time = round(float(frame.time - self.origin), 4)
        if len(self._times) < MOST_FRAMES:
            self._look.add(self.first + len(self._times), time, small, self._scalers[0])
            self._pictures.append(thumbnail(frame.luma, self.info.format, self._scalers[1], self.info.rotation))
            self._times.append(time)
        if len(self._times) == 1:
            tell("shot", number=self.number, start=time, first=self.first, picture=address_of(self._pictures[0]))

    def tell(self) -> None:
        """Tell which frame to colour: `frame` is its number in the film, `times` those of all frames of the shot."""
        if not self._times:
            return
        place = self._look.chosen(Wish(1))[0] - self.first
        told = {"frame": self.first + place, "time": self._times[place], "times": self._times}
        tell("key", number=self.number, picture=address_of(self._pictures[place]), **told)


def thumbnail(luma: Plane, form: PictureFormat, scaler: Scaler, rotation: int) -> bytes:
    """A small grey picture, as JPEG."""
    image = grey_picture(scaler.small(luma, _inside(form, _THUMBNAIL)), form)
    return _jpeg(image.rotate(rotation, expand=True), 80)


def grey_picture(luma: Plane, form: PictureFormat) -> Image.Image:
    """Luma as a grey picture of 8 bits and full range."""
    light = (luma.astype(np.float32) - form.luma_zero) * (255 / (form.luma_peak - form.luma_zero))
    return Image.fromarray(np.clip(light + 0.5, 0, 255).astype(np.uint8))


def as_address(image: Image.Image, quality: int = 80) -> str:
    """A picture as a `data:` address."""
    return address_of(_jpeg(image, quality))


def address_of(jpeg: bytes) -> str:
    """A JPEG as a `data:` address."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    coded = BytesIO()
    image.save(coded, "JPEG", quality=quality)
    return coded.getvalue()


def _inside(form: PictureFormat, side: int) -> tuple[int, int]:
    """Height and width of a picture whose long side is `side`."""
    unit = side / max(form.width, form.height)
    return max(2, round(form.height * unit)), max(2, round(form.width * unit))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
