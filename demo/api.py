"""The named addresses, for programmes: every action of the page, plain values in and out; see docs/demo.md."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import gradio as gr
from gradio.events import api as gradio_api

from demo.acts import caller_of, path_of
from demo.desk import last_of
from demo.guides import Guides
from demo.rooms import Refused, Visitor
from demo.studio import PREVIEW, Caller, Studio, limits_told, samples
from demo.wishes import UNTOLD, wishes_of
from vidcolor.options import DEFAULT_MODEL

Json = dict[str, Any]
_QUEUED = ("limits", "sample", "facts", "shots", "preview", "shot", "restore", "frame", "photos", "cancel", "live_film")
_FILES = ("film", "play", "beside", "archive", "hints", "keys")


def add_api(studio: Studio) -> None:
    """Give the page under construction its named addresses."""
    api = Api(studio)
    for name in (
        "limits",
        "sample",
        "facts",
        "shots",
        "preview",
        "shot",
        "restore",
        "frame",
        "photos",
        "cancel",
        "live_film",
    ):
        gradio_api(getattr(api, name), api_name=name, concurrency_limit=None)
    gradio_api(api.live_frame, api_name="live_frame", queue=False)


def _polite(act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A refusal is an answer of one sentence, not a failure of the page."""

    @functools.wraps(act)
    async def polite(*words: Any, **named: Any) -> Any:  # noqa: ANN401
        try:
            return await act(*words, **named)
        except Refused as refusal:
            raise gr.Error(str(refusal), print_exception=False) from None

    return polite


