"""What may be wished of a restoration on the page, judged before anything is done; every refusal is a sentence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from demo.options import Limits
from demo.rooms import Refused
from streams.errors import UsageError
from vidcolor import zoo
from vidcolor.options import DEFAULT_MODEL, Options, parse_time
from vidcolor.stock import STOCKS

SIDES = (128, 192, 256, 320, 384, 512)
QUALITIES: dict[str, int | None] = {"standard": None, "high": 16, "small": 28}
MOST_STRENGTH = 2.0
UNTOLD = "auto"
_TOO_SLOW = ("style",)  # it optimises every picture for a second: not where others wait
_PLAIN: dict[str, object] = {
    "model": DEFAULT_MODEL,
    "strength": 1.0,
    "side": 0,
    "start": "",
    "stop": "",
    "quality": "standard",
    "stock": UNTOLD,
}


def networks() -> tuple[str, ...]:
    """Names of the networks that a visitor may choose."""
    return tuple(name for name in zoo.names() if name not in _TOO_SLOW)


def wishes_of(limits: Limits, **wished: object) -> dict[str, Any]:
    """What was wished, in the form that a worker is told; what was not keeps its default.

    Args:
        limits: no wish reaches beyond them.
        wished: `model` by name (a name that is none could be the path of a file), `strength` of the colours, `side` of
            what the network sees (0 = as trained), `start` and `stop` as people write times, `quality`, film `stock`.

    Raises:
        Refused: with a sentence.
    """
    asked = {**_PLAIN, **wished}
    assert asked.keys() == _PLAIN.keys()
    _one_of(asked["model"], networks(), "network")
    _one_of(asked["quality"], QUALITIES, "quality")
    _one_of(asked["stock"], (UNTOLD, *STOCKS), "film stock")
    stop = _time(asked["stop"])
    wishes: dict[str, Any] = {
        "model": asked["model"],
        "saturation": _within(asked["strength"], 0, MOST_STRENGTH, "colour strength"),
        "side": int(_within(asked["side"], SIDES[0], SIDES[-1], "network side")) if asked["side"] else None,
        "start": _time(asked["start"]),
        "stop": None if stop is None else min(stop, Fraction(limits.seconds)),
        "crf": QUALITIES[str(asked["quality"])],
        "stock": asked["stock"],
    }
    try:
        Options(**wishes)
    except UsageError as error:
        raise Refused(sentence(str(error).replace("--", ""))) from error
    return {**wishes, **{name: wishes[name] and str(wishes[name]) for name in ("start", "stop")}}


def sentence(text: str) -> str:
    """A text with a full stop."""
    return text if text.endswith(".") else text + "."


def _one_of(value: object, known: Any, name: str) -> None:  # noqa: ANN401 - anything that holds names
    if not isinstance(value, str) or value not in known:
        raise Refused(f"There is no such {name}: known are {', '.join(known)}.")


def _time(value: object) -> Fraction | None:
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    try:
        return parse_time(text[:40])
    except (UsageError, ValueError) as error:
        raise Refused(sentence(str(error))) from error


def _within(value: object, least: float, most: float, name: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if not least <= number <= most:
        raise Refused(f"The {name} goes from {least:g} to {most:g}.")
    return number
