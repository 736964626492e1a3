"""What a visitor paints, hints and coloured pictures of frames: judged as by the command line, written for a worker."""

from __future__ import annotations

import shutil
import zipfile
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from demo.rooms import Refused
from demo.wishes import sentence
from streams.errors import InputError
from vidcolor.guide.hints import BLINK, Hint, Hints, json_of, parse_hints

Shot = Mapping[str, Any]
HINTS = "hints.json"
MOST_HINTS = 2000
MOST_TEXT = 1 << 20  # characters of a file of hints


@dataclass(frozen=True, slots=True)
class Guides:
    """Hints, and coloured pictures by the numbers of their frames."""

    hints: Hints = field(default_factory=Hints)
    keys: Mapping[int, Path] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.hints.hints or self.keys)

    def within(self, first: int, stop: int) -> Guides:
        """Those of the frames from `first` on and before `stop`, which count from 0 now."""
        hints = tuple(
            replace(hint, frame=hint.frame - first)
            for hint in self.hints.hints
            if hint.frame is not None and first <= hint.frame < stop
        )
        keys = {number - first: path for number, path in self.keys.items() if first <= number < stop}
        return Guides(Hints(hints, self.hints.film), keys)

    def between(self, shots: Sequence[Shot], start: float, stop: float) -> Guides:
        """Those of the frames that are shown between two times of the film, numbered as before."""
        shown = {
            shot["first"] + place
            for shot in shots
            for place, time in enumerate(shot.get("times", ()))
            if start <= time < stop
        }
        hints = tuple(hint for hint in self.hints.hints if hint.frame in shown)
        keys = {number: path for number, path in self.keys.items() if number in shown}
        return Guides(Hints(hints, self.hints.film), keys)

    def written(self, folder: Path) -> dict[str, str]:
        """Write them into a folder of an order; the options that name them."""
        options: dict[str, str] = {}
        if self.hints.hints:
            (folder / HINTS).write_text(json_of(self.hints), encoding="utf-8")
            options["hints"] = str(folder / HINTS)
        if self.keys:
            (folder / "keys").mkdir()
            for number, path in self.keys.items():
                shutil.copyfile(path, folder / "keys" / _name_of(number, path))
            options["keys"] = str(folder / "keys")
        return options

    def packed(self, folder: Path) -> Path | None:
        """The coloured pictures in one archive, named as `--keys` takes them; None where there are none."""
        if not self.keys:
            return None
        with zipfile.ZipFile(folder / "keys.zip", "w", zipfile.ZIP_STORED) as archive:
            for number, path in self.keys.items():
                archive.write(path, f"keys/{_name_of(number, path)}")
        return folder / "keys.zip"


def _name_of(number: int, path: Path) -> str:
    return f"{number:08d}{path.suffix.lower()}"


def hints_of(text: str, shots: Sequence[Shot]) -> Hints:
    """Take a file of hints, with the numbers of frames instead of times, so far as the film's frames are known.

    Args:
        text: of the file; empty for none.
        shots: of the film, as the gate knows them.

    Raises:
        Refused: with what is wrong.
    """
    if not text.strip():
        return Hints()
    if len(text) > MOST_TEXT:
        raise Refused(f"These hints are too many: a file of them may have {MOST_TEXT >> 20} MB here.")
    try:
        hints = parse_hints(text)
    except InputError as error:
        raise Refused(sentence(f"{str(error)[:1].upper()}{str(error)[1:]}")) from error
    if len(hints.hints) > MOST_HINTS:
        raise Refused(f"These are {len(hints.hints)} hints: the limit of this page is {MOST_HINTS}.")
    return replace(hints, hints=tuple(_numbered(hint, shots) for hint in hints.hints))


def _numbered(hint: Hint, shots: Sequence[Shot]) -> Hint:
    number = None if hint.time is None else frame_at(shots, hint.time)
    return hint if number is None else replace(hint, time=None, frame=number)


def frame_at(shots: Sequence[Shot], seconds: float) -> int | None:
    """The number of the frame that is shown so many seconds after the film's first; None where it is not known."""
    known = [shot for shot in shots if "times" in shot]
    if not known or known[0]["first"]:
        return None
    at = known[0]["times"][0] + seconds + BLINK
    shot = next((shot for shot in reversed(known) if shot["times"][0] <= at), known[0])
    is_over = shot is known[-1] and at > shot["times"][-1] + 1
    place = max(bisect_right(shot["times"], at) - 1, 0)
    return None if is_over else int(shot["first"]) + place


def shot_of(shots: Sequence[Shot], number: object) -> tuple[Shot, int]:
    """The shot that a frame is of, and the frame's number; raises Refused where that is not known."""
    if isinstance(number, int) and not isinstance(number, bool):
        for shot in shots:
            if "times" in shot and 0 <= number - shot["first"] < len(shot["times"]):
                return shot, number
    raise Refused("There is no such frame, or the film is still being looked at.")
