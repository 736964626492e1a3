"""Who hears how a run over many films goes; knows neither processes nor film."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidcolor.archive.entries import Entry
from vidcolor.archive.result import Result

Event = Mapping[str, Any]


class Ear:
    """Hears how a run over many films goes, one call at a time; every method does nothing until it is overridden."""

    def begun(self, entry: Entry) -> None:
        """Work on a film begins."""

    def heard(self, entry: Entry, event: Event) -> None:
        """A film's own run says something: an event in the form of `--progress json`."""

    def ended(self, result: Result) -> None:
        """A film is dealt with."""
