"""Damages files: a seeded mutator that flips, overwrites, cuts, moves and splices, and lies in fields of lengths."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

Change = Callable[[random.Random, bytes, bytes], bytes]

# Heads are small and steer everything; so most damage goes there, or to where an index lies at the end.
_HEAD_BYTES = 1024
_LONGEST_RUN = 512
# Box, chunk and element names: lengths stand beside them.
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")
_BORDERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1)


def mutant(seed: str, data: bytes, other: bytes) -> bytes:
    """Return `data` with one to six changes drawn from `seed`; `other` is a second file to splice with."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        data = rng.choice(CHANGES)(rng, data, other)
    return data


def _place(rng: random.Random, size: int) -> int:
    """Draw a place: in the head, at the tail, or anywhere."""
    if size < 2:
        return 0
    near = min(size, _HEAD_BYTES)
    where = rng.random()
    if where < 0.5:
        return int(near ** rng.random()) - 1
    return size - 1 - rng.randrange(near) if where < 0.65 else rng.randrange(size)


def _length(rng: random.Random) -> int:
    return int(_LONGEST_RUN ** rng.random())


def flip_bits(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Flip one bit, or many, spread over the file."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30)) if data else 0):
        changed[_place(rng, len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite_run(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Overwrite a run with zeros, ones, or noise."""
    at, count = _place(rng, len(data)), _length(rng)
    run = rng.choice((bytes(count), b"\xff" * count, rng.randbytes(count)))
    return data[:at] + run[: len(data) - at] + data[at + count :]


def cut_end(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Cut the file short."""
    return data[: _place(rng, len(data))] if rng.random() < 0.3 else data[: rng.randrange(len(data) + 1)]


def cut_out(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Take a block out."""
    at = _place(rng, len(data))
    return data[:at] + data[at + _length(rng) :]


def insert(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Put a block of noise or zeros in."""
    at, count = _place(rng, len(data)), _length(rng)
    return data[:at] + rng.choice((bytes(count), rng.randbytes(count))) + data[at:]


def duplicate(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Say a block twice, or many times."""
    at = _place(rng, len(data))
    block = data[at : at + _length(rng)]
    return data[:at] + block * rng.choice((2, 2, 3, 40)) + data[at + len(block) :]


def swap(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Let two blocks change places."""
    a, b = sorted((_place(rng, len(data)), _place(rng, len(data))))
    count = min(_length(rng), b - a)
    return data[:a] + data[b : b + count] + data[a + count : b] + data[a : a + count] + data[b + count :]


def splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Begin as one file and go on as another."""
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    at, count = _place(rng, len(data)), _length(rng)
    begin = rng.randrange(len(other) + 1)
    return data[:at] + other[begin : begin + count] + data[at + count :]


def lie_in_field(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Write a number at the border of what a field can hold, beside a name if there is one."""
    names = [found.start() for found in _NAME.finditer(data)]
    at = _place(rng, len(data))
    if names and rng.random() < 0.7:
        at = names[int(len(names) ** rng.random()) - 1] if rng.random() < 0.5 else rng.choice(names)
        at = max(0, at + rng.choice((-4, 4, 8, 12, 16, 20, 24, 28, rng.randrange(4, 90))))
    width = rng.choice((1, 2, 4, 4, 8))
    order = rng.choice(("big", "little"))
    was = int.from_bytes(data[at : at + width], order)
    value = rng.choice((*_BORDERS, was + 1, was - 1, was * 2, was * 256, was // 2))
    field = (value % (1 << 8 * width)).to_bytes(width, order)
    return data[:at] + field + data[at + width :]


def lie_in_text(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """Change a number that is written in digits (Y4M heads, subtitles, tags)."""
    found = [one.span() for one in re.finditer(rb"\d{1,12}", data[:4096])]
    if not found:
        return flip_bits(rng, data, _other)
    begin, end = rng.choice(found)
    said = rng.choice((b"0", b"-1", b"1", b"65536", b"2147483647", b"4294967296", b"99999999999999999999", b"x", b""))
    return data[:begin] + said + data[end:]


CHANGES: Sequence[Change] = (
    flip_bits,
    flip_bits,
    overwrite_run,
    overwrite_run,
    cut_end,
    cut_out,
    insert,
    duplicate,
    swap,
    splice,
    lie_in_field,
    lie_in_field,
    lie_in_field,
    lie_in_text,
)
