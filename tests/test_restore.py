"""The pipeline from file to file, with a network of chance: what goes in comes out, in colour, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from conftest import moving_picture
from PIL import Image

import vidcolor
from streams.errors import FilmError, InputError, Interrupted, ModelError, OutputError, UsageError
from streams.sink import read_mark
from vidcolor import Options, job, painter, restore, zoo
from vidcolor.brake import Brake
from vidcolor.cli import main
from vidcolor.mark import Mark

MakeFilm = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("tiny")


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as film:
        return list(film.decode(video=0))


def planes(path: Path) -> list[list[np.ndarray[Any, Any]]]:
    """Planes of every picture, without the padding of their lines."""
    return [
        [np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width].copy() for p in frame.planes]  # type: ignore[call-overload]
        for frame in pictures(path)
    ]


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_old_becomes_old_color_beside_it(make_film: MakeFilm) -> None:
    film = make_film("old.mkv")
    report = restore(film)
    assert report.output == film.with_name("old.color.mkv")
    assert report.frames == 12
    assert listing(film.parent) == {"old.mkv", "old.color.mkv"}


def test_light_stays_and_colour_comes(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film()
    restore(film, tmp_path / "new.mkv", Options(lossless=True))
    before, after = planes(film), planes(tmp_path / "new.mkv")
    assert len(after) == len(before)
    assert all(np.array_equal(new[0], old[0]) for new, old in zip(after, before, strict=True))
    assert max(np.abs(new[1].astype(int) - 128).max() for new in after) > 2


def test_every_time_stamp_comes_out_again(make_film: MakeFilm, tmp_path: Path) -> None:
    stamps = [0, 40, 45, 200, 201, 900]
    restore(make_film(frames=6, stamps=stamps), tmp_path / "new.mkv")
    assert [round(float(frame.time or 0) * 1000) for frame in pictures(tmp_path / "new.mkv")] == stamps


def test_sound_packets_are_copied_unchanged(make_film: MakeFilm, tmp_path: Path) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as film:
            return [bytes(packet) for packet in film.demux(audio=0) if packet.size]

    film = make_film(sound=True)
    restore(film, tmp_path / "new.mkv")
    assert b"".join(packets(tmp_path / "new.mkv")) == b"".join(packets(film)) != b""


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_batch_size_does_not_change_the_colours(make_film: MakeFilm, tmp_path: Path, batch: int) -> None:
    film = make_film(frames=21, cuts=(9,))
    restore(film, tmp_path / "16.mkv", Options(lossless=True, batch=16))
    restore(film, tmp_path / "other.mkv", Options(lossless=True, batch=batch))
    for one, other in zip(planes(tmp_path / "16.mkv"), planes(tmp_path / "other.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_cut_drops_what_the_network_remembers(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film(frames=20, cuts=(10,))
    exact = Options(lossless=True)
    restore(film, tmp_path / "whole.mkv", exact)
    restore(film, tmp_path / "tail.mkv", Options(lossless=True, start=Fraction(10, 25)))
    whole, tail = planes(tmp_path / "whole.mkv"), planes(tmp_path / "tail.mkv")
    assert len(tail) == 10
    for one, other in zip(whole[10:], tail, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_within_a_shot_the_network_remembers(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film(frames=12)
    restore(film, tmp_path / "whole.mkv", Options(lossless=True))
    restore(film, tmp_path / "tail.mkv", Options(lossless=True, start=Fraction(6, 25)))
    assert not np.array_equal(planes(tmp_path / "whole.mkv")[6][1], planes(tmp_path / "tail.mkv")[0][1])


def test_no_saturation_is_no_colour(make_film: MakeFilm, tmp_path: Path) -> None:
    restore(make_film(), tmp_path / "grey.mkv", Options(lossless=True, saturation=0))
    assert max(np.abs(p.astype(int) - 128).max() for frame in planes(tmp_path / "grey.mkv") for p in frame[1:]) <= 1


def test_start_and_stop_keep_the_pictures_between(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film(frames=12)
    part = Options(lossless=True, start=Fraction("0.12"), stop=Fraction("0.32"))
    assert restore(film, tmp_path / "part.mkv", part).frames == 5
    before, after = planes(film), planes(tmp_path / "part.mkv")
    assert all(np.array_equal(new[0], old[0]) for new, old in zip(after, before[3:8], strict=True))


def test_the_output_says_that_a_machine_made_its_colours(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film()
    restore(film, tmp_path / "new.mkv", Options(saturation=0.5))
    mark = Mark.parse(read_mark(tmp_path / "new.mkv") or "")
    assert mark is not None
    assert (mark.model, mark.sha256, mark.version) == ("tiny", "0" * 64, vidcolor.__version__)
    assert ("saturation", "0.5") in mark.settings
    assert read_mark(film) is None


def test_doctor_reads_the_mark(make_film: MakeFilm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = make_film()
    restore(film, tmp_path / "new.mkv")
    assert main(["doctor", str(tmp_path / "new.mkv")]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["machine-made: yes", "model: tiny", f"sha256: {'0' * 64}"]
    assert main(["doctor", str(film)]) == 0
    assert capsys.readouterr().out == "machine-made: no\n"
    assert main(["doctor", str(tmp_path / "missing.mkv")]) == 3


def test_colorize_gives_typed_frames(make_film: MakeFilm) -> None:
    film = make_film(frames=8)
    frames = list(vidcolor.colorize(film))
    assert [frame.index for frame in frames] == list(range(8))
    assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(8)]
    rgb = frames[0].rgb()
    assert rgb.shape == (48, 64, 3)
    assert rgb.dtype == np.uint8
    assert int(np.ptp(rgb.astype(int), axis=2).max()) > 4, "it has no colour"


def test_colorize_gives_what_restore_writes(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film(frames=6)
    restore(film, tmp_path / "new.mkv", Options(lossless=True))
    for frame, written in zip(vidcolor.colorize(film), planes(tmp_path / "new.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip((frame.luma, frame.cb, frame.cr), written, strict=True))


def test_colorize_may_be_left_early(make_film: MakeFilm) -> None:
    for frame in vidcolor.colorize(make_film(frames=40)):
        if frame.index == 2:
            break


class Full(torch.nn.Module):
    """A network whose device holds no more than two frames."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.start, self.spec = inner.start, inner.spec
        self.asked: list[int] = []

    def forward(self, light: torch.Tensor, state: object) -> object:
        self.asked.append(len(light))
        if len(light) > 2:
            raise torch.cuda.OutOfMemoryError("allocation failed")
        return self.inner(light, state)


