"""Promises of the page's inner rooms: limits, locks, visitors, the gate, the queue, the door; no browser, no server."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import MakeFilm
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from demo import desk as desk_room
from demo import parts, rooms, serve
from demo.desk import Desk
from demo.door import Door, paths_in, visitor_of
from demo.files import Files
from demo.gate import Gate
from demo.options import Limits, Lock, Place
from demo.rooms import House, Refused, plain_name
from demo.serve import listen
from demo.show import timeline
from demo.timeline import clock, draw
from demo.wishes import wishes_of
from demo.worker import Worker
from streams.errors import Interrupted, OutputError, UsageError
from vidcolor.brake import Brake
from vidcolor.cli.command import build_parser

Run = Callable[[Awaitable[Any]], Any]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(rooms.tempfile, "tempdir", str(tmp_path))
    house = House(3600, Clock())
    yield house
    house.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


# Limits and locks


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "70000"], "65535"),
        (["--auth", "nobody"], "USER:PASSWORD"),
        (["--auth", ":secret"], "USER:PASSWORD"),
        (["--keep-minutes", "90"], "60"),
        (["--max-upload", "0"], "more than 0"),
        (["--workers", "none"], "workers"),
    ],
)
def test_limits_that_make_no_sense_are_refused_in_a_sentence(words: list[str], said: str) -> None:
    from demo.options import place_of

    with pytest.raises(UsageError, match=said):
        place_of(build_parser().parse_args(["demo", *words]))


def test_the_password_is_kept_as_a_digest_and_read_from_a_file(tmp_path: Path) -> None:
    from demo.options import place_of

    file = tmp_path / "login"
    file.write_text("ada:s3cret:with colon\nnot this line\n", encoding="utf-8")
    place = place_of(build_parser().parse_args(["demo", "--auth-file", str(file)]))
    assert place.lock is not None
    assert place.lock.opens_for("ada", "s3cret:with colon")
    assert not place.lock.opens_for("ada", "s3cret")
    assert not place.lock.opens_for("", "s3cret:with colon")
    assert "s3cret" not in repr(place)


@pytest.mark.parametrize(
    ("host", "private"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_only_loopback_is_private(host: str, private: bool) -> None:
    assert Place(host).is_private is private


def test_a_busy_port_is_an_output_error_in_a_sentence() -> None:
    with listen(Place(port=0)) as taken, pytest.raises(OutputError, match="cannot be used"):
        listen(Place(port=taken.getsockname()[1]))


def test_the_command_ends_with_code_4_where_the_port_is_busy() -> None:
    with listen(Place(port=0)) as taken:
        words = [sys.executable, "-m", "vidcolor", "demo", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 4
    assert "vidcolor: error: port" in done.stderr
    assert "Traceback" not in done.stderr


# Visitors and their rooms


def test_addresses_of_files_cannot_be_guessed_and_names_decide_nothing(house: House) -> None:
    visitor, other = house.welcome(), house.welcome()
    paths = [visitor.new_path("../../etc/passwd") for _ in range(2)] + [other.new_path("../../etc/passwd")]
    assert len({path.parent for path in paths}) == 3
    assert all(path.is_relative_to(house.root) and path.name == "passwd" for path in paths)
    assert all(len(path.parent.name) >= 22 for path in paths), "128 bits and more"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("old film.mp4", "old film.mp4"),
        ("a/b\\c:d.mkv", "c_d.mkv"),
        ("..", "file"),
        ("<img src=x>.mp4", "_img src_x_.mp4"),
        ("\x1b[2J.avi", "__2J.avi"),
        ("", "file"),
    ],
)
def test_names_of_uploads_are_made_plain(given: str, kept: str) -> None:
    assert plain_name(given) == kept


def test_long_names_are_cut(house: House) -> None:
    path = house.welcome().new_path("ä" * 400 + ".mp4")
    path.write_bytes(b"x")
    assert path.suffix == ".mp4"


def test_a_visitor_has_only_files_of_his_own(house: House) -> None:
    visitor, other = house.welcome(), house.welcome()
    path = visitor.new_path("film.mp4")
    path.write_bytes(b"film")
    assert visitor.mine(str(path)) == path
    for bad in (str(path.parent / ".." / path.parent.name / path.name), "/etc/hostname", None, 7, ["x"]):
        with pytest.raises(Refused):
            visitor.mine(bad)
    with pytest.raises(Refused):
        other.mine(str(path))


def test_a_visit_ends_when_its_last_page_has_been_closed_for_a_while(house: House) -> None:
    visitor = house.welcome()
    path = visitor.new_path("film.mp4")
    path.write_bytes(b"film")
    clock = house._clock
    assert isinstance(clock, Clock)
    visitor.pages["page"], visitor.has_page = 1, True
    clock.now = 1000
    assert not house.leaving(lambda _: False), "its page is open"
    visitor.pages["page"] = 0
    house.find(visitor.token)
    clock.now += rooms.ABSENCE - 1
    assert not house.leaving(lambda _: False), "the page may be loading again"
    clock.now += 2
    assert house.leaving(lambda _: False) == [visitor]
    house.farewell(visitor)
    assert not path.exists()
    assert not list(house.root.iterdir())
    assert house.find(visitor.token) is None


def test_the_server_looks_after_visits_that_are_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_ROUND", 0.02)
    visitor, clock = house.welcome(), house._clock
    assert isinstance(clock, Clock)
    visitor.new_path("film.mp4").write_bytes(b"film")
    visitor.has_page, clock.now = True, rooms.ABSENCE + 1

    async def scene() -> None:
        desk = Desk(Limits())
        rounds = asyncio.create_task(serve._keep_clean(house, desk))
        await asyncio.sleep(0.5)
        rounds.cancel()

    asyncio.run(scene())
    assert not list(house.root.iterdir())


def test_a_page_that_was_left_open_is_kept_an_hour_at_most(house: House) -> None:
    visitor, clock = house.welcome(), house._clock
    assert isinstance(clock, Clock)
    visitor.pages["page"] = 1
    clock.now = 3601
    assert not house.leaving(lambda _: True), "work goes on"
    assert house.leaving(lambda _: False) == [visitor]


def test_what_a_killed_server_left_is_swept_and_what_a_living_one_has_is_not(house: House, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f"vidcolor-demo-{gone.pid}-abc"
    (left / "room").mkdir(parents=True)
    rooms.sweep()
    assert not left.exists() or os.name == "nt"
    assert house.root.exists()


def test_a_signal_while_the_page_is_built_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework makes folders while the page is built: what was cleared too early would be there anew."""
    monkeypatch.setattr(rooms.tempfile, "tempdir", str(tmp_path))
    begun, brake = threading.Event(), Brake()

    def slowly(_place: Place, house: House, _desk: Desk, _port: int) -> None:
        begun.set()
        time.sleep(0.2)
        (house.root / "of the framework").mkdir(parents=True)

    monkeypatch.setattr(serve, "build_app", slowly)
    monkeypatch.setattr(serve.os, "environ", dict(os.environ))
    ended: list[BaseException] = []

    def run() -> None:
        try:
            serve.serve(Place(port=0), print, brake)
        except Interrupted as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60)
    brake.pull()
    assert not list(tmp_path.iterdir()), "whoever pulls may end the process at once"
    thread.join()
    assert ended
    assert not list(tmp_path.iterdir())


