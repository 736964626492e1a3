"""The networks that are known: names, weights, hashes.

To add one: a file in vidcolor/models/, its weights in vidcolor/data/, and a row in ``_ROWS``; the contract tests then
run over it unasked. A row without weights is a network that can be trained. Nothing is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from streams.errors import ModelError, UsageError, printable
from vidcolor import weights

if TYPE_CHECKING:
    from torch import Tensor

    from vidcolor.colorizer import Colorizer
    from vidcolor.device import Place

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Row:
    """One known network.

    Attributes:
        name: what users call it.
        maker: module and class, imported only when the network is wanted (the list must not wait for torch).
        path: of its weights; None where they are not packaged.
        sha256: of that file; empty where there is none.
    """

    name: str
    maker: str
    path: Path | None = None
    sha256: str = ""


_ROWS = (
    Row(
        "reel",
        "vidcolor.models.reel:Reel",
        DATA / "reel.safetensors",
        "11ee5724117d5c9377efbf09352cdec243702899a5bb0de6aa03b9a74652f434",
    ),
    Row(
        "zhang16",
        "vidcolor.models.zhang16:Zhang16",
        DATA / "zhang16.safetensors",
        "2b244694189e2198404e7bf28d581269a6803deacb29a14719bd0160e1bdf3b8",
    ),
    Row(
        "cnn-lstm",
        "vidcolor.models.cnn_lstm:CnnLstm",
        DATA / "cnn-lstm.safetensors",
        "f405438e6794eec693bc244d7acdcc34431ec8aced07c3474e6767d9babad616",
    ),
    Row(
        "resnet-half",
        "vidcolor.models.resnet_half:ResnetHalf",
        DATA / "resnet-half.safetensors",
        "68b7fcf4e17f429e8cf440dda4554b81bc84553f04905660c34d38c2c616855b",
    ),
    Row(
        "two-stream",
        "vidcolor.models.two_stream:TwoStream",
        DATA / "two-stream.safetensors",
        "73434ab03b2c5d84fcb41a57dac1256ecfefa6b29e475309e3351d374718f395",
    ),
    Row(
        "cnn9",
        "vidcolor.models.cnn9:Cnn9",
        DATA / "cnn9.safetensors",
        "bdc46bb55bab440af81eacb43242fad4c629e1ea3ad989a9a38de723b4dd2473",
    ),
    Row(
        "autoencoder",
        "vidcolor.models.autoencoder:Autoencoder",
        DATA / "autoencoder.safetensors",
        "4734078e1ea04974cb08d107065ab315409d07381d62298d654cf46298d9ae21",
    ),
    Row(
        "gan",
        "vidcolor.models.gan:Gan",
        DATA / "gan.safetensors",
        "2f682c8d5d75d73e8896ae2f91b21237866f2924bfca8dcc20a7132d3f44398a",
    ),
    Row(
        "style",
        "vidcolor.models.style:Style",
        DATA / "style.safetensors",
        "b2299a75de9f141ddf0e4a12268f9766bba77c7f11df3d68315cbcdb9573ee83",
    ),
    Row(
        "aerial",
        "vidcolor.models.reel:Reel",
        DATA / "aerial.safetensors",
        "ec389533ebe5e4268e6a4d5e2bd78959313598a968871fffad7978365da2096e",
    ),
)
NOT_PACKAGED = "not packaged: train it, or name a weights file"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network ready to colour, and what the mark must say of it."""

    colorizer: Colorizer
    name: str
    sha256: str
    path: Path
    place: Place

    def in_fp32(self) -> LoadedModel:
        """The same network in full precision."""
        return load(str(self.path) if self.name not in names() else self.name, replace(self.place, precision="fp32"))


def table() -> tuple[Row, ...]:
    """Every known network."""
    return _ROWS


def names() -> tuple[str, ...]:
    """Those that can be used at once: their weights are packaged."""
    return tuple(row.name for row in _ROWS if row.path)


def row_of(name: str) -> Row | None:
    """The row of a name; None for a name that is none."""
    return next((row for row in _ROWS if row.name == name), None)


def check_name(model: str) -> None:
    """Tell a wrong name at once, before anything heavy is loaded.

    Raises:
        UsageError: neither a known name nor a file.
        ModelError: a known network without packaged weights.
    """
    row = row_of(model)
    if row is not None and row.path is None:
        raise ModelError(
            f"the weights of {model} are not packaged: train it (vidcolor train --network {model}), or name a"
            " weights file"
        )
    if row is None and not Path(model).is_file():
        raise UsageError(
            f"there is no model {printable(model)}: known are {', '.join(names())}, or name a safetensors file"
        )


def verify(row: Row) -> str:
    """Read a row's weights and check their hash; "verified", or that there are none.

    Raises:
        ModelError: they are missing, or their hash is another.
    """
    if row.path is None:
        return NOT_PACKAGED
    _verified(row)
    return "verified"


def _verified(row: Row) -> weights.WeightsFile:
    assert row.path is not None
    file = weights.read(row.path)
    if file.sha256 != row.sha256:
        raise ModelError(f"the weights of {row.name} are damaged: their hash is {file.sha256}, not {row.sha256}")
    return file


def load(model: str, place: Place) -> LoadedModel:
    """Load a network, folded, on its device and in its precision.

    Args:
        model: a known name, or the path of a safetensors file that names its network (default: the main one).
        place: device and precision.

    Raises:
        UsageError: no such model.
        ModelError: its weights cannot be trusted, or do not fit the network.
    """
    check_name(model)
    row = row_of(model)
    path = row.path if row and row.path else Path(model)
    file = _verified(row) if row else weights.read(path)
    network = _network(row or _row_of(file, path), file, path)
    return LoadedModel(_placed(network, place), row.name if row else path.stem, file.sha256, path, place)


def _row_of(file: weights.WeightsFile, path: Path) -> Row:
    name = file.metadata.get("network", _ROWS[0].name)
    found = row_of(name)
    if found is None:
        raise ModelError(f"{printable(path)} is for a network named {printable(name)}, which is not known here")
    return found


def _network(row: Row, file: weights.WeightsFile, path: Path) -> Colorizer:
    network = make(row, file.metadata, printable(path))
    try:
        network.load_state_dict(_whole(file, path))
    except (RuntimeError, KeyError) as error:
        raise ModelError(f"{printable(path)} does not fit the network {row.name}") from error
    return network.fold()


def make(row: Row, facts: Mapping[str, str], whose: str = "what was asked for") -> Colorizer:
    """A row's network with weights of chance, as a weights file's facts describe it.

    Raises:
        ModelError: the facts make no sense.
    """
    module, _, name = row.maker.partition(":")
    kind = cast("type[Colorizer]", getattr(import_module(module), name))
    try:
        return kind.made(facts)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{whose} does not describe the network {row.name}: {error}") from error


def _whole(file: weights.WeightsFile, path: Path) -> dict[str, Tensor]:
    """All tensors of a file; one that goes on from packaged weights holds only those that differ."""
    own, base = weights.tensors(file, path), file.metadata.get("base")
    if base is None:
        return own
    row = next((row for row in _ROWS if row.path and row.sha256 == base), None)
    if row is None or row.path is None:
        raise ModelError(f"{printable(path)} goes on from weights {printable(base[:12])}, which are not packaged here")
    return {**weights.tensors(_verified(row), row.path), **own}


def _placed(network: Colorizer, place: Place) -> Colorizer:
    import torch

    from vidcolor.packed import pack

    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    network.to(place.device, kinds[place.precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
    pack(network)
    return network.requires_grad_(False)
