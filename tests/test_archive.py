"""Many films in one run: each is found once, done once, and fails alone; the report says what became of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from streams.errors import InputError, UsageError
from streams.sink import read_mark
from vidcolor import Options, restore
from vidcolor.archive.done import Finder
from vidcolor.archive.ear import Ear, Event
from vidcolor.archive.entries import Entry, gather
from vidcolor.archive.hand import Hand, command_of
from vidcolor.archive.order import Order
from vidcolor.archive.result import Result, table, worst
from vidcolor.archive.run import Plan, Run
from vidcolor.brake import Brake
from vidcolor.cli import main
from vidcolor.mark import Mark
from vidcolor.threads import share

MakeFilm = Callable[..., Path]
ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds; a machine that tests on two cores may be busy


# --- which films there are ---


def tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def places(entries: Sequence[Entry], output: Path) -> list[str]:
    return [(entry.folder / entry.stem).relative_to(output).as_posix() for entry in entries]


def test_a_folder_keeps_its_tree(tmp_path: Path) -> None:
    tree(tmp_path / "in", "b.mkv", "1920/a.mp4", "1920/x/c.JPG")
    entries = gather([str(tmp_path / "in")], None, tmp_path / "out")
    assert places(entries, tmp_path / "out") == ["b", "1920/a", "1920/x/c"]


def test_a_folder_gives_neither_hidden_files_nor_outputs_nor_other_things(tmp_path: Path) -> None:
    tree(tmp_path, "a.mkv", "a.color.mkv", ".a.mkv", ".git/b.mkv", "notes.txt", "a.srt")
    assert [entry.source.name for entry in gather([str(tmp_path)], None, None)] == ["a.mkv"]


def test_what_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    tree(tmp_path, "a.color.bin")
    assert len(gather([str(tmp_path / "a.color.bin")], None, None)) == 1


def test_a_pattern_keeps_the_tree_from_where_it_begins(tmp_path: Path) -> None:
    tree(tmp_path / "reels", "a.mkv", "x/y/b.mkv", "x/c.mp4")
    entries = gather([str(tmp_path / "reels" / "**" / "*.mkv")], None, tmp_path / "out")
    assert sorted(places(entries, tmp_path / "out")) == ["a", "x/y/b"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    tree(tmp_path, "a[1].mkv", "a1.mkv")
    assert [one.source.name for one in gather([str(tmp_path / "a[1].mkv")], None, None)] == ["a[1].mkv"]


def test_a_list_keeps_the_tree_below_its_common_folder(tmp_path: Path) -> None:
    lines = [str(tmp_path / "in" / name) for name in ("a.mkv", "x/b.mkv")]
    assert places(gather([], lines, tmp_path / "out"), tmp_path / "out") == ["a", "x/b"]


def test_each_film_comes_once_however_often_it_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "a.mkv")
    words = [str(tmp_path / "a.mkv"), str(tmp_path), str(tmp_path / "*.mkv")]
    assert len(gather(words, words[:1], None)) == 1


def test_films_that_differ_in_their_suffix_get_outputs_of_their_own(tmp_path: Path) -> None:
    tree(tmp_path, "a.mkv", "a.y4m", "b.mkv")
    assert [entry.stem for entry in gather([str(tmp_path)], None, None)] == ["a.mkv", "a.y4m", "b"]


def test_films_that_would_share_an_output_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.mkv", "y/a.mkv")
    with pytest.raises(UsageError, match="one output"):
        gather([str(tmp_path / "x"), str(tmp_path / "y")], None, tmp_path / "out")


def test_a_run_without_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no films"):
        gather([str(tmp_path)], None, None)
    with pytest.raises(UsageError, match="--list -"):
        gather(["-", "a.mkv"], None, None)


# --- what is done already ---


@pytest.mark.parametrize(
    "other",
    [
        Options(saturation=0.0),
        Options(crf=0),
        Options(lossless=True),
        Options(stop=Fraction(1)),
        Options(year=1900),
        Options(side=64),
    ],
    ids=str,
)
def test_other_choices_make_another_output(other: Options) -> None:
    assert other.digest != Options().digest


def test_where_and_how_fast_a_film_is_restored_makes_no_other_output() -> None:
    assert Options(device="cpu", batch=2, strict=True, resume=True, overwrite=True).digest == Options().digest


def film_of(folder: Path, make_film: MakeFilm) -> Entry:
    return Entry(make_film("old.mkv"), folder, "old")


def finder(monkeypatch: pytest.MonkeyPatch, sha256: str = "0" * 64, options: Options | None = None) -> Finder:
    monkeypatch.setattr("vidcolor.archive.done.model_sha256", lambda model: sha256)
    return Finder(options or Options())


@pytest.mark.usefixtures("tiny")
def test_an_output_of_the_same_input_network_and_options_is_found(
    make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = film_of(tmp_path, make_film)
    assert finder(monkeypatch).done(entry) is None
    restore(entry.source)
    assert finder(monkeypatch).done(entry) == tmp_path / "old.color.mkv"
    assert finder(monkeypatch, sha256="1" * 64).done(entry) is None
    assert finder(monkeypatch, options=Options(saturation=0.5)).done(entry) is None
    with entry.source.open("ab") as file:
        file.write(b"more")
    assert finder(monkeypatch).done(entry) is None


@pytest.mark.usefixtures("tiny")
def test_the_mark_names_input_and_options(make_film: MakeFilm, tmp_path: Path) -> None:
    restore(make_film("old.mkv"), tmp_path / "new.mkv")
    mark = Mark.parse(read_mark(tmp_path / "new.mkv") or "")
    assert mark is not None
    assert dict(mark.settings)["options"] == Options().digest
    assert len(dict(mark.settings)["input"]) == 32


@pytest.mark.usefixtures("tiny")
def test_an_output_that_can_hold_no_mark_is_left(
    make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = film_of(tmp_path, make_film)
    assert finder(monkeypatch).unmarked(entry) is None
    restore(entry.source, tmp_path / "old.color.y4m")
    assert finder(monkeypatch).unmarked(entry) == tmp_path / "old.color.y4m"
    assert finder(monkeypatch, options=Options(overwrite=True)).unmarked(entry) is None
    os.utime(entry.source, (2**31, 2**31))
    assert finder(monkeypatch).unmarked(entry) is None


def test_looking_for_what_is_done_loads_no_torch() -> None:
    code = "import sys, vidcolor.archive.run, vidcolor.cli.hand\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# --- a process for each ---


def test_an_order_comes_out_as_it_went_in(tmp_path: Path) -> None:
    options = Options(start=Fraction(1, 3), stop=Fraction(5), saturation=0.5, crf=3, strict=True, resume=True)
    order = Order(Entry(tmp_path / "a\udcff\n.mkv", tmp_path, "a"), options, keep=True)
    assert Order.from_line(order.to_line()) == order


GOOD = 'say(event="start", total=2); say(event="progress", frame=2); say(event="done", frame=2, output=place[0])'


def acting(cases: dict[str, str]) -> tuple[str, ...]:
    """A process that does, by the name of its film, as `cases` say, or else well."""
    code = (
        "import json, os, sys, time\n"
        "def say(**event): print(json.dumps(event), file=sys.stderr, flush=True)\n"
        "place = json.loads(sys.stdin.readline())['place']\n"
        f"exec({cases!r}.get(os.path.basename(place[0]), {GOOD!r}))\n"
    )
    return (sys.executable, "-c", code)


class Notes(Ear):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.running = 0
        self.most = 0
        self.on_begin: Callable[[], None] = lambda: None

    def begun(self, entry: Entry) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.on_begin()

    def ended(self, result: Result) -> None:
        self.running -= 1
        self.results.append(result)


def perform(folder: Path, cases: dict[str, str], jobs: int = 1, notes: Notes | None = None) -> list[Result]:
    tree(folder, "a.mkv", "b.mkv", "c.mkv", "d.mkv")
    entries = gather([str(folder)], None, folder / "out")
    plan = Plan(Options(), acting(cases), jobs=jobs)
    return Run(entries, plan, notes or Notes(), Brake()).perform()


def test_a_film_that_fails_stops_no_other(tmp_path: Path) -> None:
    fails = 'say(event="error", message="b is empty", code=3); sys.exit(3)'
    results = perform(tmp_path, {"b.mkv": fails})
    assert [result.state for result in results] == ["done", "failed", "done", "done"]
    assert (results[1].code, results[1].error) == (3, "b is empty")
    assert worst(results) == 3


@pytest.mark.skipif(os.name != "posix", reason="dies by a POSIX signal")
def test_a_process_that_is_killed_costs_its_film_only(tmp_path: Path) -> None:
    results = perform(tmp_path, {"a.mkv": "os.kill(os.getpid(), 9)"}, jobs=2)
    assert [result.state for result in results] == ["failed", "done", "done", "done"]
    assert "signal 9" in results[0].error
    assert worst(results) == 5


def test_a_process_that_crashes_is_told_with_its_last_words(tmp_path: Path) -> None:
    results = perform(tmp_path, {"a.mkv": "print('library: bad chunk', file=sys.stderr); os._exit(77)"})
    assert results[0].error == "its process crashed (exit code 77): library: bad chunk"


def test_a_process_that_ends_well_without_an_output_is_not_believed(tmp_path: Path) -> None:
    assert perform(tmp_path, {"a.mkv": "sys.exit(0)"})[0].state == "failed"


def test_as_many_films_at_a_time_as_were_asked_for(tmp_path: Path) -> None:
    waits = "time.sleep(0.4);" + GOOD
    notes = Notes()
    perform(tmp_path, dict.fromkeys(("a.mkv", "b.mkv", "c.mkv", "d.mkv"), waits), 2, notes)
    assert notes.most == 2


@pytest.mark.parametrize("asked", [None, "3"])
def test_arithmetic_gets_its_threads_unless_the_user_says_otherwise(asked: str | None) -> None:
    code = "import os; from vidcolor.cli.restore import warm; warm(); print(os.environ['OMP_NUM_THREADS'])"
    setting = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    setting |= {"OMP_NUM_THREADS": asked} if asked else {}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=setting).stdout
    assert said.strip() == (asked or str(share()))


def test_processors_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [Plan(Options(), (), jobs=jobs).threads for jobs in (1, 2, 3, 8, 20)] == [4, 2, 1, 1, 1]


def test_a_stopped_run_ends_its_films_in_good_order_and_begins_no_other(tmp_path: Path) -> None:
    leaves = "sys.stdin.read(); open(place[1] + '/left', 'w').close(); sys.exit(143)"
    tree(tmp_path, "a.mkv", "b.mkv")
    brake, notes, results = Brake(), Notes(), list[Result]()
    entries = gather([str(tmp_path)], None, tmp_path / "out")
    run = Run(entries, Plan(Options(), acting({"a.mkv": leaves})), notes, brake)
    going = threading.Event()
    notes.on_begin = going.set
    thread = threading.Thread(target=lambda: results.extend(run.perform()))
    thread.start()
    assert going.wait(20)
    time.sleep(0.5)
    brake.pull(130)
    thread.join(20)
    assert [(result.state, result.code) for result in results] == [("stopped", 130)]
    assert (tmp_path / "out" / "left").exists()
    assert worst(results) == 130


def test_the_report_has_hashes_and_warnings(tmp_path: Path) -> None:
    warns = 'say(event="warning", message="no captions");' + GOOD
    line = json.loads(perform(tmp_path, {"a.mkv": warns})[0].to_line())
    assert (line["frames"], line["warnings"], line["state"], line["code"]) == (2, ["no captions"], "done", 0)
    assert set(line["sha256"]) == {"input", "output", "model"}
    assert line["seconds"] > 0


def test_the_table_has_a_row_a_film_and_the_sums() -> None:
    entry = Entry(Path("a.mkv"), Path(), "a")
    rows = list(table([Result(entry, "done", 0, frames=7), Result(entry, "failed", 3, error="a\x1b is empty")]))
    assert "7" in rows[0]
    assert r"a\x1b is empty" in rows[1]
    assert rows[2] == "2 films: 1 done, 1 failed"


# --- the command ---


def test_an_archive_is_restored_reported_and_not_done_twice(
    make_film: MakeFilm, tmp_path: Path, chance: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reels, out = tmp_path / "reels", tmp_path / "out"
    tree(reels, "broken.mkv", "x/empty.mp4")
    shutil.move(make_film("a.mkv", frames=3), reels / "a.mkv")
    shutil.move(make_film("b.y4m.mkv", frames=3), reels / "x" / "b.mkv")
    words = ["restore", str(reels), "-o", str(out), "--model", str(chance), "--side", "32", "--device", "cpu"]
    words += ["--jobs", "2", "--report", str(tmp_path / "report.jsonl")]
    assert main([*words, "--dry-run"]) == 0
    assert not out.exists()
    assert main(words) == 3
    assert {path.relative_to(out).as_posix() for path in out.rglob("*.*")} == {"a.color.mkv", "x/b.color.mkv"}
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text(encoding="ascii").splitlines()]
    states = {Path(line["input"]).name: (line["state"], line["frames"], line["code"]) for line in lines}
    assert states["a.mkv"] == states["b.mkv"] == ("done", 3, 0)
    assert states["broken.mkv"] == states["empty.mp4"] == ("failed", None, 3)
    said = capfd.readouterr()
    assert said.out == ""
    assert "4 films: 2 done, 2 failed" in said.err
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.mkv")}
    assert main(words) == 3
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.mkv")} == before
    assert "4 films: 2 skipped, 2 failed" in capfd.readouterr().err


def test_many_films_speak_json_by_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tree(tmp_path, "a.mkv", "b.mkv")
    assert main(["restore", str(tmp_path), "-o", str(tmp_path), "--progress", "json"]) == 3
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["run", "error", "error", "summary"]
    assert events[1]["input"].endswith("a.mkv")
    assert (events[-1]["films"], events[-1]["failed"], events[-1]["code"]) == (2, 2, 3)


def test_a_folder_alone_is_a_slip_unless_it_is_written_as_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path / "in", "a.mkv", "a.color.mkv", "b.gif", "c.png")
    assert main(["restore", str(tmp_path / "in")]) == 3
    assert "is a folder, not a film" in capfd.readouterr().err
    said = ["a.color.mkv", "b.color.mkv", "c.color.png"]
    for words in ([f"{tmp_path / 'in'}/"], [str(tmp_path / "in")]):
        assert main(["restore", *words, "--dry-run", "--progress", "json"]) == 0
        events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        assert [Path(event["output"]).name for event in events if event["event"] == "done"] == said
        monkeypatch.setenv("VIDCOLOR_FOLDERS", "1")


def test_a_bar_tells_how_far_all_films_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from vidcolor.cli.bar import BarVoice
    from vidcolor.cli.many import Chorus

    voice, entry = BarVoice(), Entry(tmp_path / "a.mkv", tmp_path, "a")
    chorus = Chorus(voice, 2, None)
    chorus.heard(entry, {"event": "start", "total": 9, "resumed_from": 4})
    chorus.heard(entry, {"event": "progress", "frame": 9})
    (task,) = voice._bar.tasks
    assert (task.completed, task.total) == (0, 2)
    assert task.description.startswith("0/2 films, 5 pictures, ")
    chorus.ended(Result(entry, "done", output=tmp_path / "b.mkv", frames=9))
    assert voice._bar.tasks[0].completed == 1
    chorus.over([])
    assert "1 of 2: done" in capfd.readouterr().err


def test_one_film_does_not_go_into_a_folder_by_accident(make_film: MakeFilm, tmp_path: Path) -> None:
    (tmp_path / "folder.mkv").mkdir()
    assert main(["restore", str(make_film("film.mkv", frames=2)), "-o", str(tmp_path / "folder.mkv")]) == 4
    assert not list((tmp_path / "folder.mkv").iterdir())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["a.mkv", "b.mkv", "-o", "-"], 2),
        (["a.mkv", "b.mkv", "-o", "a.mkv"], 4),
        (["a.mkv", "--jobs", "0"], 2),
        (["a.mkv", "--report", "a.mkv"], 2),
        (["--list", "missing.txt"], 3),
        (["a.mkv", "-"], 2),
        (["."], 3),
        ([], 2),
    ],
    ids=str,
)
def test_what_makes_no_sense_for_many_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    tree(tmp_path, "a.mkv", "b.mkv")
    monkeypatch.chdir(tmp_path)
    assert main(["restore", *words]) == code
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("vidcolor: error:")
    assert (tmp_path / "a.mkv").read_bytes() == b"a.mkv"


def test_a_film_ends_in_good_order_when_its_run_does(make_film: MakeFilm, tmp_path: Path, chance: Path) -> None:
    entry = Entry(make_film("old.mkv", frames=150), tmp_path / "out", "old")
    entry.folder.mkdir()
    hand = Hand(
        command_of("vidcolor.cli.hand"), Order(entry, Options(model=str(chance), side=32, device="cpu")), threads=1
    )
    events: list[str] = []

    def heard(event: Event) -> None:
        events.append(event["event"])
        if event["event"] == "progress":
            hand.tell_to_end()

    assert hand.listen(heard) == 143
    hand.close()
    assert "progress" in events
    assert not list(entry.folder.iterdir())
