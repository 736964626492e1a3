"""Weights are data: only safetensors are opened, bounded and hashed first."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import pytest
import torch

from streams.errors import ModelError, UsageError
from vidcolor import weights, zoo
from vidcolor.device import Place

CPU = Place(torch.device("cpu"), "fp32")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.safetensors"
    weights.write({"a": torch.arange(6.0), "n": torch.tensor(3)}, path, "reel")
    return path


class Evil:
    """Writes a file when unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.canary, "opened")


def test_what_was_written_is_read(file: Path) -> None:
    read = weights.read(file)
    assert read.metadata["network"] == "reel"
    assert weights.tensors(read, file)["a"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_flipped_bit_is_told_by_its_hash(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-5] ^= 0x10
    file.write_bytes(data)
    with pytest.raises(ModelError, match="hash"):
        weights.read(file)


def test_a_pickle_is_refused_unread(tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Evil(canary)))
    with pytest.raises(ModelError, match="not a safetensors"):
        zoo.load(str(path), CPU)
    assert not canary.exists()


@pytest.mark.parametrize(
    "head", [b"", b"abc", struct.pack("<Q", 1 << 60) + b"{}" * 100, struct.pack("<Q", 4) + b"{]}}"]
)
def test_a_broken_header_is_refused(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(head)
    with pytest.raises(ModelError, match="safetensors"):
        weights.read(path)


def test_weights_of_another_network_are_refused(file: Path) -> None:
    with pytest.raises(ModelError, match="does not fit"):
        zoo.load(str(file), CPU)


def test_an_unknown_model_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="nomodel"):
        zoo.load("nomodel", CPU)
