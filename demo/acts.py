"""What happens on the page when something is pressed: actions of the studio, told as pieces of HTML."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import gradio as gr

from demo import parts
from demo.door import visitor_of
from demo.guides import Guides
from demo.rooms import Refused
from demo.studio import PREVIEW, Caller, Studio
from demo.timeline import clock, draw
from demo.wishes import wishes_of

Updates = dict[Any, Any]
Act = Callable[..., AsyncIterator[Updates]]
Shown = Callable[[Caller, dict[str, Any]], Updates]
WISHES = ("model", "strength", "side", "start", "stop", "quality", "stock")
_PACE = 0.6  # seconds between two drawings of the shots that were found
_LONG = 1.5  # seconds of looking after which nobody waits for its end; sooner, buttons would move under the hand
_SHOTS_DRAWN = 60  # while a film is looked at


def caller_of(request: gr.Request) -> Caller:
    """Who presses, on which page."""
    return Caller(visitor_of(request), request.session_hash or "")


def notes_of(caller: Caller) -> dict[str, Any]:
    """What this page is about."""
    return caller.visitor.notes.setdefault(caller.page, {})


def forget(caller: Caller) -> None:
    """Forget what a page is about; not where files of its previews lie, which are to be let go of."""
    notes = notes_of(caller)
    for name in [name for name in notes if name != "shelf"]:
        del notes[name]


def path_of(file: object) -> object:
    """The path in what the page's file field sends."""
    return file.get("path") if isinstance(file, Mapping) else None


