"""How the page looks: colours, type and layout, for light and dark, wide and narrow; everything from this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradio.themes import Base

_HERE = Path(__file__).parent


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


LOGO = _text("logo.svg").replace("\n", "")


def head() -> str:
    """What goes into the page's head: our style, and the little that the browser does itself.

    Not as the framework's own style: it would put a prefix before every rule, inside of media queries too.
    """
    about = '<meta name="color-scheme" content="light dark"><meta name="description" content="Film in colour">'
    style, script = (_text(f"page.{kind}") + _text(f"paint.{kind}") for kind in ("css", "js"))
    return f"{about}<style>{style}</style><script>{script}</script>"


def theme() -> Base:
    """The framework's theme in our colours, with the fonts that the system has."""
    import gradio as gr
    from gradio.themes.utils import fonts

    family = [fonts.Font(name) for name in ("ui-sans-serif", "system-ui", "sans-serif")]
    mono = [fonts.Font(name) for name in ("ui-monospace", "Consolas", "monospace")]
    base = gr.themes.Base(primary_hue="orange", neutral_hue="stone", radius_size="lg", font=family, font_mono=mono)
    return base.set(
        body_background_fill="#f7f4ee",
        body_background_fill_dark="#161513",
        body_text_color="#1f1c18",
        body_text_color_dark="#f3eee5",
        body_text_color_subdued="#6a645b",
        body_text_color_subdued_dark="#b3aca0",
        background_fill_primary="#fffdf9",
        background_fill_primary_dark="#211f1b",
        background_fill_secondary="#f2ede4",
        background_fill_secondary_dark="#1b1a17",
        block_background_fill="#fffdf9",
        block_background_fill_dark="#211f1b",
        block_label_text_color="#6a645b",
        block_label_text_color_dark="#b3aca0",
        block_info_text_color="#6a645b",
        block_info_text_color_dark="#b3aca0",
        border_color_primary="#e4ded3",
        border_color_primary_dark="#3a362f",
        input_background_fill="#fffdf9",
        input_background_fill_dark="#1b1a17",
        button_primary_background_fill="#b8400a",
        button_primary_background_fill_hover="#9a3408",
        button_primary_background_fill_dark="#fb923c",
        button_primary_background_fill_hover_dark="#fdba74",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#231305",
        button_secondary_background_fill="#efe9de",
        button_secondary_background_fill_hover="#e5ddce",
        button_secondary_background_fill_dark="#35312b",
        button_secondary_background_fill_hover_dark="#443f37",
        link_text_color="#b8400a",
        link_text_color_dark="#fb923c",
        link_text_color_hover="#9a3408",
        link_text_color_hover_dark="#fdba74",
        link_text_color_visited="#b8400a",
        link_text_color_visited_dark="#fb923c",
        color_accent="#b8400a",
        slider_color="#b8400a",
        slider_color_dark="#fb923c",
        checkbox_background_color_selected="#b8400a",
        checkbox_background_color_selected_dark="#fb923c",
        checkbox_label_text_color_selected="#1f1c18",
        checkbox_label_text_color_selected_dark="#f3eee5",
    )


def login_page(was_wrong: bool) -> str:
    """The page that asks who is there."""
    wrong = '<p class="bad" role="alert">That was not right. Try again.</p>' if was_wrong else ""
    return _text("login.html").replace("{logo}", LOGO).replace("{wrong}", wrong)
