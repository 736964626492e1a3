"""Pieces of the page as HTML: facts, shots, progress, films, sliders, downloads; every foreign word is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from demo.look import LOGO
from demo.options import Limits
from demo.painting import why_not
from demo.timeline import clock

News = Mapping[str, Any]


def address(path: str, *, download: bool = False) -> str:
    """Where the page finds a file of the visitor's."""
    return f"gradio_api/file={quote(path)}{'?download=1' if download else ''}"


def head(limits: Limits, has_login: bool) -> str:
    """The top of the page."""
    leave = '<a class="vc-link" href="logout">Log out</a>' if has_login else ""
    return (
        f'<header class="vc-head">{LOGO}<div><h1>vidcolor</h1><p>Black-and-white film, in colour.</p></div>'
        f'<span class="vc-space"></span>{leave}<button class="vc-toggle" onclick="vcToggle()"'
        ' aria-label="Switch between light and dark" title="Light or dark">\u25d0</button></header>'
        f'<p class="vc-note">{limits_sentence(limits)}</p>'
    )


def limits_sentence(limits: Limits) -> str:
    """The limits, for people."""
    return (
        f"Films up to {limits.upload >> 20} MB, {limits.seconds / 60:g} minutes and"
        f" {limits.pixels / 1e6:.1f} megapixels a picture. Nothing leaves this machine; your files are deleted when you"
        f" close the page, at the latest after {limits.keep / 60:g} minutes of silence."
    )


def empty(title: str, text: str) -> str:
    """What stands where nothing is yet."""
    return f'<div class="vc-empty">{LOGO}<strong>{escape(title)}</strong>{escape(text)}</div>'


def start() -> str:
    """The Film page before anything was dropped."""
    return empty("Your film in colour", "Drop a film, or take a sample: a preview is there within seconds.")


def ready() -> str:
    """The Film page with a film, before anything was made of it."""
    return empty("Ready", "Preview a few seconds, choose a shot to colour it by hand, or restore the whole film.")


def facts_wait() -> str:
    """While a file is looked at."""
    return _bar("Looking at the film", "", None)


def no_beside() -> str:
    """Where the side-by-side film is not there."""
    return '<p class="vc-note">Both halves side by side are made when a film is restored, not for a preview.</p>'


def live_wait(text: str) -> str:
    """The live screen without a picture."""
    return f'<div class="vc-live"><p>{escape(text)}</p></div>'


def counted(title: str, news: News) -> str:
    """How many of some pictures are done."""
    return _bar(title, f"{news['number']} of {news['total']}", news["number"] / news["total"])


def note(sentence: str) -> str:
    """Something that is neither good nor bad."""
    return f'<p class="vc-card" role="status">{escape(sentence)}</p>'


def bad(sentence: str) -> str:
    """A refusal or a failure."""
    return f'<p class="vc-bad" role="alert">{escape(_capital(sentence))}</p>'


def facts(found: News, *, is_last: bool = True) -> str:
    """What is known of a film or picture, so far or for good."""
    rows = [(name, value) for name, value in _rows(found, is_last) if value]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in rows)
    return (
        f'<section class="vc-card" aria-label="Facts"><h3>{escape(found["name"])}</h3><dl class="vc-facts">{cells}</dl>'
        f"{warnings(found.get('warnings', ()))}{_shots(found)}</section>"
    )


def _rows(found: News, is_last: bool) -> list[tuple[str, object]]:
    sound = ", ".join(found["sound"]) or "none"
    return [
        ("Length", clock(found["seconds"]) if found.get("seconds") else "" if is_last else "being measured"),
        ("Size", f"{found['width']} \u00d7 {found['height']}"),
        ("Depth", f"{found['depth']} bit"),
        ("Frame rate", f"{found['rate']:.4g} fps" if found.get("rate") else ""),
        ("Frames", found.get("frames") or ""),
        ("Sound", sound),
        ("Picture", found["codec"]),
        ("Container", found["container"]),
        ("File", f"{found['bytes'] / 1e6:.1f} MB"),
        ("Subtitles", found["subtitles"] or ""),
        ("Chapters", found["chapters"] or ""),
        ("Shots", found.get("cuts") or f"{len(found['shots'])}{' or more' if is_last else ' so far'}"),
    ]


def _shots(found: News) -> str:
    shots: Sequence[News] = found["shots"]
    if not shots:
        return ""
    buttons = "".join(
        f'<button type="button" onclick="vcShot({place})" aria-label="Shot {shot["number"]}, at'
        f' {clock(shot["start"])}"><img src="{escape(shot["picture"])}" alt=""><span>Shot {shot["number"]} \u00b7'
        f" {clock(shot['start'])}</span></button>"
        for place, shot in enumerate(shots)
    )
    strip = f'<div class="vc-shots" role="group" aria-label="Shots: choose one">{buttons}</div>'
    return f'{strip}<p class="vc-note">{escape(why_not() or "Choose a shot to paint on it, or to preview it.")}</p>'


def warnings(texts: Sequence[str]) -> str:
    """What is amiss, or could not be carried over."""
    return "".join(f'<p class="vc-warn">{escape(_capital(text))}</p>' for text in texts)


