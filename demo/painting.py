"""The shot view's actions: a film's shots, a frame to paint on, a coloured picture of it, a shot in colour."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from demo.desk import Desk
from demo.gate import Gate
from demo.guides import Guides, Shot, hints_of, shot_of
from demo.options import Limits
from demo.rooms import House, Refused, Visitor

SECONDS = 3.0  # of a shot that are coloured to look at them
MOST_FRAMES = 75
_BEFORE = 1.0  # seconds of those that lie before the frame that was painted on
_EDGE = 0.001  # seconds; times are known to a tenth of that
KEPT = 4  # previews whose files stay
_MADE = ("play", "beside")


def why_not() -> str:
    """Why nothing can be coloured by hand here; empty if it can."""
    if importlib.util.find_spec("cv2") is None:
        return "Colouring by hand needs OpenCV, which is not installed here: pip install opencv-python-headless."
    return ""


class Painting:
    """What can be done with single shots."""

    def __init__(self, limits: Limits, house: House, desk: Desk, gate: Gate) -> None:
        self._limits = limits
        self._house = house
        self._desk = desk
        self._gate = gate

    async def shots(self, visitor: Visitor, film: object) -> list[dict[str, Any]]:
        """All shots of a film, each with the frame that is best coloured."""
        _check()
        facts = _film(await self._gate.seen(visitor, film))
        return [dict(shot) for shot in facts["shots"] if "times" in shot]

    async def guides(self, visitor: Visitor, film: object, text: str, keys: Mapping[int, str] | None = None) -> Guides:
        """What was painted on a film's frames, judged.

        Args:
            visitor: whose film it is.
            film: its path.
            text: of a file of hints; empty for none.
            keys: paths of coloured pictures of his, by the numbers of their frames.

        Raises:
            Refused: with what is wrong with them.
        """
        if not text.strip() and not keys:
            return Guides()
        _check()
        if len(keys or ()) > self._limits.pictures:
            raise Refused(f"At most {self._limits.pictures} coloured pictures of one film.")
        facts = _film(await self._gate.passed(visitor, film))
        pictures = {number: visitor.mine(path) for number, path in (keys or {}).items()}
        for path in pictures.values():
            await self._picture(visitor, path)
        hints = hints_of(text, facts["shots"])
        if not facts["is_whole"] and any(hint.frame is None for hint in hints.hints):
            hints = hints_of(text, (await self._gate.seen(visitor, film))["shots"])
        return Guides(hints, pictures)

    async def still(self, visitor: Visitor, page: str, film: object, number: object) -> dict[str, Any]:
        """A frame as a picture to paint on."""
        facts, shot, frame = await self._found(visitor, film, number)
        news = await self._ask(visitor, page, {"do": "still", **only(film, shot, frame)})
        return {**news, **_place(facts["shots"], shot, frame)}

    async def key(self, visitor: Visitor, page: str, film: object, number: object, picture: object) -> dict[str, Any]:
        """Look whether a coloured picture is one of a frame; the frame as it would be painted by it."""
        facts, shot, frame = await self._found(visitor, film, number)
        coloured = str(await self._picture(visitor, picture))
        news = await self._ask(visitor, page, {"do": "key", "coloured": coloured, **only(film, shot, frame)})
        return {**news, **_place(facts["shots"], shot, frame)}

    async def _found(self, visitor: Visitor, film: object, number: object) -> tuple[dict[str, Any], Shot, int]:
        """Facts of a film, and the shot that a frame is of; waits for the look at the film where that is not known."""
        _check()
        facts = _film(await self._gate.passed(visitor, film))
        with suppress(Refused):
            return facts, *shot_of(facts["shots"], number)
        facts = await self._gate.seen(visitor, film)
        return facts, *shot_of(facts["shots"], number)

    async def _picture(self, visitor: Visitor, path: object) -> Path:
        facts = await self._gate.passed(visitor, str(path))
        if facts["kind"] != "picture":
            raise Refused("This is a film: drop a coloured picture of the frame.")
        return visitor.mine(str(path))

    async def _ask(self, visitor: Visitor, page: str, order: Mapping[str, Any]) -> dict[str, Any]:
        news = await self._desk.result(self._desk.give(visitor, page, "quick", order))
        return {name: value for name, value in news.items() if name not in ("id", "event")}

    async def shot(
        self, visitor: Visitor, page: str, film: object, number: object, asked: tuple[Mapping[str, Any], Guides]
    ) -> AsyncIterator[dict[str, Any]]:
        """Colour a few seconds of a shot around a frame, small: by itself, and as it was painted.

        Args:
            visitor: who asks.
            page: from which page.
            film: path of his film.
            number: of the frame.
            asked: wishes, and what was painted.
        """
        facts, shot, frame = await self._found(visitor, film, number)
        first, stop = window(shot, frame)
        self._house.check_space(facts["bytes"])
        guides, wishes = asked[1], {**asked[0], "start": None, "stop": None, "crf": None}
        shelf = Shelf.of(visitor, page)
        plain = shelf.plain_of(str((film, first, stop, sorted(wishes.items(), key=str))))
        folder = visitor.new_path("result").parent
        order = {"do": "shot", "source": film, "folder": str(folder), "plain": str(plain), "wishes": wishes}
        order |= {"at": frame - first, "count": stop - first, **_between(shot, first, stop)}
        order["rotation"] = facts["rotation"]
        with shelf.keeping(folder) as keep:
            order["guides"] = guides.within(first, stop).written(folder)
            async for news in self._desk.follow(self._desk.give(visitor, page, "quick", order)):
                if news["event"] == "done":
                    keep([news[name] for name in _MADE if news.get(name)] + news["pair"])
                    news |= _place(facts["shots"], shot, frame)
                yield {name: value for name, value in news.items() if name != "id"}


class Shelf:
    """The folders that previews of a page left: the last few, and those of shots in their automatic colours."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._made: dict[str, Path] = {}
        self._plain: dict[str, Path] = {}

    @classmethod
    def of(cls, visitor: Visitor, page: str) -> Shelf:
        """The page's."""
        notes = visitor.notes.setdefault(page, {})
        shelf = notes.setdefault("shelf", cls(visitor))
        assert isinstance(shelf, cls)
        return shelf

    def plain_of(self, key: str) -> Path:
        """The folder where a shot in its automatic colours lies, or is to lie."""
        found = self._plain.pop(key, None) or self._visitor.new_path("plain").parent
        self._put(self._plain, key, found)
        return found

    @contextmanager
    def keeping(self, folder: Path) -> Iterator[Callable[[Sequence[str]], None]]:
        """Drop a folder unless what was made in it is put on the visitor's list."""

        def keep(made: Sequence[str]) -> None:
            self._visitor.files |= {path: Path(path).name for path in made}
            self._put(self._made, str(folder), folder)

        try:
            yield keep
        finally:
            if str(folder) not in self._made:
                self._drop(folder)

    def _put(self, shelf: dict[str, Path], key: str, folder: Path) -> None:
        shelf[key] = folder
        while len(shelf) > KEPT:
            self._drop(shelf.pop(next(iter(shelf))))

    def _drop(self, folder: Path) -> None:
        for path in [path for path in self._visitor.files if Path(path).parent == folder]:
            del self._visitor.files[path]
        shutil.rmtree(folder, ignore_errors=True)


