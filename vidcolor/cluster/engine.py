"""The one place that knows Ray: starts or joins a cluster, hands it tasks, waits for what they give, lets go of it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.errors import FilmError, UsageError, printable
from streams.writing.lock import Lock
from vidcolor.cluster import NO_RAY, copies, tasks
from vidcolor.cluster.values import Place

RETRIES = 3  # times that Ray does a task again whose worker, or whose machine, was lost
GPU_SHARE = 0.25  # of a GPU for each task: its decoder and its encoder work on processors
PORT = 6379
_KNOCK_SECONDS = 5.0
_CHECK_SECONDS = 0.1
_JOIN_SECONDS = 60.0
_LAST_SECONDS = 2.0  # for what is removed at the end
_FIRST_SECONDS = 600.0  # a cluster that grows on demand starts a machine in less
_OWN = "vidcolor-ray-"
# Where sockets lie, paths may have 107 bytes, on macOS 103; Ray itself needs some 70 of them.
_LONGEST_ROOM = 28


@dataclass(eq=False, slots=True)
class Ticket:
    """A task that was begun: what it is about, and what Ray knows it by."""

    kind: str
    owner: Any
    number: int = -1
    ref: Any = None
    state: Any = None  # of the segment, in the cluster's memory
    values: list[Any] = field(default_factory=list)


class Over(Exception):  # noqa: N818 - no error: a stream's end
    """A stream of values has ended."""


class Lost(FilmError):
    """Ray on this machine has died, and with it all that the run has begun."""

    def __init__(self) -> None:
        super().__init__("Ray on this machine has died; the same command goes on behind the last segment that was kept")


class Engine:
    """A cluster, joined. `slots`: tasks that can run at once."""

    def __init__(self, address: str | None, jobs: int | None) -> None:
        """Join the cluster at `address`, HOST:PORT; None starts one on this machine, with `jobs` processors.

        Raises UsageError where Ray is not installed, or no cluster can be joined there.
        """
        self._ray = _imported()
        self._room: _Room | None = None
        self._jobs = jobs
        self._quiet = contextlib.ExitStack()
        self._is_over = False
        self._errands: list[Any] = []  # that nobody waits for, but the end
        self._lock = threading.Lock()
        self._is_lost = False
        self._checked = 0.0
        self._quiet.enter_context(_hushed())
        try:
            self._start(jobs or os.cpu_count() or 1) if address is None else self._join(address)
            self._begin()
        except BaseException:
            self.end()
            raise

    def _start(self, processors: int) -> None:
        self._room = _Room()
        try:
            self._init(address="local", num_cpus=processors, include_dashboard=False, _temp_dir=str(self._room.path))
        except Exception as error:
            raise FilmError(f"Ray does not start on this machine: {_first(error)}") from error

    def _join(self, address: str) -> None:
        place = _knocked(address)
        failure = _within(_JOIN_SECONDS, lambda: self._init(address=place))
        if failure is not None:
            raise UsageError(
                f"the Ray cluster at {printable(place)} cannot be joined: {failure}; this machine has to be part of it"
                f" (ray start --address={printable(place)} --num-cpus=0)"
            )

    def _init(self, **chosen: object) -> None:
        self._ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **chosen)

    def _begin(self) -> None:
        ray = self._ray
        self._here = ray.get_runtime_context().get_node_id()
        mine = next(node for node in ray.nodes() if node["NodeID"] == self._here)
        self._door = (mine["NodeManagerAddress"], mine["NodeManagerPort"])
        # What runs on this machine because files are here asks for no processor: a machine may lend none, and have the
        # films all the same. The run begins few of these at a time.
        self._pinned = {"num_cpus": 0, "scheduling_strategy": _affinity(ray, self._here)}
        self._lender = ray.remote(_Lender).options(max_restarts=-1, max_task_retries=-1, **self._pinned).remote()

    @property
    def slots(self) -> int:
        """Tasks that can run at once, now: machines come and go."""
        found = self._ray.cluster_resources()
        count = int(found.get("CPU", 0))
        if self._is_on_gpu:
            count = min(count, int(found.get("GPU", 0) / GPU_SHARE))
        return max(1, min(count, self._jobs or count))

    def settle(self, device: str, precision: str) -> Place:
        """Choose, once, where the network runs; raises ModelError where no machine has the device."""
        has_gpu = bool(self._ray.cluster_resources().get("GPU", 0))
        wants_gpu = device.startswith("cuda")
        if wants_gpu and not has_gpu:
            raise UsageError(f"--device {device}: no machine of the cluster has a GPU")
        self._is_on_gpu = has_gpu and device in ("auto", "cuda") or wants_gpu
        asked = "cuda" if self._is_on_gpu else device
        ticket = Ticket("settle", None)
        ticket.ref = self._remote(tasks.settle, **self._working).remote(asked, precision)
        waiting = self._ray.wait([ticket.ref], timeout=_FIRST_SECONDS)[1]
        if waiting:
            raise UsageError(f"no machine of the cluster has taken a task in {_FIRST_SECONDS / 60:.0f} minutes")
        found = self.value(ticket)
        assert isinstance(found, Place)
        return found

    _is_on_gpu = False

    @property
    def _working(self) -> dict[str, object]:
        return {"num_cpus": 1, **({"num_gpus": GPU_SHARE} if self._is_on_gpu else {})}

    def _remote(self, function: Callable[..., Any], **chosen: object) -> Any:  # noqa: ANN401 - Ray's own
        return self._ray.remote(max_retries=RETRIES, **chosen)(function)

    # --- tasks ---

    def share(self, value: object) -> Any:  # noqa: ANN401 - Ray's own
        """Lay a value into the cluster's memory, once for all tasks that need it."""
        return self._ray.put(value)

    def look(self, owner: object, *args: object) -> Ticket:
        """Begin a look at a film, on the machine that has it."""
        return self._begun("look", owner, tasks.look, args, self._pinned)

    def whole(self, owner: object, *args: object) -> Ticket:
        """Begin to restore a still picture, on the machine that has it."""
        return self._begun("whole", owner, tasks.whole, args, self._pinned)

    def join(self, owner: object, *args: object, is_anywhere: bool) -> Ticket:
        """Begin to join a film."""
        return self._begun("join", owner, tasks.join, args, {"num_cpus": 1} if is_anywhere else self._pinned)

    def scout(self, owner: object, *args: object) -> Ticket:
        """Begin to find a film's segments, anywhere."""
        return self._begun("scout", owner, _scout, (*args, self._lender), {"num_cpus": 1, "num_returns": "streaming"})

    def rest(self, owner: object, *args: object, is_here: bool) -> Ticket:
        """Begin to make all segments that are left; it pauses while two of them wait to be taken.

        With `is_here` on this machine, if it can do such work at all.
        """
        chosen = {**self._working, "num_returns": "streaming", "_generator_backpressure_num_objects": 2}
        if is_here:
            chosen["scheduling_strategy"] = _affinity(self._ray, self._here, is_soft=True)
        return self._begun("rest", owner, _rest, (*args, self._lender), chosen)

    def one(self, owner: object, number: int, *args: object) -> Ticket:
        """Begin to make one segment."""
        ticket = Ticket("one", owner, number)
        made = self._remote(_one, num_returns=2, **self._working).remote(*args, self._lender)
        ticket.ref, ticket.state = made
        return ticket

    def forget(self, film: object) -> None:
        """Have all machines remove their copies of a film, before the end at the latest."""
        for node in [] if self._is_over or self._is_lost else self._ray.nodes():
            if node["Alive"]:
                where = _affinity(self._ray, node["NodeID"], is_soft=True)
                self._errands.append(self._remote(copies.forget, num_cpus=0, scheduling_strategy=where).remote(film))

    def _begun(
        self,
        kind: str,
        owner: object,
        function: Callable[..., Any],
        args: Sequence[object],
        chosen: Mapping[str, object],
    ) -> Ticket:
        return Ticket(kind, owner, ref=self._remote(function, **chosen).remote(*args))

    # --- what they give ---

    def ready(self, tickets: Sequence[Ticket], seconds: float) -> list[Ticket]:
        """Wait until at least one of the tasks has something to give, or the time is over."""
        self._check()
        by_ref = {ticket.ref: ticket for ticket in tickets}
        try:
            found, _ = self._ray.wait(list(by_ref), num_returns=1, timeout=seconds, fetch_local=False)
        except Exception as error:
            raise FilmError(f"the Ray cluster is gone: {_first(error)}") from error
        return [by_ref[ref] for ref in found]

    def value(self, ticket: Ticket) -> Any:  # noqa: ANN401 - what the task gives
        """What a task gives, or the next that it gives; raises Over at a stream's end, FilmError as the task did."""
        self._check()
        try:
            if not isinstance(ticket.ref, self._ray.ObjectRefGenerator):
                return self._ray.get(ticket.ref)
            return self._ray.get(next(ticket.ref))
        except StopIteration:
            raise Over from None
        except Exception as error:
            raise self._told(error) from error

    def state(self, state: object) -> bytes:
        """The bytes of a state, wherever it lies."""
        if isinstance(state, bytes):
            return state
        self._check()
        try:
            found = self._ray.get(state)
        except Exception as error:
            raise self._told(error) from error
        assert isinstance(found, bytes)
        return found

    def _check(self) -> None:
        """Raise Lost if Ray on this machine has died: asked for an object then, it ends this process without a word."""
        if not self._is_lost and time.monotonic() - self._checked > _CHECK_SECONDS:
            try:
                socket.create_connection(self._door, timeout=_KNOCK_SECONDS).close()
            except TimeoutError:
                pass  # a busy machine, not a dead one
            except OSError:
                self._is_lost = True
            self._checked = time.monotonic()
        if self._is_lost:
            raise Lost

    def _told(self, error: Exception) -> FilmError:
        kinds = self._ray.exceptions
        if isinstance(error, kinds.LocalRayletDiedError):
            self._is_lost = True
            return Lost()
        if isinstance(error, kinds.RayTaskError):
            cause = getattr(error, "cause", None)
            return tasks.sentence_of(cause if isinstance(cause, BaseException) else error)
        if isinstance(error, kinds.WorkerCrashedError | kinds.NodeDiedError | kinds.OutOfMemoryError):
            return FilmError(f"its process crashed, {RETRIES + 1} times in all")
        return FilmError(f"the Ray cluster failed: {_first(error)}")

    def cancel(self, ticket: Ticket) -> None:
        """Give a task up, whatever it is doing."""
        if self._is_lost:
            return
        with contextlib.suppress(Exception):  # it is over already, or the cluster is
            self._ray.cancel(ticket.ref, force=ticket.kind != "join")

    def end(self) -> None:
        """Let go of the cluster: tasks of this run end, and one that was started here is gone. Twice does no harm."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            with contextlib.suppress(Exception):
                if self._errands and not self._is_lost:
                    self._ray.wait(self._errands, num_returns=len(self._errands), timeout=_LAST_SECONDS)
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):  # it says what it held back
                self._ray.shutdown()
            if self._room is not None:
                self._room.remove()
            self._quiet.close()


def _scout(*args: Any) -> Iterator[Any]:  # noqa: ANN401 - as the task
    film, weights, start, lender = args
    yield from tasks.scout(film, weights, start, _fetch(lender))


def _one(errand: Any, section: Any, state: Any, weights: Any, lender: Any) -> Any:  # noqa: ANN401 - as the task
    return next(tasks.colour(errand, section, state, (weights, _fetch(lender))))


def _rest(errand: Any, section: Any, state: Any, weights: Any, lender: Any) -> Iterator[Any]:  # noqa: ANN401 - as the task
    yield from tasks.colour(errand, section, state, (weights, _fetch(lender)))


class _Lender:
    """Lends a film's bytes, piece by piece, to machines that have no path to it."""

    def piece(self, path: str, begin: int, count: int) -> bytes:
        """Some bytes of a file."""
        return copies.piece_of(path, begin, count)


