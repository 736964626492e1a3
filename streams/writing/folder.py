"""The folder of a run that can go on: segments, the state that each ends in, and a record that vouches for both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streams.errors import EncoderError, OutputError, printable
from streams.source import Seam
from streams.writing.lock import Lock
from streams.writing.target import followed, hidden_stem, sync, sync_folder, writing

_MARK = ".vidcolor-resume-"
_OUTPUT = "output"
_OURS = frozenset({".nut", ".part", ".state", ".json", ".new"})
_STATES_KEPT = 2
_SAMPLE = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """One finished segment.

    `pts` are the times of its pictures on the film's clock, `delay` is how far its packets are out of order, `seam`
    where reading goes on, `digests` the SHA-256 of the segment and of the state it ends in. `said`: what was amiss in
    the film, if this is the last segment of it; None before the last.
    """

    pts: tuple[int, ...]
    delay: int
    seam: Seam
    digests: tuple[str, str]
    said: tuple[str, ...] | None

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read what `to_json` wrote; raises ValueError, KeyError or TypeError for anything else."""
        row: dict[str, Any] = json.loads(text)
        seam = row["seam"]
        last = tuple((int(time), str(digest)) for time, digest in seam["last"])
        said = None if row["said"] is None else tuple(str(text) for text in row["said"])
        segment, state = row["digests"]
        return cls(
            tuple(int(time) for time in row["pts"]),
            int(row["delay"]),
            Seam(int(seam["frames"]), last, bool(seam["is_sound"])),
            (str(segment), str(state)),
            said,
        )


class Folder:
    """What was done for one output, by runs of one identity; held by one process at a time.

    `records` are the whole segments so far, `sentences` say what was found and is not used.
    """

    def __init__(self, target: Path, identity: Mapping[str, str]) -> None:
        """Open or make it. `identity` is all that the pictures depend on, by names a person understands.

        Raises OutputError where the place cannot be written, or another run is at work on the output.
        """
        self._target = target
        self._identity = {**identity, _OUTPUT: followed(target).name}
        self.path = _place(target, self._identity)
        self.sentences: list[str] = list(_others(target, self.path, self._identity))
        with writing(target):
            self.path.mkdir(exist_ok=True)
            self._lock = self._locked()
        try:
            self._begin()
        except BaseException:
            # Or a process that lives on, such as the page's, would shut itself out.
            self._lock.release()
            raise

    def _begin(self) -> None:
        with writing(self._target):
            self._put("work.json", json.dumps(self._identity).encode())
            self.records = self._read()
            self._drop_after(len(self.records))

    def _locked(self) -> Lock:
        try:
            return Lock(self.path / "lock.part")
        except BlockingIOError as error:
            raise OutputError(f"another run is at work on {printable(self._target.name)}") from error

    @property
    def frames(self) -> int:
        """Pictures that are done."""
        return sum(len(record.pts) for record in self.records)

    @property
    def is_complete(self) -> bool:
        """Tell whether the last picture of the film is among them."""
        return bool(self.records) and self.records[-1].said is not None

    @property
    def parts(self) -> list[Path]:
        """The files of all segments, in order."""
        return [self._named(at, ".nut") for at in range(len(self.records))]

    def _named(self, at: int, suffix: str) -> Path:
        return self.path / f"{at:06d}{suffix}"

    def room(self, at: int) -> Path:
        """Where segment number `at` is to be written."""
        return self._named(at, ".part")

    def state(self) -> bytes:
        """The state that the last segment ends in."""
        return self._named(len(self.records) - 1, ".state").read_bytes() if self.records else b""

    def keep(self, record: Record, state: bytes, sha256: str | None = None) -> None:
        """Keep the next segment, which lies in its `room`, with the state it ends in; only then it counts.

        `sha256`: of the segment as it was made, if that was elsewhere. Raises OutputError where it cannot be written,
        EncoderError where something else has arrived; then it does not count.
        """
        at = len(self.records)
        with writing(self._target):
            part = self._named(at, ".part")
            sync(part)
            part.replace(self._named(at, ".nut"))
            self._put(f"{at:06d}.state", state)
            digests = (_sha256(self._named(at, ".nut")), hashlib.sha256(state).hexdigest())
            if sha256 not in (None, digests[0]):
                raise EncoderError("a segment did not arrive as it was made")
            whole = Record(record.pts, record.delay, record.seam, digests, record.said)
            self._put(f"{at:06d}.json", whole.to_json().encode())
            self.records.append(whole)
            with suppress(OSError):
                self._named(at - _STATES_KEPT, ".state").unlink(missing_ok=True)

    def _put(self, name: str, data: bytes) -> None:
        """Write a small file whole or not at all."""
        new = self.path / f"{name}.new"
        new.write_bytes(data)
        sync(new)
        new.replace(self.path / name)
        sync_folder(self.path)

    def _read(self) -> list[Record]:
        """Believe the records up to the first that is torn, and of those up to one whose state is there."""
        found = list(self._sound())
        while found and found[-1].said is None and not self._has_state(len(found) - 1, found[-1]):
            found.pop()
        written = sum(1 for _ in self.path.glob("*.json")) - 1
        if written > len(found):
            lost = written - len(found)
            what = "the last segment" if lost == 1 else f"the last {lost} segments"
            self.sentences.append(f"{what} of the work begun on {printable(self._target.name)} are damaged: made again")
        return found

    def _sound(self) -> Iterator[Record]:
        at = frames = 0
        while True:
            try:
                record = Record.from_json(self._named(at, ".json").read_text())
                is_whole = _sha256(self._named(at, ".nut")) == record.digests[0]
            except (OSError, ValueError, KeyError, TypeError):
                return
            frames += len(record.pts)
            if not is_whole or record.seam.frames != frames:
                return
            yield record
            at += 1

    def _has_state(self, at: int, record: Record) -> bool:
        try:
            return _sha256(self._named(at, ".state")) == record.digests[1]
        except OSError:
            return False

    def _drop_after(self, count: int) -> None:
        """Remove segments that do not count, records first."""
        for suffix in (".json", ".nut", ".state", ".part", ".new"):
            for path in self.path.glob(f"[0-9]*{suffix}"):
                if int(path.name.partition(".")[0]) >= count:
                    with writing(self._target):
                        path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Forget all segments."""
        self.records = []
        self._drop_after(0)

    def close(self) -> None:
        """Let go of it; a folder without a segment goes away."""
        if not self.records:
            self.remove()
        self._lock.release()

    def remove(self) -> None:
        """Remove it with all that is in it. Twice does no harm."""
        self._lock.release()
        _remove(self.path)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clear(target: Path) -> None:
    """Remove what runs that were stopped left for an output that is whole now; runs that live keep theirs."""
    for path, _ in _folders(target):
        try:
            Lock(path / "lock.part").release()
        except OSError:
            continue
        _remove(path)


def _remove(folder: Path) -> None:
    """Remove files of ours, then the folder if nothing else is in it."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix in _OURS:
                path.unlink(missing_ok=True)
        folder.rmdir()


