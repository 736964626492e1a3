"""TIFF pages of 16 bits a channel in colour, which Pillow would cut down to 8: their samples, however they are stored.

Each page is read once more as grey: a line of W pixels of three samples is a line of 3W samples. So libtiff unpacks
strips and tiles, chunky and planar, of every compression it knows; only the differences of neighbours (predictor 2
of TIFF 6.0, section 14) are summed here, for they run from pixel to pixel and not from sample to sample.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streams.errors import InputError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _SAMPLES, _ROWS, _STRIP_LENGTHS, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_LENGTHS, _FORMAT = 322, 323, 324, 325, 339
_SHORT, _LONG, _LONG8 = 3, 4, 16
_CODES = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_RGB, _DIFFERENCES, _UNSIGNED, _SEPARATE = 2, 2, 1, 2

Tags = Mapping[int, Any]


def deep_samples(image: Image.Image, data: bytes, name: str) -> NDArray[np.uint16]:
    """Decode the page at hand of the TIFF `data` to samples (H, W, channels).

    Raises InputError for colours other than RGB of 16 bits, and what Pillow raises for broken files.
    """
    tags: Tags = image.tag_v2  # type: ignore[attr-defined]
    count = int(tags.get(_SAMPLES, 1))
    forms = tags.get(_FORMAT, (_UNSIGNED,))
    if set(tags[_BITS]) != {16} or tags.get(_PHOTOMETRIC) != _RGB or set(forms) != {_UNSIGNED} or count > 4:
        raise InputError(f"{name} is a TIFF of a kind that is not supported: save it as grey or RGB of 16 bits first")
    if tags.get(_PLANAR) == _SEPARATE:
        planes = [_grey(tags, data, 1, plane) for plane in range(count)]
        return np.stack([_summed(plane[:, :, None], tags)[:, :, 0] for plane in planes], axis=-1)
    lines = _grey(tags, data, count, None)
    return _summed(lines.reshape(lines.shape[0], -1, count), tags)


def _grey(tags: Tags, data: bytes, wide: int, plane: int | None) -> NDArray[np.uint16]:
    """Decode the samples of all channels in their order, or of one plane, as a grey picture `wide` times as wide."""
    fields = {
        _WIDTH: [tags[_WIDTH] * wide],
        _HEIGHT: [tags[_HEIGHT]],
        _BITS: [16],
        _COMPRESSION: [tags.get(_COMPRESSION, 1)],
        _PHOTOMETRIC: [1],
        _FILL_ORDER: [tags.get(_FILL_ORDER, 1)],
        _SAMPLES: [1],
    }
    if _TILES in tags:
        fields |= {_TILE_WIDTH: [tags[_TILE_WIDTH] * wide], _TILE_HEIGHT: [tags[_TILE_HEIGHT]]}
    else:
        fields |= {_ROWS: [min(tags.get(_ROWS, tags[_HEIGHT]), tags[_HEIGHT])]}
    for tag in (_TILES, _TILE_LENGTHS) if _TILES in tags else (_STRIPS, _STRIP_LENGTHS):
        places = list(tags[tag])
        share = len(places) // int(tags[_SAMPLES]) if plane is not None else len(places)
        fields[tag] = places[(plane or 0) * share :][:share]
    with Image.open(BytesIO(_with_directory(data, fields)), formats=("TIFF",)) as grey:
        return np.asarray(grey).astype(np.uint16)


def _with_directory(data: bytes, fields: Mapping[int, Sequence[int]]) -> bytes:
    """Return the file with another directory, at its end, as its first."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = struct.unpack(order + "H", data[2:4])[0] == 43
    count, word, kind = ("Q", "Q", _LONG8) if is_big else ("H", "I", _LONG)
    begin = len(data) + len(data) % 2
    entry = struct.calcsize(f"{order}HH{word}{word}")
    after = begin + struct.calcsize(order + count) + entry * len(fields) + struct.calcsize(word)
    entries, lists = b"", b""
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
        if len(values) > 1:
            place = struct.pack(order + word, after + len(lists))
            lists += packed
        else:
            place = packed
        entries += struct.pack(f"{order}HH{word}", tag, kind, len(values)) + place
    directory = struct.pack(order + count, len(fields)) + entries + struct.pack(order + word, 0)
    at = 8 if is_big else 4
    head = data[:at] + struct.pack(order + word, begin)
    return head + data[len(head) :] + b"\0" * (len(data) % 2) + directory + lists


def _summed(samples: NDArray[np.uint16], tags: Tags) -> NDArray[np.uint16]:
    """Sum the differences of neighbours, (H, W, channels), from the left edge of the picture or of each tile on."""
    if tags.get(_PREDICTOR, 1) != _DIFFERENCES:
        return samples
    step = int(tags[_TILE_WIDTH]) if _TILES in tags else samples.shape[1]
    parts = [samples[:, left : left + step] for left in range(0, samples.shape[1], step)]
    return np.concatenate([np.add.accumulate(part, axis=1, dtype=np.uint16) for part in parts], axis=1)
