"""What pictures carry beside their samples: display matrix, HDR light data, messages; whatever else there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideType
from av.video.frame import VideoFrame

__all__ = ["SideType", "messages", "side_data"]


def _unnamed(cls: type[SideType], value: object) -> SideType:
    """Let PyAV list kinds that it has no name for (EXIF of camera films, views of spatial ones); it would raise."""
    member = object.__new__(cls)
    member._name_, member._value_ = f"KIND_{value}", value  # type: ignore[assignment]
    return member


SideType._missing_ = classmethod(_unnamed)  # type: ignore[method-assign, assignment]


def side_data(frame: VideoFrame) -> Mapping[SideType, bytes]:
    """Return the data of a picture by kind; the last one where a kind comes twice."""
    # PyAV's own type for this says a dict of something else.
    return cast("Mapping[SideType, bytes]", frame.side_data)


def messages(frame: VideoFrame) -> Iterator[bytes]:
    """Give the user data that a picture carries (ITU-T H.264, D.2.6), each message by itself."""
    # It is a sequence too, and by its keys only the last message would be found.
    for data in cast("Iterator[SideData]", iter(frame.side_data)):
        if data.type == SideType.SEI_UNREGISTERED:
            yield bytes(data)