def _polite_stream(act: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    @functools.wraps(act)
    async def polite(*words: Any, **named: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        try:
            async for news in act(*words, **named):
                yield news
        except Refused as refusal:
            raise gr.Error(str(refusal), print_exception=False) from None

    return polite


class Api:
    """One method an address."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def limits(self) -> dict:  # type: ignore[type-arg]
        """What this server takes, and how much it has to do."""
        return {**limits_told(self._studio.limits), **self._studio.state(), "samples": [p.stem for p in samples()]}

    @_polite
    async def sample(self, name: str, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """A sample film, as if you had uploaded it."""
        return given(caller_of(request).visitor, str(self._studio.sample(caller_of(request), name)))

    @_polite
    async def facts(self, film: dict, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """What a film or picture is: size, length, sound, shots with their thumbnails."""
        facts = await last_of(self._studio.look(caller_of(request), path_of(film)))
        shots = [{name: value for name, value in shot.items() if name != "times"} for shot in facts["shots"]]
        return {**facts, "shots": shots}

    @_polite
    async def shots(self, film: dict, request: gr.Request) -> list:  # type: ignore[type-arg]
        """All shots of a film, each with the number, time and picture of the frame that is best coloured by hand."""
        return await self._studio.painting.shots(caller_of(request).visitor, path_of(film))

    @_polite_stream
    async def shot(  # noqa: PLR0913
        self,
        film: dict,  # type: ignore[type-arg]
        frame: int,
        request: gr.Request,
        hints: dict | None = None,  # type: ignore[type-arg]
        keys: list | None = None,  # type: ignore[type-arg]
        strength: float = 1.0,
        side: int = 0,
        model: str = DEFAULT_MODEL,
        stock: str = UNTOLD,
    ) -> AsyncIterator[dict]:  # type: ignore[type-arg]
        """Colour a few seconds around a frame, small, by hints and coloured frames: progress, then files."""
        caller = caller_of(request)
        wishes = wishes_of(self._studio.limits, model=model, strength=strength, side=side, stock=stock)
        guides = await self._guides(caller, film, hints, keys)
        painting, asked = self._studio.painting, (wishes, guides)
        for number, path in guides.keys.items():
            await painting.key(caller.visitor, caller.page, path_of(film), number, str(path))
        news = painting.shot(caller.visitor, caller.page, path_of(film), frame, asked)
        async for one in _told(caller.visitor, news):
            yield one

    async def _guides(self, caller: Caller, film: object, hints: object, keys: object) -> Guides:
        """Hints as an object, and pictures named by the numbers of their frames, as the command line takes them."""
        numbered = dict[int, str]()
        for path in map(path_of, keys if isinstance(keys, list) else ()):
            stem = caller.visitor.mine(path).stem
            if not (stem.isascii() and stem.isdigit()):
                raise Refused("A coloured picture is named by the number of its frame, as 00000042.png is.")
            numbered[int(stem)] = str(path)
        text = json.dumps(hints) if hints else ""
        return await self._studio.painting.guides(caller.visitor, path_of(film), text, numbered)

    @_polite_stream
    async def preview(  # noqa: PLR0913 - each is a parameter of the address
        self,
        film: dict,  # type: ignore[type-arg]
        request: gr.Request,
        start: float = 0.0,
        seconds: float = PREVIEW,
        strength: float = 1.0,
        side: int = 0,
        model: str = DEFAULT_MODEL,
        stock: str = UNTOLD,
        hints: dict | None = None,  # type: ignore[type-arg]
        keys: list | None = None,  # type: ignore[type-arg]
    ) -> AsyncIterator[dict]:  # type: ignore[type-arg]
        """Colour a few seconds, as they were painted: progress, then files."""
        caller = caller_of(request)
        wishes = wishes_of(self._studio.limits, model=model, strength=strength, side=side, stock=stock)
        guides = await self._guides(caller, film, hints, keys)
        news = self._studio.preview(caller, path_of(film), wishes, float(start), float(seconds), guides)
        async for one in _told(caller.visitor, news):
            yield one

    @_polite_stream
    async def restore(  # noqa: PLR0913
        self,
        film: dict,  # type: ignore[type-arg]
        request: gr.Request,
        start: str = "",
        stop: str = "",
        strength: float = 1.0,
        side: int = 0,
        quality: str = "standard",
        model: str = DEFAULT_MODEL,
        stock: str = UNTOLD,
        hints: dict | None = None,  # type: ignore[type-arg]
        keys: list | None = None,  # type: ignore[type-arg]
    ) -> AsyncIterator[dict]:  # type: ignore[type-arg]
        """Colour a film: place in the queue, progress, then files."""
        caller = caller_of(request)
        wishes = wishes_of(
            self._studio.limits,
            model=model,
            strength=strength,
            side=side,
            start=start,
            stop=stop,
            quality=quality,
            stock=stock,
        )
        guides = await self._guides(caller, film, hints, keys)
        async for one in _told(caller.visitor, self._studio.restore(caller, path_of(film), wishes, guides)):
            yield one

    @_polite
    async def frame(self, film: dict, at: float, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Before and after at a time (seconds) of a film that `restore` or `preview` gave."""
        caller = caller_of(request)
        return _with_files(caller.visitor, await self._studio.frame(caller, path_of(film), float(at)))

    @_polite_stream
    async def photos(
        self,
        pictures: list,  # type: ignore[type-arg]
        request: gr.Request,
        strength: float = 1.0,
        side: int = 0,
    ) -> AsyncIterator[dict]:  # type: ignore[type-arg]
        """Colour pictures: each as it is done, then a zip archive of all."""
        caller = caller_of(request)
        wishes = wishes_of(self._studio.limits, strength=strength, side=side)
        paths = [path_of(one) for one in pictures]
        async for one in _told(caller.visitor, self._studio.photos(caller, paths, wishes)):
            yield one

    @_polite
    async def cancel(self, request: gr.Request) -> int:
        """End all that you ordered and is not done; returns how many orders that were."""
        return self._studio.cancel(caller_of(request), everywhere=True)

    @_polite_stream
    async def live_film(
        self,
        film: dict,  # type: ignore[type-arg]
        request: gr.Request,
        strength: float = 1.0,
    ) -> AsyncIterator[dict]:  # type: ignore[type-arg]
        """Run a film by the clock: each coloured picture as JPEG, and how many were dropped."""
        wishes = wishes_of(self._studio.limits, strength=strength)
        async for news in self._studio.live(caller_of(request), path_of(film), wishes):
            if news["event"] == "failed":
                raise Refused(news["reason"])
            yield {name: value for name, value in news.items() if name != "id"}

    @_polite
    async def live_frame(self, picture: str, strength: float, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Colour one picture of a camera (JPEG in a `data:` address); memory is kept between calls."""
        wishes = wishes_of(self._studio.limits, strength=strength)
        news = await self._studio.camera(caller_of(request), picture, wishes)
        return {"picture": news["picture"], "shown": news["shown"]}


async def _told(visitor: Visitor, stream: AsyncIterator[Json]) -> AsyncIterator[Json]:
    async for news in stream:
        if news["event"] in ("failed", "cancelled"):
            raise Refused(news["reason"] or "Cancelled.")
        yield _with_files(visitor, news)


def _with_files(visitor: Visitor, news: Json) -> Json:
    """Paths as files that the client fetches."""
    told = dict(news)
    for name in _FILES:
        if told.get(name):
            told[name] = given(visitor, told[name])
    if told.get("pair"):
        told["pair"] = [given(visitor, path) for path in told["pair"]]
    if "photos" in told:
        told["photos"] = [_with_files(visitor, photo) for photo in told["photos"]]
    return told


def given(visitor: Visitor, path: str) -> Json:
    """A file of the visitor's, as clients of the framework know files."""
    name = visitor.files[path]
    return {"path": path, "orig_name": name, "url": None, "meta": {"_type": "gradio.FileData"}}
