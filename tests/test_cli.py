"""Promises of the command line that need no film: times, options, messages, exit codes, signals."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from streams.errors import EXIT_SIGTERM, InputError, Interrupted, UsageError
from vidcolor import __version__
from vidcolor.brake import Brake
from vidcolor.cli import main
from vidcolor.cli.command import explain, guarded
from vidcolor.cli.restore import warm
from vidcolor.cli.supervisor import Supervisor
from vidcolor.cli.voice import JsonVoice, Voice
from vidcolor.mark import Mark
from vidcolor.options import Options, parse_time
from vidcolor.watch import Report

ROOT = Path(__file__).parents[1]
ANSI = "\x1b[31m"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", Fraction(0)),
        ("12.5", Fraction(25, 2)),
        (".1", Fraction(1, 10)),
        ("1e2", Fraction(100)),
        ("1:02.5", Fraction(125, 2)),
        ("90:00", None),
        ("1:00:00", Fraction(3600)),
        ("59:59", Fraction(3599)),
    ],
)
def test_times_are_read_exactly_or_refused(text: str, seconds: Fraction | None) -> None:
    if seconds is None:
        with pytest.raises(UsageError):
            parse_time(text)
    else:
        assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:60", "nan", "inf", "1e999999999", "1:2:3:4", "5s", "٣", "1_0", "1\n"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_time(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": 0},
        {"side": 100_000},
        {"batch": 0},
        {"saturation": -0.1},
        {"saturation": float("nan")},
        {"device": "cuda:x"},
        {"device": "tpu"},
        {"precision": "fp8"},
        {"start": Fraction(2), "stop": Fraction(1)},
        {"start": Fraction(1), "stop": Fraction(1)},
        {"stop": Fraction(0)},
        {"model": ""},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Options(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["restore"],
        ["nothing"],
        ["restore", "film.mp4", "--nonsense"],
        ["restore", "film.mp4", "--side", "0"],
        ["restore", "film.mp4", "--side", "big"],
        ["restore", "film.mp4", "--batch", "0"],
        ["restore", "film.mp4", "--start", "2", "--stop", "1"],
        ["restore", "film.mp4", "--start", "later"],
        ["restore", "film.mp4", "-y", "-n"],
        ["restore", "film.mp4", "-q", "-v"],
        ["restore", "film.mp4", "--progress", "dots"],
        ["restore", "film.mp4", "-o", "-", "--format", "nothing"],
        ["restore", "film.mp4", "--los"],
        ["restore", "-"],
        ["restore", "film\n.mp4", "--sat\x1b[2J"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_sentence_and_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vidcolor: error: ")
    assert err.count("\n") == 1
    assert not [char for char in err if ord(char) < 32 and char != "\n"]


def test_wrong_use_is_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "--progress", "json", "--side", "big"]) == 2
    assert json.loads(capsys.readouterr().err)["event"] == "error"


def test_the_version_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vidcolor {__version__}\n"


def test_help_shows_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for default in ("default: reel", "default: auto", "default: 1)", "old.color.mp4"):
        assert default in text


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vidcolor", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == f"vidcolor {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("film.mp4 holds no pictures"), 3, "film.mp4 holds no pictures"),
        (OSError(errno.ENOSPC, "No space left on device", "a\nb.mkv"), 4, "space"),
        (PermissionError(errno.EACCES, "Permission denied", "x.mkv"), 4, "x.mkv"),
        (BrokenPipeError(), 4, ""),
        (MemoryError(), 5, "memory"),
        (KeyboardInterrupt(), 130, ""),
        (Interrupted("stopped", EXIT_SIGTERM), 143, ""),
        (RuntimeError("first\nsecond"), 5, "RuntimeError: first"),
    ],
    ids=str,
)
def test_every_failure_becomes_a_code_and_a_sentence(error: BaseException, code: int, words: str) -> None:
    found, sentence = explain(error)
    assert found == code
    assert words in sentence
    assert "\n" not in sentence
    assert bool(sentence) == bool(words)


def test_no_failure_shows_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise ValueError(f"{ANSI}bad\nworse")

    assert guarded(fail, Voice(verbose=True), Brake()) == 5
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_quiet_says_warnings_and_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice(quiet=True, verbose=False)
    voice.started(3)
    voice.progressed(3)
    voice.finished(Report(3, Path("x.mkv"), "reel", "0"))
    assert capsys.readouterr() == ("", "")
    voice.warned("a subtitle was left out")
    assert capsys.readouterr().err == "vidcolor: warning: a subtitle was left out\n"


def test_the_closing_line_counts_what_the_film_has_lost(capsys: pytest.CaptureFixture[str]) -> None:
    voice = Voice()
    voice.started(3)
    voice.finished(Report(3, Path("x.mkv"), "reel", "0", (), "2 pictures could not be decoded"))
    assert capsys.readouterr().err.endswith("a second; the input has lost some: 2 pictures could not be decoded\n")
    voice.finished(Report(3, Path("x.mkv"), "reel", "0"))
    assert capsys.readouterr().err.endswith("a second\n")


def test_json_progress_never_falls_and_ends_with_the_last_frame(capsys: pytest.CaptureFixture[str]) -> None:
    voice = JsonVoice()
    voice.started(200)
    for frame in range(1, 201):
        voice.progressed(frame)
    voice.finished(Report(200, Path("x\udcff.mkv"), "reel", "0"))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    frames = [event["frame"] for event in events if event["event"] == "progress"]
    assert events[0] == {"event": "start", "total": 200, "resumed_from": 0}
    assert events[-1]["event"] == "done"
    assert events[-1]["frame"] == 200
    assert frames[0] == 1
    assert frames == sorted(frames)
    assert frames[-1] == 200
    assert len(frames) < 100, "more than twenty a second"


def test_json_progress_beats_while_nothing_is_finished(capsys: pytest.CaptureFixture[str]) -> None:
    voice = JsonVoice()
    voice.started(None)
    voice.progressed(1)
    told, limit = "", time.monotonic() + 20
    while told.count('"progress"') < 2 and time.monotonic() < limit:
        time.sleep(0.05)
        told += capsys.readouterr().err
    voice.close()
    assert told.count('"progress"') >= 2


def test_the_mark_is_read_back_as_it_was_written() -> None:
    mark = Mark("my; model=1 ü", "ab" * 32, "1.2.3", (("side", "256"), ("saturation", "0.8")))
    assert str(mark).isascii()
    assert "\n" not in str(mark)
    assert Mark.parse(str(mark)) == mark
    assert Mark.parse(f"found in an attic\n{mark}\nby us") == mark


@pytest.mark.parametrize("text", ["", "encoder=Lavf61", "machine-made colours", "machine-made colours; model=x"])
def test_what_is_no_mark_is_not_taken_for_one(text: str) -> None:
    assert Mark.parse(text) is None


def test_a_pulled_brake_clears_what_is_guarded_and_stops_the_run() -> None:
    brake, cleared = Brake(), []
    with brake.guarding(lambda: cleared.append("early")):
        brake.check()
    with brake.guarding(lambda: cleared.append("now")):
        brake.pull(EXIT_SIGTERM)
        with pytest.raises(Interrupted) as stopped:
            brake.check()
    with brake.guarding(lambda: cleared.append("late")):
        pass
    assert cleared == ["now", "late"]
    assert stopped.value.exit_code == EXIT_SIGTERM


def test_the_supervisor_returns_what_the_command_returned() -> None:
    with Supervisor() as supervisor:
        assert supervisor.oversee(lambda: 4) == 4


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Supervisor():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


BLOCKED = """
import os, sys, threading
from vidcolor.cli.supervisor import Supervisor
from vidcolor.brake import Brake
with Supervisor() as supervisor:
    def work():
        with supervisor.brake.guarding(lambda: print("cleared", flush=True)):
            print("ready", flush=True)
            os.read(int(sys.argv[1]), 1)
        return 0
    code = supervisor.oversee(work)