def _place(target: Path, identity: Mapping[str, str]) -> Path:
    final = followed(target)
    digest = hashlib.sha256(json.dumps(sorted(identity.items())).encode()).hexdigest()
    return final.with_name(f"{hidden_stem(final)}{_MARK}{digest[:12]}")


def _folders(target: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Find the folders of one output, and what each says of itself (nothing where that cannot be read)."""
    final = followed(target)
    beginning = hidden_stem(final) + _MARK
    try:
        found = [path for path in final.parent.iterdir() if path.name.startswith(beginning) and path.is_dir()]
    except OSError:
        return
    for path in found:
        try:
            said = json.loads((path / "work.json").read_text())
        except (OSError, ValueError):
            said = {}
        said = said if isinstance(said, dict) else {}
        if said.get(_OUTPUT, final.name) == final.name:
            yield path, said


def _others(target: Path, mine: Path, identity: Mapping[str, str]) -> Iterator[str]:
    """Say of work that was begun otherwise why it is not gone on with."""
    for path, theirs in _folders(target):
        if path == mine or not any(path.glob("[0-9]*.json")):
            continue
        other = [name for name, value in identity.items() if theirs.get(name) != value]
        why = f"is of another {', another '.join(other)}" if theirs else "cannot be read"
        yield f"work begun on {printable(target.name)} {why}: it is not used"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Tell one film from another: its size, and all of its bytes, or of one over 16 MiB 256 parts of 64 KiB.

    It is read for every film of an archive each time an archive is run, so a hundred gigabytes cost no more than that.

    Raises OSError where it cannot be read.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        for begin in _samples(size):
            file.seek(begin)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _samples(size: int) -> Iterator[int]:
    """Places of 256 pieces, the first and the last among them; all of a smaller film."""
    if size <= 256 * _SAMPLE:
        yield from range(0, size, _SAMPLE)
        return
    yield from (at * (size - _SAMPLE) // 255 for at in range(256))
