"""The mark that says these colours were made by a machine: what it holds, and how it is written in one line."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

HEAD = "machine-made colours"


@dataclass(frozen=True, slots=True)
class Mark:
    """Who made the colours, and how.

    Attributes:
        model: the network's name.
        sha256: of its weights, as a hexadecimal number.
        version: of vidcolor.
        settings: what shaped the colours, names and values in order.
    """

    model: str
    sha256: str
    version: str
    settings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """One line of ASCII, the same for the same mark; a container's tag, comment or message holds it."""
        made = (("vidcolor", self.version), ("model", self.model), ("sha256", self.sha256))
        return "; ".join((HEAD, *(f"{name}={quote(value, safe=':+/')}" for name, value in (*made, *self.settings))))

    @classmethod
    def parse(cls, text: str) -> Mark | None:
        """Read a mark back from a tag; None where the text is none.

        Text around it is passed over: some containers' only place for a mark is a comment that others write in too.
        """
        _, head, rest = text.partition(HEAD)
        line = rest.splitlines()[0] if rest else ""
        pairs = [word.strip().partition("=") for word in line.split(";") if "=" in word]
        values = {name: unquote(value) for name, _, value in pairs}
        if not head or not {"vidcolor", "model", "sha256"} <= values.keys():
            return None
        model, sha256, version = values.pop("model"), values.pop("sha256"), values.pop("vidcolor")
        return cls(model, sha256, version, tuple(values.items()))
