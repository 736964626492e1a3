"""What a page shows of a restored film: a file that browsers play, stills, both halves side by side, a timeline."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps

from streams.errors import EncoderError, InputError
from streams.guard import open_again
from streams.reading.info import describe_streams, main_stream
from streams.shots import CutFinder
from streams.writing.ffmpeg import find_ffmpeg
from vidcolor.brake import Brake

_LONGEST = 1280  # pixels of a still on the page
_HALF = 800  # pixels across, at most, of each half of the side-by-side film
_POINTS = 400  # of a timeline
_SMALL = (96, 54)
_PLAYABLE = {"aac", "mp3"}
_TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}


def playable(film: Path, folder: Path, brake: Brake) -> Path:
    """The film as MP4 that every browser plays: itself where it is one, else made from it, with its first sound."""
    with open_again(film) as container:
        stream = _pictures(container)
        sounds = {sound.codec_context.name for sound in container.streams.audio}
        codec = stream.codec_context
        is_plain = film.suffix == ".mp4" and codec.name == "h264" and codec.pix_fmt in ("yuv420p", "yuvj420p")
        index = stream.index
    if is_plain and sounds <= _PLAYABLE:
        return film
    target = folder / f"{film.stem}.browser.mp4"
    even = "scale=trunc(iw*sar/2)*2:trunc(ih/2)*2,setsar=1,format=yuv420p"
    _encode(film, target, ["-map", f"0:{index}", "-map", "0:a:0?", "-vf", even], brake)
    return target


def side_by_side(film: Path, folder: Path, brake: Brake) -> Path:
    """An MP4 of the film as it was, left, and in colour, right."""
    with open_again(film) as container:
        index = _pictures(container).index
    target = folder / f"{film.stem}.side-by-side.mp4"
    size = f"scale=w=trunc(min({_HALF}\\,iw*sar)/2)*2:h=-2,setsar=1,format=yuv420p"
    halves = f"[0:{index}]{size},split[a][b];[a]hue=s=0[grey];[grey][b]hstack[both]"
    _encode(film, target, ["-filter_complex", halves, "-map", "[both]", "-map", "0:a:0?"], brake)
    return target


def upright(film: Path, folder: Path, rotation: int, brake: Brake) -> Path:
    """An MP4 of a small film, turned by so many degrees against the clock; itself where there is nothing to turn."""
    if rotation not in _TURNS:
        return film
    target = folder / "upright.mp4"
    _encode(film, target, ["-vf", f"{_TURNS[rotation]},format=yuv420p"], brake)
    return target


def two_side_by_side(films: tuple[Path, Path], folder: Path, rotation: int, brake: Brake) -> Path:
    """An MP4 of two small films of one size and length, turned by so many degrees against the clock."""
    target, turn = folder / "side-by-side.mp4", _TURNS.get(rotation, "null")
    halves = f"[0:v]{turn}[a];[1:v]{turn}[b];[a][b]hstack,format=yuv420p[both]"
    _encode(films[0], target, ["-i", f"file:{films[1]}", "-filter_complex", halves, "-map", "[both]"], brake)
    return target


def _encode(film: Path, target: Path, words: list[str], brake: Brake) -> None:
    """Run ffmpeg over films that we wrote ourselves; raises EncoderError, and leaves nothing, where it fails."""
    brake.check()
    coder = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "aac", "-b:a", "160k"]
    last = ["-movflags", "+faststart", "-f", "mp4", f"file:{target}"]
    command = [find_ffmpeg().path, "-nostdin", "-v", "error", "-y", "-i", f"file:{film}", *words, *coder, *last]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process, brake.guarding(process.kill):
        code = process.wait()
    if code:
        target.unlink(missing_ok=True)
        brake.check()
        raise EncoderError("the copy for the browser could not be made")


def pair(film: Path, folder: Path, seconds: float | None) -> tuple[Path, Path]:
    """The picture shown at a time, as grey and in colour: two JPEG files; `seconds` None for a still picture."""
    after = _still(film) if seconds is None else _picture_at(film, seconds)
    after.thumbnail((_LONGEST, _LONGEST))
    tag = "" if seconds is None else f".{round(seconds * 1000)}"
    before, coloured = folder / f"{film.stem}{tag}.before.jpg", folder / f"{film.stem}{tag}.after.jpg"
    after.convert("L").save(before, quality=92)
    after.save(coloured, quality=92)
    return before, coloured


def _still(path: Path) -> Image.Image:
    """A still picture as it is to be seen, upright."""
    kind = "tiff"  # 16-bit RGB in it is what Pillow does not even open
    try:
        with Image.open(path, formats=("JPEG", "PNG", "TIFF", "WEBP")) as image:
            if not image.mode.startswith("I"):  # Pillow cuts off what lies above 8 bits
                return ImageOps.exif_transpose(image).convert("RGB")
            kind = str(image.format).lower()
    except (OSError, ValueError):
        pass
    with av.open(f"file:{path}", format=f"{kind}_pipe") as container:
        return Image.fromarray(next(container.decode(video=0)).to_ndarray(format="rgb24"))


def _picture_at(film: Path, seconds: float) -> Image.Image:
    with open_again(film) as container:
        stream = _pictures(container)
        origin = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
        container.seek(max(0, int((seconds + origin) * av.time_base)))
        picture = None
        for picture in container.decode(stream):
            if picture.time is None or picture.time >= seconds + origin - 1e-6:
                break
        if picture is None:
            raise InputError("there is no picture at that time")
        return _upright(picture, float(stream.sample_aspect_ratio or 1))


def picture_number(film: Path, number: int) -> Image.Image:
    """The frame of a short film with a number, 0 for the first."""
    with open_again(film) as container:
        stream = _pictures(container)
        picture = next(islice(container.decode(stream), number, None), None)
        if picture is None:
            raise InputError("there is no such picture")
        return _upright(picture, float(stream.sample_aspect_ratio or 1))


def _upright(picture: VideoFrame, aspect: float) -> Image.Image:
    image = Image.fromarray(picture.to_ndarray(format="rgb24"))
    if abs(aspect - 1) > 0.01:
        image = image.resize((max(1, round(image.width * aspect)), image.height))
    return image.rotate(picture.rotation, expand=True) if picture.rotation else image


def timeline(film: Path, brake: Brake) -> dict[str, Any]:
    """How much colour there is, and how much changes from picture to picture, over time.

    Returns:
        `time` in seconds; `colour`, the mean distance of (Cb, Cr) from grey, `light` and `flicker`, the mean changes
        of luma and of chroma since the picture before, in 8-bit code values: at most 400 points, each the mean of its
        pictures (the peak, for changes); `cuts`, seconds at which a shot begins; `seconds`, the length.
    """
    rows, cuts, step = _measured(film, brake)
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    parts = np.array_split(table, min(_POINTS, len(table))) if len(table) else []
    kept = [(*part[:, :2].mean(axis=0), *part[:, 2:].max(axis=0)) for part in parts]
    names = ("time", "colour", "light", "flicker")
    columns = {name: [round(float(row[place]), 3) for row in kept] for place, name in enumerate(names)}
    return {**columns, "cuts": cuts, "seconds": float(table[-1, 0]) + step if len(table) else 0.0}


def _measured(film: Path, brake: Brake) -> tuple[list[tuple[float, ...]], list[float], float]:
    rows: list[tuple[float, ...]] = []
    cuts: list[float] = []
    finder, before, step = CutFinder(), None, 0.04
    with open_again(film) as container:
        stream = _pictures(container)
        step = float(1 / stream.average_rate) if stream.average_rate else step
        for time, planes in _small_pictures(container, stream):
            brake.check()
            start = rows[0][0] if rows else time
            is_cut = finder.is_cut(planes[0].astype(np.uint8))
            if is_cut:
                cuts.append(round(time, 3))
            change = np.zeros(3) if before is None or is_cut else np.abs(planes - before).mean(axis=(1, 2))
            colour = float(np.hypot(planes[1] - 128, planes[2] - 128).mean())
            rows.append((max(time, start), colour, float(change[0]), float(np.hypot(change[1], change[2]))))
            before = planes
    return rows, cuts, step


def _small_pictures(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Time and (3, 54, 96) planes Y, Cb, Cr of each picture."""
    shrinker = VideoReformatter()
    origin = None
    for picture in container.decode(stream):
        small = shrinker.reformat(picture, *_SMALL, format="yuv444p", threads=1)
        time = float(picture.time or 0)
        origin = time if origin is None else origin
        yield time - origin, small.to_ndarray(format="yuv444p").astype(np.float32)


def _pictures(container: InputContainer) -> VideoStream:
    """The film among a container's streams, decoded by all processors."""
    main = main_stream(describe_streams(container))
    if main is None:
        raise InputError("there are no pictures")
    stream = next(stream for stream in container.streams.video if stream.index == main.index)
    stream.thread_type = "AUTO"
    return stream