class FilmActs:
    """The Film page. `parts` are its fields by name, so that every update says what it is for."""

    def __init__(self, studio: Studio, fields: Mapping[str, Any]) -> None:
        self._studio = studio
        self._fields = fields

    def _update(self, **values: Any) -> Updates:  # noqa: ANN401
        return {self._fields[name]: value for name, value in values.items()}

    def _telling(self, act: Act) -> Act:
        """Say a refusal where the work is told."""

        @functools.wraps(act)
        async def telling(*words: Any) -> AsyncIterator[Updates]:  # noqa: ANN401
            try:
                async for update in act(*words):
                    yield update
            except Refused as refusal:
                yield self._update(status=parts.bad(str(refusal)), cancel=gr.update(interactive=False))

        return telling

    async def _asked(self, caller: Caller, words: Sequence[object]) -> tuple[dict[str, Any], Guides | None]:
        """What is wished, and what was painted, from what the fields say."""
        del caller
        return self._wishes(words), None

    def _wishes(self, values: Sequence[object]) -> dict[str, Any]:
        return wishes_of(self._studio.limits, **dict(zip(WISHES, values, strict=True)))

    def looking(self) -> Act:
        """A film was dropped."""

        async def look(file: object, request: gr.Request) -> AsyncIterator[Updates]:
            async for update in self._look(caller_of(request), path_of(file)):
                yield update

        return look

    def sampling(self, name: str) -> Act:
        """A sample was chosen."""

        async def sample(request: gr.Request) -> AsyncIterator[Updates]:
            caller = caller_of(request)
            path = str(self._studio.sample(caller, name))
            yield self._update(file=path)
            async for update in self._look(caller, path):
                yield update

        return self._telling(sample)

    async def _look(self, caller: Caller, path: object) -> AsyncIterator[Updates]:
        forget(caller)
        yield self._forgotten() | self._update(
            facts=parts.facts_wait(), status=parts.ready(), results=gr.update(visible=False)
        )
        drawn, facts, begun = 0.0, {}, time.monotonic()
        try:
            async for facts in self._studio.look(caller, path):
                if facts["kind"] != "film":
                    raise Refused("This is a picture, not a film: take it to the Photos page.")
                if time.monotonic() - drawn > _PACE:
                    drawn = time.monotonic()
                    notes_of(caller).update(film=path, facts=facts)
                    is_long = time.monotonic() - begun > _LONG
                    yield self._facts(facts, is_last=False) | self._update(**_buttons(is_long))
        except Refused as refusal:
            forget(caller)
            self._studio.cancel(caller)
            yield self._update(facts=parts.bad(str(refusal)), status=parts.start(), **_buttons(False))
            return
        notes_of(caller).update(film=path, facts=facts)
        yield self._facts(facts, is_last=True) | self._update(**_buttons(True))

    def _facts(self, facts: dict[str, Any], *, is_last: bool) -> Updates:
        drawn = facts if is_last else {**facts, "shots": facts["shots"][:_SHOTS_DRAWN]}
        names = [f"Shot {shot['number']}, {clock(shot['start'])}" for shot in drawn["shots"]]
        shots = gr.update(choices=[(name, str(place)) for place, name in enumerate(names)], value=None)
        return self._update(facts=parts.facts(drawn, is_last=is_last), shots=shots)

    async def gone(self, request: gr.Request) -> Updates:
        """The film was taken away again."""
        forget(caller_of(request))
        return self._forgotten() | self._update(
            facts="", status=parts.start(), results=gr.update(visible=False), cancel=gr.update(), **_buttons(False)
        )

    def previewing(self) -> Act:
        """The first seconds, or those after `start`."""

        async def preview(request: gr.Request, *words: object) -> AsyncIterator[Updates]:
            caller = caller_of(request)
            asked = await self._asked(caller, words)
            async for update in self._preview(caller, asked, float(Fraction(asked[0]["start"] or 0))):
                yield update

        return self._telling(preview)

    def shot_previewing(self) -> Act:
        """A shot was chosen."""

        async def preview_shot(request: gr.Request, shot: object, *words: object) -> AsyncIterator[Updates]:
            caller = caller_of(request)
            asked = await self._asked(caller, words)
            shots: Sequence[dict[str, Any]] = notes_of(caller).get("facts", {}).get("shots", ())
            if not isinstance(shot, str) or not shot.isdigit() or int(shot) >= len(shots):
                return
            async for update in self._preview(caller, asked, shots[int(shot)]["start"]):
                yield update

        return self._telling(preview_shot)

    async def _preview(
        self, caller: Caller, asked: tuple[dict[str, Any], Guides | None], start: float
    ) -> AsyncIterator[Updates]:
        wishes, guides = asked
        news = self._studio.preview(caller, self._film(caller), wishes, start, guides=guides)
        title = f"Preview: {PREVIEW:g} seconds from {clock(start)}"
        async for update in self._follow(caller, news, title, "This is a preview: press Restore for the whole film."):
            yield update

    def restoring(self) -> Act:
        """The whole film, or the part that was wished, as it was painted."""

        async def restore(request: gr.Request, *words: object) -> AsyncIterator[Updates]:
            caller = caller_of(request)
            wishes, guides = await self._asked(caller, words)
            news = self._studio.restore(caller, self._film(caller), wishes, guides)
            async for update in self._follow(caller, news, "Restoring the film", "The film is done."):
                yield update

        return self._telling(restore)

    def _forgotten(self) -> Updates:
        """What else is to be forgotten with a film."""
        return {}

    def _film(self, caller: Caller) -> object:
        film = notes_of(caller).get("film")
        if film is None:
            raise Refused("Drop a film first, or take a sample.")
        return film

    async def _follow(
        self, caller: Caller, stream: AsyncIterator[dict[str, Any]], title: str, last: str, shown: Shown | None = None
    ) -> AsyncIterator[Updates]:
        begun = time.monotonic()
        cancel = gr.update(interactive=True)
        yield self._update(status=parts.work({"event": "waiting", "place": 0}, title), cancel=cancel)
        async for news in stream:
            event = news["event"]
            if event in ("done", "part"):
                yield (shown or self._shown)(caller, news)
            if event == "done":
                rate = f"{news['frames']} frames in {clock(time.monotonic() - begun)}."
                yield self._update(status=parts.done(f"{last} {rate}"), cancel=gr.update(interactive=False))
            elif event in ("waiting", "progress", "stage", "part"):
                yield self._update(status=parts.work(news, title))
            elif event == "failed":
                raise Refused(news["reason"])
            elif event == "cancelled":
                yield self._update(
                    status=parts.note("Cancelled. The machine is free."), cancel=gr.update(interactive=False)
                )

    def _shown(self, caller: Caller, news: dict[str, Any]) -> Updates:
        notes_of(caller)["result"] = news
        length = max(float(news["timeline"]["seconds"]), 0.04)
        beside = (
            parts.film(news["beside"], "Before and after, side by side") if news.get("beside") else parts.no_beside()
        )
        return self._update(
            results=gr.update(visible=True),
            watch=parts.film(news["play"], "The film in colour"),
            slider=parts.slider(news["pair"]),
            at=gr.update(maximum=round(length, 2), value=round(news["at"], 2)),
            beside=beside,
            timeline=draw(news["timeline"]),
            files=parts.downloads(news),
        )

    def framing(self) -> Act:
        """Another frame for the slider."""

        async def frame(at: object, request: gr.Request) -> AsyncIterator[Updates]:
            caller = caller_of(request)
            result = notes_of(caller).get("result", {})
            news = await self._studio.frame(caller, result.get("film"), float(at or 0))  # type: ignore[arg-type]
            yield self._update(slider=parts.slider(news["pair"]))

        return self._telling(frame)

    async def cancel(self, request: gr.Request) -> None:
        """Stop what this page ordered."""
        self._studio.cancel(caller_of(request))


