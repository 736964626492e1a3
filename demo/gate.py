"""The gate: uploads are looked at in a process that can be ended, and held to the limits, before anything is done."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from demo.desk import end, environment, last_of
from demo.options import Limits
from demo.rooms import Refused, Visitor
from demo.wishes import sentence

FIRST_WORD = 20.0  # seconds until the facts must be there
_WHOLE = 60.0  # seconds that a look for shots may take; a longer film keeps those that were found
_AT_ONCE = 8
_LINE = 1 << 20


class Gate:
    """Looks at uploads, a few at once, and remembers those that passed.

    A file has passed once its facts are within the limits. The look goes on for its shots and its true length: a header
    may lie about that, so a film that was not seen to its end is never worked on beyond the longest length.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._seats = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[str, dict[str, Any]] = {}

    async def look(self, visitor: Visitor, path: object) -> AsyncGenerator[dict[str, Any], None]:
        """Facts of a file of the visitor's, more as more is known; raises Refused where it is refused."""
        file = visitor.mine(path)
        facts = self._known.get(str(file), {})
        if facts.get("is_whole"):
            yield facts
            return
        facts = {"name": visitor.files[str(file)], "bytes": file.stat().st_size, "shots": [], "is_whole": False}
        async with self._seats:
            try:
                async with aclosing(_probe(file, self.limits.pixels)) as probe:
                    async for news in probe:
                        self._judge(news)
                        if _learn(facts, news):
                            self._known[str(file)] = facts
                            yield facts
            except Refused:
                self._known.pop(str(file), None)
                raise
        self._forget_gone()
        yield facts

    async def passed(self, visitor: Visitor, path: object) -> dict[str, Any]:
        """Facts of a file that passed, looked at now if it was not before."""
        file = visitor.mine(path)
        if str(file) in self._known:
            return self._known[str(file)]
        async with aclosing(self.look(visitor, path)) as looks:
            async for facts in looks:
                return facts
        raise Refused("There is nothing to be seen in this file.")

    async def seen(self, visitor: Visitor, path: object) -> dict[str, Any]:
        """Facts of a file that was seen to its end, or for as long as a look takes."""
        return await last_of(self.look(visitor, path))

    def _judge(self, news: Mapping[str, Any]) -> None:
        if news["event"] == "refused":
            raise Refused(sentence(str(news["reason"])))
        if news["event"] in ("facts", "scanned", "length") and (news.get("seconds") or 0) > self.limits.seconds:
            raise Refused(f"This film is too long: the limit of this page is {self.limits.seconds / 60:g} minutes.")

    def _forget_gone(self) -> None:
        for path in [path for path in self._known if not Path(path).exists()]:
            del self._known[path]


def _learn(facts: dict[str, Any], news: dict[str, Any]) -> bool:
    """Put news to the facts; whether there is something to be seen in it."""
    event = news.pop("event")
    if event == "shot":
        facts["shots"].append(news)
    elif event == "key":
        facts["shots"][news["number"] - 1] |= news
    elif event == "length":
        facts |= {"frames": news["frames"], "seconds": news["seconds"], "cuts": news["shots"], "is_whole": True}
        facts["warnings"] = [sentence(text) for text in news["warnings"]]
    elif event == "facts":
        facts |= news | {"is_whole": news["kind"] == "picture"}
    return event in ("facts", "shot", "key", "length")


async def _probe(file: Path, pixels: int) -> AsyncGenerator[dict[str, Any], None]:
    """What the looking process says, line by line, until the look takes too long; raises Refused where it breaks."""
    quiet = asyncio.subprocess.DEVNULL
    words = (sys.executable, "-m", "demo.probe", str(file), str(pixels))
    process = await asyncio.create_subprocess_exec(
        *words, stdin=quiet, stdout=asyncio.subprocess.PIPE, stderr=quiet, limit=_LINE, env=environment()
    )
    assert process.stdout is not None
    until, last = time.monotonic() + FIRST_WORD, ""
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), max(until - time.monotonic(), 0.01)):
            news = json.loads(line)
            if not last:
                until = time.monotonic() + _WHOLE
            last = news["event"]
            yield news
    except TimeoutError:
        if not last:
            raise Refused("This file takes too long to look at, so it is refused.") from None
        return  # its facts are known, and so many of its shots
    finally:
        end(process)
        await process.wait()
    if last not in ("end", "refused"):
        raise Refused("This file broke the process that looked at it, so it is refused.")
