"""Still pictures read: JPEG, PNG, TIFF with all pages, WebP; 1 to 16 bits, grey, RGB, palette, with alpha or not."""

from __future__ import annotations

import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import error as ZlibError

import av.error
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray
from PIL import Image, ImageOps

from streams.errors import InputError
from streams.formats import ColorTags, PictureFormat, luma_weights
from streams.guard import MAX_SAMPLES, check_size
from streams.inlet import Inlet
from streams.reading.info import FilmInfo, StreamInfo
from streams.stills.deep import deep_samples
from streams.stills.picture import FileType, Page, Still

# Everything Pillow is known to raise for broken files, and its bomb errors.
PILLOW_FAILS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    ZlibError,
    Image.DecompressionBombError,
)
_TYPES: dict[str | None, FileType] = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "TIFF": "tiff", "WEBP": "webp"}
_LARGEST_FILE = 1 << 31
_MOST_PAGES = 10_000
_CAP = threading.Lock()
_STDERR = threading.RLock()

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0
_ORIENTATION = 274
_UNTURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_PLAIN_MODES = frozenset({"L", "LA", "RGB", "RGBA"})
_PIXELS = {
    (1, 1): "gray",
    (2, 1): "ya8",
    (3, 1): "rgb24",
    (4, 1): "rgba",
    (1, 2): "gray16le",
    (2, 2): "ya16le",
    (3, 2): "rgb48le",
    (4, 2): "rgba64le",
}


def read_still(source: Path | bytes | Inlet) -> Still:
    """Read a picture file, all its pages; raises InputError for what is broken, too large or not supported."""
    if isinstance(source, Inlet):
        data, name = source.read_all(_LARGEST_FILE), source.name
    elif isinstance(source, bytes):
        data, name = source, "the picture"
    else:
        with Inlet(source) as inlet:
            data, name = inlet.read_all(_LARGEST_FILE), inlet.name
    with open_picture(data, name) as image, quiet():
        file_type = _TYPES[image.format]
        pages = tuple(_page(samples) for samples in _pages(image, data, name))
        more = image.format == "MPO" and getattr(image, "n_frames", 1) > 1
    said = (f"{name} holds more than one picture: only the first is kept",) if more else ()
    return Still(name, file_type, pages, data, _is_lossless(file_type, data), said)


def still_info(still: Still, inlet: Inlet) -> FilmInfo:
    """Describe a still picture as a film of one frame a page."""
    stream = StreamInfo(0, "video", still.file_type, {}, frozenset({"default"}), Fraction(1), 0, len(still.pages))
    return FilmInfo(
        path=inlet.path,
        name=still.name,
        container=still.file_type,
        streams=(stream,),
        main=0,
        format=still.pages[0].format,
        time_base=Fraction(1),
        frames_from_header=len(still.pages),
        is_still=True,
    )


def open_picture(data: bytes, name: str) -> Image.Image:
    """Open picture bytes with Pillow, without decoding; raises InputError for what it does not know, or too large."""
    try:
        with _own_cap(), quiet():
            image = Image.open(BytesIO(data), formats=("JPEG", "PNG", "TIFF", "WEBP"))
    except PILLOW_FAILS as error:
        raise InputError(f"{name} is a broken picture, or of a kind that is not supported") from error
    check_size(*image.size, name)
    return image


