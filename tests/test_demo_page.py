"""Promises of the page to programmes: every action by name, twenty visitors at once, each with his own film only."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from pages import MINUTES, ROOT, UPLOAD_MEGABYTES, Page, events, file_data, lumas, small_film, stream, upload
from PIL import Image

from vidcolor.guide.hints import Hint, Hints, write_hints

gradio_client = pytest.importorskip("gradio_client", reason="pip install 'vidcolor[test]' brings gradio_client")
# The client library opens event loops and connections of its own, and leaves them to the collector.
pytestmark = pytest.mark.filterwarnings("ignore")

Client = Any
handle = gradio_client.handle_file


@pytest.fixture
def client(page: Page, tmp_path: Path) -> Iterator[Client]:
    made = gradio_client.Client(page.address, verbose=False, download_files=str(tmp_path / "client"))
    yield made
    made.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return small_film(tmp_path / "old film.mp4", cut=6)


def test_every_action_has_a_named_address_that_the_manual_tells(page: Page, client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    manual = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    wanted = {"limits", "sample", "facts", "shots", "preview", "shot", "restore", "frame", "photos", "cancel"}
    wanted |= {"live_film", "live_frame"}
    assert {name.strip("/") for name in named} == wanted
    assert all(f"`/{name}`" in manual for name in wanted)


def test_a_programme_restores_a_film_and_hears_how_it_goes(client: Client, film: Path) -> None:
    job = client.submit(handle(film), api_name="/restore")
    news = list(job)
    last = job.result()
    counts = [one["frame"] for one in news if one["event"] == "progress"]
    assert counts == sorted(counts)
    assert counts[-1] == last["frames"] == 12
    assert Path(last["film"]).name == "old film.color.mp4", "in the container that it came in"
    before, after = lumas(film), lumas(Path(last["film"]))
    assert len(before) == len(after)
    assert np.abs(np.subtract(before, after)).mean() < 2, "light stays, within coding noise"
    assert last["mark"]["model"] == "reel"
    assert len(last["timeline"]["time"]) == 12
    with av.open(last["beside"]) as beside:
        assert (beside.streams.video[0].width, beside.streams.video[0].height) == (192, 54)
        assert len(beside.streams.audio) == 1


def test_a_result_is_looked_at_again_by_its_address(page: Page, film: Path) -> None:
    with page.client() as visitor:
        path = upload(visitor, film)
        last = stream(visitor, "restore", film=file_data(path))[-1]
        pair = stream(visitor, "frame", film=last["film"], at=0.2)[-1]["pair"]
        before, after = (visitor.get(f"/gradio_api/file={one['path']}") for one in pair)
        assert before.headers["content-type"] == after.headers["content-type"] == "image/jpeg"
        part = visitor.get(f"/gradio_api/file={last['play']['path']}", headers={"range": "bytes=0-99"})
        assert (part.status_code, len(part.content)) == (206, 100), "players ask for parts"
        with pytest.raises(AssertionError, match="Restore the film first"):
            stream(visitor, "frame", film=file_data(path), at=0.2)


def test_a_preview_of_any_part_and_the_facts_come_without_the_long_run(client: Client, film: Path) -> None:
    facts = client.predict(handle(film), api_name="/facts")
    assert (facts["frames"], facts["sound"], facts["cuts"]) == (12, ["aac"], 2)
    start = facts["shots"][1]["start"]
    last = client.submit(handle(film), start=start, seconds=0.16, api_name="/preview").result()
    assert last["frames"] == 4
    grey = client.submit(handle(film), strength=0, api_name="/preview").result()
    assert max(grey["timeline"]["colour"]) < 1, "no strength is no colour"
    assert "beside" not in last or last["beside"] is None


def test_pictures_come_back_as_what_they_were_and_in_one_archive(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    files = [tmp_path / "one.png", tmp_path / "a" / "one.png", tmp_path / "two.jpg", tmp_path / "no.png"]
    for file in files[:3]:
        Image.fromarray(np.tile(np.arange(96, dtype=np.uint8) * 2, (54, 1))).save(file)
    files[3].write_text("no picture", encoding="utf-8")
    last = client.submit([handle(file) for file in files], api_name="/photos").result()
    with zipfile.ZipFile(last["archive"]) as archive:
        assert sorted(archive.namelist()) == ["one.color-2.png", "one.color.png", "two.color.jpg"]
    assert "text" in last["photos"][3]["refused"]
    with Image.open(last["photos"][0]["film"]) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (96, 54), "RGB")


def test_a_film_runs_live_and_says_what_was_dropped(client: Client, film: Path) -> None:
    job = client.submit(handle(film), api_name="/live_film")
    news = list(job)
    pictures = [one for one in news if one["event"] == "picture"]
    last = job.result()
    assert last["shown"] + last["dropped"] == 12
    assert len(pictures) == last["shown"] >= 1
    assert pictures[0]["picture"].startswith("data:image/jpeg;base64,")


def test_a_camera_is_coloured_picture_by_picture(page: Page, client: Client) -> None:
    from demo.probe import as_address

    picture = as_address(Image.fromarray(np.tile(np.arange(160, dtype=np.uint8), (120, 1))))
    answers = [client.predict(picture, 1.0, api_name="/live_frame") for _ in range(2)]
    assert [answer["shown"] for answer in answers] == [1, 2], "memory is kept from call to call"
    for bad in (
        "data:image/svg+xml;base64,AAAA",
        "data:image/jpeg;base64,AAAA",
        "http://127.0.0.1/x.jpg",
        "/etc/hostname",
    ):
        with pytest.raises(Exception, match="picture"):
            client.predict(bad, 1.0, api_name="/live_frame")


def test_cancelling_frees_the_machine(page: Page, client: Client) -> None:
    sample = client.predict("kid-auto-races-1914", api_name="/sample")
    job = client.submit(handle(sample), api_name="/restore")
    for news in job:
        if news["event"] == "progress" and news["frame"]:
            break
    begun = time.monotonic()
    assert client.predict(api_name="/cancel") == 1
    page.wait_until(working=0)
    assert time.monotonic() - begun < 8
    with pytest.raises(Exception, match=r"[Cc]ancelled|interrupted"):
        job.result(timeout=20)


def test_who_stops_listening_leaves_no_work_behind(page: Page) -> None:
    with page.client() as visitor:
        sample = stream(visitor, "sample", name="kid-auto-races-1914")[-1]
        answer = visitor.post("/gradio_api/call/v2/restore", json={"film": sample})
        with visitor.stream("GET", f"/gradio_api/call/v2/restore/{answer.json()['event_id']}") as lines:
            assert any('"progress"' in line for line in lines.iter_lines())
        assert httpx.get(f"{page.address}/healthz").json()["working"] == 1
    page.wait_until(working=0)


# Twenty at once


def one_visitor(page: Page, folder: Path, seed: int) -> float:
    """A visitor's whole visit; returns how far his result's light is from his film's."""
    film = small_film(folder / f"film{seed}.mp4", frames=8, seed=seed)
    with page.client() as visitor:
        path = upload(visitor, film)
        last = stream(visitor, "preview", film=file_data(path))[-1]
        assert last["frames"] == 8
        result = folder / f"result{seed}.mp4"
        result.write_bytes(visitor.get(f"/gradio_api/file={last['film']['path']}").raise_for_status().content)
    return float(np.subtract(lumas(film), lumas(result)).mean())


