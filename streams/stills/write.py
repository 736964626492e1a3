"""Still pictures written: the type that came in, with colour, and all that belonged to the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import av.error
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from streams.errors import InputError, OutputError, printable
from streams.inlet import Inlet
from streams.luma import Plane
from streams.reading.sniff import nature_of
from streams.stills.keep import (
    mark_in_jpeg,
    mark_in_png,
    mark_in_webp,
    with_jpeg_segments,
    with_png_chunks,
    with_webp_chunks,
)
from streams.stills.paint import paint
from streams.stills.picture import FileType, Still
from streams.stills.read import PILLOW_FAILS, open_picture, quiet
from streams.stills.tiff import tiff_mark, write_tiff
from streams.writing.target import Temporary, check_place, plain_reason

# Luma must stay within coding noise; below 92 it does not on grain.
_JPEG_QUALITY = 95
_WEBP_QUALITY = 96
_SUFFIXES: dict[str, FileType] = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
}
_LARGEST_FILE = 1 << 31


def check_still(still: Still, target: Path | None, *, lossless: bool) -> None:
    """Raise OutputError if the still cannot be written to `target` (None = stdout) as asked; touches nothing."""
    if target is not None:
        wanted = _SUFFIXES.get(target.suffix.lower())
        if wanted != still.file_type:
            kind = still.file_type.upper()
            raise OutputError(f"{printable(target)} does not end as the input's type, {kind}: the type is kept")
        check_place(target)
    if lossless and still.file_type == "jpeg":
        raise OutputError("JPEG cannot keep light without loss: give a PNG as input, or leave --lossless out")


def write_still(
    still: Still,
    chroma: Sequence[tuple[Plane, Plane]],
    target: Path | IO[bytes],
    *,
    mark: str | None = None,
    lossless: bool = False,
) -> None:
    """Write the still with colour, whole or not at all, as the type it came in.

    `chroma` has Cb and Cr for each page, full-range code values at the page's depth, of any size up to the page's.
    `mark` says that the colours are machine-made. Raises OutputError.
    """
    check_still(still, target if isinstance(target, Path) else None, lossless=lossless)
    data = encode_still(still, chroma, mark=mark, lossless=lossless)
    if not isinstance(target, Path):
        target.write(data)
        return
    temporary = Temporary(target)
    try:
        temporary.path.write_bytes(data)
    except OSError as error:
        temporary.discard()
        raise OutputError(f"{printable(target)} cannot be written: {plain_reason(error)}") from error
    except BaseException:
        temporary.discard()
        raise
    temporary.commit()


def encode_still(
    still: Still, chroma: Sequence[tuple[Plane, Plane]], *, mark: str | None = None, lossless: bool = False
) -> bytes:
    """Code the still with colour, in memory; arguments as for `write_still`. Raises OutputError."""
    pages = [paint(page, planes) for page, planes in zip(still.pages, chroma, strict=True)]
    try:
        with quiet():  # the original is looked into once more, and may be damaged
            if still.file_type == "tiff":
                return write_tiff(pages, still.data, mark)
            return _ENCODERS[still.file_type](still, pages[0], mark, lossless)
    except (*PILLOW_FAILS, av.error.FFmpegError) as error:
        raise OutputError(f"{still.name} cannot be coded as {still.file_type.upper()}") from error


def _jpeg(still: Still, pixels: NDArray[Any], mark: str | None, _lossless: bool) -> bytes:
    is_progressive = bool(open_picture(still.data, still.name).info.get("progressive"))
    out = BytesIO()
    image = Image.fromarray(pixels)
    image.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True, progressive=is_progressive)
    return with_jpeg_segments(out.getvalue(), still.data, mark)


def _png(still: Still, pixels: NDArray[Any], mark: str | None, _lossless: bool) -> bytes:
    if pixels.dtype == np.uint16:
        return with_png_chunks(_deep_png(pixels), still.data, mark)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return with_png_chunks(out.getvalue(), still.data, mark)


def _deep_png(pixels: NDArray[Any]) -> bytes:
    """Code 16-bit pixels with FFmpeg's encoder; Pillow has none for colour."""
    name = "rgba64be" if pixels.shape[2] == 4 else "rgb48be"
    context = CodecContext.create("png", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = pixels.shape[1], pixels.shape[0], name
    context.options, context.time_base = {"pred": "mixed"}, Fraction(1)
    frame = VideoFrame.from_ndarray(pixels, name)
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def _webp(still: Still, pixels: NDArray[Any], mark: str | None, lossless: bool) -> bytes:
    out = BytesIO()
    is_exact = lossless or still.is_lossless
    Image.fromarray(pixels).save(out, "WEBP", lossless=is_exact, exact=True, quality=80 if is_exact else _WEBP_QUALITY)
    size = (pixels.shape[1], pixels.shape[0])
    return with_webp_chunks(out.getvalue(), still.data, size, mark, pixels.shape[2] == 4)


_ENCODERS: dict[FileType, Callable[[Still, NDArray[Any], str | None, bool], bytes]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
}


def read_still_mark(path: Path) -> str | None:
    """Read the mark of a still picture back; None where it has none. Raises InputError for what is no picture."""
    with Inlet(path) as inlet:
        if nature_of(inlet).kind != "still":
            raise InputError(f"{inlet.name} is not a still picture")
        data, name = inlet.read_all(_LARGEST_FILE), inlet.name
    readers = {"JPEG": mark_in_jpeg, "MPO": mark_in_jpeg, "PNG": mark_in_png, "TIFF": tiff_mark, "WEBP": mark_in_webp}
    with open_picture(data, name) as image:
        return readers[str(image.format)](data)
