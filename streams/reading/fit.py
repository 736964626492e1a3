"""A film has one picture format: pictures that change size or storage on the way are fitted to the first."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from streams.formats import PictureFormat


class Fitter:
    """Lets pictures of the film's own format through untouched, and fits others to it."""

    def __init__(self, fmt: PictureFormat, name: str) -> None:
        self._format = fmt
        self._name = name
        self._reformatter = VideoReformatter()
        self._fitted = 0
        self._first_other = ""

    def fitted(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture in the film's size and pixel format; raises FFmpegError where swscale cannot."""
        fmt = self._format
        if (frame.width, frame.height, frame.format.name) == (fmt.width, fmt.height, fmt.pixels):
            return frame
        self._fitted += 1
        self._first_other = self._first_other or f"{frame.width}x{frame.height} {frame.format.name}"
        return self._reformatter.reformat(
            frame, fmt.width, fmt.height, fmt.pixels, interpolation=Interpolation.BICUBIC, threads=1
        )

    def sentence(self) -> str | None:
        """Say what was fitted in one sentence; None where nothing was."""
        if not self._fitted:
            return None
        fmt = self._format
        return (
            f"{self._name} changes its pictures on the way ({self._first_other}): {self._fitted} of them were fitted"
            f" to {fmt.width}x{fmt.height} {fmt.pixels}"
        )
