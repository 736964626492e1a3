"""`python -m demo.worker`: a process that colours, one order at a time; orders come as JSON lines, and news goes so.

It ends when its orders end (the page is gone), whatever it is doing. What it prints by mistake goes nowhere: the pipe
for news is its own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TextIO

from streams.errors import FilmError, printable
from vidcolor.brake import Brake


class Worker:
    """Takes orders from `orders`, writes news to `news`."""

    def __init__(self, orders: TextIO, news: TextIO) -> None:
        self._orders = orders
        self._news = news
        self._lock = threading.Lock()
        self._brake = Brake()
        self._current: int | None = None
        self._tasks: dict[str, Any] = {}
        self._is_warm = threading.Event()

    def run(self) -> None:
        """Work until the orders end."""
        threading.Thread(target=self._warm, name="warm", daemon=True).start()
        for order in self._read():
            if "cancel" in order:
                self._cancel(order["cancel"])
            else:
                self._begin(order)
        self._brake.pull()

    def _read(self) -> Iterator[dict[str, Any]]:
        for line in self._orders:
            with suppress(ValueError):
                yield json.loads(line)

    def _warm(self) -> None:
        """Load what is heavy before the first order comes, or while it waits.

        It waits because two threads that load the same libraries find them half made.
        """
        with suppress(Exception):  # whatever it is comes again, and is told, with the first order
            from demo import show  # noqa: F401
            from vidcolor.job import load_model
            from vidcolor.options import Options

            load_model(Options())
            self.tell("warm")
        self._is_warm.set()

    def _cancel(self, number: int) -> None:
        if number == self._current:
            self._brake.pull()

    def _begin(self, order: dict[str, Any]) -> None:
        self._brake, self._current = Brake(), order["id"]
        threading.Thread(target=self._work, args=(order, self._brake), name="order", daemon=True).start()

    def _work(self, order: dict[str, Any], brake: Brake) -> None:
        number = order["id"]

        def tell(event: str, **values: object) -> None:
            self.tell(event, id=number, **values)

        self._is_warm.wait()
        try:
            result = self._task(order["do"])(order, tell, brake)
            tell("done", **result)
            return
        except FilmError as error:
            said = str(error)
        except MemoryError:
            said = "there is not enough memory for this"
        except Exception as error:  # noqa: BLE001 - a worker goes on, and the page says one sentence
            said = printable(f"unexpected {type(error).__name__}: {error}")[:300]
        if brake.code is None:
            tell("failed", reason=said)
        else:  # an encoder that was ended then fails in a way of its own
            tell("cancelled", reason="interrupted")

    def _task(self, name: str) -> Any:  # noqa: ANN401 - a Task, imported late
        if not self._tasks:
            from demo import craft, easel, live

            self._tasks = {**craft.TASKS, **easel.TASKS, "live": live.run_film, "camera": live.Cameras().colour}
        return self._tasks[name]

    def tell(self, event: str, **values: object) -> None:
        """Write one piece of news."""
        line = json.dumps({"event": event, **values})
        with self._lock, suppress(OSError, ValueError):
            self._news.write(line + "\n")
            self._news.flush()


def main() -> None:
    """Work for who started this process."""
    news = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Worker(sys.stdin, news).run()
    os._exit(0)  # a thread may stand in a call that does not end


if __name__ == "__main__":
    main()
