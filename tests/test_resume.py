"""A run that died goes on to the very pictures of a run that did not; work that does not fit is not used."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from killing import Killer, content
from reels import frame_of, textures, write_film

from streams.errors import FilmError, InputError, Interrupted, OutputError, UsageError
from streams.shots import CutMemory
from streams.writing.folder import fingerprint
from vidcolor import Options, restore, resume
from vidcolor.brake import Brake
from vidcolor.checkpoint import Checkpoint
from vidcolor.cli import main
from vidcolor.memory import State
from vidcolor.watch import Watcher

MakeFilm = Callable[..., Path]
FRAMES, CUTS = 26, (9, 19)
RESUMING = Options(resume=True)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tiny: str) -> None:
    """Segments of four to seven pictures, a tiny network."""
    monkeypatch.setattr(resume, "SHORTEST", 4)
    monkeypatch.setattr(resume, "LONGEST", 7)


class Ears(Watcher):
    """Notes all that is told; pulls the brake at a picture."""

    def __init__(self, stop_at: int = 0, brake: Brake | None = None) -> None:
        self.stop_at, self.brake = stop_at, brake or Brake()
        self.before, self.kept, self.last = 0, 0, 0
        self.warnings: list[str] = []

    def resumed(self, frames: int) -> None:
        self.before = frames

    def paused(self, frames: int) -> None:
        self.kept = frames

    def progressed(self, frame: int) -> None:
        self.last = frame
        if frame == self.stop_at:
            self.brake.pull()

    def warned(self, text: str) -> None:
        self.warnings.append(text)


def stopped(film: Path, target: Path, at: int, options: Options = RESUMING) -> Ears:
    """A run that is stopped after some pictures."""
    ears = Ears(at)
    with pytest.raises(Interrupted):
        restore(film, target, options, ears, ears.brake)
    assert not target.exists()
    return ears


def gone_on(film: Path, target: Path, options: Options = RESUMING) -> Ears:
    """A run that is left alone."""
    ears = Ears()
    restore(film, target, options, ears)
    return ears


def folders(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_dir()]


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


@pytest.fixture
def film(make_film: MakeFilm) -> Path:
    return make_film("old.mkv", frames=FRAMES, cuts=CUTS, sound=True)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("at", [8, 15, 25])
def test_a_run_that_was_stopped_goes_on_to_the_same_pictures(film: Path, tmp_path: Path, at: int) -> None:
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    gone_on(film, whole)
    first = stopped(film, parts, at)
    assert 0 < first.kept <= at
    second = gone_on(film, parts)
    assert second.before == first.kept
    assert second.last == FRAMES
    assert content(parts) == content(whole)
    assert names(tmp_path) == {"old.mkv", "whole.mkv", "parts.mkv"}


@pytest.mark.usefixtures("short")
def test_a_run_may_be_stopped_again_and_again(film: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    gone_on(film, whole)
    kept = [stopped(film, parts, at).kept for at in (8, 14, 21)]
    assert kept == sorted(kept)
    gone_on(film, parts)
    assert content(parts) == content(whole)


@pytest.mark.usefixtures("short")
def test_light_is_that_of_a_plain_run_bit_for_bit(film: Path, tmp_path: Path) -> None:
    def pictures(path: Path) -> list[bytes]:
        with av.open(str(path)) as reel:
            return [frame.to_ndarray().tobytes() for frame in reel.decode(video=0)]

    plain, parts = tmp_path / "plain.mkv", tmp_path / "parts.mkv"
    restore(film, plain, Options(lossless=True))
    options = Options(lossless=True, resume=True)
    stopped(film, parts, 20, options)
    gone_on(film, parts, options)
    assert pictures(parts) == pictures(plain)


@pytest.mark.usefixtures("short")
def test_pictures_that_refer_to_later_ones_are_found_again(tmp_path: Path) -> None:
    film = write_film(
        tmp_path / "old.mp4",
        [frame_of(luma) for luma in textures(FRAMES, (64, 96))],
        "libx264",
        options={"g": "12", "bf": "3", "x264-params": "open-gop=1"},
    )
    whole, parts = tmp_path / "whole.mp4", tmp_path / "parts.mp4"
    gone_on(film, whole)
    stopped(film, parts, 22)
    assert gone_on(film, parts).before > 12
    assert content(parts) == content(whole)


@pytest.mark.usefixtures("short")
def test_a_damaged_film_goes_on_to_the_same_pictures_and_is_said_to_be_damaged(tmp_path: Path) -> None:
    film = write_film(
        tmp_path / "old.mkv",
        [frame_of(luma) for luma in textures(FRAMES, (64, 96))],
        "libx264",
        options={"g": "10", "x264-params": "bframes=2"},
    )
    data = bytearray(film.read_bytes())
    rng = random.Random(5)
    for _ in range(30):
        data[rng.randrange(len(data) // 8, len(data) // 2)] ^= 0x55
    film.write_bytes(data)
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    told = gone_on(film, whole).warnings
    assert any("damaged" in text for text in told), told
    stopped(film, parts, 20)
    assert gone_on(film, parts).warnings == told
    assert content(parts) == content(whole)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("other", ["settings", "encoder", "part", "input"])
def test_work_that_does_not_fit_is_said_and_not_used(
    film: Path, tmp_path: Path, make_film: MakeFilm, other: str
) -> None:
    target = tmp_path / "new.mkv"
    stopped(film, target, 20)
    options = {
        "settings": Options(resume=True, saturation=0.5),
        "encoder": Options(resume=True, crf=20),
        "part": Options(resume=True, stop=Fraction(9, 10)),
        "input": RESUMING,
    }[other]
    if other == "input":
        film = make_film("old.mkv", frames=FRAMES, cuts=(12,))
    ears = gone_on(film, target, options)
    assert ears.before == 0
    assert len(ears.warnings) == 1, ears.warnings
    assert "not used" in ears.warnings[0]
    assert not folders(tmp_path), "work for an output that is whole now is of no use"


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("what", ["segment", "state", "record", "all records", "work"])
def test_torn_work_is_done_again(film: Path, tmp_path: Path, what: str) -> None:
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    gone_on(film, whole)
    kept = stopped(film, parts, 22).kept
    (folder,) = folders(tmp_path)
    segments = sorted(folder.glob("*.nut"))
    torn = {
        "segment": [segments[-1]],
        "state": [folder / f"{segments[-1].stem}.state"],
        "record": [folder / f"{segments[-1].stem}.json"],
        "all records": [folder / f"{path.stem}.json" for path in segments],
        "work": [folder / "work.json"],
    }[what]
    for path in torn:
        path.write_bytes(path.read_bytes()[:-7])
    ears = gone_on(film, parts)
    if what == "all records":
        assert ears.before == 0
    elif what != "work":
        assert 0 < ears.before < kept
        assert any("damaged" in text for text in ears.warnings)
    assert content(parts) == content(whole)
    assert not folders(tmp_path)


@pytest.mark.usefixtures("short")
def test_a_run_that_died_while_it_joined_only_joins(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    gone_on(film, whole)
    with monkeypatch.context() as patch:
        patch.setattr("streams.segments.JoiningSink.join", lambda sink: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gone_on(film, parts)
    assert not parts.exists()
    ears = gone_on(film, parts)
    assert ears.before == FRAMES
    assert ears.last == 0, "no picture is coloured twice"
    assert content(parts) == content(whole)


@pytest.mark.usefixtures("short")
def test_two_runs_do_not_work_on_one_output(film: Path, tmp_path: Path) -> None:
    class Second(Ears):
        failure: FilmError | None = None

        def progressed(self, frame: int) -> None:
            if frame == 20:
                with pytest.raises(OutputError, match="another run") as caught:
                    gone_on(film, tmp_path / "new.mkv")
                self.failure = caught.value

    ears = Second()
    restore(film, tmp_path / "new.mkv", RESUMING, ears)
    assert ears.failure is not None
    assert (tmp_path / "new.mkv").exists()


@pytest.mark.usefixtures("short")
def test_a_plain_run_that_ends_well_clears_up_what_was_begun(film: Path, tmp_path: Path) -> None:
    stopped(film, tmp_path / "new.mkv", 20)
    restore(film, tmp_path / "new.mkv")
    assert names(tmp_path) == {"old.mkv", "new.mkv"}


@pytest.mark.usefixtures("short")
def test_a_strict_run_takes_work_that_does_not_fit_for_an_error(film: Path, tmp_path: Path) -> None:
    stopped(film, tmp_path / "new.mkv", 20)
    with pytest.raises(OutputError, match="another setting"):
        restore(film, tmp_path / "new.mkv", Options(resume=True, saturation=0.5, strict=True))
    assert len(folders(tmp_path)) == 1, "the work itself is kept"


@pytest.mark.usefixtures("short")
def test_a_failure_keeps_what_is_done(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clumsy(Ears):
        def progressed(self, frame: int) -> None:
            if frame == 20:
                raise InputError("gone")

    ears = Clumsy()
    with pytest.raises(InputError, match="gone"):
        restore(film, tmp_path / "new.mkv", RESUMING, ears)
    assert ears.kept > 0
    assert gone_on(film, tmp_path / "new.mkv").before == ears.kept


def test_nothing_that_goes_through_a_pipe_can_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--resume"):
        restore("-", tmp_path / "new.mkv", RESUMING)
    assert main(["restore", "-", "-o", "-", "--format", "y4m", "--resume"]) == 2


def test_all_that_is_known_between_two_pictures_comes_back_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    grids = tuple(rng.random((36, 64), np.float32) for _ in range(2))
    state = State({"a.hidden": torch.randn(1, 4, 3, 5), "a.cell": torch.randn(1, 4, 3, 5).bfloat16()})
    before = Checkpoint(state, CutMemory(grids, 231.0, 0.1 + 0.2, 1e-17), True)
    after = Checkpoint.from_bytes(before.to_bytes())
    assert after.state.equal(state)
    assert after.is_fp32
    assert (after.cuts.white, after.cuts.mean, after.cuts.spread) == (231.0, 0.1 + 0.2, 1e-17)
    assert all(np.array_equal(one, two) for one, two in zip(after.cuts.before, grids, strict=True))


def test_a_fingerprint_tells_films_of_one_size_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(bytes(100_000))
    two.write_bytes(bytes(99_999) + b"\1")
    assert fingerprint(one) == fingerprint(one)
    assert fingerprint(one) != fingerprint(two)


def test_the_command_says_what_is_there_and_how_to_go_on(
    film: Path, tmp_path: Path, short: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stopped(film, tmp_path / "new.mkv", 20)
    capsys.readouterr()
    assert main(["restore", "old.mkv", "-o", "new.mkv", "--resume", "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    start = next(event for event in events if event["event"] == "start")
    assert 0 < start["resumed_from"] <= 20
    assert [event["frame"] for event in events if event["event"] == "progress"][-1] == FRAMES


@pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")
def test_killed_at_any_moment_it_goes_on_to_the_same_pictures(film: Path, tmp_path: Path) -> None:
    killer = Killer(film, tmp_path / "chance.safetensors")
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    assert killer.run(whole)
    rng, killed = random.Random(2), 0
    while killed < 10:
        killed += killer.until(parts, 5, rng)
        assert content(parts) == content(whole)
        assert names(tmp_path) == {"old.mkv", "whole.mkv", "parts.mkv", "chance.safetensors"}
        parts.unlink()