def _buttons(is_ready: bool) -> dict[str, Any]:
    return {name: gr.update(interactive=is_ready) for name in ("preview", "restore")}


class PhotoActs:
    """The Photos page."""

    def __init__(self, studio: Studio, fields: Mapping[str, Any]) -> None:
        self._studio = studio
        self._fields = fields

    async def colour(self, files: object, strength: object, request: gr.Request) -> AsyncIterator[Updates]:
        """Colour the pictures that were dropped."""
        status, results = self._fields["status"], self._fields["results"]
        paths = [path_of(file) for file in files] if isinstance(files, list) else []
        title = f"Colouring {len(paths)} picture{'s' * (len(paths) != 1)}"
        try:
            wishes = wishes_of(self._studio.limits, strength=strength)
            yield {status: parts.work({"event": "waiting", "place": 0}, title), results: ""}
            async for news in self._studio.photos(caller_of(request), paths, wishes):
                good = sum("film" in photo for photo in news["photos"])
                say = parts.done(f"{good} of {news['total']} pictures in colour.")
                is_done = news["event"] == "done"
                yield {status: say if is_done else parts.counted(title, news), results: parts.photos(news)}
        except Refused as refusal:
            yield {status: parts.bad(str(refusal))}


class LiveActs:
    """The Live page: a running film; the camera speaks to its own address."""

    def __init__(self, studio: Studio, fields: Mapping[str, Any]) -> None:
        self._studio = studio
        self._fields = fields

    def running(self, sample: str | None = None) -> Act:
        """Run a film that was dropped, or a sample."""

        async def run(file: object, strength: object, request: gr.Request) -> AsyncIterator[Updates]:
            screen = self._fields["screen"]
            caller = caller_of(request)
            try:
                yield {screen: parts.live_wait("Starting the film")}
                path = path_of(file) if sample is None else str(self._studio.sample(caller, sample))
                if path is None:
                    raise Refused("Drop a film first, or take a sample.")
                wishes = wishes_of(self._studio.limits, strength=strength)
                async for update in self._pictures(caller, path, wishes):
                    yield update
            except Refused as refusal:
                yield {screen: parts.bad(str(refusal))}

        return run

    async def _pictures(self, caller: Caller, path: object, wishes: dict[str, Any]) -> AsyncIterator[Updates]:
        screen, last = self._fields["screen"], ""
        async for news in self._studio.live(caller, path, wishes):
            if news["event"] == "picture":
                last = parts.live(news)
                yield {screen: last}
            elif news["event"] == "waiting" and news["place"]:
                yield {screen: parts.live_wait(f"Somebody else is live: place {news['place']} in the queue")}
            elif news["event"] == "failed":
                raise Refused(news["reason"])

    async def stop(self, request: gr.Request) -> None:
        """Stop the film."""
        self._studio.cancel(caller_of(request))