def test_twenty_visitors_at_once_each_get_their_own_film(page: Page, tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        errors = list(pool.map(lambda seed: one_visitor(page, tmp_path, seed), range(20)))
    # Films differ by 5 code values of light from one to the next; coding moves a film's mean by far less than one.
    assert len(errors) == 20
    assert max(map(abs, errors)) < 1.5, errors
    page.wait_until()


# Each his own


def test_a_visitors_files_do_not_exist_for_another(page: Page, film: Path) -> None:
    with page.client() as one, page.client() as other:
        path = upload(one, film)
        assert one.get(f"/gradio_api/file={path}").status_code == 200
        assert other.get(f"/gradio_api/file={path}").status_code == 404
        assert httpx.get(f"{page.address}/gradio_api/file={path}").status_code == 401
        for name in ("facts", "shots", "shot", "restore", "preview", "live_film"):
            answer = other.post(f"/gradio_api/call/{name}", json={"data": [file_data(path)]})
            assert answer.status_code == 403
        again = upload(other, film)
        assert again != path, "the same film, and yet not the same address"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/hostname",
        "../../../etc/hostname",
        "..%2f..%2f..%2fetc%2fhostname",
        "/proc/self/environ",
        "file:///etc/hostname",
        "http://127.0.0.1:1/",
        str(ROOT / "pyproject.toml"),
        "demo/samples/his-girl-friday-1940.mp4",
    ],
)
def test_paths_from_outside_are_refused(page: Page, path: str) -> None:
    with page.client() as visitor:
        for address in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}", f"/file={path}"):
            answer = visitor.get(address)
            assert answer.status_code in (403, 404)
            assert "root:" not in answer.text
        answer = visitor.post("/gradio_api/call/facts", json={"data": [file_data(path)]})
        assert answer.status_code == 403
        answer = visitor.post("/gradio_api/run/facts", json={"data": [file_data(path)]})
        assert answer.status_code == 403
        answer = visitor.post("/gradio_api/call/facts", json={"data": [path]})
        if answer.status_code == 200:  # a path that is not even in a file's form
            with pytest.raises(AssertionError, match="no such file"):
                events(visitor, "facts", answer.json()["event_id"])