def work(news: News, title: str) -> str:
    """How far it is."""
    if news["event"] == "waiting":
        place = news["place"]
        text = f"Place {place} in the queue" if place else "Starting"
        return _bar(title, text, None)
    if news["event"] in ("stage", "part"):
        return _bar(news.get("text") or title, "", None)
    frame, total, left = news["frame"], news["total"], news["left"]
    counts = f"{frame} of {total} frames" if total else f"{frame} frames"
    time = f" \u00b7 {clock(left)} left" if left is not None else ""
    return _bar(title, f"{counts} \u00b7 {news['rate']:.1f} frames a second{time}", frame / total if total else None)


def _bar(title: str, text: str, share: float | None) -> str:
    value = "" if share is None else f' aria-valuenow="{100 * share:.0f}"'
    kind, width = ("vc-bar vc-any", 35.0) if share is None else ("vc-bar", 100 * min(share, 1))
    return (
        f'<div class="vc-card vc-work"><div class="vc-row"><strong>{escape(title)}</strong><span>{escape(text)}</span>'
        f'</div><div class="{kind}" role="progressbar" aria-label="{escape(title)}" aria-valuemin="0"'
        f' aria-valuemax="100"{value}><i style="width:{width:.1f}%"></i></div></div>'
    )


def done(sentence: str) -> str:
    """It is done."""
    return f'<p class="vc-done" role="status">{escape(sentence)}</p>'


def film(path: str, name: str) -> str:
    """A film that plays."""
    return (
        f'<video class="vc-film" controls preload="metadata" aria-label="{escape(name)}" src="{address(path)}"></video>'
    )


def slider(pair: Sequence[str], label: str = "Before and after", names: tuple[str, str] = ("Before", "After")) -> str:
    """Before and after, one over the other; a range that the keyboard moves too."""
    before, after = (address(path) for path in pair)
    move = "this.parentNode.style.setProperty('--pos', this.value + '%')"
    return (
        f'<div class="vc-slider"><img src="{after}" alt="{names[1]}"><img class="vc-top" src="{before}"'
        f' alt="{names[0]}"><b class="l">{names[0]}</b><b class="r">{names[1]}</b><u></u>'
        f'<input type="range" min="0" max="100" value="50" aria-label="{escape(label)}: how much is shown of'
        f' {names[0].lower()}"'
        f' oninput="{move}">'
        "</div>"
    )


def downloads(result: News) -> str:
    """The files to take home, the mark that they carry, and what could not be carried over."""
    links = _download(result["film"], "Download the film", "vc-first")
    if result["play"] != result["film"]:
        links += _download(result["play"], "MP4 for browsers and phones")
    if result.get("beside"):
        links += _download(result["beside"], "Side by side")
    for name, text in (("hints", "Your hints"), ("keys", "Your coloured pictures")):
        links += _download(result[name], text) if result.get(name) else ""
    return f'<div class="vc-files">{links}</div>{mark(result.get("mark"))}{warnings(result["warnings"])}'


def _download(path: str, text: str, kind: str = "") -> str:
    name = path.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    suffix = name.rsplit(".", 1)[-1].upper()
    link = address(path, download=True)
    return f'<a class="vc-button {kind}" href="{link}" download="{escape(name)}">{escape(text)} ({escape(suffix)})</a>'


def mark(found: News | None) -> str:
    """What the mark in a file says."""
    if not found:
        return '<p class="vc-mark">This kind of file has no place for a mark.</p>'
    return (
        '<p class="vc-mark">The file carries a mark that its colours were made by a machine: network'
        f" <b>{escape(str(found['model']))}</b>, vidcolor {escape(str(found['version']))},"
        f" weights <code>{escape(str(found['sha256'])[:16])}\u2026</code></p>"
    )


def photos(news: News) -> str:
    """Pictures with their sliders, and the archive once it is there."""
    link = ""
    if news.get("archive"):
        link = f'<div class="vc-files">{_download(news["archive"], "Download all", "vc-first")}</div>'
    return link + f'<div class="vc-grid">{"".join(map(_photo, news["photos"]))}</div>'


def _photo(photo: News) -> str:
    if "refused" in photo:
        return f"<figure>{bad(photo['name'] + ': ' + photo['refused'])}</figure>"
    link = f'<a href="{address(photo["film"], download=True)}" download>Download</a>'
    figure = slider(photo["pair"], photo["name"])
    return f"<figure>{figure}<figcaption><span>{escape(photo['name'])}</span>{link}</figcaption></figure>"


def live(news: News) -> str:
    """A picture of a running film, and how it keeps up."""
    return (
        f'<div class="vc-live"><img src="{escape(news["picture"])}" alt="The film in colour"></div>'
        f'<div class="vc-stats"><span><b>{news["rate"]:.1f}</b> pictures a second</span><span><b>{news["shown"]}</b>'
        f" coloured</span><span><b>{news['dropped']}</b> dropped</span><span>at <b>{clock(news['time'])}</b></span>"
        "</div>"
    )


def camera() -> str:
    """The camera's picture and its switch; the rest of it is in page.js."""
    return (
        '<h3>Your camera</h3><div class="vc-live" id="vc-camera-picture"><p>The camera\u2019s pictures go to this'
        ' machine only, one at a time, and are not kept.</p></div><div class="vc-stats"><span id="vc-camera-state"'
        ' role="status">The camera is off.</span></div><p><button class="vc-button" type="button" id="vc-camera"'
        ' onclick="vcCamera()">Camera on / off</button></p>'
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
