"""All or nothing, whatever fails: every call of the system in turn, the encoder at any picture, one that lies."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from conftest import moving_picture
from PIL import Image
from saboteur import KINDS, Saboteur

import vidcolor
from streams.errors import EncoderError, FilmError, Interrupted, OutputError
from streams.writing import child
from streams.writing.ffmpeg import find_ffmpeg
from vidcolor import Options, restore
from vidcolor.brake import Brake
from vidcolor.cli import main

MakeFilm = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("tiny")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="scripts are started by their first line")
FORMER = b"a former output"


@dataclass(frozen=True, slots=True)
class Scene:
    """One kind of run: its input, its output, more words, and whether a run that failed may leave what it did so far.

    To add a mode, add a row to `SCENES`. Where `resumes` is set, temporaries may stay after a failure, and the same
    command must then succeed, with the pictures of an unbroken run, and leave nothing but the output.
    """

    source: str
    target: str
    words: tuple[str, ...] = ()
    resumes: bool = False


SCENES = (
    Scene("film.mkv", "new.mkv"),
    Scene("film.mkv", "new.mp4"),
    Scene("film.mkv", "new.ts"),
    Scene("film.mkv", "new.y4m"),
    Scene("film.mkv", "new.mkv", ("--resume",), resumes=True),
    Scene("photo.png", "new.png"),
    Scene("photo.tif", "new.tif"),
)


def ids(scene: Scene) -> str:
    return " ".join((scene.source, scene.target, *scene.words))


@pytest.fixture
def folder(make_film: MakeFilm, tmp_path: Path) -> Path:
    """A folder with a film of three pictures with sound, and two photographs."""
    make_film("film.mkv", frames=3, sound=True)
    picture = Image.fromarray(moving_picture(0, (40, 56)))
    picture.save(tmp_path / "photo.png")
    picture.save(tmp_path / "photo.tif")
    return tmp_path


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


def content(path: Path) -> list[bytes]:
    """The pictures of an output; raises where it is not whole."""
    if path.suffix in (".png", ".tif"):
        with Image.open(path) as image:
            return [image.convert("RGB").tobytes()]
    with av.open(str(path)) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


def run(scene: Scene, folder: Path) -> int:
    return main(["restore", str(folder / scene.source), "-o", str(folder / scene.target), "-y", *scene.words])


def expected_codes(kind: str, failed: str, scene: Scene) -> set[int]:
    """The exit codes that are right when a call of `kind` failed on the file `failed`."""
    if kind == "spawn":
        return {5}
    if Path(failed).name == scene.source:
        return {0, 3} if kind == "close" else {3}
    # To clear away a leftover, or to bring a folder to the disk, may fail unnoticed; nothing else may.
    is_vital = kind in ("write", "replace") or (kind == "fsync" and Path(failed).is_file())
    return {4} if is_vital else {0, 4}


@pytest.mark.parametrize("scene", SCENES, ids=ids)
def test_whichever_call_fails_it_is_all_or_nothing(
    folder: Path, scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    before = listing(folder)
    find_ffmpeg()  # or its questions would count as calls of the first run alone
    with pytest.MonkeyPatch.context() as patch:
        counts = Saboteur(folder).installed(patch).calls
        assert run(scene, folder) == 0
    whole = content(folder / scene.target)
    assert all(counts[kind] for kind in ("open", "fsync", "replace", "close")), counts
    for kind, number in ((name, at) for name in KINDS for at in range(1, counts[name] + 1)):
        (folder / scene.target).write_bytes(FORMER)
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            saboteur = Saboteur(folder, kind, number).installed(patch)
            code = run(scene, folder)
        case = f"{kind} number {number} of {saboteur.failed}: exit {code}"
        assert saboteur.failed is not None, case
        assert code in expected_codes(kind, saboteur.failed, scene), case
        said = capfd.readouterr().err
        assert "Traceback" not in said, case
        assert said.count("vidcolor: error:") == (code != 0), f"{case}: {said}"
        judge_files(folder, scene, before, whole if code == 0 else None, is_clean=kind != "unlink")


def judge_files(
    folder: Path, scene: Scene, before: dict[str, bytes], whole: list[bytes] | None, *, is_clean: bool
) -> None:
    """Look whether inputs are as they were, the output is whole or the former one, and nothing else is there."""
    after = listing(folder)
    output = after.pop(scene.target)
    left = set(after) - set(before)
    assert {name: after[name] for name in before} == before, "an input was touched"
    if whole is None:
        assert output == FORMER, "the former output was harmed"
    else:
        assert content(folder / scene.target) == whole
    if scene.resumes and whole is None:
        assert all(name.startswith(".") and "vidcolor" in name for name in left), left
        assert run(scene, folder) == 0, "it cannot be gone on with"
        left = set(listing(folder)) - set(before) - {scene.target}
    if is_clean:
        assert not left, "something was left behind"
    for name in left:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink()


# ------------------------------------------------------------ the encoder


class AtPicture(vidcolor.Watcher):
    """Does something once picture `number` is done."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self._number = number
        self._act = act

    def progressed(self, frame: int) -> None:
        if frame == self._number:
            self._act()


