"""The layout of the page: three pages of fields, and which act each button starts; nothing happens here."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import parts
from demo.acts import WISHES, FilmActs, LiveActs, PhotoActs
from demo.api import add_api
from demo.painting import why_not
from demo.shotview import ShotActs, add_events, add_view, outputs
from demo.studio import Studio, samples
from demo.wishes import MOST_STRENGTH, SIDES, UNTOLD, networks
from vidcolor.options import DEFAULT_MODEL

TITLE = "vidcolor"
_SAMPLES = {
    "his-girl-friday-1940": "His Girl Friday, 1940 (sound)",
    "kid-auto-races-1914": "Kid Auto Races, 1914 (silent)",
}
_STOCKS = [
    ("Not known", UNTOLD),
    ("Blue-sensitive: the first decades", "blue"),
    ("Orthochromatic: silent film", "ortho"),
    ("Panchromatic: since the late 1920s", "pan"),
]
_RAW: dict[str, Any] = {
    "preprocess": False,
    "api_visibility": "private",
    "show_progress": "hidden",
}  # of all events of the page


def build(studio: Studio, *, has_login: bool) -> gr.Blocks:
    """The page."""
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True)
    with page:
        add_api(studio)  # first, or events of the page would take the names
        page.unload(_gone)  # only because of this the page holds the connection that tells when it is closed
        gr.HTML(parts.head(studio.limits, has_login))
        with gr.Tabs():
            with gr.Tab("Film", id="film"):
                _film_page(studio)
            with gr.Tab("Photos", id="photos"):
                _photo_page(studio)
            with gr.Tab("Live", id="live"):
                _live_page(studio)
    return page


def _gone() -> None:
    """A page was closed: the door has seen it, and does what is to be done."""


def _sample_name(stem: str) -> str:
    return _SAMPLES.get(stem, stem)


def _film_page(studio: Studio) -> None:
    fields: dict[str, Any] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            buttons = _film_left(fields)
        with gr.Column(scale=7, min_width=320):
            _film_right(fields)
    _film_events(studio, fields, buttons)


def _film_left(fields: dict[str, Any]) -> dict[str, gr.Button]:
    fields["file"] = gr.File(label="Drop a black-and-white film here", height=150, elem_id="vc-film")
    with gr.Row(elem_classes="vc-sample"):
        buttons = {path.stem: gr.Button(_sample_name(path.stem), size="sm") for path in samples()}
    fields["facts"] = gr.HTML()
    fields["shots"] = gr.Radio([], label="Shot to preview", elem_id="vc-shot-choice", elem_classes="vc-quiet")
    fields["preview"] = gr.Button("Preview the first seconds", interactive=False, elem_id="vc-preview")
    _wishes(fields)
    with gr.Row():
        fields["restore"] = gr.Button("Restore the film", variant="primary", interactive=False, elem_id="vc-restore")
        fields["cancel"] = gr.Button("Cancel", variant="stop", interactive=False, elem_id="vc-cancel")
    return buttons


def _wishes(fields: dict[str, Any]) -> None:
    with gr.Accordion("Options", open=False):
        fields["strength"] = gr.Slider(
            0, MOST_STRENGTH, 1, step=0.05, label="Colour strength", info="1 is as the network sees it, 0 is grey"
        )
        with gr.Row():
            fields["start"] = gr.Textbox(label="Start", placeholder="0 or 1:02.5", max_lines=1, min_width=120)
            fields["stop"] = gr.Textbox(label="Stop", placeholder="the end", max_lines=1, min_width=120)
        fields["quality"] = gr.Radio(
            [("Standard", "standard"), ("High, larger file", "high"), ("Smaller file", "small")],
            value="standard",
            label="Quality of the pictures",
        )
        fields["stock"] = gr.Dropdown(_STOCKS, value=UNTOLD, label="Film stock", info="What the film could see")
        with gr.Row():
            fields["model"] = gr.Dropdown(list(networks()), value=DEFAULT_MODEL, label="Network", min_width=140)
            sides = [("As trained", 0), *[(f"{side} pixels", side) for side in SIDES]]
            fields["side"] = gr.Dropdown(sides, value=0, label="What the network sees", min_width=140)


def _film_right(fields: dict[str, Any]) -> None:
    fields["status"] = gr.HTML(parts.start(), elem_id="vc-status")
    if not why_not():
        add_view(fields)
    with gr.Column(visible=False, elem_id="vc-results") as fields["results"]:
        with gr.Tabs():
            with gr.Tab("Watch"):
                fields["watch"] = gr.HTML()
            with gr.Tab("Before / after"):
                fields["slider"] = gr.HTML()
                fields["at"] = gr.Slider(0, 1, 0, step=0.04, label="Frame at (seconds)", elem_id="vc-at")
                fields["frame"] = gr.Button("Show this frame", size="sm")
            with gr.Tab("Side by side"):
                fields["beside"] = gr.HTML()
            with gr.Tab("Timeline"):
                fields["timeline"] = gr.HTML()
        fields["files"] = gr.HTML()


def _film_events(studio: Studio, fields: dict[str, Any], buttons: dict[str, gr.Button]) -> None:
    can_paint = "painted" in fields
    acts = ShotActs(studio, fields) if can_paint else FilmActs(studio, fields)
    every = outputs(fields)
    wishes = [fields[name] for name in WISHES]
    painted = [fields["painted"]] if can_paint else []
    told: dict[str, Any] = {**_RAW, "concurrency_limit": None}
    fields["file"].upload(acts.looking(), [fields["file"]], every, **told)
    fields["file"].clear(acts.gone, [], every, **told)
    for name, button in buttons.items():
        button.click(acts.sampling(name), [], every, **told)
    fields["preview"].click(acts.previewing(), [*painted, *wishes], every, **told)
    fields["shots"].input(acts.shot_previewing(), [fields["shots"], *painted, *wishes], every, **told)
    fields["restore"].click(acts.restoring(), [*painted, *wishes], every, **told)
    fields["cancel"].click(acts.cancel, [], [], queue=False, **_RAW)
    fields["frame"].click(acts.framing(), [fields["at"]], every, **told)
    fields["at"].release(acts.framing(), [fields["at"]], every, **told)
    if isinstance(acts, ShotActs):
        add_events(acts, fields)


def _photo_page(studio: Studio) -> None:
    fields: dict[str, Any] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            files = gr.File(
                label="Drop black-and-white pictures here", file_count="multiple", height=180, elem_id="vc-photos"
            )
            strength = gr.Slider(0, MOST_STRENGTH, 1, step=0.05, label="Colour strength")
            button = gr.Button("Colour the pictures", variant="primary", elem_id="vc-colour")
            gr.HTML(
                '<p class="vc-note">JPEG, PNG, TIFF and WebP, 8 or 16 bit. Each comes back as the type that it was,'
                " with its EXIF and profile.</p>"
            )
        with gr.Column(scale=8, min_width=300):
            fields["status"] = gr.HTML(parts.empty("Your pictures in colour", "Drop one or many."))
            fields["results"] = gr.HTML()
    acts = PhotoActs(studio, fields)
    button.click(acts.colour, [files, strength], list(fields.values()), concurrency_limit=None, **_RAW)


def _live_page(studio: Studio) -> None:
    fields: dict[str, Any] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=300):
            gr.HTML("<h3>A running film</h3>")
            fields["screen"] = gr.HTML(parts.live_wait("The film runs here, in colour, as fast as this machine can."))
            with gr.Row():
                buttons = {path.stem: gr.Button(_sample_name(path.stem), size="sm") for path in samples()}
            file = gr.File(label="Or drop a film here", height=135, elem_id="vc-live-film")
            with gr.Row():
                run = gr.Button("Run this film", variant="primary")
                stop = gr.Button("Stop", variant="stop")
        with gr.Column(scale=5, min_width=300):
            gr.HTML(parts.camera())
            strength = gr.Slider(0, MOST_STRENGTH, 1, step=0.05, label="Colour strength", elem_id="vc-live-strength")
            gr.HTML(
                '<p class="vc-note">Colours are carried from picture to picture and dropped at a cut. A picture that'
                " comes while another is being coloured is left out, and counted.</p>"
            )
    acts = LiveActs(studio, fields)
    told: dict[str, Any] = {**_RAW, "concurrency_limit": None}
    run.click(acts.running(), [file, strength], [fields["screen"]], **told)
    for name, button in buttons.items():
        button.click(acts.running(name), [file, strength], [fields["screen"]], **told)
    stop.click(acts.stop, [], [], queue=False, **_RAW)
