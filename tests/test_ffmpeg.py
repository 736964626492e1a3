"""Which ffmpeg is used: the one that was named, else a new one on PATH, else the one that comes with the package."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from reels import frame_of, textures, write_film

from streams.errors import UsageError
from streams.formats import ColorTags
from streams.sink import EncodeOptions, plan_output
from streams.source import VideoSource
from streams.writing.command import build
from streams.writing.encoders import BY_CARD, CODECS, codec_named
from streams.writing.ffmpeg import find_ffmpeg

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


def stand_in(folder: Path, version: str, libavcodec: str) -> Path:
    """A program that answers as ffmpeg does."""
    path = folder / "ffmpeg"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *-version*) echo "ffmpeg version {version} Copyright"; echo "libavcodec     {libavcodec}";;\n'
        '*-encoders*) echo " V....D libx264              H.264";; esac\n'
    )
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDCOLOR_FFMPEG", raising=False)


def test_without_any_other_the_ffmpeg_of_the_package_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg().origin == "imageio-ffmpeg"


@posix_only
def test_a_new_ffmpeg_on_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = stand_in(tmp_path, "n7.1", "61. 19.100 / 61. 19.100")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_ffmpeg()
    assert (found.path, found.version, found.origin) == (str(path), "n7.1", "PATH")
    assert found.encoders == {"libx264"}


@posix_only
def test_an_old_ffmpeg_on_path_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(tmp_path, "5.1.6-0+deb12u1", "59. 37.100 / 59. 37.100")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg().origin == "imageio-ffmpeg"


@posix_only
def test_the_named_ffmpeg_comes_first_and_the_option_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        stand_in(tmp_path / name, name, "61. 1.100 / 61. 1.100")
    monkeypatch.setenv("VIDCOLOR_FFMPEG", str(tmp_path / "one" / "ffmpeg"))
    assert find_ffmpeg().version == "one"
    assert find_ffmpeg(str(tmp_path / "two" / "ffmpeg")).version == "two"


def test_a_named_program_that_is_no_ffmpeg_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    for name in (tmp_path / "text", tmp_path / "missing", Path(sys.executable)):
        with pytest.raises(UsageError, match=name.name):
            find_ffmpeg(str(name))


@pytest.mark.parametrize("name", CODECS)
def test_the_ffmpeg_of_the_package_has_every_encoder_of_the_table(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert CODECS[name].encoder in find_ffmpeg().encoders


def test_an_ffmpeg_is_not_asked_for_what_it_cannot_do(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(2)])
    with VideoSource(tmp_path / "a.mkv") as film:
        info = replace(film.info, format=replace(film.info.format, stated=ColorTags(location="topleft")))
        plan = plan_output(info, tmp_path / "b.mkv", EncodeOptions())
        assert plan.ffmpeg is not None
        old = replace(plan, ffmpeg=replace(plan.ffmpeg, places_chroma=False))
        words = build(old, info, "mark", tmp_path / "b.mkv").words
    assert not any("chroma_location" in word for word in words)
    assert words[words.index("-chroma_sample_location:0") + 1] == "topleft"


def test_codecs_are_known_by_the_names_people_use_and_no_others() -> None:
    assert codec_named("x265") is codec_named("HEVC") is codec_named("libx265") is CODECS["hevc"]
    with pytest.raises(UsageError, match="nocodec"):
        codec_named("nocodec")


@pytest.mark.parametrize("name", BY_CARD)
def test_the_encoder_of_a_card_is_taken_only_by_its_name(tmp_path: Path, name: str) -> None:
    write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(2)])
    with VideoSource(tmp_path / "a.mkv") as film:
        info = replace(film.info, format=replace(film.info.format, width=640, height=480))
        usual = plan_output(info, tmp_path / "b.mkv", EncodeOptions(codec=BY_CARD[name].name))
        if name not in find_ffmpeg().encoders:
            with pytest.raises(UsageError, match=name):
                plan_output(info, tmp_path / "b.mkv", EncodeOptions(codec=name))
            return
        plan = plan_output(info, tmp_path / "b.mkv", EncodeOptions(codec=name, crf=23, preset="p4"))
        words = build(plan, info, "mark", tmp_path / "b.mkv").words
    assert usual.encoder == CODECS[BY_CARD[name].name].encoder
    assert plan.encoder == name
    assert [words[words.index(option) + 1] for option in ("-cq:0", "-rc:0", "-preset:0")] == ["23", "vbr", "p4"]
    assert not any(word.startswith(("-crf", "-x26")) for word in words)
