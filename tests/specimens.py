"""Small whole films and pictures of many kinds, made by ffmpeg on the spot, to be damaged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from outlets import ffmpeg
from PIL import Image

_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:duration=0.5")
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "6")
_GREY_TO = "format=gray,format"

# name: (size, number of pictures, words of ffmpeg behind the picture source)
FILMS: Mapping[str, tuple[str, int, tuple[str, ...]]] = {
    "b.mp4": ("64x48", 12, (*_SOUND, *_X264, "-x264-params", "bframes=2:b-adapt=0", "-c:a", "aac", "-shortest")),
    "mpeg4.mp4": ("96x64", 8, ("-c:v", "mpeg4", "-bf", "2", "-movflags", "+faststart")),
    "frag.mp4": ("64x48", 12, (*_X264, "-movflags", "frag_keyframe+empty_moov+default_base_moof")),
    "mjpeg.mov": ("64x48", 8, ("-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-timecode", "01:00:00:00")),
    "tall.mkv": ("48x64", 12, (*_SOUND, *_X264, "-pix_fmt", "yuv420p10le", "-c:a", "libopus", "-ar", "48000")),
    "ffv1.mkv": ("64x48", 8, (*_SOUND, "-c:v", "ffv1", "-pix_fmt", "gray", "-c:a", "flac")),
    "hevc.mkv": ("64x64", 8, ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")),
    "packed.avi": ("64x48", 12, (*_SOUND, "-c:v", "mpeg4", "-bf", "2", "-c:a", "pcm_s16le")),
    "raw.avi": ("32x24", 8, ("-c:v", "rawvideo", "-pix_fmt", "bgr24")),
    "mpeg2.ts": ("96x64", 12, (*_SOUND, "-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2", "-ar", "32000")),
    "avc.ts": ("64x48", 12, _X264),
    "v9.webm": ("64x48", 8, (*_SOUND, "-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime")),
    "v8.webm": ("64x48", 8, ("-c:v", "libvpx", "-deadline", "realtime")),
    "h263.flv": ("96x64", 12, (*_SOUND, "-c:v", "flv", "-c:a", "pcm_s16le", "-ar", "11025")),
    "theora.ogg": ("64x48", 8, (*_SOUND, "-c:v", "libtheora", "-c:a", "flac")),
    "plain.nut": ("64x48", 8, (*_SOUND, "-c:v", "rawvideo", "-pix_fmt", "gray", "-c:a", "pcm_s16le")),
    "avc.nut": ("64x48", 8, _X264),
    "grey.y4m": ("32x24", 8, ("-pix_fmt", "gray", "-strict", "-1")),
    "deep.y4m": ("34x26", 8, ("-pix_fmt", "yuv422p10le", "-strict", "-1")),
    "ps.mpg": ("96x64", 12, (*_SOUND, "-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2", "-ar", "32000")),
    "moving.gif": ("32x24", 8, ()),
    "moving.apng": ("32x24", 8, ("-pix_fmt", "gray", "-plays", "0")),
    "row.mjpeg": ("64x48", 8, ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-f", "mjpeg")),
    "one.jpg": ("64x48", 1, ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-update", "1")),
    "av1.mkv": ("64x64", 6, ("-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1")),
}

_LINES = "1\n00:00:00,000 --> 00:00:00,300\nOld film\n\n2\n00:00:00,300 --> 00:00:00,480\n<i>in colour</i>\n"
_CHAPTERS = (
    ";FFMETADATA1\ntitle=Fünf Minuten\ncomment=a\\=b\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=200\nEND=480\ntitle=二\n"
)


def make(folder: Path) -> list[Path]:
    """Make one of each kind in `folder`, all under 100 kB; returns them in the order of their names."""
    for name, (size, pictures, words) in FILMS.items():
        source = f"testsrc2=size={size}:rate=25,{_GREY_TO}={_form(words)}"
        if name == "moving.gif":
            source = f"testsrc2=size={size}:rate=25,format=gray"
        ffmpeg("-f", "lavfi", "-i", source, *words, "-frames:v", str(pictures), "-threads", "1", folder / name)
    _add_rich(folder)
    _add_stills(folder)
    return sorted(path for path in folder.iterdir() if path.name != "film.srt" and path.name != "film.txt")


def _form(words: tuple[str, ...]) -> str:
    return words[words.index("-pix_fmt") + 1] if "-pix_fmt" in words else "yuv420p"


def _add_rich(folder: Path) -> None:
    """Add films with subtitles, chapters and tags."""
    (folder / "film.srt").write_text(_LINES, encoding="utf-8")
    (folder / "film.txt").write_text(_CHAPTERS, encoding="utf-8")
    inputs = ("-i", folder / "film.srt", "-i", folder / "film.txt", "-map", "0", "-map", "1", "-map_metadata", "2")
    ffmpeg("-i", folder / "b.mp4", *inputs, "-c", "copy", "-c:s", "mov_text", folder / "rich.mp4")
    attached = ("-attach", folder / "film.txt", "-metadata:s:t", "mimetype=text/plain")
    ffmpeg("-i", folder / "ffv1.mkv", *inputs, "-c", "copy", "-c:s", "ass", *attached, folder / "rich.mkv")


def _add_stills(folder: Path) -> None:
    with Image.open(folder / "one.jpg") as opened:
        grey = opened.convert("L")
    grey.save(folder / "one.png", dpi=(300, 300))
    grey.save(folder / "one.webp", lossless=True)
    grey.save(folder / "one.tif", compression="tiff_adobe_deflate", save_all=True, append_images=[grey])
    grey.convert("RGB").save(folder / "lzw.tif", compression="tiff_lzw", dpi=(300, 300))
    grey.save(folder / "moving.webp", save_all=True, append_images=[grey.rotate(3 * n) for n in range(1, 8)])
