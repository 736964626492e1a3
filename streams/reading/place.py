"""Where chroma samples sit: decoders know it, PyAV does not pass it on, FFmpeg's description of a stream says it."""

from __future__ import annotations

import re
import threading

import av.logging
from av.container import InputContainer

_PLACES = frozenset({"left", "center", "topleft", "top", "bottomleft", "bottom"})
_ONE_AT_A_TIME = threading.Lock()


def chroma_location(container: InputContainer, index: int) -> str | None:
    """Return FFmpeg's name for the place of chroma samples of a stream, None where unstated.

    The description names it, among other words in brackets behind the pixel format, when FFmpeg's log is wordy. To
    be called before the film is decoded: threads that log while PyAV's level is set back print tracebacks.
    """
    with _ONE_AT_A_TIME:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.VERBOSE)
        av.logging.set_libav_level(av.logging.VERBOSE)
        try:
            text: str = container.dumps_format()  # type: ignore[attr-defined]
        finally:
            av.logging.set_libav_level(av.logging.INFO)
            av.logging.set_level(level)
    line = re.search(rf"^ *Stream #0:{index}\b.*: Video: .*$", text, re.M)
    words = {word for group in re.findall(r"\(([^()]*)\)", line[0] if line else "") for word in group.split(", ")}
    return next(iter(words & _PLACES), None)
