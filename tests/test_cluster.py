"""Films spread over a cluster: the very frames of a run on one machine, whatever is lost on the way."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import torch
from killing import content
from paints import SIZE, paint
from reels import frame_of, textures, write_film

from streams.errors import Interrupted, UsageError
from vidcolor import Options, restore, resume, weights
from vidcolor.archive.ear import Ear, Event
from vidcolor.archive.entries import Entry
from vidcolor.archive.result import Result
from vidcolor.brake import Brake
from vidcolor.cli import main
from vidcolor.cluster import copies, run, tasks
from vidcolor.cluster.engine import Engine, Over, Ticket
from vidcolor.cluster.run import ClusterRun, Plan
from vidcolor.cluster.values import Made, Place
from vidcolor.models.reel import Reel as Network
from vidcolor.watch import Watcher

MakeFilm = Callable[..., Path]
FRAMES, CUTS = 40, (9, 19)
# Plain pictures (y4m) are written without an encoder, of which each segment would start one.
HERE = Options(resume=True, device="cpu", precision="fp32")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of four to seven pictures."""
    monkeypatch.setattr(resume, "SHORTEST", 4)
    monkeypatch.setattr(resume, "LONGEST", 7)


class Notes(Ear):
    """Keeps what it hears; may do something about it."""

    def __init__(self, act: Callable[[Event], None] = lambda event: None) -> None:
        self.events: list[Event] = []
        self.results: list[Result] = []
        self._act = act

    def heard(self, entry: Entry, event: Event) -> None:
        self.events.append({**event, "input": entry.source.name})
        self._act(event)

    def ended(self, result: Result) -> None:
        self.results.append(result)


# --- what is begun when, on a cluster that is played by this process ---


class Played(Engine):
    """Does tasks here, one at a time, in an order of chance; a task waits for the state that it is to begin with."""

    slots = 3  # type: ignore[assignment]

    def __init__(self, seed: int, fetch: copies.Fetch | None = None) -> None:
        self._chance = random.Random(seed)
        self._fetch = fetch
        self.begun: list[str] = []
        self.is_over = False

    def settle(self, device: str, precision: str) -> Place:
        return Place("cpu", "fp32")

    def share(self, value: object) -> object:
        return value

    def _ticket(self, kind: str, owner: object, work: Callable[..., Any], args: Sequence[Any]) -> Ticket:
        self.begun.append(kind)
        return Ticket(kind, owner, ref=(work, args))

    def look(self, owner: object, *args: object) -> Ticket:
        return self._ticket("look", owner, tasks.look, args)

    def whole(self, owner: object, *args: object) -> Ticket:
        return self._ticket("whole", owner, tasks.whole, args)

    def join(self, owner: object, *args: object, is_anywhere: bool) -> Ticket:
        return self._ticket("join", owner, tasks.join, args)

    def scout(self, owner: object, *args: object) -> Ticket:
        ticket = self._ticket("scout", owner, tasks.scout, (*args, self._fetch))
        return replace_ref(ticket, iter(ticket.ref[0](*ticket.ref[1])))

    def rest(self, owner: object, *args: object, is_here: bool) -> Ticket:
        self.is_here = is_here
        ticket = self._ticket("rest", owner, tasks.colour, (*args[:3], (args[3], self._fetch)))
        return replace_ref(ticket, iter(ticket.ref[0](*ticket.ref[1])))

    def one(self, owner: object, number: int, *args: object) -> Ticket:
        ticket = self._ticket("one", owner, tasks.colour, args)
        ticket.number, ticket.state = number, []
        return ticket

    def ready(self, tickets: Sequence[Ticket], seconds: float) -> list[Ticket]:
        return [self._chance.choice([ticket for ticket in tickets if self._may(ticket)])]

    def _may(self, ticket: Ticket) -> bool:
        state = ticket.ref[1][2] if ticket.kind == "one" else b""
        return isinstance(state, bytes) or bool(state)

    def value(self, ticket: Ticket) -> object:
        if ticket.kind in ("scout", "rest"):
            try:
                return next(ticket.ref)
            except StopIteration:
                raise Over from None
        work, args = ticket.ref
        if ticket.kind != "one":
            return work(*args)
        errand, section, state, given = args
        made, after = next(work(errand, section, self.state(state), (given, self._fetch)))
        ticket.state.append(after)
        return made

    def state(self, state: object) -> bytes:
        return state if isinstance(state, bytes) else state[0]  # type: ignore[index]

    def cancel(self, ticket: Ticket) -> None:
        getattr(ticket.ref, "close", lambda: None)()

    def forget(self, film: object) -> None:
        copies.forget(film)  # type: ignore[arg-type]

    def end(self) -> None:
        self.is_over = True


