"""The shot view of the Film page: where a frame is painted on, and what happens when something is pressed there."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import parts
from demo.acts import WISHES, Act, FilmActs, Updates, caller_of, notes_of, path_of
from demo.guides import Guides, Shot, hints_of, shot_of
from demo.rooms import Refused
from demo.studio import Caller
from demo.timeline import clock
from vidcolor.guide.hints import json_of

_RAW: dict[str, Any] = {"preprocess": False, "api_visibility": "private", "show_progress": "hidden"}
_HIDDEN: dict[str, Any] = {"visible": "hidden", "container": False, "max_lines": 1}


def add_view(fields: dict[str, Any]) -> None:
    """Put the fields of the shot view on the page; it is not seen before a shot was chosen (see paint.css)."""
    fields["wish"] = gr.Textbox(elem_id="vc-wish", **_HIDDEN)
    fields["painted"] = gr.Textbox(elem_id="vc-painted", **_HIDDEN)
    fields["told"] = gr.HTML(visible="hidden", elem_id="vc-told")
    with gr.Column(elem_id="vc-shotview"):
        gr.HTML(easel())
        fields["key"] = gr.File(
            label="Or drop a coloured picture of this frame here", height=150, file_types=["image"], elem_id="vc-key"
        )
        fields["shot_preview"] = gr.Button("Preview this shot", variant="primary", elem_id="vc-shot-preview")
        fields["shot_status"] = gr.HTML(elem_id="vc-shot-status")
        fields["seen"] = gr.HTML(elem_id="vc-seen")


def add_events(acts: ShotActs, fields: dict[str, Any]) -> None:
    """What its fields start."""
    told: dict[str, Any] = {**_RAW, "concurrency_limit": None}
    every = outputs(fields)
    # Not `input`: the framework takes what a script writes into a field for its own doing, and says nothing of it.
    fields["wish"].change(acts.wish, [fields["wish"]], every, trigger_mode="multiple", **told)
    fields["key"].upload(acts.key, [fields["key"]], every, **told)
    wishes = [fields[name] for name in WISHES]
    fields["shot_preview"].click(acts.shot_view_previewing(), [fields["painted"], *wishes], every, **told)


def outputs(fields: Mapping[str, Any]) -> list[Any]:
    """The fields that events may change: all but those that the page's script writes into."""
    return [field for name, field in fields.items() if name not in ("wish", "painted")]


