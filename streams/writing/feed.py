"""A container on its way to an ffmpeg: packets through a pipe, ended well or killed from another thread."""

from __future__ import annotations

import contextlib
import threading

import av
import av.error
from av.packet import Packet
from av.stream import Stream

from streams.writing.child import Child

# Packets go to ffmpeg in pieces of this many bytes.
BUFFER = 1 << 20


class Feed:
    """What sends packets in a container to an ffmpeg; those that inherit say which."""

    def __init__(self, child: Child, form: str, options: dict[str, str] | None = None) -> None:
        """Begin a container of the kind `form`."""
        self._child = child
        self._lock = threading.Lock()
        self._out = av.open(child, "w", format=form, buffer_size=BUFFER, container_options=options or {})

    def _mux(self, packet: Packet[Stream]) -> None:
        """Send one packet; raises what ffmpeg died of."""
        try:
            with self._lock:
                self._out.mux(packet)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise self._child.failure() from error

    def finish(self) -> None:
        """End the container and wait for ffmpeg; raises what it died of."""
        self._close()
        self._child.finish()

    def kill(self) -> None:
        """End ffmpeg; whoever waits for it to take more then gets out, and only after that the rest may be closed."""
        self._child.kill()
        self._close()

    def _close(self) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError, av.error.FFmpegError):
            self._out.close()
