"""`python -m demo.probe FILE`: looks at an upload, in a process of its own that can be ended; loads no network.

What it finds goes to stdout, one JSON object a line: `facts` at once, a `shot` for each shot as it is found, `end`; or
`refused` with the reason in one sentence.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from contextlib import suppress
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

MOST_SHOTS = 200
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
                _scan(film)
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
        "pages": len(film.still.pages) if film.still else 0,
        "warnings": [printable(text) for text in film.warnings],
    }


def _scan(film: VideoSource) -> None:
    """Find the shots; at the end say how long the film really is."""
    finder, scaler = CutFinder(), Scaler()
    shots, count, last = 0, 0, Fraction(0)
    for frame in film:
        small = scaler.small(frame.luma, _inside(film.info.format, 64))
        if finder.is_cut(small) or not count:
            shots += 1
            if shots <= MOST_SHOTS:
                _tell_shot(shots, frame, film.info, scaler)
        count, last = count + 1, frame.time
        if count % 100 == 0:
            tell("scanned", frames=count, seconds=float(last))
    step = 1 / (film.info.average_rate or Fraction(25))
    tell("length", frames=count, seconds=float(last + step), shots=shots, warnings=list(map(printable, film.warnings)))


def _tell_shot(number: int, frame: Frame, info: FilmInfo, scaler: Scaler) -> None:
    picture = thumbnail(frame.luma, info.format, scaler, info.rotation)
    tell("shot", number=number, start=float(frame.time), picture=picture)


def thumbnail(luma: Plane, form: PictureFormat, scaler: Scaler, rotation: int) -> str:
    """A small grey picture, as an address that holds its bytes."""
    small = scaler.small(luma, _inside(form, _THUMBNAIL)).astype(np.float32)
    light = (small - form.luma_zero) * (255 / (form.luma_peak - form.luma_zero))
    image = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).rotate(rotation, expand=True)
    return as_address(image)


def as_address(image: Image.Image, quality: int = 80) -> str:
    """A picture as a `data:` address."""
    coded = BytesIO()
    image.save(coded, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(coded.getvalue()).decode()


def _inside(form: PictureFormat, side: int) -> tuple[int, int]:
    """Height and width of a picture whose long side is `side`."""
    unit = side / max(form.width, form.height)
    return max(2, round(form.height * unit)), max(2, round(form.width * unit))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
