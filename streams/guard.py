"""What may be opened at all: containers by content, one file each, pictures of bearable size.

FFmpeg reads playlists and scripts that name other files or addresses, whatever their suffix says. So the demuxer is
held to an allow-list, protocols are held to plain files and pipes, and a name is always given as `file:NAME`.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import av
import av.error
from av.container import InputContainer

from streams.bombs import check_unfolding
from streams.errors import InputError, UsageError, printable
from streams.inlet import Inlet
from streams.patience import within_reason

MAX_SAMPLES = 1 << 28
MAX_SIDE = 32767

_FILMS = (
    "3gp,amv,apng,asf,av1,avi,avs2,avs3,cavsvideo,dirac,dnxhd,dv,evc,flic,flv,gif,gxf,h261,h263,h264,hevc,ivf,m4v,"
    "matroska,webm,mjpeg,mjpeg_2000,mov,mp4,m4a,3g2,mj2,mpeg,mpegts,mpegvideo,mxf,nsv,nut,nuv,obu,ogg,rm,smk,swf,vc1,"
    "vvc,wtv,yuv4mpegpipe"
)
# Sound is let in so that a file without pictures can be told from one that is no film at all.
_SOUNDS = "aac,ac3,aiff,amr,ape,au,caf,dts,eac3,flac,mp3,truehd,tta,w64,wav,wv"
_CONTAINERS = frozenset(f"{_FILMS},{_SOUNDS}".split(","))
_PROTOCOLS = "file,pipe"

# Names people use, where FFmpeg's demuxer is called otherwise.
_ALIASES = {"y4m": "yuv4mpegpipe", "mkv": "matroska", "ts": "mpegts", "mpg": "mpeg"}

_PLAYLISTS = (
    (re.compile(rb"#EXTM3U|#EXT-X-"), "an HLS playlist"),
    (re.compile(rb"ffconcat\s+version"), "an ffconcat script"),
    (re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<MPD\b", re.S), "a DASH manifest"),
    (re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<smil\b", re.S | re.I), "a SMIL presentation"),
    (re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<asx\b", re.S | re.I), "an ASX playlist"),
    (re.compile(rb"v=0\r?\n"), "an SDP description"),
    (re.compile(rb"\[playlist\]|\[reference\]", re.I), "a playlist"),
    (re.compile(rb"RTSPtext", re.I), "a playlist"),
)
_TEXT_ENOUGH = 32
# Brands of ISO files that hold pictures, moving ones too (ISO/IEC 23008-12, annexes B and E; AVIF, section 6): FFmpeg
# gives the first picture of a sequence for the whole.
_PICTURE_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"mif1": "HEIF", b"msf1": "HEIF"} | {
    brand: "HEIC" for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
}


def gate_options() -> dict[str, str]:
    """Return the options that hold FFmpeg to the allow-lists, as libraries and command line name them."""
    return {"format_whitelist": ",".join(sorted(_CONTAINERS)), "protocol_whitelist": _PROTOCOLS}


def check_size(width: int, height: int, name: str) -> None:
    """Refuse pictures too large to be handled; raises InputError. Sizes are in samples."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_SAMPLES:
        raise InputError(
            f"{name} has pictures of {width}x{height}: sides over {MAX_SIDE} or over {MAX_SAMPLES} samples are refused"
        )
    if width < 1 or height < 1:
        raise InputError(f"{name} has pictures without a size")


def check_head(inlet: Inlet) -> None:
    """Refuse by their first bytes: nothing, playlists, scripts, text, zeros; raises InputError that says which."""
    head = inlet.upto(_TEXT_ENOUGH)
    if not head:
        raise InputError(f"{inlet.name} is empty")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for pattern, kind in _PLAYLISTS:
        if pattern.match(text):
            raise InputError(f"{inlet.name} is {kind}, which only names other files: give the film itself")
    if head.startswith(b"YUV4MPEG2 "):
        _check_y4m(inlet)
    elif head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
        kind = _PICTURE_BRANDS[head[8:12]]
        raise InputError(f"{inlet.name} is a picture stored as {kind}, which is not supported: save it as PNG first")
    elif _is_text(head):
        raise InputError(f"{inlet.name} is text, not a film")
    elif not any(head) and len(head) >= _TEXT_ENOUGH and not any(inlet.upto(1 << 12)):
        raise InputError(f"{inlet.name} holds only zeros, no film")


def _check_y4m(inlet: Inlet) -> None:
    """Judge sizes from the header: the demuxer would set room for a picture aside before it is asked."""
    line = inlet.upto(256).partition(b"\n")[0]
    sizes = {mark: re.search(mark + rb"(\d{1,12})(?: |$)", line) for mark in (b" W", b" H")}
    width, height = (int(found[1]) if found else 0 for found in sizes.values())
    check_size(width, height, inlet.name)


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\f\r" for byte in head) and _decodes(head)


def _decodes(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def open_film(inlet: Inlet, form: str | None = None) -> InputContainer:
    """Open a film with PyAV behind the gate; raises InputError, or UsageError for a `form` that is not allowed.

    Files are opened by name; a pipe is read through `inlet`, which gives back what was looked at.
    """
    if form is not None:
        form = _ALIASES.get(form, form)
        if form not in _CONTAINERS:
            raise UsageError(f"there is no input format {printable(form)}")
    target: str | IO[bytes] | Any = f"file:{inlet.path}" if inlet.path else inlet
    if form == "apng" and not inlet.path:
        # FFmpeg's reader of moving PNG goes back to the beginning; such files are small.
        target = BytesIO(inlet.read_all(MAX_SAMPLES))
    check_unfolding(inlet)
    try:
        return _opened(target, form, _haste(inlet, form))
    except TimeoutError as error:
        raise InputError(f"{inlet.name} has a head that takes too much work to read: it is refused") from error
    except (av.error.FFmpegError, OSError, ValueError, RuntimeError, MemoryError, OverflowError) as error:
        raise InputError(_why_closed(inlet, error)) from error


def open_again(path: Path, form: str | None = None) -> InputContainer:
    """Open a file once more, or one that was written here, behind the same gate; `form` is FFmpeg's name for it.

    Tags that are not UTF-8 are let through. Raises what PyAV raises.
    """
    return _opened(f"file:{path}", form, {})


def _opened(target: str | IO[bytes] | Any, form: str | None, haste: dict[str, str]) -> InputContainer:  # noqa: ANN401
    """Open, held to the allow-lists; the work on the head is limited, for a million tags take hours."""
    options = gate_options() | {"max_pixels": str(MAX_SAMPLES)}
    return within_reason(
        lambda: av.open(
            target,
            "r",
            format=form,
            options=options,
            container_options=haste,
            metadata_errors="surrogateescape",
        )
    )


def _haste(inlet: Inlet, form: str | None) -> dict[str, str]:
    """A live pipe must not be read for seconds before its first picture comes out. Microseconds of film."""
    if inlet.path:
        return {}
    return {"analyzeduration": "1" if form == "mjpeg" else "500000", "fpsprobesize": "0"}


def _why_closed(inlet: Inlet, error: Exception) -> str:
    if isinstance(error, av.error.ArgumentError | av.error.DemuxerNotFoundError):
        return f"{inlet.name} is of a kind that is not opened"
    return f"{inlet.name} is not a film, or its index is missing"