def window(shot: Shot, number: int) -> tuple[int, int]:
    """The first frame that is coloured to look at one, and that behind the last: some before it, most behind it."""
    times, here = shot["times"], number - shot["first"]
    begin = next(place for place in range(here + 1) if times[place] >= times[here] - _BEFORE)
    begin = max(begin, here - MOST_FRAMES // 3)
    end = next((place for place in range(begin, len(times)) if times[place] >= times[begin] + SECONDS), len(times))
    end = min(end, begin + MOST_FRAMES)
    return shot["first"] + begin, shot["first"] + end


def _between(shot: Shot, first: int, stop: int) -> dict[str, str | None]:
    """Times, for a worker, between which just these frames lie."""
    begin, end = (shot["times"][number - shot["first"]] for number in (first, stop - 1))
    start = begin - _EDGE
    return {"start": f"{start:.4f}" if start > 0 else None, "stop": f"{end + _EDGE:.4f}"}


def only(film: object, shot: Shot, frame: int) -> dict[str, Any]:
    """The part of a film, for a worker, that is one frame."""
    return {"source": film, **_between(shot, frame, frame + 1)}


def _place(shots: Sequence[Shot], shot: Shot, frame: int) -> dict[str, Any]:
    """Where a frame stands: `time` counts from the film's first picture, as in a file of hints."""
    time = shot["times"][frame - shot["first"]] - shots[0]["start"]
    return {"frame": frame, "shot": shot["number"], "time": round(time, 4)}


def _check() -> None:
    if reason := why_not():
        raise Refused(reason)


def _film(facts: dict[str, Any]) -> dict[str, Any]:
    if facts["kind"] != "film":
        raise Refused("This is a picture, not a film.")
    return facts
