"""Tries out, before work begins, whether a file can be begun and ended with the streams that travel along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from streams.guard import open_again

# Among so many packets the first of each stream is looked for: some streams, such as subtitles, begin late.
_PACKETS_SEARCHED = 200
# Given Speex and no pictures, FFmpeg's muxer of Flash video ends the whole program (an assertion of its own).
_UNTRIED = frozenset({"flv"})


def refused(path: Path, indices: Iterable[int], muxer: str) -> frozenset[int]:
    """Return those streams of a film whose damaged heads `muxer` does not take.

    A muxer that refuses one stream writes nothing at all: sound without a rate would cost the whole film.
    """
    asked = list(indices)
    if not asked or muxer in _UNTRIED:
        return frozenset()
    try:
        with open_again(path) as film:
            streams = [film.streams[index] for index in asked]
            return frozenset(_refused(streams, _first_packets(film, streams), muxer))
    except (av.error.FFmpegError, OSError, IndexError, ValueError):
        return frozenset()


def _first_packets(film: InputContainer, streams: Sequence[Stream]) -> dict[int, bytes]:
    """Return the first packet of each stream, of those that have one near the beginning."""
    found: dict[int, bytes] = {}
    for number, packet in enumerate(film.demux(list(streams))):
        if packet.size:
            found.setdefault(packet.stream_index, bytes(packet))
        if number >= _PACKETS_SEARCHED or len(found) == len(streams):
            break
    return found


def _refused(streams: Sequence[Stream], packets: Mapping[int, bytes], muxer: str) -> Iterable[int]:
    """Add stream after stream, and leave out each that spoils the file."""
    if _is_taken(streams, packets, muxer):
        return
    taken: list[Stream] = []
    for stream in streams:
        if _is_taken([*taken, stream], packets, muxer):
            taken.append(stream)
        else:
            yield stream.index


def _is_taken(streams: Sequence[Stream], packets: Mapping[int, bytes], muxer: str) -> bool:
    try:
        with av.open(BytesIO(), "w", format=muxer) as out:
            made = {stream.index: out.add_stream_from_template(stream, opaque=True) for stream in streams}
            out.start_encoding()
            for index, stream in made.items():
                if index in packets:
                    packet = Packet(packets[index])
                    packet.stream, packet.pts, packet.dts = stream, 0, 0
                    packet.is_keyframe = True
                    out.mux(packet)
    except (av.error.FFmpegError, OSError, ValueError):
        return False
    return True
