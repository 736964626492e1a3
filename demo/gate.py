"""The gate: uploads are looked at in a process that can be ended, and held to the limits, before anything is done."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from demo.desk import end, environment, last_of
from demo.options import Limits
from demo.rooms import Refused, Visitor
from streams.errors import UsageError
from vidcolor import zoo
from vidcolor.options import DEFAULT_MODEL, Options, parse_time

FIRST_WORD = 20.0  # seconds until the facts must be there
_WHOLE = 180.0  # seconds that a look at a whole film may take
_AT_ONCE = 4
_LINE = 1 << 20
SIDES = (128, 192, 256, 320, 384, 512)
QUALITIES: dict[str, int | None] = {"standard": None, "high": 16, "small": 28}
MOST_STRENGTH = 2.0


class Gate:
    """Looks at uploads, a few at once, and remembers those that passed."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._seats = asyncio.Semaphore(_AT_ONCE)
        self._passed: dict[str, dict[str, Any]] = {}

    async def look(self, visitor: Visitor, path: object) -> AsyncIterator[dict[str, Any]]:
        """Facts of a file of the visitor's, then its shots; raises Refused where it is refused.

        A file counts as passed only when it was seen to its end: what a header says of length may be a lie.
        """
        file = visitor.mine(path)
        if str(file) in self._passed:
            yield self._passed[str(file)]
            return
        async with self._seats:
            facts: dict[str, Any] = {"name": visitor.files[str(file)], "bytes": file.stat().st_size, "shots": []}
            async for news in _probe(file, self.limits.pixels):
                self._judge(news)
                is_new = _learn(facts, news)
                if is_new:
                    yield facts
        self._forget_gone()
        self._passed[str(file)] = facts
        yield facts

    async def passed(self, visitor: Visitor, path: object) -> dict[str, Any]:
        """Facts of a file that passed, looked at now if it was not before."""
        return await last_of(self.look(visitor, path))

    def _judge(self, news: Mapping[str, Any]) -> None:
        if news["event"] == "refused":
            raise Refused(_sentence(str(news["reason"])))
        if news["event"] in ("facts", "scanned", "length") and (news.get("seconds") or 0) > self.limits.seconds:
            raise Refused(f"This film is too long: the limit of this page is {self.limits.seconds / 60:g} minutes.")

    def _forget_gone(self) -> None:
        for path in [path for path in self._passed if not Path(path).exists()]:
            del self._passed[path]


def _learn(facts: dict[str, Any], news: dict[str, Any]) -> bool:
    """Put news to the facts; whether there is something to be seen in it."""
    event = news.pop("event")
    if event == "shot":
        facts["shots"].append(news)
    elif event == "length":
        facts |= {"frames": news["frames"], "seconds": news["seconds"], "cuts": news["shots"], "is_whole": True}
        facts["warnings"] = [_sentence(text) for text in news["warnings"]]
    elif event == "facts":
        facts |= news
    return event in ("facts", "shot", "length")


async def _probe(file: Path, pixels: int) -> AsyncIterator[dict[str, Any]]:
    """What the looking process says, line by line; raises Refused where it breaks or takes too long."""
    quiet = asyncio.subprocess.DEVNULL
    words = (sys.executable, "-m", "demo.probe", str(file), str(pixels))
    process = await asyncio.create_subprocess_exec(
        *words, stdin=quiet, stdout=asyncio.subprocess.PIPE, stderr=quiet, limit=_LINE, env=environment()
    )
    assert process.stdout is not None
    has_ended, wait = False, FIRST_WORD
    try:
        async with asyncio.timeout(_WHOLE):
            while line := await asyncio.wait_for(process.stdout.readline(), wait):
                news = json.loads(line)
                has_ended = news["event"] in ("end", "refused")
                wait = _WHOLE
                yield news
    except (TimeoutError, ValueError) as error:
        raise Refused("This file takes too long to look at, so it is refused.") from error
    finally:
        end(process)
        await process.wait()
    if not has_ended:
        raise Refused("This file broke the process that looked at it, so it is refused.")


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."


def wishes_of(
    limits: Limits,
    model: object = DEFAULT_MODEL,
    strength: object = 1.0,
    side: object = None,
    times: tuple[object, object] = (None, None),
    quality: object = "standard",
) -> dict[str, Any]:
    """What was wished, judged, in the form that a worker is told; raises Refused with a sentence.

    Networks are known by their names only: a name that is none could be the path of a file.
    """
    if model not in zoo.names():
        raise Refused(f"There is no such network: known are {', '.join(zoo.names())}.")
    if quality not in QUALITIES:
        raise Refused(f"There is no such quality: known are {', '.join(QUALITIES)}.")
    start, stop = _time(times[0]), _time(times[1])
    latest = Fraction(limits.seconds)
    wishes: dict[str, Any] = {
        "model": model,
        "saturation": _within(strength, 0, MOST_STRENGTH, "colour strength"),
        "side": None if side in (None, "", 0) else int(_within(side, SIDES[0], SIDES[-1], "network side")),
        "start": start,
        "stop": min(stop, latest) if stop is not None else None,
        "crf": QUALITIES[str(quality)],
    }
    try:
        Options(**wishes)
    except UsageError as error:
        raise Refused(_sentence(str(error).replace("--", ""))) from error
    return {**wishes, "start": start and str(start), "stop": wishes["stop"] and str(wishes["stop"])}


def _time(value: object) -> Fraction | None:
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    try:
        return parse_time(text[:40])
    except (UsageError, ValueError) as error:
        raise Refused(_sentence(str(error))) from error


def _within(value: object, least: float, most: float, name: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if not least <= number <= most:
        raise Refused(f"The {name} goes from {least:g} to {most:g}.")
    return number