def replace_ref(ticket: Ticket, ref: object) -> Ticket:
    ticket.ref = ref
    return ticket


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine the threads of tiny products wait for one another longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, short: None, tiny: str) -> Played:
    """A played cluster, and the tiny network on it."""
    from conftest import tiny_model

    model, engine = tiny_model(), Played(5)
    monkeypatch.setattr(tasks, "_loaded", lambda *_: model)
    monkeypatch.setattr(run, "Engine", lambda address, jobs: engine)
    return engine


def spread(film: Path, target: Path, notes: Notes | None = None, is_shared: bool = True) -> Result:
    """Restore one film on the cluster."""
    entry = Entry(film, film.parent, film.stem, target)
    (result,) = ClusterRun([entry], Plan(HERE, is_shared=is_shared), notes or Notes(), Brake()).perform()
    return result


@pytest.fixture
def film(make_film: MakeFilm) -> Path:
    return make_film("old.mkv", frames=FRAMES, cuts=CUTS, sound=True)


def test_segments_made_in_any_order_are_those_of_one_machine(film: Path, tmp_path: Path, played: Played) -> None:
    restore(film, tmp_path / "one.mkv", HERE)
    result = spread(film, tmp_path / "many.mkv")
    assert (result.state, result.frames) == ("done", FRAMES), result.error
    assert played.begun.count("one") >= 6
    assert played.is_over
    assert content(tmp_path / "many.mkv") == content(tmp_path / "one.mkv")
    assert {path.name for path in tmp_path.iterdir()} == {"old.mkv", "one.mkv", "many.mkv"}


