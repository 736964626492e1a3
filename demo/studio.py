"""What a visitor can have done: one function an action, shared by the page and its named addresses; knows no layout."""

from __future__ import annotations

import asyncio
import shutil
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.desk import Desk, Job, Lane
from demo.gate import Gate
from demo.guides import MOST_HINTS, Guides
from demo.options import Limits
from demo.painting import Painting
from demo.rooms import House, Refused, Visitor

SAMPLES = Path(__file__).parent / "samples"
PREVIEW = 3.0  # seconds
_MOST_PREVIEW = 10.0
_FILES = ("film", "play", "beside", "hints", "keys")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from which page."""

    visitor: Visitor
    page: str


class Studio:
    """All actions."""

    def __init__(self, limits: Limits, house: House, desk: Desk) -> None:
        self.limits = limits
        self._house = house
        self._desk = desk
        self._gate = Gate(limits)
        self.painting = Painting(limits, house, desk, self._gate)

    def sample(self, caller: Caller, name: object) -> Path:
        """A copy of a sample film, as if it had been uploaded."""
        known = {path.stem: path for path in samples()}
        if name not in known:
            raise Refused(f"There is no such sample: known are {', '.join(known)}.")
        path = caller.visitor.new_path(known[str(name)].name)
        shutil.copyfile(known[str(name)], path)
        return path

    async def look(self, caller: Caller, path: object) -> AsyncIterator[dict[str, Any]]:
        """Facts of an upload, more as more is known."""
        async for facts in self._gate.look(caller.visitor, path):
            yield facts

    async def preview(  # noqa: PLR0913 - a restoration's, and which part
        self,
        caller: Caller,
        path: object,
        wishes: dict[str, Any],
        start: float,
        seconds: float = PREVIEW,
        guides: Guides | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Colour a few seconds from `start` on, as it was painted there."""
        if not 0.1 <= seconds <= _MOST_PREVIEW or not 0 <= start <= self.limits.seconds:
            raise Refused(f"A preview lasts 0.1 to {_MOST_PREVIEW:g} seconds, and begins within the film.")
        part = {**wishes, "start": f"{start:.6f}", "stop": f"{start + seconds:.6f}", "crf": None}
        if guides:
            shots = (await self._gate.seen(caller.visitor, path))["shots"]  # which frames are shown is known then
            guides = guides.between(shots, start, start + seconds)
            part |= guides.written(caller.visitor.new_path("guides").parent) if guides else {}
        async for news in self._film(caller, path, part, "quick"):
            yield news

    async def restore(
        self, caller: Caller, path: object, wishes: dict[str, Any], guides: Guides | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Colour a film, or the part of it that was wished, as it was painted; what was painted comes beside it."""
        if not guides:
            async for news in self._film(caller, path, wishes, "long"):
                yield news
            return
        folder = caller.visitor.new_path("guides").parent
        archive = guides.packed(folder)
        painted = guides.written(folder)
        given = {"hints": painted.get("hints"), "keys": archive and str(archive)}
        async for news in self._film(caller, path, {**wishes, **painted}, "long"):
            if news["event"] in ("done", "part"):
                news = self._with_files(caller.visitor, {**news, **given})
            yield news

    async def _film(
        self, caller: Caller, path: object, wishes: dict[str, Any], lane: Lane
    ) -> AsyncIterator[dict[str, Any]]:
        # A restoration waits for the film's true length; a preview needs none.
        look = self._gate.seen if lane == "long" else self._gate.passed
        facts = await look(caller.visitor, path)
        if facts["kind"] != "film":
            raise Refused("This is a picture, not a film: take it to the Photos page.")
        if not facts["is_whole"]:  # its header may lie about its length
            wishes = {**wishes, "stop": wishes["stop"] or str(self.limits.seconds)}
        self._house.check_space(4 * facts["bytes"])
        folder = caller.visitor.new_path("result").parent
        order = {"do": "film", "source": path, "folder": str(folder), "wishes": wishes}
        order |= {"beside": lane == "long", "quick": lane == "quick"}
        if facts["is_whole"] and not wishes["start"] and not wishes["stop"]:
            order["total"] = facts["frames"]
        async for news in self._desk.follow(self._desk.give(caller.visitor, caller.page, lane, order)):
            yield self._with_files(caller.visitor, news)

    async def frame(self, caller: Caller, film: object, at: float) -> dict[str, Any]:
        """The pair of stills at a time of a film that was restored here."""
        source = caller.visitor.mine(film)
        if not source.stem.endswith(".color"):
            raise Refused("Restore the film first: then any of its pictures can be compared.")
        order = {"do": "frame", "source": str(source), "folder": str(source.parent), "at": at}
        news = await self._desk.result(self._desk.give(caller.visitor, caller.page, "quick", order))
        return self._with_files(caller.visitor, news)

    async def photos(
        self, caller: Caller, paths: Sequence[object], wishes: dict[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        """Colour pictures, one after the other; each is told when it is done, and the last word has the archive."""
        if not 1 <= len(paths) <= self.limits.pictures:
            raise Refused(f"Give 1 to {self.limits.pictures} pictures at once.")
        done: list[dict[str, Any]] = []
        for number, path in enumerate(paths, 1):
            one = await self._photo(caller, path, wishes)
            done.append({**one, "name": caller.visitor.files.get(str(path), "")})
            yield {"event": "photo", "number": number, "total": len(paths), "photos": list(done)}
        films = [Path(photo["film"]) for photo in done if "film" in photo]
        archive = await asyncio.to_thread(_packed, films, caller.visitor) if films else None
        yield {"event": "done", "photos": done, "total": len(paths), "archive": archive and str(archive)}

    async def _photo(self, caller: Caller, path: object, wishes: dict[str, Any]) -> dict[str, Any]:
        """One picture; what is wrong with it does not stop the others."""
        try:
            facts = await self._gate.passed(caller.visitor, path)
            if facts["kind"] != "picture":
                raise Refused("This is a film, not a picture: take it to the Film page.")
            folder = caller.visitor.new_path("result").parent
            order = {"do": "photo", "source": path, "folder": str(folder), "wishes": wishes}
            news = await self._desk.result(self._desk.give(caller.visitor, caller.page, "quick", order))
        except Refused as refusal:
            return {"refused": str(refusal)}
        return self._with_files(caller.visitor, news)

    async def live(self, caller: Caller, path: object, wishes: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Run a film as a live stream."""
        facts = await self._gate.passed(caller.visitor, path)
        if facts["kind"] != "film":
            raise Refused("This is a picture, not a film.")
        order = {"do": "live", "source": path, "wishes": wishes, "seconds": self.limits.live}
        job = self._desk.give(caller.visitor, caller.page, "live", order)
        async for news in self._desk.follow(job):
            yield news

    async def camera(self, caller: Caller, picture: str, wishes: dict[str, Any]) -> dict[str, Any]:
        """Colour one picture of a camera."""
        order = {"do": "camera", "picture": picture, "wishes": wishes, "camera": caller.visitor.token + caller.page}
        job = self._desk.give(caller.visitor, caller.page, "camera", order)
        return await self._desk.result(job)

    def cancel(self, caller: Caller, *, everywhere: bool = False) -> int:
        """Cancel what was ordered from this page (from all of his, for programmes); how many orders that were."""
        before = len(self._desk.jobs_of(caller.visitor))
        self._desk.leave(caller.visitor, None if everywhere else caller.page)
        return before

    def jobs_of(self, visitor: Visitor) -> list[Job]:
        """A visitor's orders that are not over."""
        return self._desk.jobs_of(visitor)

    def state(self) -> dict[str, int]:
        """How much there is to do."""
        return self._desk.counts()

    def _with_files(self, visitor: Visitor, news: dict[str, Any]) -> dict[str, Any]:
        """Put what a worker made on the visitor's list."""
        made = [news[name] for name in _FILES if news.get(name)] + list(news.get("pair", ()))
        for path in made:
            visitor.files.setdefault(path, Path(path).name)
        return {name: value for name, value in news.items() if name != "id"}


def samples() -> list[Path]:
    """The sample films."""
    return sorted(SAMPLES.glob("*.mp4"))


def _packed(films: Sequence[Path], visitor: Visitor) -> Path:
    """All pictures in one archive; equal names get numbers. Pictures are packed already, so it only holds them."""
    path = visitor.new_path("vidcolor-photos.zip")
    taken: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for film in films:
            name, number = film.name, 2
            while name.lower() in taken:
                name, number = f"{film.stem}-{number}{film.suffix}", number + 1
            taken.add(name.lower())
            archive.write(film, name)
    return path


def limits_told(limits: Limits) -> Mapping[str, Any]:
    """The limits, in units that people use."""
    return {
        "upload_megabytes": limits.upload >> 20,
        "film_minutes": limits.seconds / 60,
        "picture_megapixels": round(limits.pixels / 1e6, 1),
        "pictures_at_once": limits.pictures,
        "orders_waiting": limits.queue,
        "orders_of_one_visitor": limits.share,
        "kept_minutes": limits.keep / 60,
        "live_seconds": limits.live,
        "hints_of_a_film": MOST_HINTS,
    }