def test_a_link_among_the_uploads_leads_nowhere(page: Page, film: Path) -> None:
    with page.client() as visitor:
        path = Path(upload(visitor, film))
        (path.parent / "link.mp4").symlink_to("/etc/hostname")
        assert visitor.get(f"/gradio_api/file={path.parent / 'link.mp4'}").status_code == 404
        assert visitor.get(f"/gradio_api/file={path.parent}").status_code == 404


def test_uploads_are_limited_and_refused_in_a_sentence(page: Page, tmp_path: Path) -> None:
    with page.client() as visitor:
        large = b"\0" * (UPLOAD_MEGABYTES * (1 << 20) + 1)
        answer = visitor.post("/gradio_api/upload", files={"files": ("film.mp4", large)})
        assert (answer.status_code, f"{UPLOAD_MEGABYTES} MB" in answer.text) == (413, True)
        path = upload(visitor, small_film(tmp_path / "long.mp4", frames=int(25 * 60 * MINUTES) + 25, size=(16, 16)))
        with pytest.raises(AssertionError, match="too long"):
            stream(visitor, "facts", film=file_data(path))
        for number in (2, 3):
            (tmp_path / "list.mp4").write_bytes(b"ffconcat version 1.0\nfile '/etc/hostname'\n" * number)
            with pytest.raises(AssertionError, match="names other files"):
                stream(visitor, "restore", film=file_data(upload(visitor, tmp_path / "list.mp4")))
        with pytest.raises(AssertionError, match="no such network"):
            stream(visitor, "restore", film=file_data(path), model="/etc/hostname")
    assert httpx.get(f"{page.address}/healthz").json()["status"] == "ok"


def test_the_page_tells_its_limits_and_names_no_other_place(page: Page) -> None:
    with page.client() as visitor:
        answer = visitor.get("/")
    assert f"up to {UPLOAD_MEGABYTES} MB, {MINUTES} minutes" in answer.text
    others = {found for found in re.findall(r"https?://[\w.-]+", answer.text) if not page.address.startswith(found)}
    assert not others
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_the_page_listens_to_this_machine_only(page: Page) -> None:
    port = int(page.address.rsplit(":", 1)[1])
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if not tables[0].exists():
        pytest.skip("sockets are listed in /proc/net on Linux only")
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    listening = {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    assert listening == {"0100007F"}


def test_the_example_restores_a_film(page: Page, film: Path) -> None:
    hints = film.with_name("hints.json")
    write_hints(hints, Hints((Hint("#2038c8", 0.2, ((0.5, 0.5),), frame=1),)))
    words = [sys.executable, "-m", "demo.example_client", "--page", page.address, "--hints", str(hints), str(film)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert film.with_name("old film.color.mp4").stat().st_size > 1000


def test_a_server_that_is_ended_while_it_loads_leaves_nothing(tmp_path: Path) -> None:
    import os
    import signal

    place = os.environ | {"TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "vidcolor", "demo", "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=place, cwd=ROOT)
    assert process.stderr is not None
    assert "loading" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=15)
    assert process.returncode == 143
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
