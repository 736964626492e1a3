"""The process that restores one film of many: an order on stdin, what it does as JSON lines on stderr."""

from __future__ import annotations

import os
import signal
import sys
import threading

from vidcolor.cli.supervisor import Supervisor


def entry() -> None:
    """Restore the film that was ordered, then end the process; no thread is waited for."""
    with Supervisor() as supervisor:
        code = _main(supervisor)
    sys.stderr.flush()
    os._exit(code)


def _main(supervisor: Supervisor) -> int:
    from vidcolor.archive.order import Order
    from vidcolor.cli.command import guarded
    from vidcolor.cli.voice import JsonVoice

    line = sys.stdin.buffer.readline()
    if not line:  # whoever wanted the film is gone already
        return 143
    threading.Thread(target=_watch, name="watch", daemon=True).start()
    order, voice, brake = Order.from_line(line.decode()), JsonVoice(), supervisor.brake

    def work() -> int:
        from vidcolor.cli.restore import warm
        from vidcolor.pipeline import Shelf, prepare

        warm()
        entry = order.entry
        place = entry.target or Shelf(entry.folder, entry.stem)
        with brake.guarding(voice.close), prepare(entry.source, place, order.options) as job:
            if order.keep and job.is_taken:
                voice.kept(str(job.target))
            else:
                job.check_free()
                job.run(voice, brake)
        return 0

    return supervisor.oversee(lambda: guarded(work, voice, brake))


def _watch() -> None:
    """End the film in good order when stdin is closed: the run is stopped, or has died."""
    while sys.stdin.buffer.read(1 << 12):
        pass
    signal.raise_signal(signal.SIGTERM)
