"""A process that restores one damaged film after another with a tiny network, and says what became of each.

Reads one JSON object a line from stdin and answers each with one to stdout. `python tests/victim.py` starts it; it
has a process of its own because damaged films may end it, and because torch is slow to load.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

ROOM_BYTES = 2 << 30
_POOR = 8


def limit_memory() -> None:
    """Let this process and its children take two gigabytes more of address space than it has now; POSIX only."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + ROOM_BYTES, now + ROOM_BYTES))
    except (ImportError, OSError, ValueError):
        return


def peak_bytes() -> int:
    """Most memory that this process, or one of its children, ever held; 0 where that cannot be known."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


@contextmanager
def standing_in(descriptor: int, other: int) -> Iterator[None]:
    """Let `other` take the place of a standard descriptor for a while."""
    kept = os.dup(descriptor)
    os.dup2(other, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


@contextmanager
def fed(path: Path | None) -> Iterator[None]:
    """Put a real pipe in the place of stdin, fed with a file (or with nothing)."""
    out, into = os.pipe()

    def feed() -> None:
        data = path.read_bytes() if path else b""
        with os.fdopen(into, "wb", 0) as pipe:
            try:
                while data:
                    data = data[pipe.write(data) :]
            except OSError:
                return

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with standing_in(0, out):
            yield
    finally:
        os.close(out)
        feeder.join(10)


def facts(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    """What every file of a folder is: size, time of change, mode, digest."""
    found = {}
    for path in sorted(folder.iterdir()):
        state = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "-"
        found[path.name] = (state.st_size, state.st_mtime_ns, state.st_mode, digest)
    return found


def children() -> list[str]:
    """Processes that were left running; empty where that cannot be known."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += path.read_text(encoding="ascii").split()
    return found


def perform(main: Callable[[list[str]], int], order: dict[str, Any], complaints: BinaryIO) -> dict[str, Any]:
    """Run one command, and gather what can be seen of it."""
    folder = Path(order["folder"])
    before, began = facts(folder), time.monotonic()
    complaints.seek(0)
    complaints.truncate()
    os.chdir(folder)
    piped = Path(order["stdin"]) if order["stdin"] else None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with fed(piped), standing_in(1, nowhere), standing_in(2, complaints.fileno()):
        code = main(order["words"])
        sys.stderr.flush()
    os.close(nowhere)
    seconds = time.monotonic() - began
    after = facts(folder)
    complaints.seek(0)
    return {
        "code": code,
        "said": complaints.read().decode("utf-8", "replace"),
        "seconds": seconds,
        "peak": peak_bytes(),
        "touched": [name for name in before if after.get(name) != before[name]],
        "new": [name for name in after if name not in before],
        "left": sorted(path.name for path in Path(os.environ["TMPDIR"]).iterdir()) + children(),
    }


def look(path: Path) -> dict[str, Any]:
    """Open an output with the libraries directly; count its pictures, and those that have no colour."""
    import av

    if path.suffix in (".jpg", ".png", ".tif", ".webp"):
        return _look_at_still(path)
    pictures = grey = 0
    with av.open(f"file:{path}", metadata_errors="replace") as film:
        stream = next(one for one in film.streams.video if not one.disposition & av.stream.Disposition.attached_pic)
        for frame in film.decode(stream):
            pictures += 1
            grey += _is_grey(frame)
    return {"pictures": pictures, "grey": grey}


def _look_at_still(path: Path) -> dict[str, Any]:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        pages = int(getattr(image, "n_frames", 1))
        image.load()
        samples = np.asarray(image.convert("RGB")).astype(int)
    return {"pictures": pages, "grey": int(not np.ptp(samples, axis=2).any() and _is_mid(samples))}


def _is_grey(frame: Any) -> bool:  # noqa: ANN401 - av.VideoFrame, which is loaded late
    """Tell a picture without any colour, though its light leaves room for some."""
    import numpy as np

    rgb = frame.to_ndarray(format="rgb24").astype(int)
    return bool(not np.ptp(rgb, axis=2).any() and _is_mid(rgb))


def _is_mid(rgb: Any) -> bool:  # noqa: ANN401 - an array
    """Tell light that leaves room for colour: white and black have none."""
    return bool(((rgb > 30) & (rgb < 225)).mean() > 1 / _POOR)


def main() -> None:
    """Answer until stdin ends."""
    from conftest import tiny_model

    import vidcolor.cli
    from vidcolor import job
    from vidcolor.cli import command

    del command
    import torch

    torch.set_num_threads(1)
    model = tiny_model()
    job.load_model = lambda options: model
    orders, answers = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    limit_memory()
    with Path(os.environ["TMPDIR"], "..", "complaints").open("w+b") as complaints:
        for line in orders:
            order = json.loads(line)
            looked = _looked(Path(order["look"])) if "look" in order else None
            answer = looked or perform(vidcolor.cli.main, order, complaints)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _looked(path: Path) -> dict[str, Any]:
    try:
        return look(path)
    except Exception as error:  # noqa: BLE001 - whatever it is, the output cannot be read
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
