"""Colouring as it comes: a running film or a camera, at this machine's speed; what is late is left out and counted."""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo.craft import Order, Tell, options_of
from demo.probe import as_address
from streams.errors import InputError
from streams.formats import ColorTags, PictureFormat
from streams.luma import Plane
from streams.scale import Scaler
from streams.shots import Batch, CutFinder
from streams.source import Frame
from vidcolor.brake import Brake
from vidcolor.frames import ColorFrame, in_memory
from vidcolor.job import load_model
from vidcolor.options import Options
from vidcolor.painter import Painter
from vidcolor.pipeline import open_source
from vidcolor.planes import ChromaMaker, network_size
from vidcolor.zoo import LoadedModel

LONGEST = 640  # pixels of a picture that is sent to the page
_CAMERAS = 8  # whose memories are kept at once
_LARGEST = 2 << 20  # bytes of a camera's picture


@lru_cache(maxsize=2)
def _model(name: str) -> LoadedModel:
    return load_model(Options(model=name))


class Canvas:
    """Paints single pictures of one stream, one after the other, with the memory carried and dropped at cuts."""

    def __init__(self, form: PictureFormat, options: Options) -> None:
        """`form` is how the stream's luma is stored."""
        self._coded = in_memory(form)
        self._model = _model(options.model)
        spec = self._model.colorizer.spec
        self._size = network_size((form.height, form.width), options.side or spec.side, spec.stride)
        self._maker = ChromaMaker(form, self._coded, options.saturation)
        self._told = options.told
        self._finder = CutFinder()
        self._scaler = Scaler()

    def paint(self, frames: Iterator[Frame]) -> Iterator[ColorFrame]:
        """Colour pictures as they come."""
        painter = Painter(self._model, self._maker, lambda _: None, self._told)
        for picture in painter.paint(self._batches(frames)):
            frame = picture.frame
            yield ColorFrame(frame.index, frame.time, frame.luma, picture.cb, picture.cr, self._coded)

    def _batches(self, frames: Iterator[Frame]) -> Iterator[Batch]:
        shot, is_first = 0, True
        for frame in frames:
            small = self._scaler.small(frame.luma, self._size)
            is_cut = self._finder.is_cut(small)
            shot += is_cut
            yield Batch((frame,), small[None], shot, is_cut or is_first)
            is_first = False


@dataclass(slots=True)
class Pace:
    """Lets a film run by the clock: pictures that come too late for their time are left out."""

    begun: float = 0.0
    shown: int = 0
    dropped: int = 0
    late: float = 0.05  # seconds that a picture may be late

    @property
    def ran(self) -> float:
        """Seconds since the clock started."""
        return time.monotonic() - self.begun if self.begun else 0.0

    def counts(self) -> dict[str, Any]:
        """What was shown, what was left out, and how many were shown a second."""
        rate = (self.shown - 1) / self.ran if self.ran else 0.0
        return {"shown": self.shown, "dropped": self.dropped, "rate": round(rate, 1)}

    def due(self, frames: Iterator[Frame], brake: Brake) -> Iterator[Frame]:
        """Give each picture when its time has come, unless it has passed."""
        first = None
        for frame in frames:
            brake.check()
            if first is None:  # the clock starts behind it: a network's first picture takes longest
                first, self.shown = frame.time, 1
                yield frame
                self.begun = time.monotonic()
                continue
            wait = float(frame.time - first) - (time.monotonic() - self.begun)
            if wait < -self.late:
                self.dropped += 1
                continue
            if wait > 0:
                time.sleep(min(wait, 5.0))
            self.shown += 1
            yield frame


def run_film(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """Run a film through once, or for as long as is allowed; each picture is told as it is coloured."""
    options, pace = options_of(order), Pace()
    with closing(open_source(Path(order["source"]), options)) as film:
        if film.still is not None:
            raise InputError("this is a picture: choose a film")
        canvas = Canvas(film.info.format, options)
        for picture in canvas.paint(pace.due(iter(film), brake)):
            tell("picture", **pace.counts(), time=float(picture.time), picture=_sent(picture))
            if pace.ran > float(order["seconds"]):
                break
    return pace.counts()


def _sent(picture: ColorFrame) -> str:
    """A picture for the page, as an address that holds it."""
    image = Image.fromarray(picture.rgb())
    image.thumbnail((LONGEST, LONGEST))
    return as_address(image)


class Cameras:
    """The memories of cameras, the last few; each picture goes on where the one before it ended."""

    def __init__(self) -> None:
        self._canvases: OrderedDict[str, _Camera] = OrderedDict()

    def colour(self, order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
        """Colour one picture of a camera; `picture` is JPEG in a `data:` address, `camera` says whose it is."""
        del tell, brake
        luma = _luma_of(order["picture"])
        options = options_of(order)
        key = str((order["camera"], luma.shape, options.saturation, options.side))
        camera = self._canvases.pop(key, None) or _Camera(luma, options)
        self._canvases[key] = camera
        while len(self._canvases) > _CAMERAS:
            self._canvases.popitem(last=False)
        return {"picture": _sent(camera.paint(luma)), "shown": camera.count}


class _Camera:
    """One camera: its pictures go in one by one, through a generator that keeps the memory."""

    def __init__(self, luma: Plane, options: Options) -> None:
        form = PictureFormat.of((luma.shape[1], luma.shape[0]), "gray", ColorTags(), is_still=True)
        form = replace(form, matrix="bt601")
        self._waiting: list[Plane] = []
        self.count = 0
        self._out = Canvas(form, options).paint(self._frames())

    def paint(self, luma: Plane) -> ColorFrame:
        """Colour the next picture."""
        self._waiting.append(luma)
        return next(self._out)

    def _frames(self) -> Iterator[Frame]:
        while self._waiting:
            self.count += 1
            yield Frame(self._waiting.pop(), self.count, Fraction(1), 1, self.count)


def _luma_of(address: object) -> Plane:
    """Luma of a small JPEG; raises InputError for anything else. Colours are not looked at."""
    head, _, coded = str(address)[: _LARGEST * 2].partition(",")
    if head != "data:image/jpeg;base64":
        raise InputError("a camera's picture is JPEG in a data: address")
    try:
        with Image.open(BytesIO(base64.b64decode(coded, validate=True)), formats=["JPEG"]) as image:
            if image.width * image.height > 4 * LONGEST * LONGEST:
                raise InputError(f"a camera's picture may have {2 * LONGEST} pixels a side")
            return np.asarray(image.convert("L"), dtype=np.uint8).copy()
    except (OSError, ValueError, binascii.Error, SyntaxError) as error:
        raise InputError("this is no picture") from error
