"""What pictures carry beside their samples: display matrix, HDR light data, messages; whatever else there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import cast

from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideType
from av.video.frame import VideoFrame

__all__ = ["SideType", "Unmoved", "messages", "side_data"]

_INT = 4  # bytes: the first field of a 3D description is its kind, 0 is flat


def _unnamed(cls: type[SideType], value: object) -> SideType:
    """Let PyAV list kinds that it has no name for (EXIF of camera films, views of spatial ones); it would raise."""
    member = object.__new__(cls)
    member._name_, member._value_ = f"KIND_{value}", value  # type: ignore[assignment]
    return member


SideType._missing_ = classmethod(_unnamed)  # type: ignore[method-assign, assignment]


def side_data(frame: VideoFrame) -> Mapping[SideType, bytes]:
    """Return the data of a picture by kind; the last one where a kind comes twice."""
    # PyAV's own type for this says a dict of something else.
    return cast("Mapping[SideType, bytes]", _carried(frame))


def _carried(frame: VideoFrame) -> SideDataContainer:
    """What `frame.side_data` would give, which the frame would keep, and so itself.

    In that ring a picture lies until Python's collector comes: a hundred pictures and more, each of megabytes.
    """
    return SideDataContainer(frame)  # type: ignore[call-arg]


def messages(frame: VideoFrame) -> Iterator[bytes]:
    """Give the user data that a picture carries (ITU-T H.264, D.2.6), each message by itself."""
    # It is a sequence too, and by its keys only the last message would be found.
    for data in _carried(frame):
        if data.type == SideType.SEI_UNREGISTERED:
            yield bytes(data)


# What pictures carry for those who watch, and what raw pictures on their way to an encoder cannot.
_UNMOVED = {
    SideType.A53_CC: "captions inside the pictures",
    SideType.AFD: "active format descriptions",
    SideType.DOVI_METADATA: "Dolby Vision data",
    SideType.DYNAMIC_HDR_VIVID: "HDR Vivid data",
    SideType.SPHERICAL: "the description of a spherical picture",
    SideType.STEREO3D: "the description of a picture in 3D",
}


class Unmoved:
    """Keeps count of the pictures that carry what will not be in the output."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def note(self, frame: VideoFrame) -> None:
        """Look at one picture."""
        kinds = set(_kinds(frame))
        self._counts.update(words for kind, words in _UNMOVED.items() if kind in kinds)

    def sentence(self, name: str) -> str | None:
        """Name it all in one sentence; None where there was nothing."""
        if not self._counts:
            return None
        parts = [f"{words} ({count} pictures)" for words, count in self._counts.items()]
        return f"{name} has what cannot be moved to new pictures and is left out: {', '.join(parts)}"


def _kinds(frame: VideoFrame) -> Iterator[SideType]:
    """List what a picture carries; a 3D description that says flat counts as none."""
    for data in _carried(frame):
        if data.type != SideType.STEREO3D or any(bytes(data)[:_INT]):
            yield data.type