@contextmanager
def _own_cap() -> Iterator[None]:
    """Lift Pillow's limit on pixels, which warns on stderr, where ours is asked at once."""
    with _CAP:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the complaints of Pillow and of the C libraries below it from stderr: whoever calls says what is wrong."""
    with warnings.catch_warnings(), _STDERR:
        warnings.simplefilter("ignore")
        try:
            kept = os.dup(2)
        except OSError:
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _pages(image: Image.Image, data: bytes, name: str) -> Iterator[NDArray[Any]]:
    """Decode page after page to samples, (H, W) or (H, W, channels)."""
    count = _count_pages(image, name)
    if count > _MOST_PAGES:
        raise InputError(f"{name} has {count} pages: more than {_MOST_PAGES} are not opened")
    for number in range(count):
        try:
            with _own_cap():
                image.seek(number)
            check_size(*image.size, name)
            samples = _samples(image, data, name)
        except (*PILLOW_FAILS, av.error.FFmpegError) as error:
            page = f"page {number + 1} of {name}" if count > 1 else name
            raise InputError(f"{page} is broken or cut short") from error
        yield samples


def _count_pages(image: Image.Image, name: str) -> int:
    try:
        return int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
    except PILLOW_FAILS as error:
        raise InputError(f"{name} is broken or cut short") from error


def _samples(image: Image.Image, data: bytes, name: str) -> NDArray[Any]:
    if _is_deep_color(image, data):
        return deep_samples(image, data, name) if image.format == "TIFF" else _decoded_deep(data)
    if image.mode.startswith("I;16"):
        is_inverted = _is_white_zero(image)
        grey = np.asarray(_unturned(image)).astype(np.uint16)
        return np.uint16(65535) - grey if is_inverted else grey
    if image.mode in ("CMYK", "LAB", "I", "F"):
        raise InputError(f"{name} is stored as {image.mode}, which is not supported: save it as grey or RGB first")
    if image.format in ("JPEG", "MPO"):
        # The luma plane itself, not what is left of it after RGB was clipped.
        image.draft("L", image.size)
    return np.asarray(_plain(_unturned(image)))


def _unturned(image: Image.Image) -> Image.Image:
    """Load the pixels as they are stored: Pillow turns TIFFs by their orientation, and drops that tag from its list."""
    orientation = int(getattr(image, "tag_v2", {}).get(_ORIENTATION, 1))
    image.load()
    was_turned = orientation in _UNTURN and _ORIENTATION not in getattr(image, "tag_v2", {})
    return image.transpose(_UNTURN[orientation]) if was_turned else image


def _plain(image: Image.Image) -> Image.Image:
    """Unfold palettes, single bits, YCbCr, and transparency that is one colour."""
    if "transparency" in image.info and image.mode in ("1", "L", "RGB", "P"):
        return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in _PLAIN_MODES:
        return image
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.mode in ("PA", "RGBa", "La") else "RGB")


def _is_white_zero(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _is_deep_color(image: Image.Image, data: bytes) -> bool:
    """Tell 16-bit pictures that Pillow would cut down to 8 bits: all but plain grey."""
    if image.format == "PNG":
        depth, color_type = data[24], data[25]
        return depth == 16 and (color_type != 0 or "transparency" in image.info)
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
        return len(bits) > 1 and max(bits) > 8
    return False


def _decoded_deep(data: bytes) -> NDArray[Any]:
    """Decode a PNG of 16 bits with FFmpeg's decoder."""
    context = CodecContext.create("png", "r")
    assert isinstance(context, VideoCodecContext)
    context.options = {"max_pixels": str(MAX_SAMPLES)}
    frames = context.decode(Packet(data)) or context.decode(None)
    frame = frames[0]
    name = frame.format.name.removesuffix("be").removesuffix("le")
    channels = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}[name]
    plane = frame.planes[0]
    words = np.frombuffer(plane, ">u2" if frame.format.is_big_endian else "<u2").reshape(plane.height, -1)  # type: ignore[call-overload]
    samples: NDArray[Any] = words[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
    return samples.astype(np.uint16)


def _page(samples: NDArray[Any]) -> Page:
    """Split samples into luma and alpha."""
    deep = samples if samples.ndim == 3 else samples[:, :, None]
    height, width, channels = deep.shape
    fmt = PictureFormat.of((width, height), _PIXELS[channels, deep.itemsize], ColorTags(), is_still=True)
    alpha = np.ascontiguousarray(deep[:, :, -1]) if channels in (2, 4) else None
    if channels < 3:
        return Page(np.ascontiguousarray(deep[:, :, 0]), alpha, None, fmt)
    light = deep[:, :, :3] @ np.array(luma_weights(fmt.matrix), np.float32)
    return Page((light + np.float32(0.5)).astype(deep.dtype), alpha, light, fmt)


def _is_lossless(file_type: FileType, data: bytes) -> bool:
    return file_type in ("png", "tiff") or (file_type == "webp" and b"VP8L" in _chunk_names(data))


def _chunk_names(data: bytes) -> bytes:
    """Return the names of a WebP's chunks."""
    names, at = b"", 12
    while at + 8 <= len(data):
        names += data[at : at + 4] + b" "
        at += 8 + (struct.unpack("<I", data[at + 4 : at + 8])[0] + 1 & ~1)
    return names


def read_rgba(path: Path) -> tuple[NDArray[np.uint8], bool]:
    """Colours of a picture file, upright: (H, W, 4) RGB and alpha of 8 bits; and whether its coding kept them exactly.

    Raises:
        InputError: it is broken, too large or not supported.
    """
    with Inlet(path) as inlet:
        data, name = inlet.read_all(_LARGEST_FILE), inlet.name
    with open_picture(data, name) as image, quiet():
        try:
            if _is_deep_color(image, data):
                deep = deep_samples(image, data, name) if image.format == "TIFF" else _decoded_deep(data)
                samples = (deep >> 8).astype(np.uint8)
            else:
                samples = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))
        except (*PILLOW_FAILS, av.error.FFmpegError) as error:
            raise InputError(f"{name} is broken or cut short") from error
        is_exact = _is_lossless(_TYPES[image.format], data)
    return _with_alpha(samples), is_exact


def _with_alpha(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W), or (H, W, 1 to 4), as RGB with alpha."""
    deep = samples if samples.ndim == 3 else samples[:, :, None]
    colours, alpha = (deep, np.full_like(deep[:, :, :1], 255)) if deep.shape[2] % 2 else np.split(deep, [-1], axis=2)
    colours = np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else colours
    return np.concatenate((colours, alpha), axis=2)