sys.stdout.flush()
os._exit(code)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_a_signal_ends_a_command_that_stands_in_a_read(name: str, code: int) -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKED, str(reader)], stdout=subprocess.PIPE, pass_fds=[reader], cwd=ROOT
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        begun = time.monotonic()
        run.send_signal(getattr(signal, name))
        assert run.wait(10) == code
        assert time.monotonic() - begun < 5
        assert run.stdout.read() == b"cleared\n"
    os.close(reader)
    os.close(writer)


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_second_signal_ends_at_once() -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKED, str(reader)], stdout=subprocess.PIPE, pass_fds=[reader], cwd=ROOT
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.send_signal(signal.SIGINT)
        run.stdout.readline()
        begun = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(10) == 130
        assert time.monotonic() - begun < 1
    os.close(reader)
    os.close(writer)


def test_a_command_may_run_outside_the_main_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["restore"])))
    thread.start()
    thread.join()
    assert codes == [2]


def test_a_closed_stdout_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["models"]) == 4
    assert capsys.readouterr().err == ""


def test_a_film_is_not_given_up_because_nobody_reads_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    Voice().warned("a subtitle was left out")
    JsonVoice().warned("a subtitle was left out")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("said", [None, "ACTIVE"])
def test_threads_that_wait_sleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: str | None
) -> None:
    monkeypatch.setattr("threading.Thread.start", lambda _: None)
    monkeypatch.setenv("OMP_WAIT_POLICY", said or "")
    if said is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    warm()
    assert os.environ["OMP_WAIT_POLICY"] == (said or "PASSIVE")
