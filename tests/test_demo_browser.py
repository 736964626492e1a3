"""Promises of the page to people, seen in a real Chromium; pictures of what was seen are left in build/screenshots."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from conftest import moving_picture
from pages import ROOT, UPLOAD_MEGABYTES, Page, small_film
from PIL import Image
from starlette.responses import PlainTextResponse

from demo import rooms
from demo.door import Door
from demo.options import Lock, Place
from demo.rooms import House
from demo.serve import listen
from streams.writing.ffmpeg import find_ffmpeg
from vidcolor.guide.hints import Hint, Hints, read_hints, write_hints

playwright = pytest.importorskip("playwright.sync_api", reason="pip install 'vidcolor[test]' brings playwright")
expect = playwright.expect
Tab = Any  # a page of the browser; the name Page is taken

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium: `apt-get install chromium` brings one"),
    pytest.mark.filterwarnings("ignore"),
]
SHOTS = ROOT / "build" / "screenshots"
PATIENCE = 60_000  # milliseconds: machines that test are busy
FLAGS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any, page: Page, request: pytest.FixtureRequest) -> Iterator[Tab]:  # noqa: ANN401
    """The page, opened by a new visitor. At the end nothing may have been asked of any other place."""
    context = chromium.new_context(**getattr(request, "param", {"viewport": {"width": 1280, "height": 900}}))
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda one: asked.append(one.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(page.address)
    opened.get_by_role("tab", name="Film").wait_for()
    opened.locator("#vc-restore").wait_for()
    yield opened
    context.close()
    outside = [url for url in asked if not url.startswith((page.address, "data:", "blob:"))]
    assert not outside
    assert not errors


def picture(tab: Tab, name: str) -> None:
    tab.screenshot(path=str(SHOTS / f"{name}.png"), full_page=True)


def drop(tab: Tab, film: Path) -> None:
    tab.set_input_files("#vc-film input[type=file]", str(film))
    expect(tab.locator("#vc-preview")).to_be_enabled(timeout=PATIENCE)


def status(tab: Tab, text: str) -> None:
    expect(tab.locator("#vc-status")).to_contain_text(re.compile(text), timeout=PATIENCE)


def test_a_newcomer_restores_a_film_and_sees_everything_of_it(tab: Tab, tmp_path: Path) -> None:
    picture(tab, "film-start")
    drop(tab, small_film(tmp_path / "old film.mp4", frames=40, cut=20, size=(108, 192)))
    facts = tab.get_by_label("Facts")
    for text in ("1.6 s", "192 × 108", "25 fps", "aac", "Shot 2"):
        expect(facts).to_contain_text(text)
    picture(tab, "film-facts")
    tab.locator("#vc-preview").click()
    status(tab, "This is a preview")
    video = tab.locator("#vc-results video").first
    assert video.evaluate("async (v) => { v.muted = true; await v.play(); return v.videoWidth }") == 192
    tab.locator("#vc-restore").click()
    status(tab, "Restoring the film")
    status(tab, "The film is done. 40 frames")
    assert tab.locator("#vc-results video").first.evaluate("(v) => v.error === null")
    picture(tab, "film-result")
    for name, found in (("Side by side", "video"), ("Timeline", "svg.vc-plot polyline")):
        tab.get_by_role("tab", name=name).click()
        expect(tab.locator(f"#vc-results {found} >> visible=true").first).to_be_visible()
        picture(tab, f"film-{name.lower().replace(' ', '-')}")
    expect(tab.locator("#vc-results")).to_contain_text("made by a machine")
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download the film (MP4)").click()
    assert download.value.suggested_filename == "old film.color.mp4"
    download.value.save_as(tmp_path / "down.mp4")
    assert (tmp_path / "down.mp4").read_bytes()[4:8] == b"ftyp"


def open_shot(tab: Tab, number: int) -> Any:  # noqa: ANN401
    """Choose a shot; the frame to be painted on."""
    tab.get_by_role("button", name=f"Shot {number}, at").click()
    canvas = tab.locator("#vc-canvas[data-frame]")
    canvas.wait_for()
    return canvas


def painted(tab: Tab) -> Hints:
    """The hints, as they are saved."""
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save hints.json").click()
    assert download.value.suggested_filename == "hints.json"
    return read_hints(Path(download.value.path()))


def brush(tab: Tab, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """A stroke by mouse, in shares of the frame."""
    canvas = tab.locator("#vc-canvas")
    canvas.hover()  # waits until the page has settled: what lies above may still grow by a line
    box = canvas.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, stop)]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    tab.mouse.move(*places[1], steps=8)
    tab.mouse.up()


def blueness(tab: Tab, name: str) -> float:
    """How blue the middle of a picture of the preview is."""
    image = tab.locator(f'#vc-seen img[alt="{name}"]')
    look = """async (image) => { await image.decode(); const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth; canvas.height = image.naturalHeight; const pen = canvas.getContext("2d");
        pen.drawImage(image, 0, 0); const [w, h] = [canvas.width, canvas.height];
        const seen = pen.getImageData(0.4 * w, 0.45 * h, 0.2 * w, 0.1 * h).data; let sum = 0;
        for (let at = 0; at < seen.length; at += 4) sum += seen[at + 2] - seen[at]; return sum / (seen.length / 4); }"""
    return float(image.evaluate(look))


def test_a_shot_is_painted_on_previewed_and_restored_so(tab: Tab, tmp_path: Path) -> None:
    drop(tab, small_film(tmp_path / "old film.mp4", frames=18, cut=8, size=(108, 192)))
    canvas = open_shot(tab, 2)
    frame = int(canvas.get_attribute("data-frame"))
    assert 8 <= frame < 18
    tab.locator("#vc-easel-colour").fill("#2038c8")
    tab.locator("#vc-easel-radius").fill("12")
    brush(tab, (0.3, 0.5), (0.7, 0.5))
    tab.get_by_role("button", name="Colour: red").click()
    tab.locator("#vc-easel-radius").fill("2")
    canvas.focus()
    for key in ("ArrowUp", "Shift+ArrowLeft", "Space"):
        tab.keyboard.press(key)
    stroke, dot = painted(tab).hints
    assert (stroke.frame, stroke.colour, stroke.radius) == (frame, "#2038c8", 0.12)
    assert stroke.points[0] == pytest.approx((0.3, 0.5), abs=0.01)
    assert stroke.points[-1] == pytest.approx((0.7, 0.5), abs=0.05)
    assert (dot.colour, len(dot.points)) == ("#8a3324", 1)
    canvas.focus()
    tab.keyboard.press("Control+z")
    assert painted(tab).hints == (stroke,)
    picture(tab, "shot-painted")
    tab.locator("#vc-shot-preview").click()
    expect(tab.locator("#vc-shot-status")).to_contain_text("This is a preview", timeout=PATIENCE)
    expect(tab.locator('#vc-seen img[alt="As painted"]')).to_be_visible()
    assert blueness(tab, "As painted") > blueness(tab, "Automatic") + 15
    video = tab.locator("#vc-seen video")
    assert video.evaluate("async (v) => { v.muted = true; await v.play(); return v.videoWidth }") == 2 * 192
    picture(tab, "shot-preview")
    tab.locator("#vc-restore").click()
    status(tab, "The film is done. 18 frames")
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Your hints (JSON)").click()
    assert read_hints(Path(download.value.path())).hints == (stroke,)


def turned(film: Path) -> Path:
    """The film as a telephone stores it that is held upright: turned when it is shown."""
    target = film.with_name(f"turned-{film.name}")
    words = [find_ffmpeg().path, "-v", "error", "-display_rotation", "90", "-i", str(film), "-c", "copy", str(target)]
    subprocess.run(words, check=True)
    return target


def test_hints_belong_to_their_frames_and_come_back_from_a_file(tab: Tab, tmp_path: Path) -> None:
    drop(tab, turned(small_film(tmp_path / "a.mp4", frames=20, cut=8, size=(108, 192))))
    canvas = open_shot(tab, 1)
    box = canvas.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(108 / 192, rel=0.02), "it stands upright"
    canvas.click(position={"x": 0.25 * box["width"], "y": 0.1 * box["height"]})
    point = painted(tab).hints[0].points[0]
    assert point == pytest.approx((0.9, 0.25), abs=0.01), "hints are told of the picture as it is stored"
    first = int(canvas.get_attribute("data-frame"))
    tab.get_by_role("button", name="Next frame").click()
    expect(canvas).to_have_attribute("data-frame", str(first + 1))
    canvas.click(position={"x": 80, "y": 40})
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save this frame").click()
    assert download.value.suggested_filename == f"{first + 1:08d}.jpg"
    before = painted(tab)
    assert [hint.frame for hint in before.hints] == [first, first + 1]
    tab.get_by_role("button", name="Clear this frame").click()
    assert painted(tab).hints == before.hints[:1]
    write_hints(tmp_path / "wrong.json", Hints((Hint("#2038c8", 0.1, ((0.5, 0.5),), frame=1),)))
    text = (tmp_path / "wrong.json").read_text(encoding="utf-8")
    (tmp_path / "wrong.json").write_text(text.replace("0.1", "7"), encoding="utf-8")
    write_hints(tmp_path / "hints.json", Hints((Hint("#2038c8", 0.1, ((0.5, 0.5),), time=0.6),)))
    tab.set_input_files("#vc-easel-load input", str(tmp_path / "wrong.json"))
    expect(tab.locator("#vc-easel-say")).to_contain_text("hint 1: radius")
    assert painted(tab).hints == before.hints[:1]
    tab.set_input_files("#vc-easel-load input", str(tmp_path / "hints.json"))
    chip = tab.get_by_role("button", name="Frame 15: 1 hint")
    chip.click()
    expect(canvas).to_have_attribute("data-frame", "15")
    expect(tab.locator("#vc-easel-title")).to_have_text("Shot 2")
    light = moving_picture(15, (108, 192), 1).astype(np.float32) / 2
    Image.fromarray(np.clip(np.stack((light, light, light * 2), -1), 0, 255).astype(np.uint8)).save(tmp_path / "k.png")
    tab.set_input_files("#vc-key input[type=file]", str(tmp_path / "k.png"))
    expect(tab.get_by_role("button", name="Frame 15: 1 hint, a picture")).to_be_visible()
    picture(tab, "shot-key")


def test_the_slider_moves_by_mouse_and_by_key_and_shows_any_frame(tab: Tab, tmp_path: Path) -> None:
    drop(tab, small_film(tmp_path / "a.mp4"))
    tab.locator("#vc-preview").click()
    status(tab, "This is a preview")
    tab.get_by_role("tab", name="Before / after").click()
    slider = tab.get_by_role("slider", name="how much is shown of before")
    slider.focus()
    tab.keyboard.press("ArrowRight")
    assert slider.evaluate("(one) => one.parentNode.style.getPropertyValue('--pos')") == "51%"
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert abs(float(slider.input_value()) - 25) < 6, "but for half the width of its knob"
    before = tab.locator("#vc-results .vc-slider img").first.get_attribute("src")
    tab.locator("#vc-at input[type=number]").fill("0.4")
    tab.get_by_role("button", name="Show this frame").click()
    expect(tab.locator("#vc-results .vc-slider img").first).not_to_have_attribute("src", before)
    for image in tab.locator("#vc-results .vc-slider img").all():
        assert image.evaluate("async (one) => { await one.decode(); return one.naturalWidth }") == 96


def test_cancel_stops_the_work_and_frees_the_machine(tab: Tab, page: Page) -> None:
    tab.get_by_role("button", name="Kid Auto Races").first.click()
    expect(tab.locator("#vc-restore")).to_be_enabled(timeout=PATIENCE)
    tab.locator("#vc-restore").click()
    status(tab, r"[1-9]\d* of \d+ frames · .* left")
    picture(tab, "film-progress")
    tab.locator("#vc-cancel").click()
    status(tab, "Cancelled")
    page.wait_until(working=0)
    picture(tab, "film-cancelled")


def test_closing_the_page_cancels_its_work_and_deletes_its_files(tab: Tab, page: Page) -> None:
    others = set(page.rooms())
    tab.get_by_role("button", name="Kid Auto Races").first.click()
    expect(tab.locator("#vc-restore")).to_be_enabled(timeout=PATIENCE)
    tab.locator("#vc-restore").click()
    status(tab, r"[1-9]\d* of \d+ frames")
    mine = set(page.rooms()) - others
    assert mine
    tab.close()
    page.wait_until(working=0)
    limit = time.monotonic() + 60
    while any(path.exists() for path in mine) and time.monotonic() < limit:
        time.sleep(0.5)
    assert not [path for path in mine if path.exists()]


def test_what_is_refused_is_said_in_a_sentence(tab: Tab, tmp_path: Path) -> None:
    text = tmp_path / "film.mp4"
    text.write_text("#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", encoding="utf-8")
    tab.set_input_files("#vc-film input[type=file]", str(text))
    expect(tab.get_by_role("alert").first).to_contain_text("only names other files")
    expect(tab.locator("#vc-restore")).to_be_disabled()
    picture(tab, "film-refused")
    tab.locator("#vc-film").get_by_role("button", name="Clear").first.click()
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(UPLOAD_MEGABYTES * (1 << 20) + 1))
    tab.set_input_files("#vc-film input[type=file]", str(large))
    expect(tab.get_by_text(re.compile("maximum allowed size|too large")).first).to_be_visible()
    picture(tab, "film-too-large")


def test_pictures_come_with_sliders_and_one_archive(tab: Tab, tmp_path: Path) -> None:
    files = [tmp_path / "portrait.png", tmp_path / "street.jpg"]
    for file in files:
        Image.fromarray(np.tile(np.arange(160, dtype=np.uint8), (120, 1))).save(file)
    tab.get_by_role("tab", name="Photos").click()
    tab.set_input_files("#vc-photos input[type=file]", [str(file) for file in files])
    expect(tab.locator("#vc-photos")).to_contain_text("street")
    tab.locator("#vc-colour").click()
    expect(tab.locator("body")).to_contain_text("2 of 2 pictures in colour", timeout=PATIENCE)
    assert tab.locator(".vc-grid .vc-slider").count() == 2
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download all (ZIP)").click()
    assert download.value.suggested_filename == "vidcolor-photos.zip"
    picture(tab, "photos")


def test_a_film_and_a_camera_run_live_with_what_was_dropped(tab: Tab) -> None:
    tab.get_by_role("tab", name="Live").click()
    picture(tab, "live-start")
    tab.get_by_role("button", name="His Girl Friday").last.click()
    expect(tab.get_by_alt_text("The film in colour")).to_be_visible(timeout=PATIENCE)
    expect(tab.locator(".vc-stats").first).to_contain_text(re.compile(r"pictures a second.*coloured.*dropped"))
    tab.get_by_role("button", name="Stop").click()
    tab.locator("#vc-camera").click()
    expect(tab.get_by_alt_text("Your camera in colour")).to_be_visible(timeout=PATIENCE)
    expect(tab.locator("#vc-camera-state")).to_contain_text(re.compile(r"coloured · \d+ dropped"))
    picture(tab, "live")
    tab.locator("#vc-camera").click()
    expect(tab.locator("#vc-camera-state")).to_contain_text("off")


def test_the_keyboard_alone_is_enough(tab: Tab) -> None:
    reached: list[str] = []
    tab.locator("body").click(position={"x": 3, "y": 3})
    for _ in range(14):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText)")
        )
        if "His Girl Friday" in reached[-1]:
            break
    told = " | ".join(reached)
    assert "light and dark" in told
    assert "Film" in told
    assert "His Girl Friday" in told, told
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "where the keyboard is can be seen"
    tab.keyboard.press("Enter")
    expect(tab.locator("#vc-preview")).to_be_enabled(timeout=PATIENCE)
    tab.locator("#vc-preview").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#vc-cancel")).to_be_enabled(timeout=PATIENCE)
    tab.locator("#vc-cancel").focus()
    tab.keyboard.press("Space")
    status(tab, "Cancelled")


PHONE = {"viewport": {"width": 375, "height": 812}, "is_mobile": True, "has_touch": True}


@pytest.mark.parametrize("tab", [PHONE, {**PHONE, "color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(tab: Tab, tmp_path: Path, request: Any) -> None:  # noqa: ANN401
    tone = request.node.callspec.id
    if tone == "light":
        drop(tab, small_film(tmp_path / "an old film with quite a long name of its own, from 1921.mp4", cut=6))
        tab.locator("#vc-preview").tap()
        status(tab, "This is a preview")
        open_shot(tab, 1).tap()
        assert len(painted(tab).hints) == 1
    for name in ("Film", "Photos", "Live"):
        tab.get_by_role("tab", name=name).click()
        picture(tab, f"phone-{tone}-{name.lower()}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize(
    "tab", [{"color_scheme": "dark"}, {"color_scheme": "light"}], indirect=True, ids=["dark", "light"]
)
def test_light_and_dark_follow_the_system_and_the_switch(tab: Tab, request: Any) -> None:  # noqa: ANN401
    def ground() -> int:
        return int(tab.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))

    is_dark = request.node.callspec.id == "dark"
    tab.wait_for_timeout(500)
    assert (ground() < 60) is is_dark
    for name in ("Film", "Photos", "Live"):
        tab.get_by_role("tab", name=name).click()
        picture(tab, f"{request.node.callspec.id}-{name.lower()}")
    tab.get_by_role("button", name="Switch between light and dark").click()
    assert (ground() < 60) is not is_dark
    tab.reload()
    tab.locator("#vc-restore").wait_for(state="attached")
    tab.wait_for_timeout(500)
    assert (ground() < 60) is not is_dark, "the choice is kept"


def test_a_person_logs_in_by_a_page(chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setattr("demo.login._DELAY", 0.1)
    with locked(tmp_path, monkeypatch) as address:
        context = chromium.new_context(viewport={"width": 900, "height": 600})
        tab = context.new_page()
        tab.goto(address)
        tab.screenshot(path=str(SHOTS / "login.png"))
        for password, seen in (("wrong", "That was not right"), ("secret", "inside")):
            tab.get_by_label("User").fill("ada")
            tab.get_by_label("Password").fill(password)
            tab.keyboard.press("Enter")
            expect(tab.locator("body")).to_contain_text(seen)
        context.close()


@contextlib.contextmanager
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A door with a lock, and nothing but a word behind it."""

    async def inside(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "http":
            await PlainTextResponse("inside")(scope, receive, send)

    monkeypatch.setattr(rooms.tempfile, "tempdir", str(folder))
    place, house = Place(port=0, lock=Lock.of("ada:secret")), House(60)
    with listen(place) as taken:
        port = taken.getsockname()[1]
        door = Door(inside, house, place, lambda *_: None, port)
        server = uvicorn.Server(uvicorn.Config(door, log_level="error", lifespan="off"))
        thread = threading.Thread(target=lambda: server.run(sockets=[taken]))
        thread.start()
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join()
    house.close()
