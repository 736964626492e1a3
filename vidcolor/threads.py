"""How many threads a network's arithmetic gets beside decoder and encoder, and how they wait; loads nothing."""

from __future__ import annotations

import os

MOST = 4
"""Threads, at most: so small a picture is not divided among more."""


def share(programs: int = 1) -> int:
    """Threads for the arithmetic of each of so many programs that run side by side.

    Half of the processors: the encoder needs the others, and a second thread on two of them took more from it (by a
    tenth of all CPU time at 1080p) than it gave.
    """
    return max(1, min(MOST, (os.cpu_count() or 1) // programs // 2))


def settings(threads: int) -> dict[str, str]:
    """What says so to torch's libraries, in the environment of a process that has not loaded them yet.

    Threads sleep while they wait: by default they turn, which takes from the encoder, and at worst makes a picture five
    times as dear.
    """
    return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
