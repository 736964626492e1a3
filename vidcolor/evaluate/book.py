"""Where a report goes: tables to whoever listens as they are done, everything to a folder and to JSON at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidcolor.evaluate.columns import Column, Rows, markdown


@dataclass(slots=True)
class Book:
    """Takes a report in, section by section.

    Attributes:
        write: gets each table as Markdown.
        folder: for `report.md`, `report.json` and pictures; None for none.
        figures: by section and row.
        text: what was written so far.
    """

    write: Callable[[str], object]
    folder: Path | None
    figures: dict[str, Rows] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, rows: Rows, columns: Sequence[Column], corner: str = "") -> None:
        """Take in a section; one without rows is left out."""
        if rows:
            self.figures[name] = rows
            self.say(f"## {name}\n\n{markdown(rows, columns, corner or name)}\n")

    def say(self, text: str) -> None:
        """Write a piece of text."""
        self.text.append(text)
        self.write(text)

    def place(self, name: str) -> Path | None:
        """Where a picture of the report goes; None where none is wanted."""
        return self.folder / name if self.folder else None

    def show(self, picture: Path | None) -> None:
        """Put a picture that was drawn into the text."""
        if picture:
            self.text.append(f"![{picture.stem}]({picture.name})\n")

    def close(self, facts: Mapping[str, object], file: Path | None) -> None:
        """Write all figures, with what must be known of them."""
        whole = json.dumps({**facts, **self.figures}, indent=1) + "\n"
        for path in (file, self.place("report.json")):
            if path:
                path.write_text(whole)
        if self.folder:
            (self.folder / "report.md").write_text("\n".join(self.text))
