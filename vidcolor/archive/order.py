"""What is asked of the process that restores one film of many: one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidcolor.archive.entries import Entry
from vidcolor.options import Options

_TIMES = ("start", "stop")


@dataclass(frozen=True, slots=True)
class Order:
    """One film, and how it is to be restored; `keep` leaves an output that is there already."""

    entry: Entry
    options: Options
    keep: bool = False

    def to_line(self) -> str:
        """As one line of ASCII: names that are no text in this locale come through."""
        options = {name: str(value) if isinstance(value, Fraction) else value for name, value in _given(self.options)}
        place = [str(self.entry.source), str(self.entry.folder), self.entry.stem]
        target = self.entry.target and str(self.entry.target)
        return json.dumps({"place": place, "target": target, "options": options, "keep": self.keep}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Order:
        """Read what ``to_line`` wrote."""
        read = json.loads(line)
        source, folder, stem = read["place"]
        given: dict[str, Any] = {name: Fraction(v) if name in _TIMES else v for name, v in read["options"].items()}
        given["reference"] = tuple(given.get("reference", ()))
        target = Path(read["target"]) if read["target"] else None
        return cls(Entry(Path(source), Path(folder), stem, target), Options(**given), read["keep"])


def _given(options: Options) -> list[tuple[str, object]]:
    return [(name, value) for name, value in asdict(options).items() if value is not None]
