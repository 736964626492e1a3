"""What a worker does for the shot view: a frame to paint on, a coloured picture of it, a shot in small colour."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from demo import show
from demo.craft import Order, Reporter, Tell, guides_of, options_of, without
from demo.probe import as_address, grey_picture
from streams.errors import InputError, printable
from streams.formats import PictureFormat
from streams.luma import Plane
from streams.reading.info import FilmInfo
from streams.scale import Scaler
from streams.source import Frame, VideoSource
from vidcolor.brake import Brake
from vidcolor.guide.keys import Colours, check_shape, read_colours
from vidcolor.guide.likeness import LIKE, grid_of, likeness
from vidcolor.options import Options
from vidcolor.pipeline import restore

LONGEST = 960  # pixels of a frame that is painted on
CLIP = 480  # pixels across a shot that is coloured to look at it
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def still(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """A frame, grey, as an address that holds it; `rotation` says how it was turned to stand upright."""
    del tell, brake
    frame, info = _frame(order)
    return _shown(grey_picture(frame.luma, info.format), info)


def key(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """A frame as a coloured picture paints it; raises InputError where that is no picture of it."""
    del tell, brake
    path, (frame, info) = Path(order["coloured"]), _frame(order)
    try:
        colours = read_colours(path)
        check_shape(colours, info.format, float(info.sample_aspect_ratio or 1), path)
    except InputError as error:
        said = str(error).replace(printable(path), "This picture").replace(path.name, "This picture")
        raise InputError(said) from error
    if not colours.visible:
        raise InputError("There is no colour in this picture.")
    if not _is_of(colours, frame.luma):
        raise InputError("This picture does not show what the frame shows: is it of another frame?")
    return _shown(_painted(grey_picture(frame.luma, info.format), colours), info)


def _frame(order: Order) -> tuple[Frame, FilmInfo]:
    start = Fraction(order["start"]) if order["start"] else None
    with closing(VideoSource(Path(order["source"]), start=start)) as film:
        return next(iter(film)), film.info


def _shown(image: Image.Image, info: FilmInfo) -> dict[str, Any]:
    """Upright, in the shape that it is shown in, not larger than a page needs."""
    wide = max(1, round(image.width * float(info.sample_aspect_ratio or 1)))
    if wide != image.width:
        image = image.resize((wide, image.height))
    image.thumbnail((LONGEST, LONGEST))
    turned = image.rotate(info.rotation, expand=True) if info.rotation else image
    return {"picture": as_address(turned, 88), "rotation": info.rotation % 360}


def _is_of(colours: Colours, luma: Plane) -> bool:
    scaler = Scaler()
    grey = (colours.rgb @ _LUMA * 255 + 0.5).astype(np.uint8)
    shown = grid_of((colours.alpha * 255).astype(np.uint8), scaler) / np.float32(255)
    return likeness(grid_of(grey, scaler), grid_of(luma, scaler), shown) >= LIKE


def _painted(grey: Image.Image, colours: Colours) -> Image.Image:
    """The coloured parts of a picture laid over a frame."""
    size = (grey.width, grey.height)
    rgb = Image.fromarray((colours.rgb * 255 + 0.5).astype(np.uint8)).resize(size)
    mask = Image.fromarray((colours.mask * 255 + 0.5).astype(np.uint8)).resize(size)
    return Image.composite(rgb, grey.convert("RGB"), mask)


def shot(order: Order, tell: Tell, brake: Brake) -> dict[str, Any]:
    """Colour a few seconds, small: by themselves (kept in `plain` for the next time), and as they were painted.

    Returns:
        `play`, the film; `pair`, one frame of it as JPEG, in automatic colours and as it was painted; where anything
        was painted, `beside`: both films side by side.
    """
    folder, shelf = Path(order["folder"]), Path(order["plain"])
    clip, plain, painted = shelf / "clip.mkv", shelf / "automatic.mp4", folder / "painted.mp4"
    if not clip.exists():
        _cut_out(order, clip, brake)
    todo: list[tuple[Path, dict[str, str]]] = [] if plain.exists() else [(plain, {})]
    todo += [(painted, dict(order["guides"]))] if order["guides"] else []
    warnings = list[str]()
    for number, (target, guides) in enumerate(todo):
        options = options_of({"wishes": {**order["wishes"], **guides}})
        heard = _Part(tell, order["count"], (number, len(todo)), folder)
        warnings += _coloured(clip, target, options, (heard, brake))
    told = {"frames": order["count"], "warnings": [without(text, folder) for text in warnings]}
    films = (plain, painted if order["guides"] else plain)
    result: dict[str, Any] = {"pair": _pair(films, order), **told}
    if order["guides"]:
        tell("stage", text="Putting automatic and painted side by side")
        result["beside"] = str(show.two_side_by_side(films, folder, order["rotation"], brake))
    return {"play": str(show.upright(films[1], folder, order["rotation"], brake)), **result}


def _coloured(clip: Path, target: Path, options: Options, heard: tuple[Reporter, Brake]) -> tuple[str, ...]:
    """Colour a small film as cheaply as may be; what is to be said of it."""
    cheap = replace(options, codec="libx264", preset="veryfast", overwrite=True)
    try:
        return restore(clip, target, cheap, *heard).warnings
    except InputError as error:
        raise InputError(without(str(error), guides_of(options))) from error


class _Part(Reporter):
    """Tells how one of some equal restorations goes as a part of the whole."""

    def __init__(self, tell: Tell, frames: int, place: tuple[int, int], folder: Path) -> None:
        super().__init__(tell, frames * place[1], folder)
        self._before = frames * place[0]

    def progressed(self, frame: int) -> None:
        """So many are finished."""
        super().progressed(self._before + frame)


def _cut_out(order: Order, target: Path, brake: Brake) -> None:
    """Write a few frames, small and grey, as a film of their own without loss."""
    start, stop = (Fraction(order[name]) if order[name] else None for name in ("start", "stop"))
    part = Path(order["folder"]) / "part.mkv"
    try:
        with closing(VideoSource(Path(order["source"]), start=start, stop=stop)) as film:
            _written(film, order["count"], part, brake)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _written(film: VideoSource, count: int, target: Path, brake: Brake) -> None:
    size, scaler, begin = _clip_size(film.info), Scaler(), None
    with av.open(str(target), "w", format="matroska") as clip:
        stream = clip.add_stream("ffv1", rate=film.info.average_rate or 25)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = film.info.time_base
        for frame in islice(film, count):
            brake.check()
            begin = frame.pts if begin is None else begin
            picture = _picture(scaler.small(frame.luma, size), film.info.format)
            picture.pts, picture.time_base = frame.pts - begin, film.info.time_base
            clip.mux(stream.encode(picture))
        clip.mux(stream.encode(None))


def _clip_size(info: FilmInfo) -> tuple[int, int]:
    """Height and width, even, in the shape that the film is shown in."""
    wide = info.format.width * float(info.sample_aspect_ratio or 1)
    unit = min(1.0, CLIP / max(wide, info.format.height))
    return max(2, round(info.format.height * unit / 2) * 2), max(2, round(wide * unit / 2) * 2)


def _picture(luma: Plane, form: PictureFormat) -> av.VideoFrame:
    """A grey picture as most films have it: 8 bits, limited range; of such films, to the bit."""
    light = (luma.astype(np.float32) - form.luma_zero) * (219 / (form.luma_peak - form.luma_zero)) + 16
    codes = np.clip(light + 0.5, 0, 255).astype(np.uint8)
    half = np.full((codes.shape[0] // 2, codes.shape[1]), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.vstack((codes, half)), format="yuv420p")


def _pair(films: tuple[Path, Path], order: Order) -> list[str]:
    """A frame of two films, upright."""
    names = [Path(order["folder"]) / name for name in ("automatic.jpg", "painted.jpg")]
    for film, name in zip(films, names, strict=True):
        show.picture_number(film, order["at"]).rotate(order["rotation"], expand=True).save(name, quality=92)
    return [str(name) for name in names]


TASKS = {"still": still, "key": key, "shot": shot}
