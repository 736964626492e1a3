"""Black-and-white film in colour: `colorize` gives frames, `restore` makes files.

Importing this package loads neither torch nor any film: what is heavy comes when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidcolor.frames import ColorFrame, colorize
    from vidcolor.options import Options
    from vidcolor.pipeline import restore
    from vidcolor.watch import Report, Watcher

__version__ = "0.1.0"
__all__ = ["ColorFrame", "Options", "Report", "Watcher", "colorize", "restore"]

_HOMES = {
    "ColorFrame": "vidcolor.frames",
    "Options": "vidcolor.options",
    "Report": "vidcolor.watch",
    "Watcher": "vidcolor.watch",
    "colorize": "vidcolor.frames",
    "restore": "vidcolor.pipeline",
}


def __getattr__(name: str) -> object:
    """Fetch a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vidcolor' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
