"""A still colorizer from an ONNX file, run on single frames of a film: grey in, a* and b* out; knows no film."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.errors import FilmError, ModelError, UsageError, printable
from vidcolor.guide.motion import resized
from vidcolor.guide.signature import LARGEST, Signature, beside, candidates

Floats = NDArray[np.float32]

NO_RUNTIME = "--guide runs models by onnxruntime, which is not here: install vidcolor[guide]"
_MOST_AB = 250.0  # no colour of sRGB is farther than 140 from grey
_OTHER_LIGHT = 0.15  # mean difference between the light that went in and the picture that came out, of white
_PLAIN = 0.05  # contrast from which on a frame tells one way from another
_KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@cache
def _runtime() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(NO_RUNTIME) from error
    return onnxruntime


def check_model(path: Path) -> None:
    """Look whether there is a model, and something to run it by; loads neither.

    Raises:
        UsageError: one of them is missing.
    """
    from importlib.util import find_spec

    if find_spec("onnxruntime") is None:
        raise UsageError(NO_RUNTIME)
    if not path.is_file():
        raise UsageError(f"there is no model {printable(path)}: --guide names an ONNX file")


@cache
def _hash(path: Path, size: int, changed: int) -> bytes:
    """Of a file's content; large ones are read once while they do not change."""
    del size, changed
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def digest_of(path: Path) -> bytes:
    """What tells a model and its description from others.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        there = [one for one in (path, beside(path)) if one.is_file() or one == path]
        return b"".join(_hash(one, one.stat().st_size, one.stat().st_mtime_ns) for one in there)
    except OSError as error:
        raise UsageError(f"the model {printable(path)} cannot be read: {error.strerror or error}") from error


class StillColorizer:
    """A model, loaded.

    Attributes:
        seconds: that it has worked so far, loading and all.
        frames: that it has coloured.
    """

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            UsageError: onnxruntime is not installed.
            ModelError: the file is no model, or takes and gives what no still colorizer does.
            InputError: its description makes no sense.
        """
        begun = time.perf_counter()
        self.seconds, self.frames = 0.0, 0
        self._path, self._session = path, _session(path)
        self._shapes = _Shapes.of(self._session, path)
        self._ways = candidates(path, self._shapes.planes)
        if not self._ways or not all(way.fits(self._shapes.planes) for way in self._ways):
            raise ModelError(self._unknown())
        self.seconds += time.perf_counter() - begun

    def colours(self, shade: Floats, size: tuple[int, int]) -> Floats:
        """Colour a frame.

        Args:
            shade: (H, W) its grey, gamma-encoded, 0..1.
            size: height and width of what is wanted.

        Returns:
            (2, h, w) a* and b*.

        Raises:
            ModelError: it fails, or what it gives are no colours.
        """
        begun = time.perf_counter()
        found = self._settled(shade)
        self.seconds += time.perf_counter() - begun
        self.frames += 1
        return np.stack([resized(plane, size) for plane in found])

    @property
    def way(self) -> str:
        """By what name it is known how to ask."""
        return self._ways[0].name

    def _settled(self, shade: Floats) -> Floats:
        """Colours by the only way to ask; which of several it is the first frame tells."""
        tried = [(way, *self._answered(way, shade)) for way in self._ways]
        way, found, off = min(tried, key=lambda one: one[2])
        if off > _OTHER_LIGHT:
            raise ModelError(self._unknown())
        if float(shade.std()) > _PLAIN:
            self._ways = [way]
        return found

    def _answered(self, way: Signature, shade: Floats) -> tuple[Floats, float]:
        """Colours (2, h, w), and how far the light that comes back is from the light that went in."""
        small = resized(shade, self._shapes.size or (way.size, way.size))
        answer = self._run(way.given(small))
        if answer.ndim != 4 or answer.shape[:2] != (1, way.planes[1]):
            raise ModelError(self._unknown())
        if way.output == "ab":
            ab = answer[0] * np.float32(way.unit)
            return ab, 0.0 if np.isfinite(ab).all() and np.abs(ab).max() < _MOST_AB else np.inf
        rgb = way.picture(answer)
        light = np.tensordot(np.array((0.299, 0.587, 0.114), np.float32), rgb, 1)
        off = float(np.abs(light - resized(small, light.shape)).mean())
        return _ab_of(rgb), off if np.isfinite(off) else np.inf

    def _run(self, given: Floats) -> Floats:
        try:
            (answer, *_) = self._session.run(None, {self._shapes.name: given.astype(self._shapes.kind)})
        except Exception as error:  # noqa: BLE001 - onnxruntime's own kinds are not public
            raise ModelError(f"{self._said()}, and failed: {_first_line(error)}") from error
        return np.asarray(answer, np.float32)

    def _said(self) -> str:
        return f"{printable(self._path)} takes {self._shapes.given} and gives {self._shapes.got}"

    def _unknown(self) -> str:
        where = printable(beside(self._path).name)
        return f"{self._said()}, which is not how it is known here: describe it in {where} beside it (docs/guide.md)"


class _Shapes:
    """What a model says of its input and output."""

    def __init__(self, one: Any, other: Any, path: Path) -> None:  # noqa: ANN401 - onnxruntime has no types
        self.name, self.given, self.got = one.name, list(one.shape), list(other.shape)
        if one.type not in _KINDS or len(self.given) != 4:
            raise ModelError(f"{printable(path)} takes {one.type} {self.given}: no still colorizer that is known does")
        self.kind = _KINDS[one.type]
        sides = self.given[2:]
        self.size = (sides[0], sides[1]) if all(type(side) is int and 0 < side <= LARGEST for side in sides) else None
        planes = [shape[1] if len(shape) == 4 and type(shape[1]) is int else 0 for shape in (self.given, self.got)]
        self.planes = (planes[0], planes[1])

    @classmethod
    def of(cls, session: Any, path: Path) -> _Shapes:  # noqa: ANN401 - likewise
        inputs = session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"{printable(path)} takes {len(inputs)} inputs: a still colorizer takes one")
        return cls(inputs[0], session.get_outputs()[0], path)


def _ab_of(rgb: Floats) -> Floats:
    import torch

    from vidcolor.color import lab_from_rgb

    found: Floats = lab_from_rgb(torch.from_numpy(np.clip(rgb, 0, 1))[None])[0, 1:].numpy()
    return found


def _session(path: Path) -> Any:  # noqa: ANN401 - likewise
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except FilmError:
        raise
    except Exception as error:  # noqa: BLE001 - likewise
        raise ModelError(f"{printable(path)} is no model that onnxruntime can load: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return printable(lines[0])[:200]
