"""The kinds of files that can be written: one row a container, with what it can hold.

To add a container, add one row to `CONTAINERS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streams.writing.encoders import Options

Marks = Literal["tag", "atom", "key", "info", "stream", "none"]
Turns = Literal["matrix", "roll", "none"]


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of file: what it can hold, and how it is asked to.

    `demuxer`: the name under which FFmpeg reads it back. `codecs`: ours, in order of preference. `video`, `audio`,
    `subtitles`, `data`: what may be copied into it ("*" is anything). `tags`: names of the global tags it keeps
    (None is any). `marks`: where the mark goes. `turns`: how much of a display matrix it keeps. `one_rate`: it counts
    pictures instead of timing them, `gapless`: and leaves out none, `leads`: and says in its head at which it begins.
    `keeps_negative`: it can hold times before zero.
    """

    name: str
    muxer: str
    suffixes: tuple[str, ...]
    demuxer: str
    codecs: tuple[str, ...]
    video: frozenset[str] = frozenset()
    audio: frozenset[str] = frozenset()
    subtitles: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    text: str | None = None
    tags: frozenset[str] | None = None
    marks: Marks = "tag"
    turns: Turns = "none"
    attachments: bool = False
    chapters: bool = False
    states_color: bool = False
    states_range: bool = False
    one_rate: bool = False
    gapless: bool = False
    leads: bool = False
    keeps_negative: bool = False
    fixed: Options = ()


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ANY = _set("*")
_FILM = _set("title artist comment date genre copyright")
# FFmpeg reads more chunks of RIFF INFO than it writes; these it takes by the names of the chunks as well.
_RIFF_CHUNKS = _set("iarl icms icrp idim idpi ieng ikey ilgt imed iplt isbj ishp isrc isrf") | {
    f"ias{number}" for number in range(1, 10)
}
_RIFF_INFO = _FILM | _RIFF_CHUNKS | _set("album product language track encoded_by timecode software")
_PCM = _set("pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be")
_MP4_AUDIO = _set("aac mp3 mp2 mp1 ac3 eac3 ac4 dts opus vorbis flac alac truehd mp4als qcelp evrc") | _PCM
_MP4_VIDEO = _set("h264 hevc vvc evc av1 vp8 vp9 mpeg4 mpeg2video mpeg1video mjpeg png jpeg2000 vc1 dirac")
_TS_AUDIO = _set("aac aac_latm mp3 mp2 mp1 ac3 eac3 dts truehd opus s302m pcm_bluray")
_TS_VIDEO = _set("h264 hevc vvc mpeg1video mpeg2video mpeg4 vc1 dirac cavs")
_ISO = (("movflags", "+faststart"),)
_ISO_DEMUXER = "mov,mp4,m4a,3gp,3g2,mj2"

# What FFmpeg writes into MP4 as tags that players know, or makes anew; any other needs a box of its own.
ITUNES_TAGS = (
    _set("title artist album_artist composer album date encoding_tool comment genre copyright grouping lyrics")
    | _set("description synopsis show episode_id network keywords episode_sort season_number media_type hd_video")
    | _set("gapless_playback compilation track disc creation_time timecode")
    | _set("major_brand minor_version compatible_brands encoder")
)