def test_out_of_memory_halves_the_batch_and_goes_on(make_film: MakeFilm) -> None:
    model = job.load_model(Options())
    full = Full(model.colorizer)
    worker = painter.Painter(zoo.LoadedModel(full, "full", "0", Path(), model.place), None, lambda text: None)  # type: ignore[arg-type]
    worker._limit = 0
    light = torch.rand(8, 1, 24, 32)
    ab, _ = worker._steps(light, model.colorizer.start())
    whole, _ = model.colorizer(light, model.colorizer.start())
    assert full.asked == [8, 4, 2, 2, 2, 2]
    assert torch.allclose(ab, whole, atol=1e-4)


class Overflowing(torch.nn.Module):
    """A network in half precision whose numbers grow too large."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.start = inner, inner.start

    def forward(self, light: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
        ab, after = self.inner(light, state)
        return ab * float("inf"), after


class HalfModel(zoo.LoadedModel):
    def in_fp32(self) -> zoo.LoadedModel:
        return job.load_model(Options())


def test_an_overflow_in_half_precision_goes_on_in_full(tmp_path: Path) -> None:
    whole, said = job.load_model(Options()), list[str]()
    half = HalfModel(
        Overflowing(whole.colorizer),  # type: ignore[arg-type]
        "half",
        "0",
        Path(),
        replace(whole.place, precision="fp16"),
    )
    worker = painter.Painter(half, None, said.append)  # type: ignore[arg-type]
    light = torch.rand(3, 1, 24, 32)
    ab, _ = worker._colour(light, whole.colorizer.start())
    assert torch.equal(ab, painter.Painter(whole, None, said.append)._colour(light, whole.colorizer.start())[0])  # type: ignore[arg-type]
    assert said == [painter.OVERFLOW]


def test_existing_output_is_refused_kept_or_replaced(make_film: MakeFilm, tmp_path: Path) -> None:
    film, out = make_film(), tmp_path / "new.mkv"
    out.write_bytes(b"precious")
    assert main(["restore", str(film), "-o", str(out)]) == 4
    assert main(["restore", str(film), "-o", str(out), "--dry-run"]) == 4
    assert main(["restore", str(film), "-o", str(out), "-n"]) == 0
    assert out.read_bytes() == b"precious"
    assert main(["restore", str(film), "-o", str(out), "-y"]) == 0
    assert out.stat().st_size > 100


def test_the_output_is_never_the_input(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film()
    before = film.read_bytes()
    (tmp_path / "soft.mkv").symlink_to(film)
    (tmp_path / "hard.mkv").hardlink_to(film)
    for name in ("film.mkv", "soft.mkv", "hard.mkv"):
        with pytest.raises(UsageError):
            restore(film, tmp_path / name, Options(overwrite=True))
    with pytest.raises(UsageError):
        restore(tmp_path / "soft.mkv", film, Options(overwrite=True))
    assert film.read_bytes() == before


def test_a_dry_run_touches_nothing(make_film: MakeFilm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = make_film(sound=True)
    before = listing(tmp_path)
    assert main(["restore", str(film), "-o", str(tmp_path / "new.mkv"), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "new.mkv" in err
    assert listing(tmp_path) == before


def test_a_failure_leaves_nothing_behind(make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film, out = make_film(frames=30), tmp_path / "new.mkv"
    out.write_bytes(b"precious")
    model = job.load_model(Options())

    def bad(light: torch.Tensor, state: object) -> object:
        ab, after = type(model.colorizer).forward(model.colorizer, light, state)  # type: ignore[arg-type]
        return ab * float("nan"), after

    monkeypatch.setattr(model.colorizer, "forward", bad)
    with pytest.raises(ModelError, match="finite"):
        restore(film, out, Options(overwrite=True))
    assert out.read_bytes() == b"precious"
    assert listing(tmp_path) == {"film.mkv", "new.mkv"}


def test_a_pulled_brake_leaves_nothing_behind(make_film: MakeFilm, tmp_path: Path) -> None:
    film, brake = make_film(frames=30), Brake()

    class Pull(vidcolor.Watcher):
        def progressed(self, frame: int) -> None:
            if frame == 3:
                brake.pull()

    with pytest.raises(FilmError) as stopped:
        restore(film, tmp_path / "new.mkv", watcher=Pull(), brake=brake)
    assert isinstance(stopped.value, Interrupted)
    assert listing(tmp_path) == {"film.mkv"}


def test_a_watcher_that_raises_ends_the_run(make_film: MakeFilm, tmp_path: Path) -> None:
    class Tired(vidcolor.Watcher):
        def progressed(self, frame: int) -> None:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        restore(make_film(), tmp_path / "new.mkv", watcher=Tired())
    assert listing(tmp_path) == {"film.mkv"}


def test_progress_as_json_ends_with_every_picture(
    make_film: MakeFilm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = make_film(frames=20)
    assert main(["restore", str(film), "-o", str(tmp_path / "new.mkv"), "--progress", "json"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert events[0]["event"] == "start"
    assert events[-1] == {"event": "done", "frame": 20, "output": str(tmp_path / "new.mkv")}
    assert [event["frame"] for event in events if event["event"] == "progress"][-1] == 20


@pytest.mark.parametrize("flag", ["-q", "-v"])
def test_stdout_is_for_data(make_film: MakeFilm, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    film = make_film()
    assert main(["restore", str(film), "-o", str(tmp_path / "new.mkv"), flag]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert bool(err) == (flag == "-v")
    assert "\r" not in err


def test_unreadable_input_and_unwritable_output_are_told_apart(make_film: MakeFilm, tmp_path: Path) -> None:
    film = make_film()
    (tmp_path / "text.mp4").write_text("no film")
    for wrong in ("missing.mp4", "text.mp4", "."):
        with pytest.raises(InputError):
            restore(tmp_path / wrong, tmp_path / "new.mkv")
    for wrong in ("nowhere/new.mkv", ".", "film.mkv/new.mkv"):
        with pytest.raises(OutputError):
            restore(film, tmp_path / wrong)
    with pytest.raises(UsageError):
        restore(film, "-")
    with pytest.raises(UsageError):
        restore(film, tmp_path / "new.mkv", Options(model="nomodel"))


@pytest.mark.parametrize(("suffix", "mode"), [(".png", "L"), (".jpg", "L"), (".tif", "RGB"), (".webp", "RGB")])
def test_a_still_picture_stays_a_picture(tmp_path: Path, suffix: str, mode: str) -> None:
    old = tmp_path / f"old{suffix}"
    Image.fromarray(moving_picture(0, (60, 80))).convert(mode).save(old, lossless=True)
    report = restore(old)
    assert report.output == tmp_path / f"old.color{suffix}"
    with Image.open(old) as before, Image.open(report.output) as after:
        assert (after.format, after.size, after.mode) == (before.format, before.size, "RGB")
        light = np.asarray(after.convert("L")).astype(int) - np.asarray(before.convert("L"))
        assert np.abs(light).max() <= (1 if suffix != ".jpg" else 6), "JPEG codes its pictures: its noise is allowed"
        assert int(np.ptp(np.asarray(after).astype(int), axis=2).max()) > 4, "it has no colour"
    assert listing(tmp_path) == {f"old{suffix}", f"old.color{suffix}"}


def test_doctor_reads_the_mark_of_a_still(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "old.png"
    Image.fromarray(moving_picture(0, (20, 30))).save(old)
    restore(old)
    assert main(["doctor", str(tmp_path / "old.color.png")]) == 0
    assert capsys.readouterr().out.startswith("machine-made: yes\nmodel: tiny\n")
    assert main(["doctor", str(old)]) == 0
    assert capsys.readouterr().out == "machine-made: no\n"


def test_jpeg_cannot_be_lossless(tmp_path: Path) -> None:
    old = tmp_path / "old.jpg"
    Image.fromarray(moving_picture(0, (20, 30))).save(old)
    with pytest.raises(OutputError, match="PNG"):
        restore(old, options=Options(lossless=True))
    with pytest.raises(OutputError):
        restore(old, tmp_path / "new.png")