# The gate

_HOSTILE = {
    "concat.mp4": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    "list.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "scene.mp4": b"<?xml version='1.0'?><MPD><Period/></MPD>",
    "talk.mp4": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "page.mp4": b"<!doctype html><script>alert(1)</script>",
    "zeros.mp4": bytes(8192),
    "empty.mp4": b"",
    "giant.y4m": b"YUV4MPEG2 W60000 H60000 F25:1 C420jpeg\nFRAME\n",
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_uploads_are_judged_by_content_behind_the_gate(house: House, name: str) -> None:
    visitor = house.welcome()
    path = visitor.new_path(name)
    path.write_bytes(_HOSTILE[name])
    with pytest.raises(Refused) as refusal:
        asyncio.run(Gate(Limits()).seen(visitor, str(path)))
    assert str(house.root) not in str(refusal.value), "where the page keeps files is nobody's business"
    assert str(refusal.value).endswith(".")


def test_a_film_over_the_limits_is_refused_with_the_limit_named(house: House, make_film: MakeFilm) -> None:
    visitor = house.welcome()
    path = visitor.new_path("film.mkv")
    path.write_bytes(make_film(frames=4, stamps=[0, 1000, 2000, 9000]).read_bytes())
    for limits, said in ((Limits(seconds=6), "0.1 minutes"), (Limits(pixels=1000), "too large")):
        with pytest.raises(Refused, match=said):
            asyncio.run(Gate(limits).seen(visitor, str(path)))
    facts = asyncio.run(Gate(Limits()).seen(visitor, str(path)))
    assert (facts["kind"], facts["frames"], facts["width"], facts["height"]) == ("film", 4, 64, 48)


def test_shots_come_with_their_thumbnails(house: House, make_film: MakeFilm) -> None:
    visitor = house.welcome()
    path = visitor.new_path("film.mkv")
    path.write_bytes(make_film(frames=20, cuts=(10,), size=(72, 96)).read_bytes())
    facts = asyncio.run(Gate(Limits()).seen(visitor, str(path)))
    assert [shot["start"] for shot in facts["shots"]] == [0.0, 0.4]
    assert all(shot["picture"].startswith("data:image/jpeg;base64,") for shot in facts["shots"])


def test_the_facts_are_there_before_the_whole_film_was_seen(house: House, make_film: MakeFilm) -> None:
    visitor = house.welcome()
    path = visitor.new_path("film.mkv")
    path.write_bytes(make_film(frames=4).read_bytes())
    assert asyncio.run(Gate(Limits()).passed(visitor, str(path)))["is_whole"] is False
    assert asyncio.run(Gate(Limits()).seen(visitor, str(path)))["is_whole"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "/etc/passwd"},
        {"model": "../reel.safetensors"},
        {"strength": 9},
        {"strength": "nan"},
        {"strength": None},
        {"side": 100000},
        {"start": "5", "stop": "2"},
        {"start": "soon"},
        {"quality": "best; rm"},
        {"stock": "nitrate"},
        {"model": ["reel"]},
    ],
)
def test_wishes_that_make_no_sense_are_refused_in_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"\.$"):
        wishes_of(Limits(), **wrong)