def _fetch(lender: Any) -> copies.Fetch:  # noqa: ANN401 - Ray's own
    import ray

    return lambda path, begin, count: ray.get(lender.piece.remote(path, begin, count))


def _affinity(ray: Any, node: str, *, is_soft: bool = False) -> object:  # noqa: ANN401 - Ray's own
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=is_soft)


def _imported() -> Any:  # noqa: ANN401 - a module
    # Both are read while Ray is imported. It asks nobody outside, and says nothing of what it could do otherwise.
    # Nor does it join, unasked, whatever cluster was last started on this machine.
    os.environ["RAY_USAGE_STATS_ENABLED"] = os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise UsageError(NO_RAY) from error
    return ray


def _knocked(address: str) -> str:
    """The address with its port, once somebody answers there; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(PORT))
    try:
        with socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS):
            return f"{host}:{port}"
    except (OSError, ValueError, OverflowError) as error:
        why = getattr(error, "strerror", None) or ("nobody answers" if isinstance(error, TimeoutError) else str(error))
        raise UsageError(f"there is no Ray cluster at {printable(address)}: {printable(why).lower()}") from error


def _within(seconds: float, work: Callable[[], None]) -> str | None:
    """Do some work that may never end; returns why it failed, None if it did well."""
    said: list[str] = []

    def tried() -> None:
        try:
            work()
            said.append("")
        except BaseException as error:  # noqa: BLE001 - Ray even leaves by SystemExit
            said.append(_first(error))

    thread = threading.Thread(target=tried, name="joining a cluster", daemon=True)
    thread.start()
    thread.join(seconds)
    return (said[0] or None) if said else f"it has not answered in {seconds:.0f} s"


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[0] if lines else type(error).__name__)[:200]


class _Room:
    """A folder of our own for a cluster of our own, which goes away with it; what dead runs left goes too."""

    def __init__(self) -> None:
        home = Path(tempfile.gettempdir())
        if os.name == "posix" and len(str(home)) > _LONGEST_ROOM:
            home = Path("/tmp")  # noqa: S108 - sockets have short names, or none
        for other in home.glob(f"{_OWN}*"):
            _removed(other)
        self.path = Path(tempfile.mkdtemp(prefix=_OWN, dir=home))
        self._lock = Lock(self.path / "lock")

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _removed(room: Path) -> None:
    """Remove a room whose run is dead: nobody holds its lock."""
    with contextlib.suppress(OSError):
        Lock(room / "lock").release()
        shutil.rmtree(room, ignore_errors=True)


class _Deaf:
    """A stream that passes on all but what Ray's own thread writes: it tells of lost workers on stdout."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - any stream
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or do not."""
        return len(text) if threading.current_thread().name.startswith("ray_") else int(self._stream.write(text) or 0)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of any stream
        return getattr(self._stream, name)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep what Ray says to itself off the terminal."""
    if sys.stdout is None:
        yield
        return
    with contextlib.redirect_stdout(_Deaf(sys.stdout)):
        yield