@pytest.mark.parametrize("number", [1, 13, 40])
@pytest.mark.parametrize("target", ["new.mkv", "new.mp4"])
def test_an_encoder_that_is_killed_at_any_picture_leaves_nothing(
    make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, target: str
) -> None:
    film, out = make_film(frames=40, sound=True), tmp_path / target
    out.write_bytes(FORMER)
    running = []
    start = child._started

    def noted(*words: object) -> object:
        running.append(start(*words))  # type: ignore[arg-type]
        return running[-1]

    monkeypatch.setattr(child, "_started", noted)
    with pytest.raises(EncoderError) as failed:
        restore(film, out, Options(overwrite=True), AtPicture(number, lambda: running[-1].kill()))
    assert failed.value.exit_code == 5
    assert "\n" not in str(failed.value)
    assert listing(tmp_path).keys() == {film.name, target}
    assert out.read_bytes() == FORMER


def script(folder: Path, deed: str) -> str:
    """An ffmpeg that answers questions as the real one does, and does `deed` instead of encoding."""
    path = folder / "ffmpeg"
    asks = '"$1" = -version ] || [ "$1" = -encoders ] || [ "$1" = -h'
    path.write_text(f'#!/bin/sh\nif [ {asks} ]; then exec "{find_ffmpeg().path}" "$@"; fi\n{deed}\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)


# The last word of ffmpeg's command is `file:` and the name of the temporary.
_LAST = 'for word in "$@"; do last="${word#file:}"; done; '


@posix_only
@pytest.mark.parametrize(
    ("deed", "kind", "words"),
    [
        ("exit 0", EncoderError, "ended with 0|wrote|cannot be read"),
        ("exit 1", EncoderError, "ended with 1"),
        ("kill -SEGV $$", EncoderError, "ended with -11"),
        ("cat > /dev/null", EncoderError, "cannot be read"),
        (_LAST + 'cat > /dev/null; echo garbage > "$last"', EncoderError, "cannot be read"),
        (_LAST + 'cat > "$last"', EncoderError, "cannot be read|wrote"),
        ("echo a word of its own >&2; exit 3", EncoderError, "a word of its own"),
        ("yes 'many words' | head -c 3000000 >&2; exit 3", EncoderError, "many words"),
        ("echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 228", OutputError, "space"),
        ("echo '[out#0/matroska] Error opening output: Permission denied' >&2; exit 1", OutputError, "permission"),
    ],
)
def test_an_encoder_that_is_none_ends_in_one_sentence(
    make_film: MakeFilm, tmp_path: Path, deed: str, kind: type[FilmError], words: str
) -> None:
    film, out = make_film(frames=40, sound=True), tmp_path / "new.mkv"
    out.write_bytes(FORMER)
    (tmp_path / "bin").mkdir()
    with pytest.raises(kind, match=words) as failed:
        restore(film, out, Options(overwrite=True, ffmpeg=script(tmp_path / "bin", deed)))
    assert "\n" not in str(failed.value)
    assert {path.name for path in tmp_path.iterdir()} == {film.name, "new.mkv", "bin"}
    assert out.read_bytes() == FORMER


@posix_only
@pytest.mark.parametrize("deed", ["exec sleep 60", "cat > /dev/null; exec sleep 60"])
def test_an_encoder_that_hangs_is_ended_by_a_signal(make_film: MakeFilm, tmp_path: Path, deed: str) -> None:
    film, brake = make_film(frames=40), Brake()
    (tmp_path / "bin").mkdir()
    timer = threading.Timer(1.0, brake.pull)
    timer.start()
    began = time.monotonic()
    with pytest.raises(FilmError) as failed:
        restore(film, tmp_path / "new.mkv", Options(ffmpeg=script(tmp_path / "bin", deed)), brake=brake)
    assert time.monotonic() - began < 30, "it waits for the encoder"
    assert isinstance(failed.value, Interrupted | EncoderError)
    assert {path.name for path in tmp_path.iterdir()} == {film.name, "bin"}


@posix_only
def test_a_place_that_is_full_to_ffmpeg_is_said_as_such(make_film: MakeFilm, tmp_path: Path) -> None:
    """A limit on the size of files is what a test can have of a full disk without rights."""
    import resource

    film = make_film(frames=12, size=(480, 640))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(FilmError) as failed:
            restore(film, tmp_path / "new.y4m")
        with pytest.raises(FilmError):
            restore(film, tmp_path / "new.mkv", Options(lossless=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert failed.value.exit_code == 4
    assert os.listdir(tmp_path) == [film.name]  # noqa: PTH208 - names alone are asked for