CONTAINERS: dict[str, Container] = {
    row.name: row
    for row in (
        Container(
            "MP4",
            "mp4",
            (".mp4", ".m4v", ".f4v"),
            _ISO_DEMUXER,
            ("h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2"),
            video=_MP4_VIDEO,
            audio=_MP4_AUDIO,
            subtitles=_set("mov_text dvd_subtitle ttml"),
            text="mov_text",
            marks="atom",
            turns="matrix",
            chapters=True,
            keeps_negative=True,
            states_color=True,
            states_range=True,
            fixed=_ISO,
        ),
        Container(
            "QuickTime",
            "mov",
            (".mov", ".qt"),
            _ISO_DEMUXER,
            ("h264", "hevc", "ffv1", "prores", "mpeg4", "mpeg2"),
            video=_ANY,
            audio=_MP4_AUDIO
            | _set("pcm_u8 pcm_s8 pcm_alaw pcm_mulaw adpcm_ima_qt adpcm_ms adpcm_ima_wav amr_nb amr_wb qdm2"),
            subtitles=_set("mov_text eia_608"),
            text="mov_text",
            marks="key",
            turns="matrix",
            chapters=True,
            keeps_negative=True,
            states_color=True,
            # Its colour box has no word for the range.
            fixed=(("movflags", "+faststart+use_metadata_tags"),),
        ),
        Container(
            "Matroska",
            "matroska",
            (".mkv", ".mk3d"),
            "matroska,webm",
            ("h264", "hevc", "ffv1", "vp9", "av1", "prores", "mpeg2", "mpeg4", "theora"),
            video=_ANY,
            audio=_ANY,
            subtitles=_set("subrip ass ssa webvtt hdmv_pgs_subtitle hdmv_text_subtitle dvd_subtitle dvb_subtitle text")
            | _set("arib_caption"),
            text="subrip",
            turns="roll",
            attachments=True,
            chapters=True,
            keeps_negative=True,
            states_color=True,
            states_range=True,
            fixed=(("default_mode", "passthrough"),),
        ),
        Container(
            "WebM",
            "webm",
            (".webm",),
            "matroska,webm",
            ("vp9", "av1"),
            video=_set("vp8 vp9 av1"),
            audio=_set("opus vorbis"),
            subtitles=_set("webvtt"),
            text="webvtt",
            turns="roll",
            chapters=True,
            keeps_negative=True,
            states_color=True,
            states_range=True,
            fixed=(("default_mode", "passthrough"),),
        ),
        Container(
            "AVI",
            "avi",
            (".avi", ".divx"),
            "avi",
            ("h264", "ffv1", "mpeg4", "mpeg2"),
            video=_ANY,
            audio=_set("mp3 mp2 mp1 ac3 aac dts flac wmav1 wmav2 adpcm_ms adpcm_ima_wav pcm_u8 pcm_s16le pcm_s24le")
            | _set("pcm_s32le pcm_f32le pcm_alaw pcm_mulaw"),
            subtitles=_set("xsub"),
            tags=_RIFF_INFO,
            marks="info",
            one_rate=True,
            leads=True,
            # AVI has no time stamps: pictures must be stored in the order in which they are shown.
            fixed=(("bf", "0"),),
        ),
        Container(
            "MPEG-TS",
            "mpegts",
            (".ts", ".m2ts", ".mts", ".m2t", ".tp", ".trp", ".tod"),
            "mpegts",
            ("h264", "hevc", "mpeg2"),
            video=_TS_VIDEO,
            audio=_TS_AUDIO,
            subtitles=_set("dvb_subtitle dvb_teletext hdmv_pgs_subtitle arib_caption"),
            data=_set("klv timed_id3 smpte_2038"),
            tags=_set("service_name service_provider"),
            marks="stream",
            # Without it the muxer puts every time stamp off by its own delay.
            fixed=(("mpegts_copyts", "1"),),
        ),
        Container(
            "MPEG-PS",
            "vob",
            (".mpg", ".mpeg", ".mpe", ".vob", ".m2p", ".mod", ".vro"),
            "mpeg",
            # A program stream times only some pictures; readers work out the others, but not those of H.264.
            ("mpeg2", "h264"),
            video=_set("mpeg1video mpeg2video h264 hevc"),
            audio=_set("mp1 mp2 mp3 ac3 dts pcm_dvd"),
            subtitles=_set("dvd_subtitle"),
            tags=frozenset(),
            marks="stream",
            one_rate=True,
            fixed=(("muxpreload", "0"), ("muxdelay", "0.7")),
        ),
        Container(
            "Flash video",
            "flv",
            (".flv",),
            "flv",
            ("h264", "hevc", "av1", "vp9"),
            video=_set("h264 hevc av1 vp9 vp6f flv1"),
            # MP3 and PCM only at some rates.
            audio=_set("aac speex opus flac ac3 eac3"),
            # B pictures are decoded before they are due, and a file whose times begin below zero is moved.
            fixed=(("bf", "0"),),
        ),
        Container(
            "Ogg",
            "ogg",
            (".ogv", ".ogg", ".ogx"),
            "ogg",
            ("theora",),
            video=_set("theora vp8"),
            audio=_set("vorbis opus flac speex"),
            chapters=True,
            one_rate=True,
        ),
        Container(
            "NUT",
            "nut",
            (".nut",),
            "nut",
            ("h264", "hevc", "ffv1", "mpeg2", "mpeg4", "rawvideo"),
            video=_ANY,
            audio=_ANY,
            subtitles=_set("ass ssa dvd_subtitle dvb_subtitle text"),
            chapters=True,
            # It holds no times below zero, and B pictures are decoded before they are due.
            fixed=(("bf", "0"),),
        ),
        Container(
            "ASF",
            "asf",
            (".wmv", ".asf"),
            "asf",
            ("h264", "mpeg4"),
            video=_set("h264 wmv1 wmv2 wmv3 vc1 mpeg4 msmpeg4v3 mjpeg"),
            audio=_set("wmav1 wmav2 wmapro wmalossless mp3 aac ac3 pcm_u8 pcm_s16le pcm_alaw pcm_mulaw adpcm_ms"),
            chapters=True,
            # It holds one time a picture, so pictures must be stored in the order in which they are shown.
            fixed=(("bf", "0"),),
        ),
        Container(
            "3GPP",
            "3gp",
            (".3gp", ".3g2"),
            _ISO_DEMUXER,
            ("h264",),
            video=_set("h264 hevc mpeg4 h263"),
            audio=_set("aac amr_nb amr_wb mp3"),
            subtitles=_set("mov_text"),
            text="mov_text",
            tags=_FILM | _set("description album"),
            marks="stream",
            turns="matrix",
            keeps_negative=True,
            states_color=True,
            states_range=True,
            fixed=_ISO,
        ),
        Container(
            "YUV4MPEG2",
            "yuv4mpegpipe",
            (".y4m",),
            "yuv4mpegpipe",
            ("rawvideo",),
            tags=frozenset(),
            marks="none",
            states_range=True,
            one_rate=True,
            gapless=True,
        ),
    )
}

SUFFIXES: dict[str, Container] = {suffix: row for row in CONTAINERS.values() for suffix in row.suffixes}
MATROSKA = CONTAINERS["Matroska"]

# What standard output may be asked for; the last is pictures and nothing else.
PIPE_FORMATS: dict[str, Container] = {
    "y4m": CONTAINERS["YUV4MPEG2"],
    "nut": CONTAINERS["NUT"],
    "matroska": MATROSKA,
    "rawvideo": Container(
        "raw video", "rawvideo", (), "rawvideo", ("rawvideo",), tags=frozenset(), marks="none", one_rate=True
    ),
}


def container_of(target: Path) -> Container | None:
    """Return the row of the container that a file's name asks for, None for a suffix that is in no row."""
    return SUFFIXES.get(target.suffix.lower())
