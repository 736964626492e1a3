"""The command as a user runs it, in a process of its own: pipes, signals, readers that leave, runs that are killed.

The network is the main one with weights of chance; the last tests take the packaged weights.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
import pytest
import torch
from conftest import moving_picture

import vidcolor
from vidcolor import Options, device, zoo

MakeFilm = Callable[..., Path]
ROOT = Path(__file__).parents[1]
SIZE = (48, 64)
PATIENCE = 120  # seconds; a machine that tests on two cores may be busy
posix = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


@pytest.fixture
def command(chance: Path) -> list[str]:
    return [sys.executable, "-m", "vidcolor", "restore", "--model", str(chance), "--device", "cpu", "--side", "32"]


@contextmanager
def running(words: list[str], folder: Path, **pipes: int | None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        words,
        cwd=folder,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **pipes,  # type: ignore[call-overload]
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def finished(words: list[str], folder: Path, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        words,
        cwd=folder,
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def y4m(frames: int) -> bytes:
    head = f"YUV4MPEG2 W{SIZE[1]} H{SIZE[0]} F25:1 Ip A1:1 C420jpeg\n".encode()
    grey = bytes([128]) * (SIZE[0] * SIZE[1] // 2)
    return head + b"".join(b"FRAME\n" + moving_picture(i, SIZE).tobytes() + grey for i in range(frames))


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def wait_for_progress(run: subprocess.Popen[bytes], frames: int = 1) -> None:
    assert run.stderr is not None
    for line in run.stderr:
        event = json.loads(line)
        assert event["event"] in ("start", "progress"), event
        if event.get("frame", 0) >= frames:
            return


def test_a_pipe_gives_the_pictures_of_a_file(command: list[str], tmp_path: Path) -> None:
    film = tmp_path / "film.y4m"
    film.write_bytes(y4m(9))
    exact = [*command, "--lossless", "-q"]
    from_file = finished([*exact, "film.y4m", "-o", "file.mkv"], tmp_path)
    from_pipe = finished([*exact, "-", "-o", "pipe.mkv"], tmp_path, film.read_bytes())
    to_pipe = finished([*exact, "film.y4m", "-o", "-", "--format", "nut"], tmp_path)
    (tmp_path / "out.nut").write_bytes(to_pipe.stdout)
    assert (from_file.returncode, from_file.stderr, from_file.stdout) == (0, b"", b"")
    assert (from_pipe.returncode, from_pipe.stderr) == (0, b"")
    assert (to_pipe.returncode, to_pipe.stderr) == (0, b"")
    assert len(pictures(tmp_path / "file.mkv")) == 9
    assert pictures(tmp_path / "file.mkv") == pictures(tmp_path / "pipe.mkv") == pictures(tmp_path / "out.nut")


def test_pictures_leave_a_pipe_before_the_film_ends(command: list[str], tmp_path: Path) -> None:
    got, batch, size = bytearray(), 4, SIZE[0] * SIZE[1] * 3 // 2 + 6
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running([*command, "-", "-o", "-", "--format", "y4m", "--batch", str(batch)], tmp_path, **pipes) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(y4m(40))
        run.stdin.flush()
        limit = threading.Timer(PATIENCE, run.kill)
        limit.start()
        while len(got) < (40 - 2 * batch - 2) * size and (data := run.stdout.read1(1 << 16)):  # type: ignore[attr-defined]
            got += data
        assert len(got) >= (40 - 2 * batch - 2) * size, "pictures wait for the end of the film"
        run.stdin.close()
        got += run.stdout.read()
        assert run.wait(PATIENCE) == 0
        limit.cancel()
    assert got.count(b"FRAME\n") == 40


@posix
def test_a_reader_that_leaves_ends_the_run_quietly(command: list[str], make_film: MakeFilm, tmp_path: Path) -> None:
    make_film("film.mkv", frames=400)
    words = [*command, "film.mkv", "-o", "-", "--format", "nut", "--progress", "none"]
    with running(words, tmp_path, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert len(run.stdout.read(20_000)) == 20_000
        run.stdout.close()
        left = time.monotonic()
        assert run.wait(PATIENCE) == 4
        assert time.monotonic() - left < 5
        assert run.stderr.read() == b""


@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_run_and_leaves_nothing(
    command: list[str], make_film: MakeFilm, tmp_path: Path, name: str, code: int
) -> None:
    make_film("film.mkv", frames=600)
    with running([*command, "film.mkv", "-o", "new.mkv", "--progress", "json"], tmp_path) as run:
        wait_for_progress(run)
        sent = time.monotonic()
        run.send_signal(getattr(signal, name))
        assert run.wait(PATIENCE) == code
        assert time.monotonic() - sent < 5
    assert names(tmp_path) == {"film.mkv"}


@posix
def test_after_a_kill_the_next_run_works_and_clears_up(command: list[str], make_film: MakeFilm, tmp_path: Path) -> None:
    make_film("film.mkv", frames=200)
    words = [*command, "film.mkv", "-o", "new.mkv"]
    with running([*words, "--progress", "json"], tmp_path) as run:
        wait_for_progress(run)
        run.kill()
        run.wait(PATIENCE)
    left = names(tmp_path) - {"film.mkv"}
    assert all(name.startswith(".") and "vidcolor" in name for name in left), left
    time.sleep(1)  # the encoder that was left alone sees the end of its input, and ends
    assert finished([*words, "-q", "--stop", "0.2"], tmp_path).returncode == 0
    assert names(tmp_path) == {"film.mkv", "new.mkv"}


def test_wrong_weights_are_refused_by_their_hash(chance: Path, make_film: MakeFilm, tmp_path: Path) -> None:
    make_film("film.mkv", frames=2)
    data = bytearray(chance.read_bytes())
    data[-5] ^= 0x10
    (tmp_path / "bad.safetensors").write_bytes(data)
    words = [sys.executable, "-m", "vidcolor", "restore", "film.mkv", "--model", "bad.safetensors"]
    done = finished(words, tmp_path)
    assert done.returncode == 5
    assert b"hash" in done.stderr
    assert names(tmp_path) == {"film.mkv", "bad.safetensors"}


def test_the_sample_film_is_restored_by_the_packaged_network(tmp_path: Path) -> None:
    sample, out = ROOT / "demo" / "samples" / "his-girl-friday-1940.mp4", tmp_path / "new.mp4"
    report = vidcolor.restore(sample, out, Options(stop=Fraction(1)))
    with av.open(str(out)) as film:
        assert {stream.type for stream in film.streams} >= {"video", "audio"}
        chroma = np.stack([frame.to_ndarray()[480:] for frame in film.decode(video=0)]).astype(float) - 128
    assert len(chroma) == report.frames == 30
    assert np.abs(chroma).mean() > 0.75, "the colours are hardly there"
    assert report.model == "reel"


def test_the_bare_loop_colours_light() -> None:
    colorizer = zoo.load("reel", device.choose("cpu", "fp32")).colorizer
    stride, state = colorizer.spec.stride, colorizer.start()
    for light in torch.rand(2, 1, 1, 4 * stride, 6 * stride, generator=torch.Generator().manual_seed(1)):
        ab, state = colorizer(light, state)
        assert ab.shape == (1, 2, 4 * stride // colorizer.spec.scale, 6 * stride // colorizer.spec.scale)
    assert bool(torch.isfinite(ab).all())
    assert bool(state.tensors) == colorizer.spec.needs_state


@pytest.mark.parametrize("batch", ["1", "4"])
def test_a_live_pipe_gives_each_picture_before_the_next_comes(command: list[str], tmp_path: Path, batch: str) -> None:
    film = y4m(4)
    size = SIZE[0] * SIZE[1] * 3 // 2 + len(b"FRAME\n")
    head = len(film) - 4 * size
    words = [*command, "-", "-o", "-", "--format", "y4m", "--batch", batch, "-q"]
    with running(words, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as run:
        assert run.stdin is not None and run.stdout is not None
        alarm = threading.Timer(PATIENCE, run.kill)
        alarm.start()
        run.stdin.write(film[:head])
        for number in range(4):
            run.stdin.write(film[head + number * size :][:size])
            told = run.stdout.readline() if number == 0 else b""
            assert number or told.startswith(b"YUV4MPEG2")
            picture = b"".join(iter_bytes(run.stdout, size))
            assert picture.startswith(b"FRAME\n")
            assert picture[6 : 6 + SIZE[0] * SIZE[1]] == moving_picture(number, SIZE).tobytes()
        run.stdin.close()
        assert run.wait(PATIENCE) == 0
        alarm.cancel()


def iter_bytes(pipe: IO[bytes], count: int) -> Iterator[bytes]:
    while count and (part := pipe.read(count)):
        yield part
        count -= len(part)
