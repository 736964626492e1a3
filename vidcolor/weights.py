"""Weights on disk: only safetensors, bounded and hashed before anything is believed; a pickle is never opened."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streams.errors import ModelError, printable

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_HEADER = 16 << 20
"""Bytes; a header tells names and shapes, and a few hundred of them fit in a hundredth of this."""
LARGEST_FILE = 2 << 30


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights whose form and digest were checked.

    Attributes:
        data: the whole file.
        sha256: of the whole file.
        metadata: what the file says of itself; "network" names the network it is for.
    """

    data: bytes
    sha256: str
    metadata: Mapping[str, str]


def read(path: Path) -> WeightsFile:
    """Read a file of weights without believing it.

    Raises:
        ModelError: it cannot be read, is no safetensors, or its own digest disagrees with its bytes.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{printable(path)} is too large to be weights")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"weights {printable(path)} cannot be read: {error.strerror}") from error
    size = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    if not 2 <= size <= min(LARGEST_HEADER, len(data) - 8) or data[8:9] != b"{":
        raise ModelError(f"{printable(path)} is not a safetensors file")
    metadata = _metadata(data[8 : 8 + size], path)
    said = metadata.get("sha256")
    if said and said != hashlib.sha256(memoryview(data)[8 + size :]).hexdigest():
        raise ModelError(f"{printable(path)} is damaged: its hash is not the one it states")
    return WeightsFile(data, hashlib.sha256(data).hexdigest(), metadata)


def _metadata(header: bytes, path: Path) -> dict[str, str]:
    try:
        found = json.loads(header).get("__metadata__", {})
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{printable(path)} is not a safetensors file") from error


def tensors(file: WeightsFile, path: Path) -> dict[str, Tensor]:
    """The tensors of a checked file, in fp32.

    Raises:
        ModelError: the header does not fit the bytes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return {name: t.float() if t.is_floating_point() else t for name, t in load(file.data).items()}
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{printable(path)} is not a whole safetensors file") from error


def write(state: Mapping[str, Tensor], path: Path, network: str, facts: Mapping[str, str] | None = None) -> None:
    """Write half-precision safetensors with their own digest, the network's name and facts, whole or not at all."""
    from safetensors.torch import save

    half = {n: (t.half() if t.is_floating_point() else t).cpu().contiguous() for n, t in state.items()}
    plain = save(half)
    body = plain[8 + struct.unpack("<Q", plain[:8])[0] :]
    part = path.with_suffix(".part")
    part.write_bytes(save(half, {**(facts or {}), "network": network, "sha256": hashlib.sha256(body).hexdigest()}))
    part.replace(path)
