"""What may be asked of a restoration: one frozen object, each field one flag; knows neither torch nor film."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

from streams.errors import UsageError, printable
from vidcolor.stock import EARLIEST, LATEST, STOCKS, Shares, mean_shares, stock_of

PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
RUNTIMES = ("torch", "openvino")
DEFAULT_MODEL = "reel"
LONGEST_SIDE = 4096  # the network sees no more than this: memory grows with the square
MOST_BATCH = 1024
MOST_SATURATION = 4.0

_SHAPING = ["precision", "side", "saturation", "known_stock", "start", "stop", "codec", "crf", "preset", "lossless"]
_SHAPING += ["other_runtime"]
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,9}(?:\.\d*)?|\.\d+)", re.ASCII)
_SCIENTIFIC = re.compile(r"(?:\d{1,9}(?:\.\d*)?|\.\d+)[eE][+-]?\d{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """How a film is to be restored.

    Attributes:
        model: a name of the zoo, or a path to a safetensors file.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16", "fp16" or, by OpenVINO, "int8".
        runtime: what runs the network: "torch", or "openvino" on a CPU.
        side: long side, in pixels, of the picture that the network sees; None = as it was trained.
        batch: most frames to a step; None = by device. The colours do not depend on it.
        saturation: multiplies the chroma; 0 = neutral.
        stock: what the film could see: "blue", "ortho" or "pan"; "auto" = as the year suggests, else untold.
        year: that the film was shot in.
        keys: folder of coloured pictures of some of its frames, named by their numbers.
        hints: JSON file of dots and strokes of colour on some of its frames.
        guide: ONNX file of a still colorizer that colours a few frames of each shot, which the others are coloured by.
        reference: coloured pictures that are like some of it, of the same place or person.
        start: seconds; pictures before it are left out.
        stop: seconds; pictures from it on are left out.
        strict: end the run where there would be a warning.
        resume: work in segments that outlive a crash, and go on with those that are there.
        overwrite: an output that is there already is replaced, once the new one is whole.
        codec, crf, preset: of the encoder; None = what the container and the picture ask for.
        lossless: every luma value of the output equals the input's.
        format: what is written to a pipe: "y4m", "nut", "matroska" or "rawvideo".
        ffmpeg: path to an ffmpeg; None = the first good one.
        labels: path of a JSON file for what each shot shows, by networks that tell it; None = none.

    Raises:
        UsageError: a value that makes no sense.
    """

    model: str = DEFAULT_MODEL
    device: str = "auto"
    precision: str = "auto"
    runtime: str = "torch"
    side: int | None = None
    batch: int | None = None
    saturation: float = 1.0
    stock: str = "auto"
    year: int | None = None
    keys: str | None = None
    hints: str | None = None
    guide: str | None = None
    reference: tuple[str, ...] = ()
    start: Fraction | None = None
    stop: Fraction | None = None
    strict: bool = False
    resume: bool = False
    overwrite: bool = False
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    lossless: bool = False
    format: str | None = None
    ffmpeg: str | None = None
    labels: str | None = None

    def __post_init__(self) -> None:
        _demand(bool(self.model), "--model needs a name or a file")
        _demand(
            bool(_DEVICE.fullmatch(self.device)), f"--device {printable(self.device)}: auto, cpu, cuda, cuda:N, mps"
        )
        _demand(self.precision in PRECISIONS, f"--precision {printable(self.precision)}: {', '.join(PRECISIONS)}")
        _demand(_within(self.side, LONGEST_SIDE), f"--side {self.side}: 1 to {LONGEST_SIDE} pixels")
        _demand(_within(self.batch, MOST_BATCH), f"--batch {self.batch}: 1 to {MOST_BATCH} frames")
        _demand(
            math.isfinite(self.saturation) and 0 <= self.saturation <= MOST_SATURATION,
            f"--saturation {self.saturation}: 0 to {MOST_SATURATION:g}",
        )
        self._check_runtime()
        self._check_stock()
        self._check_times()
        _demand(self.labels is None or not self.resume, "--labels hears the whole film: leave out --resume")

    @property
    def other_runtime(self) -> str | None:
        """What runs the network, unless it is torch: the colours differ by a code value here and there."""
        return None if self.runtime == "torch" else self.runtime

    @property
    def known_stock(self) -> str | None:
        """The film stock that was named, or that the year suggests."""
        if self.stock != "auto":
            return self.stock
        return None if self.year is None else stock_of(self.year)

    @property
    def told(self) -> Shares | None:
        """What the network is told of the film stock: shares of red, green and blue in what it saw."""
        return None if self.known_stock is None else mean_shares(self.known_stock)

    @property
    def digest(self) -> str:
        """A fingerprint of all choices that shape the output: two runs with the same one need not both be done.

        Not in it: the network (the mark has its hash), the container (the name tells), and where and how fast it runs.
        """
        values = ((name, getattr(self, name)) for name in _SHAPING)
        chosen = [f"{name}={value}" for name, value in values if value is not None and value is not False]
        chosen += [f"guides={guides}"] if (guides := self.guides_digest) else []
        return blake2b(" ".join(chosen).encode(), digest_size=8).hexdigest()

    def _check_runtime(self) -> None:
        _demand(self.runtime in RUNTIMES, f"--runtime {printable(self.runtime)}: {', '.join(RUNTIMES)}")
        is_openvino = self.runtime == "openvino"
        _demand(is_openvino or self.precision != "int8", "--precision int8 needs --runtime openvino")
        _demand(not is_openvino or self.precision != "fp16", "--runtime openvino: --precision fp32, bf16 or int8")
        _demand(not is_openvino or self.device in ("auto", "cpu"), "--runtime openvino: --device cpu")

    @property
    def is_guided(self) -> bool:
        """Whether there are colours to go by."""
        return self.is_keyed or bool(self.reference)

    @property
    def is_keyed(self) -> bool:
        """Whether frames of the film itself are coloured: it has to be read twice then."""
        return self.keys is not None or self.hints is not None or self.guide is not None

    @property
    def guides_digest(self) -> str:
        """A fingerprint of all that gives colours, by its content; empty where there is none."""
        if not self.is_guided:
            return ""
        from vidcolor.guide.files import digest_of

        return digest_of(self)

    def _check_stock(self) -> None:
        _demand(self.stock in ("auto", *STOCKS), f"--stock {printable(self.stock)}: auto, {', '.join(STOCKS)}")
        _demand(self.year is None or EARLIEST <= self.year <= LATEST, f"--year {self.year}: {EARLIEST} to {LATEST}")
        _demand(self.year is None or self.stock == "auto", "--stock and --year say the same: give one of them")

    def _check_times(self) -> None:
        _demand(self.start is None or self.start >= 0, f"--start {self.start}: a time before the film")
        _demand(self.stop is None or self.stop > 0, f"--stop {self.stop}: nothing lies before it")
        if self.start is not None and self.stop is not None:
            _demand(self.start < self.stop, f"--stop {self.stop} does not come after --start {self.start}")


def parse_time(text: str) -> Fraction:
    """Read a time: seconds (`12.5`, `1e2`) or a clock (`1:02.5`, `1:00:00`), exactly.

    Raises:
        UsageError: the text is no time.
    """
    if _SCIENTIFIC.fullmatch(text):
        return Fraction(text)
    parts = _CLOCK.fullmatch(text)
    if parts is None:
        raise UsageError(f"'{printable(text)}' is no time: give seconds (12.5) or a clock (1:02.5)")
    hours, minutes, seconds = parts.groups()
    if minutes is not None and Fraction(seconds) >= 60:
        raise UsageError(f"'{printable(text)}' is no time: 60 seconds make a minute")
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise UsageError(otherwise)


def _within(value: int | None, most: int) -> bool:
    return value is None or 1 <= value <= most
