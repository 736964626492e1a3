"""A bounded queue between two threads: one makes, one takes; errors cross over, and an abandoned maker stops."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

# A wait without end cannot be broken off by Ctrl-C on Windows.
_TICK_SECONDS = 0.2
_PATIENCE_SECONDS = 2.0


class _Channel(Generic[T]):
    """What maker and taker share. It does not know the taker, so that a forgotten taker can be collected."""

    def __init__(self, depth: int) -> None:
        self.items: deque[T] = deque()
        self.depth = depth
        self.changed = threading.Condition()
        self.is_done = False
        self.is_stopped = False
        self.error: BaseException | None = None

    def make(self, iterable: Iterable[T]) -> None:
        """Run in the maker's thread: fill the queue, leave at the end, at an error or when told to stop."""
        try:
            iterator = iter(iterable)
            try:
                self._fill(iterator)
            finally:
                # A generator is closed by the thread that runs it; its `finally` clauses must not wait for collection.
                getattr(iterator, "close", lambda: None)()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the taker's thread
            self.error = error
        with self.changed:
            self.is_done = True
            self.changed.notify_all()

    def _fill(self, iterator: Iterator[T]) -> None:
        for item in iterator:
            with self.changed:
                while len(self.items) >= self.depth and not self.is_stopped:
                    self.changed.wait()
                if self.is_stopped:
                    return
                self.items.append(item)
                self.changed.notify_all()

    def stop(self) -> None:
        with self.changed:
            self.is_stopped = True
            self.items.clear()
            self.changed.notify_all()


class Prefetch(Iterator[T]):
    """Items made ahead in a thread, at most `depth` of them waiting."""

    def __init__(self, iterable: Iterable[T], depth: int) -> None:
        """Start the thread. `iterable` is used by that thread alone."""
        if depth < 1:
            raise ValueError(f"a queue holds one item at least, not {depth}")
        self._channel: _Channel[T] = _Channel(depth)
        self._thread = threading.Thread(target=self._channel.make, args=(iterable,), name="prefetch", daemon=True)
        self._thread.start()
        self._end = weakref.finalize(self, _end, self._channel, self._thread)

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> T:
        """Wait for the next item; raises what the maker raised, once everything before it was taken."""
        channel = self._channel
        with channel.changed:
            while not channel.items and not channel.is_done and not channel.is_stopped:
                channel.changed.wait(_TICK_SECONDS)
            if channel.items:
                item = channel.items.popleft()
                channel.changed.notify_all()
                return item
            error, channel.error = channel.error, None
        if error is not None:
            raise error
        raise StopIteration

    def ready(self) -> bool:
        """Say whether `next` would answer at once: with an item, the end or an error."""
        channel = self._channel
        with channel.changed:
            return bool(channel.items) or channel.is_done or channel.is_stopped

    def close(self) -> None:
        """Stop the maker and drop what waits. A maker that waits for a pipe is left behind as a daemon."""
        self._end()

    def __enter__(self) -> Prefetch[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _end(channel: _Channel[T], thread: threading.Thread) -> None:
    channel.stop()
    if thread is not threading.current_thread():
        thread.join(_PATIENCE_SECONDS)


def prefetch(iterable: Iterable[T], depth: int) -> Prefetch[T]:
    """Make the items of `iterable` ahead in a thread, at most `depth` waiting; see `Prefetch`."""
    return Prefetch(iterable, depth)
