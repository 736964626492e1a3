"""What a still colorizer in an ONNX file takes and gives: known ones from a table, others from a TOML file beside them.

Knows neither ONNX nor film: only names, shapes and numbers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError, printable

Floats = NDArray[np.float32]

LARGEST = 4096
_INPUTS, _OUTPUTS = {"rgb": 3, "light": 1}, {"ab": 2, "rgb": 3}
_TABLE = "stills.toml"


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to ask a still colorizer.

    Attributes:
        name: of it.
        size: height and width that it was made for, where its file leaves that open.
        input: "rgb": the grey as three equal planes; "light": one plane of CIE L*, 0..100.
        white: what white is in the input before `mean` and `std` (rgb only).
        mean, std: that are taken off and divided by, plane by plane (rgb only).
        output: "ab": CIE a* and b*; "rgb": a picture, gamma-encoded.
        unit: Lab units of an output of 1 (ab only).
        output_white, output_mean, output_std: as for the input; the output is multiplied by std first.
    """

    name: str
    size: int = 256
    input: str = "rgb"
    white: float = 1.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    output: str = "ab"
    unit: float = 1.0
    output_white: float = 1.0
    output_mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    output_std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def planes(self) -> tuple[int, int]:
        """How many planes go in and come out."""
        return _INPUTS[self.input], _OUTPUTS[self.output]

    def fits(self, planes: tuple[int, int]) -> bool:
        """Whether a model takes and gives as many planes; 0 where it does not say."""
        return all(there in (0, own) for own, there in zip(self.planes, planes, strict=True))

    def given(self, shade: Floats) -> Floats:
        """Grey (h, w), gamma-encoded 0..1, as the network is given it: (1, C, h, w)."""
        if self.input == "light":
            return lightness(shade)[None, None]
        rgb = np.repeat(shade[None] * np.float32(self.white), 3, 0)
        return ((rgb - _column(self.mean)) / _column(self.std))[None].astype(np.float32)

    def picture(self, answer: Floats) -> Floats:
        """An answer (1, 3, h, w) as gamma-encoded RGB (3, h, w), as it is: not clipped."""
        rgb: Floats = (answer[0] * _column(self.output_std) + _column(self.output_mean)) / np.float32(self.output_white)
        return rgb


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, np.float32)[:, None, None]


def lightness(shade: Floats) -> Floats:
    """CIE L*, 0..100, of a gamma-encoded sRGB grey 0..1 (IEC 61966-2-1, CIE 15)."""
    linear = np.where(shade <= 0.04045, shade / 12.92, ((shade + 0.055) / 1.055) ** 2.4)
    root = np.where(linear > 216 / 24389, np.cbrt(linear), (24389 / 27 * linear + 16) / 116)
    found: Floats = (116 * root - 16).astype(np.float32)
    return found


@cache
def known() -> dict[str, tuple[Signature, tuple[str, ...]]]:
    """The packaged table: signatures by name, each with the file names it is known by."""
    whole = tomllib.loads(files("vidcolor.data").joinpath(_TABLE).read_text(encoding="utf-8"))
    rows = {name: dict(row) for name, row in whole.items()}
    names = {name: tuple(row.pop("files")) for name, row in rows.items()}
    for row in rows.values():
        del row["source"]
    return {name: (_made(name, row), names[name]) for name, row in rows.items()}


def beside(model: Path) -> Path:
    """Where a model is described by its owner: `ddcolor.toml` beside `ddcolor.onnx`."""
    return model.with_suffix(".toml")


def candidates(model: Path, planes: tuple[int, int]) -> list[Signature]:
    """How a model may be asked.

    Args:
        model: its file.
        planes: how many go in and come out; 0 where it does not say.

    Returns:
        One if it is described beside the model, if its name is known, or if its planes leave no choice; else more,
        or none.

    Raises:
        InputError: the description makes no sense.
    """
    if beside(model).is_file():
        return [described(beside(model))]
    fitting = {name: row for name, row in known().items() if row[0].fits(planes)}
    named = [one for one, names in fitting.values() if any(fnmatch(model.name.lower(), name) for name in names)]
    return named[:1] or [one for one, _ in fitting.values()]


def described(path: Path) -> Signature:
    """Read a description.

    Raises:
        InputError: it cannot be read, or makes no sense.
    """
    name = printable(path)
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{name} is not TOML: {printable(error)}") from error
    try:
        return _made(path.stem, fields)
    except ValueError as error:
        raise InputError(f"{name}: {printable(error)}") from error


def _made(name: str, row: Mapping[str, Any]) -> Signature:
    """A signature of a table's row; `like` names another that it begins from."""
    given = dict(row)
    base = Signature(name)
    if (like := given.pop("like", None)) is not None:
        if like not in known():
            raise ValueError(f"like = {like!r}: known are {', '.join(known())}")
        base = replace(known()[like][0], name=name)
    kinds = {one.name: getattr(base, one.name) for one in fields(Signature) if one.name != "name"}
    for field, value in given.items():
        if field not in kinds:
            raise ValueError(f"a field {field!r} that is not known: like, {', '.join(kinds)} are")
        given[field] = _fitting(field, value, kinds[field])
    return replace(base, **given)


def _fitting(field: str, value: object, kind: object) -> object:
    """A value of the kind that a field has."""
    choice = {"input": _INPUTS, "output": _OUTPUTS}.get(field)
    if choice is not None and value in choice:
        return value
    if field == "size" and type(value) is int and 16 <= value <= LARGEST:
        return value
    if isinstance(kind, tuple) and isinstance(value, list) and len(value) == 3 and all(map(_is_number, value)):
        three = tuple(map(float, value))
        if all(three) or not field.endswith("std"):
            return three
    if isinstance(kind, float) and _is_number(value) and value:
        return float(value)  # type: ignore[arg-type]
    raise ValueError(f"{field} = {value!r} makes no sense here")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