class ShotActs(FilmActs):
    """The Film page, with its shot view."""

    def _tell(self, event: str, **values: object) -> Updates:
        """Say something to the page's own script. The number makes it another word, were it the same again."""
        words = escape(json.dumps({"event": event, **values}))
        return self._update(told=f'<div data-number="{time.monotonic_ns()}" data-told="{words}"></div>')

    async def wish(self, text: object, request: gr.Request) -> AsyncIterator[Updates]:
        """What the script of the page asks for: a shot, another frame, hints from a file, a key to be forgotten."""
        caller = caller_of(request)
        try:
            asked = _order(text)
            act = {"open": self._open, "frame": self._frame, "load": self._load, "forget": self._forget}[asked["do"]]
            yield await act(caller, asked)
        except Refused as refusal:
            yield self._tell("refused", text=str(refusal))

    async def _open(self, caller: Caller, asked: Mapping[str, Any]) -> Updates:
        """A shot, with its best frame; or where it is none to be painted on, why."""
        shots = notes_of(caller).get("facts", {}).get("shots", ())
        if "frame" in asked:
            shot, frame = shot_of(shots, asked["frame"])
        else:
            shot = _shot(shots, asked.get("shot"))
            frame = shot["frame"]
        found = await self._still(caller, frame)
        times = [round(time - shots[0]["start"], 3) for time in shot["times"]]
        name = notes_of(caller)["facts"]["name"]
        return self._tell("shot", **found, first=shot["first"], times=times, film=name)

    async def _frame(self, caller: Caller, asked: Mapping[str, Any]) -> Updates:
        return self._tell("frame", **await self._still(caller, asked.get("frame")))

    async def _still(self, caller: Caller, number: object) -> dict[str, Any]:
        found = await self._studio.painting.still(caller.visitor, caller.page, self._film(caller), number)
        notes_of(caller)["frame"] = number
        return found

    async def _load(self, caller: Caller, asked: Mapping[str, Any]) -> Updates:
        """Hints from a file, as the page's script draws them."""
        shots = notes_of(caller).get("facts", {}).get("shots", ())
        return self._tell("hints", text=json_of(hints_of(str(asked.get("text", "")), shots)))

    async def _forget(self, caller: Caller, asked: Mapping[str, Any]) -> Updates:
        keys = notes_of(caller).get("keys", {})
        keys.pop(next((number for number in keys if number == asked.get("frame")), None), None)
        return {}

    async def key(self, file: object, request: gr.Request) -> AsyncIterator[Updates]:
        """A coloured picture of the frame was dropped."""
        caller = caller_of(request)
        number, picture = notes_of(caller).get("frame"), path_of(file)
        try:
            painting = self._studio.painting
            found = await painting.key(caller.visitor, caller.page, self._film(caller), number, picture)
            notes_of(caller).setdefault("keys", {})[number] = picture
            yield self._tell("key", **found) | self._update(key=None)
        except Refused as refusal:
            yield self._tell("refused", text=str(refusal)) | self._update(key=None)

    async def _asked(self, caller: Caller, words: Sequence[object]) -> tuple[dict[str, Any], Guides]:
        """The first word is what was painted so far."""
        text, *wished = words
        keys, wishes = notes_of(caller).get("keys", {}), self._wishes(wished)
        painting = self._studio.painting
        return wishes, await painting.guides(caller.visitor, self._film(caller), str(text or ""), keys)

    def shot_view_previewing(self) -> Act:
        """A few seconds of the shot that is open."""

        async def preview(request: gr.Request, *words: object) -> AsyncIterator[Updates]:
            caller = caller_of(request)
            asked, film = await self._asked(caller, words), self._film(caller)
            number = notes_of(caller).get("frame")
            news = self._studio.painting.shot(caller.visitor, caller.page, film, number, asked)
            last = "This is a preview: press Restore for the whole film."
            async for update in self._follow(caller, news, "Preview of the shot", last, self._shot_shown):
                yield update

        return self._beside(self._telling(preview))

    def _beside(self, act: Act) -> Act:
        """Tell how it goes beside the button of the shot view: the place for the film's may be out of sight."""

        async def beside(request: gr.Request, *words: object) -> AsyncIterator[Updates]:
            status, place = self._fields["status"], self._fields["shot_status"]
            async for update in act(request, *words):
                yield {place if field is status else field: value for field, value in update.items()}

        return beside

    def _shot_shown(self, caller: Caller, news: Mapping[str, Any]) -> Updates:
        del caller
        return self._update(seen=seen(news))

    def _forgotten(self) -> Updates:
        """Another film, or none: what was painted belonged to the one before."""
        return self._tell("closed") | self._update(seen="", shot_status="", key=None)


def _shot(shots: Sequence[Shot], place: object) -> Shot:
    if not isinstance(place, int) or not 0 <= place < len(shots):
        raise Refused("There is no such shot.")
    if "times" not in shots[place]:
        raise Refused("This shot is still being looked at, or goes on behind the part that was looked at.")
    return shots[place]


def _order(text: object) -> Mapping[str, Any]:
    try:
        asked = json.loads(str(text))
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or asked.get("do") not in ("open", "frame", "load", "forget"):
        raise Refused("The page was not understood: load it again.")
    return asked


def seen(news: Mapping[str, Any]) -> str:
    """A shot as it was coloured: one of its frames under a slider, and the film."""
    if not news.get("beside"):
        film = parts.film(news["play"], "A few seconds of the shot in automatic colours")
        said = '<p class="vc-note">Automatic colours: nothing is painted on these frames.</p>'
        return f"<h3>{clock(news['time'])}</h3>{film}{said}{parts.warnings(news['warnings'])}"
    names = ("Automatic", "As painted")
    return (
        f"<h3>Frame {news['frame']}, as painted</h3>{parts.slider(news['pair'], 'Automatic and painted', names)}"
        f"<h3>Automatic, and as painted</h3>{parts.film(news['beside'], 'Automatic and painted, side by side')}"
        f"{parts.warnings(news['warnings'])}"
    )


# Colours that are wished for often, dark enough and light enough to be told apart on any frame.
_USUAL = {
    "#c68863": "skin",
    "#6f4a2f": "brown",
    "#8a3324": "red",
    "#c9a227": "gold",
    "#4f7a3a": "green",
    "#5b8fc7": "sky blue",
    "#2f4a7c": "navy",
    "#808080": "grey",
}


def easel() -> str:
    """The painting place, all of it worked by paint.js."""
    swatches = "".join(
        f'<button type="button" data-colour="{colour}" style="background:{colour}" title="{name}"'
        f' aria-label="Colour: {name}"></button>'
        for colour, name in _USUAL.items()
    )
    return Path(__file__).with_name("paint.html").read_text(encoding="utf-8").replace("{swatches}", swatches)
