"""What each shot of a film shows, as the network told it: gathered while it is coloured, written as JSON at the end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.errors import OutputError, UsageError, printable

if TYPE_CHECKING:
    from vidcolor.painter import Picture
    from vidcolor.zoo import LoadedModel

MOST = 5
"""Labels that are named of each shot."""


@dataclass(slots=True)
class Catalogue:
    """Hears every picture of a film.

    Attributes:
        path: where it goes; None where nobody asked for one.
        shots: what was heard so far.
    """

    path: Path | None
    shots: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, labels: str | None, overwrite: bool, model: LoadedModel) -> Catalogue:
        """A catalogue, if one is wanted and can be had.

        Raises:
            UsageError: the network tells no labels.
            OutputError: the file is there already, or has no place.
        """
        path = None if labels is None else Path(labels)
        if path is None:
            return cls(None)
        if not (model.colorizer.tells_labels and model.colorizer.labels):
            raise UsageError(
                f"the model {printable(model.name)} tells no labels: leave out --labels, or use two-stream"
            )
        if path.exists() and not overwrite:
            raise OutputError(f"{printable(path)} is there already: -y replaces it")
        if not path.parent.is_dir():
            raise OutputError(f"{printable(path)}: there is no such folder")
        return cls(path)

    def hear(self, picture: Picture) -> None:
        """Take in a picture, in order."""
        if self.path is None:
            return
        frame = picture.frame
        if picture.begins_shot or not self.shots:
            self.shots.append({"shot": len(self.shots), "first": frame.index, "start": float(frame.time), "frames": 0})
        shot = self.shots[-1]
        shot["frames"] += 1
        if picture.shown:
            likest = sorted(picture.shown.items(), key=lambda pair: -pair[1])[:MOST]
            shot["label"], shot["labels"] = likest[0][0], {name: round(share, 4) for name, share in likest}

    def write(self, source: str, model: LoadedModel) -> None:
        """Write it, whole or not at all."""
        if self.path is None:
            return
        whole = {"input": source, "model": model.name, "sha256": model.sha256, "shots": self.shots}
        part = self.path.with_name(f"{self.path.name}.part")
        part.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        part.replace(self.path)
