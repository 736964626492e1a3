"""The sheet beside pictures that are to be coloured: shot by shot, with times, and what to do next; works offline."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

SHEET = "index.html"


@dataclass(frozen=True, slots=True)
class Shot:
    """One shot: seconds from and to, and of each picture its file's name and its time."""

    start: float
    stop: float
    pictures: tuple[tuple[str, float], ...]


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }}
body {{ color: #222; background: #fff }}
section {{ border-top: 1px solid #ccc; padding: .5em 0 }}
figure {{ display: inline-block; margin: .5em 1em .5em 0 }}
img {{ display: block; width: 20em; max-width: 100%; background: #eee }}
code {{ background: #f2f2f2; padding: .1em .3em }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #181818 }} code {{ background: #2a2a2a }} }}
</style></head><body>
<h1>{title}</h1>
<ol>
<li>Colour the pictures in this folder with any program: all of one, or a coat and a flag only. What stays exactly
grey, or clear, says nothing; only colours are taken, light stays the film's.</li>
<li>Save each under its own number, as PNG, TIFF, WebP or JPEG, of any size of the same shape. Pictures that stay grey
do no harm, and may be deleted.</li>
<li>Then <code>vidcolor restore {film} --keys {folder}</code>. The colours go to all frames of their shots, before and
after; shots without any are coloured as ever.</li>
</ol>
"""


def sheet(film: str, folder: str, shots: list[Shot]) -> str:
    """The page; `film` and `folder` are names as they are typed."""
    title = f"Frames of {film} to be coloured"
    head = _HEAD.format(title=escape(title), film=escape(_typed(film)), folder=escape(_typed(folder)))
    return head + "".join(_section(number, shot) for number, shot in enumerate(shots, 1)) + "</body></html>\n"


def _section(number: int, shot: Shot) -> str:
    figures = "".join(
        f'<figure><a href="{escape(name)}"><img src="{escape(name)}" alt="frame {escape(name)}" loading="lazy"></a>'
        f"<figcaption>{escape(name)} at {clock(time)}</figcaption></figure>"
        for name, time in shot.pictures
    )
    return f"<section><h2>Shot {number}: {clock(shot.start)} to {clock(shot.stop)}</h2>{figures}</section>\n"


def clock(seconds: float) -> str:
    """`1:02:03.45`, or `2:03.45` within the first hour."""
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 100:02d}.{rest % 100:02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def _typed(name: str) -> str:
    """A name as a shell wants it."""
    return f"'{name}'" if any(char in name for char in " '\"&()$;*?#") else name
