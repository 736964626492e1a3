"""Restores a film in processes that are killed at any moment, and looks at what the run that may live leaves."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import av
import torch
from conftest import write_chance

from vidcolor import Options, restore, resume
from vidcolor.watch import Watcher

# Started once, with everything loaded: its children begin at once.
_CONTEXT = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else None
)
_CONTEXT.set_forkserver_preload([__name__, "vidcolor.painter", "vidcolor.planes"])


class _Telling(Watcher):
    """Tells each picture to whoever may kill this process."""

    def __init__(self, link: Connection) -> None:
        self._link = link

    def progressed(self, frame: int) -> None:
        self._link.send(frame)


def _work(film: Path, target: Path, model: Path, link: Connection) -> None:
    resume.SHORTEST, resume.LONGEST = 4, 7
    torch.set_num_threads(1)
    options = Options(resume=True, model=str(model), side=32, device="cpu", precision="fp32")
    restore(film, target, options, _Telling(link))


@dataclass(frozen=True)
class Killer:
    """Kills runs that restore `film`; `model` is made where it is missing."""

    film: Path
    model: Path

    def __post_init__(self) -> None:
        if not self.model.exists():
            write_chance(self.model)

    def run(self, target: Path, pictures: int | None = None, seconds: float = 0) -> bool:
        """Run to the end, or until some pictures and some time have gone by; tells whether it came to its end."""
        mine, theirs = _CONTEXT.Pipe(duplex=False)
        child = _CONTEXT.Process(target=_work, args=(self.film, target, self.model, theirs))  # type: ignore[attr-defined]
        child.start()
        theirs.close()
        self._wait(mine, pictures, seconds)
        child.kill() if pictures is not None else None
        child.join()
        return bool(child.exitcode == 0)

    def _wait(self, link: Connection, pictures: int | None, seconds: float) -> None:
        seen = 0
        try:
            while pictures is None or seen < pictures:
                link.recv()
                seen += 1
        except EOFError:
            return  # it is at its end already, or on its way there
        time.sleep(seconds)

    def until(self, target: Path, kills: int, rng: random.Random, pictures: int = 12) -> int:
        """Kill as many runs, then let one live; returns how many died in the middle."""
        killed = 0
        for _ in range(kills):
            killed += not self.run(target, rng.randrange(pictures), rng.random() * 0.05)
            if target.exists():  # it had its name before it was killed
                return killed
        if not target.exists():
            assert self.run(target), "the run that was left alone failed"
        return killed


def content(path: Path) -> str:
    """A fingerprint of every packet of every stream, with its times."""
    digest = hashlib.sha256()
    with av.open(str(path)) as film:
        for packet in film.demux():
            digest.update(repr((packet.stream_index, packet.pts, packet.dts, packet.duration)).encode())
            digest.update(bytes(packet))
    return digest.hexdigest()