def test_machines_that_see_neither_film_nor_folder_get_pieces_and_send_bytes(
    film: Path, tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []

    def fetch(path: str, begin: int, count: int) -> bytes:
        pieces.append(count)
        return copies.piece_of(path, begin, count)

    played._fetch = fetch
    monkeypatch.setattr(copies, "PIECE", 3000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    result = spread(film, tmp_path / "many.y4m", is_shared=False)
    assert result.state == "done", result.error
    restore(film, tmp_path / "one.y4m", HERE)
    assert content(tmp_path / "many.y4m") == content(tmp_path / "one.y4m")
    assert len(pieces) == -(-film.stat().st_size // 3000), "the film travels once, however many tasks need it"
    assert not list((tmp_path / "elsewhere").rglob("*.mkv")), "no copy stays"


def test_a_film_that_cannot_be_sought_in_is_made_in_one_go(make_film: MakeFilm, tmp_path: Path, played: Played) -> None:
    film = make_film("old.avi", frames=FRAMES, cuts=CUTS)
    restore(film, tmp_path / "one.y4m", HERE)
    assert spread(film, tmp_path / "many.y4m").state == "done"
    assert played.begun == ["look", "rest", "join"]
    assert content(tmp_path / "many.y4m") == content(tmp_path / "one.y4m")


def test_behind_damage_one_task_reads_on(tmp_path: Path, played: Played) -> None:
    film = write_film(
        tmp_path / "old.mkv",
        [frame_of(luma) for luma in textures(FRAMES, (64, 96))],
        "libx264",
        options={"g": "10", "x264-params": "bframes=2"},
    )
    data, rng = bytearray(film.read_bytes()), random.Random(5)
    for _ in range(30):
        data[rng.randrange(len(data) // 4, len(data) // 2)] ^= 0x55
    film.write_bytes(data)

    class Ears(Watcher):
        told: list[str] = []  # noqa: RUF012

        def warned(self, text: str) -> None:
            self.told.append(text)

    restore(film, tmp_path / "one.y4m", HERE, Ears())
    result = spread(film, tmp_path / "many.y4m")
    assert result.state == "done", result.error
    assert {"scout", "one", "rest"} <= set(played.begun)
    assert list(result.warnings) == Ears.told != []
    assert content(tmp_path / "many.y4m") == content(tmp_path / "one.y4m")


def test_where_half_precision_is_given_up_the_rest_goes_on_as_on_one_machine(
    film: Path, tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = tasks._Maker._ended

    def gives_up(maker: tasks._Maker, *args: object) -> tuple[Made, bytes]:
        made, state = ended(maker, *args)  # type: ignore[arg-type]
        return replace(made, is_fp32=made.number >= 2), state

    monkeypatch.setattr(tasks._Maker, "_ended", gives_up)
    monkeypatch.setattr(played, "settle", lambda device, precision: Place("cpu", "bf16"))
    restore(film, tmp_path / "one.y4m", HERE)
    assert spread(film, tmp_path / "many.y4m").state == "done"
    assert "rest" in played.begun
    assert content(tmp_path / "many.y4m") == content(tmp_path / "one.y4m")


def test_a_film_with_keys_gets_the_pictures_of_one_machine(
    make_film: MakeFilm, tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film("old.mkv", FRAMES, SIZE, CUTS)
    key = paint(tmp_path / "keys" / "17.png", 17, 1)  # behind a segment of its shot that waits for what it brings back
    options = replace(HERE, keys="keys")
    monkeypatch.chdir(tmp_path)
    restore(film, tmp_path / "one.mkv", replace(options, keys=str(key.parent)))
    entry = Entry(film, film.parent, film.stem, tmp_path / "many.mkv")
    (result,) = ClusterRun([entry], Plan(options), Notes(), Brake()).perform()
    assert (result.state, result.frames) == ("done", FRAMES), result.error
    assert played.begun == ["look", "rest", "join"]
    assert played.is_here
    assert content(tmp_path / "many.mkv") == content(tmp_path / "one.mkv")
    restore(film, tmp_path / "bare.mkv", HERE)
    assert content(tmp_path / "bare.mkv") != content(tmp_path / "one.mkv")


class Stopping(Watcher):
    """Stops a run at a picture."""

    def __init__(self, at: int) -> None:
        self.at, self.brake = at, Brake()

    def progressed(self, frame: int) -> None:
        if frame == self.at:
            self.brake.pull()


def test_a_cluster_goes_on_where_one_machine_stopped_and_the_other_way_round(
    film: Path, tmp_path: Path, played: Played
) -> None:
    restore(film, tmp_path / "whole.y4m", HERE)
    ears = Stopping(20)
    with pytest.raises(Interrupted):
        restore(film, tmp_path / "a.y4m", HERE, ears, ears.brake)
    notes = Notes()
    assert spread(film, tmp_path / "a.y4m", notes).state == "done"
    assert next(event for event in notes.events if event["event"] == "start")["resumed_from"] >= 14
    assert content(tmp_path / "a.y4m") == content(tmp_path / "whole.y4m")

    brake = Brake()
    stop = Notes(lambda event: brake.pull(130) if event.get("frame", 0) >= 14 else None)
    run = ClusterRun([Entry(film, tmp_path, "old", tmp_path / "b.y4m")], Plan(HERE), stop, brake)
    assert [(result.state, result.code) for result in run.perform()] == [("stopped", 130)]
    assert not (tmp_path / "b.y4m").exists()
    restore(film, tmp_path / "b.y4m", HERE)
    assert content(tmp_path / "b.y4m") == content(tmp_path / "whole.y4m")


def test_one_bad_film_fails_alone_and_a_picture_is_a_picture(
    film: Path, tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    (tmp_path / "broken.mkv").write_bytes(b"\x1aE\xdf\xa3 no film")
    Image.new("L", (40, 30), 120).save(tmp_path / "still.png")
    entries = [Entry(tmp_path / name, tmp_path / "out", name[:-4]) for name in ("broken.mkv", "still.png", "old.mkv")]
    results = ClusterRun(entries, Plan(HERE), Notes(), Brake()).perform()
    assert [result.state for result in results] == ["failed", "done", "done"]
    assert [result.code for result in results] == [3, 0, 0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"still.color.png", "old.color.mkv"}
    again = ClusterRun(entries[2:], Plan(HERE), Notes(), Brake())
    monkeypatch.setattr(again._finder, "model_sha256", "0" * 64)
    monkeypatch.setattr(run, "Engine", lambda address, jobs: pytest.fail("no cluster is needed where all is done"))
    assert [result.state for result in again.perform()] == ["skipped"]


def test_no_more_tasks_are_begun_than_the_cluster_can_soon_do(film: Path, tmp_path: Path, played: Played) -> None:
    for number in range(5):
        shutil.copy(film, tmp_path / f"{number}.mkv")
    entries = [Entry(tmp_path / f"{number}.mkv", tmp_path / "out", f"{number}") for number in range(5)]
    run = ClusterRun(entries, Plan(HERE), Notes(), Brake())
    assert {result.state for result in run.perform()} == {"done"}
    assert 3 < run.most_flying <= 2 * 3 + 1, "a look that ends brings its scout along"


def test_a_film_that_changed_under_the_run_is_told(film: Path, tmp_path: Path, played: Played) -> None:
    def changes(event: Event) -> None:
        if event["event"] == "start":
            film.write_bytes(film.read_bytes()[:-1])

    result = spread(film, tmp_path / "many.y4m", Notes(changes))
    assert (result.state, result.code) == ("failed", 3)
    assert "has changed" in result.error


# --- the command ---


def test_keys_are_of_one_film(film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", str(film), str(film), "--on", "ray", "--keys", str(tmp_path)]) == 2
    assert "--keys" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("spark", "ray, or ray://HOST:PORT"),
        ("ray://", "ray, or ray://HOST:PORT"),
        ("ray://127.0.0.1:1", "no Ray cluster at 127.0.0.1:1"),
        ("ray://127.0.0.1:moon", "no Ray cluster at"),
    ],
)
def test_a_cluster_that_is_not_there_is_said_in_one_sentence(
    film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], on: str, said: str
) -> None:
    if said.startswith("no Ray"):
        pytest.importorskip("ray", reason="the extra is not installed")
    assert main(["restore", str(film), "-o", f"{tmp_path}/out/", "--on", on]) in (2, 3)
    lines = capfd.readouterr().err.splitlines()
    assert any(said in line for line in lines), lines


def test_without_ray_the_command_says_what_to_install(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'vidcolor\[ray\]'"):
        Engine(None, 1)


def test_without_ray_no_film_is_begun(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["restore", str(film), "-o", f"{tmp_path}/out/", "--on", "ray"]) == 2
    assert capfd.readouterr().err.count("pip install 'vidcolor[ray]'") == 1
    assert not (tmp_path / "out").exists()


# --- Ray itself ---


LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes as Linux lists them")


def processes() -> dict[int, tuple[int, str]]:
    """Parent and words of all processes, by their numbers."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode(errors="replace")
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found[int(place.name)] = (parent, words)
    return found


def workers_of(room: str) -> list[int]:
    """Processes at work on a segment, of the cluster that lies in `room`."""
    found = processes()
    raylets = {pid for pid, (_, words) in found.items() if "raylet" in words and room in words}
    return [pid for pid, (parent, words) in found.items() if parent in raylets and words.startswith("ray::_one")]


@LINUX
def test_a_worker_that_is_killed_changes_nothing_though_no_path_is_shared(
    make_film: MakeFilm,
    tmp_path: Path,
    short: None,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray", reason="the extra is not installed")
    network = tmp_path / "chance.safetensors"
    torch.manual_seed(11)
    weights.write(Network().state_dict(), network, "reel")
    options = replace(HERE, model=str(network), side=32)
    film = make_film("old.mkv", frames=30, cuts=CUTS, sound=True)
    (tmp_path / "broken.mkv").write_bytes(b"\x1aE\xdf\xa3 no film")
    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))  # for the workers
    killed: list[int] = []

    def kill(event: Event) -> None:
        until = time.monotonic() + 5
        while event["event"] == "progress" and not killed and time.monotonic() < until:
            killed.extend(workers_of(str(run._engine._room.path))[:1])  # type: ignore[union-attr]
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    entries = [Entry(tmp_path / name, tmp_path / "out", name[:-4]) for name in ("old.mkv", "broken.mkv")]
    run = ClusterRun(entries, Plan(options, jobs=2, is_shared=False), Notes(kill), Brake())
    results = run.perform()
    assert [result.state for result in results] == ["done", "failed"], [result.error for result in results]
    assert killed
    assert not run._engine._room.path.exists(), "a cluster of our own leaves nothing"  # type: ignore[union-attr]
    restore(film, tmp_path / "one.mkv", options)
    assert content(tmp_path / "out" / "old.color.mkv") == content(tmp_path / "one.mkv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.color.mkv"]
    assert not list((tmp_path / "temp").rglob("*.mkv")), "copies of films go with them"
    assert capfd.readouterr() == ("", ""), "Ray keeps to itself what it says"


@LINUX
def test_where_ray_itself_dies_every_film_says_so_and_the_same_command_goes_on(
    make_film: MakeFilm, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="the extra is not installed")
    network = tmp_path / "chance.safetensors"
    torch.manual_seed(11)
    weights.write(Network().state_dict(), network, "reel")
    films = [make_film(name, frames=200, cuts=(60, 120)) for name in ("a.mkv", "b.mkv")]
    words = [sys.executable, "-m", "vidcolor", "restore", *map(str, films), "-o", f"{tmp_path / 'out'}/"]
    words += ["--model", str(network), "--device", "cpu", "--side", "64", "--progress", "json"]
    # A process of its own: when it is asked for an object that died with it, Ray ends the one that asks.
    with subprocess.Popen([*words, "--on", "ray", "--jobs", "1"], stdout=PIPE, stderr=PIPE, text=True) as run:
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(json.loads(line))
            if said[-1]["event"] == "start":
                found = processes().items()
                rays = {pid: name for pid, (parent, name) in found if parent == run.pid and "raylet" in name}
                rooms = {
                    Path(room) for name in rays.values() for room in re.findall(r"/[^\0=]*?vidcolor-ray-\w+", name)
                }
                assert rooms
                for pid in rays:
                    os.kill(pid, signal.SIGKILL)
        assert run.wait() == 5
        assert run.stdout is not None
        assert run.stdout.read() == ""
    errors = {Path(event["input"]).name: event["message"] for event in said if event["event"] == "error"}
    assert sorted(errors) == ["a.mkv", "b.mkv"], said
    assert all("Ray on this machine has died; the same command goes on" in error for error in errors.values())
    assert not any(room.exists() for room in rooms), "a cluster of our own leaves nothing"
    assert main(words[3:]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.color.mkv", "b.color.mkv"]
