"""The timeline as a picture: colour, flicker and change of light over time, so that a missed cut or a pulse is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 900, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 30
_ROWS = (
    ("colour", "var(--vc-accent)", "Colour: mean distance from grey"),
    ("flicker", "var(--vc-flicker)", "Change of colour since the picture before"),
    ("light", "var(--vc-light)", "Change of light since the picture before"),
)


def draw(table: Mapping[str, Any]) -> str:
    """The plot, as HTML with an SVG picture in it; `table` is what `demo.show.timeline` returns."""
    times: Sequence[float] = table.get("time", ())
    if len(times) < 2:
        return '<p class="vc-note">The film is too short for a timeline.</p>'
    top = max(4.0, *(max(table[name]) for name, _, _ in _ROWS)) * 1.06
    length = max(float(table["seconds"]), 1e-3)
    lines = "".join(_line(times, table[name], (length, top), colour) for name, colour, _ in _ROWS)
    cuts = "".join(_cut(float(second) / length) for second in table["cuts"])
    return _legend(len(table["cuts"])) + _frame(lines, cuts, length, top) + _summary(table)


def _frame(lines: str, cuts: str, length: float, top: float) -> str:
    label = "Mean colour, and change of colour and of light from picture to picture, over the length of the film"
    return (
        f'<svg class="vc-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{_scale(length, top)}{cuts}{lines}</svg>"
    )


def _x(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def _line(times: Sequence[float], values: Sequence[float], most: tuple[float, float], colour: str) -> str:
    points = " ".join(f"{_x(t / most[0])},{_y(v / most[1])}" for t, v in zip(times, values, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'


def _cut(share: float) -> str:
    return (
        f'<line x1="{_x(share)}" x2="{_x(share)}" y1="{_y(0)}" y2="{_y(1)}" stroke="var(--vc-mute)"'
        ' stroke-dasharray="4 4" stroke-width="1"/>'
    )


def _scale(length: float, top: float) -> str:
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100) if top / step <= 6), 100)
    marks = "".join(
        f'<line x1="{_x(0)}" x2="{_x(1)}" y1="{_y(v / top)}" y2="{_y(v / top)}" stroke="var(--vc-line)"/>'
        f'<text x="{_LEFT - 8}" y="{_y(v / top) + 4}" text-anchor="end">{v}</text>'
        for v in range(0, int(top) + 1, step)
    )
    return marks + "".join(
        f'<text x="{_x(share)}" y="{HEIGHT - 8}" text-anchor="{anchor}">{clock(length * share)}</text>'
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )


def _legend(cuts: int) -> str:
    entries = "".join(f'<span><i style="background:{colour}"></i>{text}</span>' for _, colour, text in _ROWS)
    dashed = '<span><i style="border-top:2px dashed var(--vc-mute);height:0"></i>Cuts</span>' if cuts else ""
    return f'<div class="vc-legend">{entries}{dashed}</div>'


def _summary(table: Mapping[str, Any]) -> str:
    mean = sum(table["colour"]) / len(table["colour"])
    return (
        f'<p class="vc-note">In steps of 8 bits. Mean colour {mean:.1f}; largest change of colour between neighbours'
        f" {max(table['flicker']):.1f}; cuts: {len(table['cuts'])}. A spike in the blue line away from a cut is"
        " flicker; a spike in the grey line without a dashed line is a missed cut.</p>"
    )


def clock(seconds: float) -> str:
    """Seconds as people write them: 3.2 s, 1:02, 1:00:00."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