def test_no_wish_reaches_beyond_the_longest_film() -> None:
    assert wishes_of(Limits(seconds=60), stop="1e9")["stop"] == "60"


# The queue


def slow(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Put a program in the place of the workers: one that takes orders and does not end them."""

    async def start(threads: int) -> asyncio.subprocess.Process:
        del threads
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=pipe, stdout=pipe)

    monkeypatch.setattr(desk_room, "_start", start)
    monkeypatch.setattr(desk_room, "_PATIENCE", 0.3)


def test_beyond_the_queue_the_answer_is_busy_at_once_and_places_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, "import sys\nfor line in sys.stdin: pass")
    limit = 4

    async def scene() -> None:
        desk = Desk(Limits(workers=1, queue=limit))
        desk.open()
        jobs, refusals = [], []
        for number in range(1 + limit + 5):
            try:
                jobs.append(desk.give(house.welcome(), "page", "long", {"number": number}))
            except Refused as refusal:
                refusals.append(str(refusal))
        assert (len(jobs), len(refusals)) == (1 + limit, 5)
        assert all("busy" in refusal for refusal in refusals)
        assert [desk.place(job) for job in jobs] == [0, 1, 2, 3, 4]
        quick = desk.jobs_of(jobs[1].visitor)[0]
        desk.cancel(quick)
        assert desk.place(jobs[2]) == 1, "those behind move up"
        desk.close()
        await asyncio.sleep(0.2)

    asyncio.run(scene())


def test_quick_orders_go_before_long_ones_and_one_visitor_takes_his_share_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, "import sys\nfor line in sys.stdin: pass")

    async def scene() -> None:
        desk = Desk(Limits(workers=1, queue=9, share=3))
        desk.open()
        visitor = house.welcome()
        for lane in ("long", "long", "quick"):
            job = desk.give(visitor, "page", lane, {})  # type: ignore[arg-type]
        assert desk.place(job) == 1
        with pytest.raises(Refused, match="3 orders"):
            desk.give(visitor, "page", "quick", {})
        desk.leave(visitor, "another page")
        assert len(desk.jobs_of(visitor)) == 3
        desk.leave(visitor, "page")
        await asyncio.sleep(1)
        assert not desk.jobs_of(visitor), "a closed page ends its work, waiting or not"
        desk.close()
        await asyncio.sleep(0.2)

    asyncio.run(scene())


def test_a_worker_that_does_not_stop_is_ended_and_the_next_order_gets_a_new_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, "import sys, time\nfor line in sys.stdin: pass")

    async def scene() -> None:
        desk = Desk(Limits(workers=1))
        desk.open()
        job = desk.give(house.welcome(), "page", "long", {})
        waiting = desk.give(house.welcome(), "page", "long", {})
        await asyncio.sleep(0.4)
        before = desk.processes
        words = asyncio.create_task(desk_room.last_of(desk.follow(job)))
        desk.cancel(job)
        assert (await asyncio.wait_for(words, 10))["event"] == "cancelled"
        await asyncio.sleep(0.5)
        assert desk.place(waiting) == 0, "it is worked on"
        assert desk.processes and desk.processes != before
        desk.close()
        await asyncio.sleep(0.3)
        assert not desk.processes

    asyncio.run(scene())


def test_a_worker_that_breaks_fails_its_order_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, "import sys, os\nfor line in sys.stdin: os._exit(9)")

    async def scene() -> None:
        desk = Desk(Limits(workers=1))
        desk.open()
        for _ in range(2):
            with pytest.raises(Refused, match="unexpectedly"):
                await desk.result(desk.give(house.welcome(), "page", "quick", {}))
        desk.close()
        await asyncio.sleep(0.2)

    asyncio.run(scene())


# The door


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """What lies behind the door: says that it was reached, and gives calls a number."""
    answer = {"event_id": "e1"} if scope["path"].endswith("/join") else {"reached": scope["path"]}
    await JSONResponse(answer)(scope, receive, send)


def door_of(house: House, place: Place | None = None) -> Door:
    return Door(inner, house, place or Place(), lambda *_: None, 7860)


def talk(
    door: Door, *asked: tuple[str, str, dict[str, Any]], base: str = "http://127.0.0.1:7860"
) -> list[httpx.Response]:
    async def scene() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url=base) as client:  # type: ignore[arg-type]
            return [await client.request(method, path, **more) for method, path, more in asked]

    return asyncio.run(scene())


_ADDRESSES = [
    ("GET", "/"),
    ("GET", "/config"),
    ("GET", "/healthz"),
    ("GET", "/assets/index.js"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/file=/etc/hostname"),
    ("POST", "/gradio_api/upload"),
    ("POST", "/gradio_api/queue/join"),
    ("GET", "/gradio_api/queue/data?session_hash=x"),
    ("POST", "/gradio_api/call/restore"),
    ("POST", "/gradio_api/run/live_frame"),
    ("GET", "/gradio_api/heartbeat/x"),
    ("GET", "/nowhere"),
]


@pytest.mark.parametrize(("method", "path"), _ADDRESSES)
def test_every_address_asks_for_the_login(
    house: House, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.login._DELAY", 0.0)
    door = door_of(house, Place(lock=Lock.of("ada:secret")))
    wrong = {"auth": httpx.BasicAuth("ada", "wrong")}
    for answer in talk(door, (method, path, {}), (method, path, wrong)):
        assert answer.status_code == 401
        assert "reached" not in answer.text


def test_who_logs_in_comes_in_by_page_by_client_and_by_basic(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.login._DELAY", 0.0)
    door = door_of(house, Place(lock=Lock.of("ada:secret")))
    page = {"headers": {"accept": "text/html"}}
    form = {"data": {"username": "ada", "password": "secret"}}
    asked, wrong, client, inside, outside, again = talk(
        door,
        ("GET", "/", page),
        ("POST", "/login", {"data": {"username": "ada", "password": "x"}}),
        ("POST", "/login", form),
        ("GET", "/", {}),
        ("GET", "/logout", {}),
        ("GET", "/", {}),
    )
    assert (asked.status_code, "password" in asked.text) == (401, True)
    assert (wrong.status_code, client.status_code, inside.status_code) == (401, 200, 200)
    assert (outside.status_code, again.status_code) == (303, 401)
    assert "HttpOnly" in client.headers["set-cookie"]
    (basic,) = talk(door, ("GET", "/", {"auth": httpx.BasicAuth("ada", "secret")}))
    assert basic.status_code == 200


def test_files_calls_and_listening_need_a_visit(house: House) -> None:
    for answer in talk(door_of(house), *[(method, path, {}) for method, path in _ADDRESSES[5:12]]):
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=http://127.0.0.1/",
        "/gradio_api/file/etc/hostname",
        "/gradio_api/component_server",
        "/gradio_api/process_recording",
        "/gradio_api/vibe-code",
        "/gradio_api/runs",
        "/gradio_api/stream/a/b/1/playlist.m3u8",
        "/gradio_api/dev/reload",
        "/monitoring",
        "/login",
        "/static/../../etc/hostname",
        "/docs",
        "/openapi.json",
    ],
)
def test_addresses_of_the_framework_that_are_not_needed_are_closed(house: House, path: str) -> None:
    _, got, posted = talk(door_of(house), ("GET", "/", {}), ("GET", path, {}), ("POST", path, {"json": {}}))
    assert (got.status_code, posted.status_code) == (404, 404)


def test_a_path_that_is_not_the_visitors_is_refused_however_deep_it_stands(house: House) -> None:
    door = door_of(house)
    visitor, other = house.welcome(), house.welcome()
    mine, his = str(visitor.new_path("a.mp4")), str(other.new_path("b.mp4"))
    cookie = {"headers": {"cookie": f"{door.cookie}={visitor.token}"}}
    for path in (his, "/etc/hostname", f"{mine}/../../x", "http://example.org/film.mp4", {"path": mine}, ["x"], ""):
        for body in ({"data": [{"path": path}]}, {"data": [{"a": [{"b": {"path": path}}]}]}):
            (answer,) = talk(door, ("POST", "/gradio_api/queue/join", {**cookie, "json": body}))
            assert answer.status_code == 403, path
    (answer,) = talk(door, ("POST", "/gradio_api/queue/join", {**cookie, "json": {"data": [{"path": mine}]}}))
    assert answer.json() == {"event_id": "e1"}


def test_calls_and_pages_belong_to_who_began_them(house: House) -> None:
    door = door_of(house)
    mine, his = house.welcome(), house.welcome()
    my_cookie, his_cookie = ({"headers": {"cookie": f"{door.cookie}={one.token}"}} for one in (mine, his))
    join = ("POST", "/gradio_api/queue/join", {**my_cookie, "json": {"data": [], "session_hash": "page1"}})
    listen_to = ("GET", "/gradio_api/queue/data?session_hash=page1")
    result = ("GET", "/gradio_api/call/restore/e1")
    stop = {"json": {"session_hash": "page1", "event_id": "e1", "fn_index": 0}}
    answers = talk(door, join, (*listen_to, my_cookie), (*result, my_cookie))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    answers = talk(
        door, (*listen_to, his_cookie), (*result, his_cookie), ("POST", "/gradio_api/cancel", {**his_cookie, **stop})
    )
    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_foreign_names_and_foreign_sites_are_refused(house: House) -> None:
    (foreign,) = talk(door_of(house), ("GET", "/", {}), base="http://evil.example")
    assert foreign.status_code == 421
    origin = {"headers": {"origin": "http://evil.example"}}
    (other,) = talk(door_of(house), ("POST", "/gradio_api/queue/join", {**origin, "json": {}}))
    assert other.status_code == 403
    (public,) = talk(door_of(house, Place("0.0.0.0")), ("GET", "/", {}), base="http://films.example")
    assert public.status_code == 200


def test_every_answer_forbids_framing_and_outside_content(house: House) -> None:
    for answer in talk(door_of(house), ("GET", "/", {}), ("GET", "/nowhere", {}), ("GET", "/assets/x.js", {})):
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert "*" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_call_that_is_no_call_is_refused(house: House) -> None:
    door = door_of(house)
    deep: Any = {}
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(Refused):
        list(paths_in(deep))
    for more in ({"content": b"{"}, {"content": b"[" * 5000}, {"json": [1]}, {"content": b"x" * (5 << 20)}):
        _, answer = talk(door, ("GET", "/", {}), ("POST", "/gradio_api/queue/join", more))
        assert answer.status_code == 403


# Uploads


def upload(house: House, limits: Limits, **more: Any) -> tuple[httpx.Response, list[Path]]:  # noqa: ANN401
    files = Files(house, limits)

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await files.upload(request) if scope["path"].endswith("upload") else PlainTextResponse("page")
        assert scope["path"] == "/" or visitor_of(request)
        await answer(scope, receive, send)

    door = Door(behind, house, Place(), lambda *_: None, 7860)
    _, answer = talk(door, ("GET", "/", {}), ("POST", "/gradio_api/upload", more))
    return answer, [path for path in house.root.rglob("*") if path.is_file()]


def test_uploads_come_in_whole_and_in_order(house: House) -> None:
    given = [("files", (name, data)) for name, data in (("a.mp4", b"A" * 200_000), ("b é.mp4", b"B"))]
    answer, kept = upload(house, Limits(), files=given)
    paths = [Path(path) for path in answer.json()]
    assert [path.read_bytes() for path in paths] == [b"A" * 200_000, b"B"]
    assert sorted(paths) == sorted(kept)


def test_an_upload_over_the_limit_is_refused_in_a_sentence_and_leaves_nothing(house: House) -> None:
    answer, kept = upload(house, Limits(upload=1 << 20), files=[("files", ("a.mp4", b"A" * ((1 << 20) + 1)))])
    assert answer.status_code == 413
    assert "1 MB" in answer.text
    assert not kept
    answer, kept = upload(house, Limits(upload=1 << 20), files=[("files", ("a.mp4", b"A" * (1 << 20)))])
    assert (answer.status_code, len(kept)) == (200, 1)


@pytest.mark.parametrize("cut", [60, 150, 5000])
def test_a_broken_upload_leaves_nothing(house: House, cut: int) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
    body = (head + b"A" * 9000 + b"\r\n--x--\r\n")[:cut]
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer, kept = upload(house, Limits(), content=body, headers=kind)
    assert answer.status_code == 400
    assert not kept


# What is shown


def test_foreign_words_are_escaped_on_the_page(house: House) -> None:
    evil = "<script>alert(1)</script>"
    assert evil not in parts.bad(evil)
    assert evil not in parts.warnings([evil])
    assert evil not in parts.photos({"photos": [{"name": evil, "refused": evil}]})
    mark = {"model": evil, "version": evil, "sha256": evil}
    assert "<script>" not in parts.mark(mark)


def test_the_timeline_shows_where_the_cut_is(make_film: MakeFilm) -> None:
    table = timeline(make_film(frames=30, cuts=(15,), size=(72, 96)), Brake())
    assert table["cuts"] == [0.6]
    assert table["seconds"] == pytest.approx(1.2, abs=0.041)
    assert max(table["colour"]) < 0.5, "it is grey"
    assert table["light"][15] == 0, "a cut is no flicker"
    assert min(table["light"][1:15]) > 0, "the picture moves"
    assert draw(table).count("<polyline") == 3
    assert "stroke-dasharray" in draw(table)


def test_a_timeline_of_one_picture_is_no_plot(make_film: MakeFilm) -> None:
    assert "too short" in draw(timeline(make_film(frames=1), Brake()))


@pytest.mark.parametrize(("seconds", "said"), [(3.21, "3.2 s"), (62, "1:02"), (3600, "1:00:00")])
def test_times_are_written_as_people_write_them(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_an_order_that_was_cancelled_says_so_however_its_encoder_ended(is_cancelled: bool) -> None:
    def ended(order: object, tell: object, brake: Brake) -> None:
        if is_cancelled:
            brake.pull()
        raise OutputError("ffmpeg failed: it ended with -9 and no word")

    news = io.StringIO()
    worker = Worker(io.StringIO(), news)
    worker._tasks = {"film": ended}
    worker._is_warm.set()
    worker._work({"id": 7, "do": "film"}, Brake())
    told = json.loads(news.getvalue())
    if is_cancelled:
        assert told == {"event": "cancelled", "id": 7, "reason": "interrupted"}
    else:
        assert told == {"event": "failed", "id": 7, "reason": "ffmpeg failed: it ended with -9 and no word"}
