"""TIFF files of several colour pages, 8 or 16 bits: Pillow reads and writes their tags, but no 16-bit colour.

Written after the TIFF 6.0 specification: little-endian, one strip of some rows after another, each deflated after
horizontal differencing (section 14).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from streams.errors import OutputError
from streams.stills.keep import is_grey_profile

_LONG, _ASCII, _SHORT = 4, 2, 3
_PROFILE = 34675
_MARK = 65042
_LARGEST = (1 << 32) - (1 << 20)
_STRIP_BYTES = 1 << 18

# Tags that describe how pixels were stored, or point into the old file.
_OF_STORAGE = frozenset(
    (256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293)
    + (301, 317, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 338, 339, 340, 341, 342, 343, 344, 347)
    + (512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532)
)
# Directories of their own (EXIF, GPS, interoperability), which are carried whole.
_DIRECTORIES = (34665, 34853, 40965)


def write_tiff(pages: list[NDArray[Any]], original: bytes, mark: str | None) -> bytes:
    """Code pages (H, W, 3 or 4) uint8 or uint16 as one TIFF, with the tags of the original's pages.

    Raises OutputError beyond the 4 GiB that a TIFF can hold.
    """
    out = BytesIO()
    out.write(b"II*\0\0\0\0\0")
    pointer = 4
    with Image.open(BytesIO(original), formats=("TIFF",)) as image:
        for number, pixels in enumerate(pages):
            image.seek(number)
            directory = _kept_tags(image)
            if mark is not None:
                directory.tagtype[_MARK] = _ASCII
                directory[_MARK] = mark
            strips = _add_storage(directory, pixels)
            pointer = _write_page(directory, strips, out, pointer)
    return out.getvalue()


def tiff_mark(data: bytes) -> str | None:
    """Read the mark of a TIFF back."""
    with Image.open(BytesIO(data), formats=("TIFF",)) as image:
        mark = getattr(image, "tag_v2", {}).get(_MARK)
    return str(mark) if mark is not None else None


def _kept_tags(image: Image.Image) -> ImageFileDirectory_v2:
    """Copy the tags of the page at hand that say something about the picture."""
    source: ImageFileDirectory_v2 = image.tag_v2  # type: ignore[attr-defined]
    kept = ImageFileDirectory_v2()
    for tag in source:
        if tag in _OF_STORAGE or tag in _DIRECTORIES or tag == _MARK:
            continue
        if tag == _PROFILE and is_grey_profile(bytes(source[tag])):
            continue
        kept.tagtype[tag] = source.tagtype[tag]
        kept[tag] = source[tag]
    for tag in _DIRECTORIES:
        inner = image.getexif().get_ifd(tag) if tag in source else None
        if inner:
            kept.tagtype[tag] = _LONG
            kept[tag] = dict(inner)
    return kept


def _add_storage(directory: ImageFileDirectory_v2, pixels: NDArray[Any]) -> list[bytes]:
    """Code pixels into strips, and enter how they are stored; Pillow takes their places as after the directory."""
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = list(_strips(pixels, rows))
    lengths = [len(strip) for strip in strips]
    places = [sum(lengths[:number]) for number in range(len(lengths))]
    values: dict[int, tuple[int, Any]] = {
        256: (_LONG, width),
        257: (_LONG, height),
        258: (_SHORT, (8 * pixels.itemsize,) * channels),
        259: (_SHORT, 8),
        262: (_SHORT, 2),
        273: (_LONG, tuple(places)),
        277: (_SHORT, channels),
        278: (_LONG, rows),
        279: (_LONG, tuple(lengths)),
        284: (_SHORT, 1),
        317: (_SHORT, 2),
    }
    if channels == 4:
        values[338] = (_SHORT, (2,))
    for tag, (kind, value) in values.items():
        directory.tagtype[tag] = kind
        directory[tag] = value
    return strips


def _strips(pixels: NDArray[Any], rows: int) -> Iterator[bytes]:
    for top in range(0, pixels.shape[0], rows):
        part = pixels[top : top + rows]
        steps = part.copy()
        steps[:, 1:] -= part[:, :-1]
        strip = zlib.compress(steps.astype(steps.dtype.newbyteorder("<")).tobytes())
        yield strip + b"\0" * (len(strip) % 2)


def _write_page(directory: ImageFileDirectory_v2, strips: list[bytes], out: BytesIO, pointer: int) -> int:
    """Write a directory and its strips, enter its place at `pointer`, return where the next one's place belongs."""
    place = out.tell()
    if place + sum(map(len, strips)) > _LARGEST:
        raise OutputError("the pictures are larger than a TIFF file can hold")
    coded = directory.tobytes(place)
    out.write(coded + b"".join(strips))
    out.seek(pointer)
    out.write(struct.pack("<I", place))
    out.seek(0, 2)
    return place + 2 + 12 * int(struct.unpack("<H", coded[:2])[0])
