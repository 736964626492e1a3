"""Keeps victims (see there) alive, gives them damaged films, and judges whether the promises were kept."""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from mutants import mutant

PATIENCE_SECONDS = 30.0
ROOM_BYTES = 2 << 30
_START_SECONDS = 180.0
_TESTS = Path(__file__).parent
_PIPED = frozenset({".y4m", ".nut"})
# What the chosen output truly cannot take.
_RIGHT = ("cannot hold", "does not end as the input's type", "JPEG cannot keep light without loss")
# What is asked of the command; mostly nothing.
_WISHES: Sequence[tuple[str, ...]] = (
    (),
    (),
    (),
    (),
    ("--lossless",),
    ("--start", "0.1", "--stop", "0.3"),
    ("--strict",),
    ("-o", "out.mkv"),
    ("-o", "out.mp4"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged film: how it was drawn, its bytes, the command's words, and whether it comes through a pipe."""

    label: str
    name: str
    data: bytes
    words: tuple[str, ...]
    piped: bool


def draw(samples: Sequence[Path], seed: str) -> Case:
    """Draw a case: sample, damage, and what is asked of the command."""
    rng = random.Random(seed)
    sample, other = rng.choice(samples), rng.choice(samples)
    data = mutant(seed, sample.read_bytes(), other.read_bytes())
    name = f"film{sample.suffix}"
    if sample.suffix in _PIPED and rng.random() < 0.5:
        return Case(f"{seed} {sample.name} by pipe", name, data, ("restore", "-", "-o", "out.mkv"), piped=True)
    wish = rng.choice(_WISHES)
    return Case(f"{seed} {sample.name} {' '.join(wish)}".strip(), name, data, ("restore", name, *wish), piped=False)


class Warden:
    """One victim at a time, started anew after each death; `judge` gives it a case."""

    def __init__(self, folder: Path, patience: float = PATIENCE_SECONDS) -> None:
        """`folder` is the warden's own, and empty."""
        self._folder = folder
        self._patience = patience
        self._victim: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[bytes] = queue.Queue()

    def judge(self, case: Case) -> str | None:
        """Run a case; None where all promises were kept, else the first that was not, in a sentence."""
        room = self._room()
        held = self._folder / "stdin.bin"
        (held if case.piped else room / case.name).write_bytes(case.data)
        words = [*case.words, "--progress", "json"]
        answer = self._ask({"folder": str(room), "words": words, "stdin": str(held) if case.piped else None})
        return answer if isinstance(answer, str) else self._fault(case, answer, room)

    def _room(self) -> Path:
        for name in ("room", "temporary"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
            (self._folder / name).mkdir(parents=True)
        return self._folder / "room"

    def _fault(self, case: Case, answer: dict[str, Any], room: Path) -> str | None:
        code, said = answer["code"], answer["said"]
        checks: Sequence[tuple[object, str]] = (
            ("Traceback" in said, f"a traceback: {said[-600:]}"),
            (code not in (0, 3) and not _may_refuse(case, code, said), f"exit {code}: {said[-300:]}"),
            (answer["touched"], f"files were touched: {answer['touched']}"),
            (answer["left"], f"left behind: {answer['left']}"),
            (len(answer["new"]) != (code == 0), f"exit {code} with new files {answer['new']}"),
            (any(name.startswith(".") for name in answer["new"]), f"new files {answer['new']}"),
            (answer["peak"] > ROOM_BYTES, f"{answer['peak'] >> 20} MiB of memory"),
        )
        found = next((sentence for is_so, sentence in checks if is_so), None)
        if found is not None or code != 0:
            self._end_if(answer["peak"] > ROOM_BYTES)
            return found or _speech_fault(said)[0]
        return self._output_fault(room / answer["new"][0], said)

    def _output_fault(self, output: Path, said: str) -> str | None:
        fault, done = _speech_fault(said)
        seen = self._ask({"look": str(output)})
        if fault or isinstance(seen, str):
            return fault or str(seen)
        if "error" in seen:
            return f"the output cannot be read: {seen['error']}"
        if seen["pictures"] != done:
            return f"{done} pictures were reported, {seen['pictures']} can be decoded"
        return f"{seen['grey']} pictures have no colour" if seen["grey"] else None

    def _ask(self, order: dict[str, Any]) -> dict[str, Any] | str:
        victim = self._victim or self._start()
        assert victim.stdin is not None
        try:
            victim.stdin.write(json.dumps(order).encode() + b"\n")
            victim.stdin.flush()
            line = self._answers.get(timeout=self._patience)
        except queue.Empty:
            self.close()
            return f"a hang of more than {self._patience:g} s"
        except OSError:
            line = b""
        if line:
            return dict(json.loads(line))
        code = victim.wait(10)
        self.close()
        complaints = self._folder / "errors"
        return f"death by {code}: {complaints.read_text(errors='replace')[-300:]}"

    def _start(self) -> subprocess.Popen[bytes]:
        temporary = self._folder / "temporary"
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", "MALLOC_ARENA_MAX": "2"}
        with (self._folder / "errors").open("wb") as errors:
            victim = subprocess.Popen(
                [sys.executable, str(_TESTS / "victim.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self._victim, self._answers = victim, queue.Queue()
        threading.Thread(target=_listen, args=(victim, self._answers), daemon=True).start()
        assert victim.stdin is not None
        victim.stdin.write(json.dumps({"look": "/"}).encode() + b"\n")  # answered once everything is loaded
        victim.stdin.flush()
        self._answers.get(timeout=_START_SECONDS)
        return victim

    def _end_if(self, is_bloated: bool) -> None:
        """Start anew after a case that took much memory: the peak of a process never falls."""
        if is_bloated:
            self.close()

    def close(self) -> None:
        """End the victim."""
        victim, self._victim = self._victim, None
        if victim is None:
            return
        victim.kill()
        for pipe in (victim.stdin, victim.stdout):
            if pipe is not None:
                _close(pipe)
        victim.wait()

    def __enter__(self) -> Warden:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _close(pipe: Any) -> None:  # noqa: ANN401 - a pipe of Popen
    try:
        pipe.close()
    except OSError:
        return


def _listen(victim: subprocess.Popen[bytes], answers: queue.Queue[bytes]) -> None:
    assert victim.stdout is not None
    try:
        for line in victim.stdout:
            answers.put(line)
    except (OSError, ValueError):
        pass
    answers.put(b"")


def _may_refuse(case: Case, code: int, said: str) -> bool:
    """Tell refusals that are right: of what the output cannot hold, and of a part of what turned into a still."""
    if code == 4:
        return "--strict" in case.words or any(words in said for words in _RIGHT)
    return code == 2 and "--start" in case.words and "still picture" in said


def _speech_fault(said: str) -> tuple[str | None, int]:
    """Judge what was said with `--progress json`: all of it parses, and it ends as it should."""
    try:
        events = [json.loads(line) for line in said.splitlines()]
        last = events[-1]
        if last["event"] == "done":
            return None, int(last["frame"])
        if last["event"] == "error" and last["message"]:
            return None, -1
        return f"the last word is {last}", -1
    except (ValueError, IndexError, KeyError, TypeError):
        return f"what was said is no JSON: {said[-300:]!r}", -1


def judge_all(
    draw_case: Callable[[int], Case], count: int, jobs: int, folder: Path, tell: Callable[[Case, str | None], None]
) -> None:
    """Judge cases 0 to `count` with `jobs` victims at a time; `tell` hears each verdict, one at a time."""
    numbers, one_at_a_time, failed = iter(range(count)), threading.Lock(), list[BaseException]()

    def work(room: Path) -> None:
        try:
            with Warden(room) as warden:
                while True:
                    with one_at_a_time:
                        number = next(numbers, None)
                    if number is None:
                        return
                    case = draw_case(number)
                    verdict = warden.judge(case)
                    with one_at_a_time:
                        tell(case, verdict)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    workers = []
    for job in range(jobs):
        (folder / f"victim{job}").mkdir(parents=True, exist_ok=True)
        workers.append(threading.Thread(target=work, args=(folder / f"victim{job}",)))
        workers[-1].start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]
