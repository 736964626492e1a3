"""A page that runs, for the tests of what people and programmes do with it: one server for all of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from conftest import moving_picture, picture_of

ROOT = Path(__file__).parents[1]
UPLOAD_MEGABYTES = 2
MINUTES = 0.5
_START = 120.0  # seconds until the page is there: the framework alone takes ten on a busy machine
_END = 15.0


@dataclass(frozen=True, slots=True)
class Page:
    """A server that runs: its address, its process, the folder that it makes its own in."""

    address: str
    process: subprocess.Popen[str]
    temporary: Path

    @contextlib.contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A visitor without a browser."""
        with httpx.Client(base_url=self.address, timeout=60) as client:
            client.get("/config").raise_for_status()
            yield client

    def rooms(self) -> list[Path]:
        """What lies in the visitors' folders."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    def wait_until(self, waiting: int = 0, working: int = 0) -> None:
        """Wait until so much is to be done, at most ten seconds."""
        limit = time.monotonic() + 10
        told: dict[str, object] = {}
        while time.monotonic() < limit:
            told = httpx.get(f"{self.address}/healthz").json()
            if (told["waiting"], told["working"]) == (waiting, working):
                return
            time.sleep(0.1)
        raise AssertionError(f"still to be done: {told}")


@contextlib.contextmanager
def running() -> Iterator[Page]:
    """Serve; at the end see that the server ends on SIGTERM with code 143, and leaves nothing behind."""
    temporary = Path(tempfile.mkdtemp(prefix="page-"))
    words = [sys.executable, "-m", "vidcolor", "demo", "--port", "0"]
    limits = ["--max-upload", str(UPLOAD_MEGABYTES), "--max-minutes", str(MINUTES)]
    place = {"TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    log = (temporary.parent / f"{temporary.name}.log").open("w")
    process = subprocess.Popen(
        [*words, *limits], stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=os.environ | place
    )
    try:
        yield Page(_address(process, Path(log.name)), process, temporary)
        _end(process)
        left = [path for path in temporary.rglob("*") if path.name.startswith("vidcolor")]
        assert not left, f"the server left {left}"
        said = Path(log.name).read_text(encoding="utf-8")
        assert "Traceback" not in said, said
    finally:
        process.kill()
        process.communicate()
        log.close()
        Path(log.name).unlink()
        shutil.rmtree(temporary, ignore_errors=True)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), log.read_text(encoding="utf-8")
    return line.rstrip("/")


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(_END) == (143 if os.name == "posix" else process.returncode)


def small_film(path: Path, frames: int = 12, seed: int = 0, size: tuple[int, int] = (54, 96), cut: int = 0) -> Path:
    """An MP4 as a telephone makes them, H.264 with AAC: 25 pictures a second, light that tells `seed`."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        sound = film.add_stream("aac", rate=48_000, layout="mono")
        for index in range(frames):
            luma = moving_picture(index, size, scene=int(0 < cut <= index)) // 2 + 5 * seed
            picture = picture_of(luma.astype(np.uint8), index)
            picture.time_base = Fraction(1, 25)
            film.mux(video.encode(picture))
        film.mux(video.encode(None))
        wave = (3000 * np.sin(np.arange(frames * 1920) / 20)).astype(np.float32)[None] / 32768
        for start in range(0, wave.shape[1], 1024):
            part = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], "fltp", "mono")
            part.sample_rate, part.pts, part.time_base = 48_000, start, Fraction(1, 48_000)
            film.mux(sound.encode(part))
        film.mux(sound.encode(None))
    return path


def lumas(path: Path) -> list[np.ndarray]:  # type: ignore[type-arg]
    """The luma of all pictures of a film."""
    with av.open(str(path)) as film:
        return [frame.to_ndarray()[: frame.height].astype(np.int16) for frame in film.decode(video=0)]


# By hand, without the client library


def upload(visitor: httpx.Client, film: Path) -> str:
    with film.open("rb") as data:
        answer = visitor.post("/gradio_api/upload", files={"files": (film.name, data)})
    return str(answer.raise_for_status().json()[0])


def file_data(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def stream(visitor: httpx.Client, action: str, **given: object) -> list[dict[str, Any]]:
    """Call an address; its words in order. A refusal is an assertion that fails with its sentence."""
    answer = visitor.post(f"/gradio_api/call/v2/{action}", json=given)
    return events(visitor, action, answer.raise_for_status().json()["event_id"])


def events(visitor: httpx.Client, name: str, number: str) -> list[dict[str, Any]]:
    told, kind = [], ""
    with visitor.stream("GET", f"/gradio_api/call/{name}/{number}") as lines:
        for line in lines.iter_lines():
            if line.startswith("event:"):
                kind = line.removeprefix("event: ")
            elif line.startswith("data:") and kind in ("generating", "complete", "error"):
                value = json.loads(line.removeprefix("data: "))
                assert kind != "error", value
                told += value or []
    return told
