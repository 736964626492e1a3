"""Promises about dots and strokes of colour on frames of a film."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm, moving_picture
from paints import CLOSE, SIZE, chroma, options, paint, wanted
from PIL import Image

from streams.errors import InputError, OutputError, UsageError
from streams.source import VideoSource
from vidcolor.cli import main
from vidcolor.color import chroma_from_rgb, lab_from_rgb, rgb_at_luma
from vidcolor.frames import colorize
from vidcolor.guide.brush import laid
from vidcolor.guide.hints import Hint, Hints, Wrong, json_of, parse_hints, read_hints, write_hints
from vidcolor.guide.scout import Scout, Wanted
from vidcolor.guide.spread import Stroke, drawn, spread
from vidcolor.pipeline import restore
from vidcolor.zoo import LoadedModel

pytestmark = pytest.mark.usefixtures("one_thread")

RED = "#c02020"
HERE: dict[str, Any] = {"frame": 4, "colour": RED, "radius": 0.05, "points": [[0.5, 0.5]]}


@pytest.fixture
def film(make_film: MakeFilm) -> Path:
    """Shots of seven and of three frames, 25 a second."""
    return make_film("film.mkv", 10, SIZE, cuts=(7,))


def dot(x: float = 0.5, y: float = 0.5, colour: str = RED, frame: int = 4, radius: float = 0.03) -> Hint:
    return Hint(colour, radius, ((x, y),), frame=frame)


def whole(**changes: object) -> str:
    """A file with one hint; `changes` are made in it, None takes a field away."""
    fields = {name: value for name, value in {**HERE, **changes}.items() if value is not None}
    return json.dumps({"format": "vidcolor-hints", "version": 1, "hints": [fields]})


def written(path: Path, *hints: Hint) -> str:
    write_hints(path, Hints(hints))
    return str(path)


def ab_of(colour: str) -> torch.Tensor:
    return lab_from_rgb(torch.tensor(Hint(colour, 0.1, ((0, 0),), frame=0).rgb).view(1, 3, 1, 1))[0, 1:]


# the file


def test_hints_come_back_as_they_were_written(tmp_path: Path) -> None:
    line = Hint("#8A3324", 0.02, ((0.41, 0.33), (0.42, 0.35)), time=1.25)
    hints = Hints((dot(), line), "Älter.mp4")
    write_hints(tmp_path / "hints.json", hints)
    assert read_hints(tmp_path / "hints.json") == hints
    assert json.loads(json_of(hints)) == {
        "format": "vidcolor-hints",
        "version": 1,
        "film": {"name": "Älter.mp4"},
        "hints": [
            {"frame": 4, "colour": RED, "radius": 0.03, "points": [[0.5, 0.5]]},
            {"time": 1.25, "colour": "#8A3324", "radius": 0.02, "points": [[0.41, 0.33], [0.42, 0.35]]},
        ],
    }
    assert parse_hints(json_of(Hints())) == Hints()


def test_hints_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_hints(tmp_path / "missing" / "hints.json", Hints())
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_hints(tmp_path / "there", Hints())
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "it is no object"),
        ('{"hints": []}', "its format is not"),
        ('{"format": "vidcolor-hints", "version": 2, "hints": []}', "version 2 is not known"),
        ('{"format": "vidcolor-hints", "version": true, "hints": []}', "version True is not known"),
        ('{"format": "vidcolor-hints", "version": 1}', "no list of hints"),
        ('{"format": "vidcolor-hints", "version": 1, "hints": [], "notes": 1}', "a field 'notes' that is not known"),
        ('{"format": "vidcolor-hints", "version": 1, "hints": [], "hints": []}', "a field stands twice"),
        ('{"format": "vidcolor-hints", "version": 1, "film": {"id": 1}, "hints": []}', "film has a field 'id'"),
        ('{"format": "vidcolor-hints", "version": 1, "hints": [1]}', "hint 1: it is no object"),
        (whole(color="#ffffff"), "hint 1: it has a field 'color' that is not known"),
        (whole(colour="red"), "hint 1: 'red' is no colour"),
        (whole(colour="#12345"), "'#12345' is no colour"),
        (whole(colour=7), "'7' is no colour"),
        (whole(colour=None), "hint 1: it has no colour"),
        (whole(radius=0), "radius 0 is not between"),
        (whole(radius=0.6), "radius 0.6 is not between"),
        (whole(radius=True), "radius True is not between"),
        (whole(radius=float("nan")), "NaN is no number"),
        (whole(points=[]), "it has 0 points"),
        (whole(points=[[0.5, 1.01]]), r"the point \[0.5, 1.01\] is not in the picture"),
        (whole(points=[[0.5]]), r"the point \[0.5\] is not"),
        (whole(points=[["a", "b"]]), "is not in the picture"),
        (whole(points="all"), "no list of"),
        (whole(points=[[10**400, 0]]), "is not in the picture"),
        (whole(frame=-1), "frame -1 is no number"),
        (whole(frame=1.5), "frame 1.5 is no number"),
        (whole(frame=None), "a time or a frame"),
        (whole(time=1), "a time or a frame"),
        (whole(frame=None, time=-0.1), "time -0.1 is no time"),
    ],
)
def test_what_is_wrong_in_a_file_of_hints_is_named(content: str | bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_hints(content)


def test_no_hint_is_made_that_could_not_be_written() -> None:
    with pytest.raises(Wrong, match="no colour"):
        dot(colour="blue")
    with pytest.raises(Wrong, match="more than"):
        Hints((dot(),) * 20_001)


def test_reading_hints_loads_nothing_heavy() -> None:
    code = "import sys, vidcolor.guide.hints\nprint(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "numpy", "cv2", "av", "PIL"}


# how far colours go


def still_life() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A dark ball, with folds and grain, before a bright wall."""
    down, right = np.mgrid[:144, :256]
    ball = np.hypot(down - 72, right - 100) < 40
    rng = np.random.default_rng(5)
    return np.clip(np.where(ball, 70 + 8 * np.sin(right / 4), 150) + rng.normal(0, 3, ball.shape), 0, 255).astype(
        np.uint8
    )


def test_a_dot_colours_the_thing_and_not_a_disc() -> None:
    down, right = np.mgrid[:144, :256]
    far = np.hypot(down - 72, right - 100)
    where = drawn([(85 / 256, 60 / 144)], 0.02, (144, 256))
    mask = spread(still_life(), [Stroke(where, (40.0, 20.0))])[..., 2]
    assert mask[where].min() == 1
    assert mask[far < 36].min() > 0.85
    assert mask[far > 44].max() < 0.1


def test_what_is_painted_is_exact_and_the_last_stroke_lies_on_top() -> None:
    one, other = drawn([(0.3, 0.5), (0.6, 0.5)], 0.05, (144, 256)), drawn([(0.4, 0.5)], 0.02, (144, 256))
    planes = spread(still_life(), [Stroke(one, (40.0, 20.0)), Stroke(other, (-30.0, 5.0))])
    assert (planes[other] == (-30, 5, 1)).all()
    assert (planes[one & ~other] == (40, 20, 1)).all()


def test_two_colours_meet_where_things_meet() -> None:
    ball = drawn([(100 / 256, 0.5)], 0.02, (144, 256))
    wall = drawn([(0.9, 0.5)], 0.02, (144, 256))
    planes = spread(still_life(), [Stroke(ball, (40.0, 20.0)), Stroke(wall, (0.0, -30.0))])
    down, right = np.mgrid[:144, :256]
    far = np.hypot(down - 72, right - 100)
    assert planes[far < 36][:, 0].min() > 30
    near_wall = (far > 44) & (right > 130)
    assert planes[near_wall][:, 0].max() < 4


def test_a_brush_is_round_as_the_film_is_shown() -> None:
    where = drawn([(0.5, 0.5)], 0.1, (144, 128), wide=2.0)  # pixels twice as wide as high
    rows, columns = where.any(1).sum(), where.any(0).sum()
    assert abs(rows - 2 * columns) <= 2
    assert abs(columns - 0.2 * 128) <= 1
    assert drawn([(1.0, 1.0)], 1e-6, (144, 128)).sum() == 1  # a pixel at least


def test_hints_are_painted_over_a_ground() -> None:
    light = torch.from_numpy(still_life().astype(np.float32) / 255)[None, None]
    ground = torch.full((1, 2, 144, 256), -20.0), torch.ones(1, 1, 144, 256)
    ab, mask = laid(light, [dot(100 / 256, 0.5)], ground)
    assert (mask == 1).all()
    assert torch.allclose(ab[0, :, 72, 100], ab_of(RED).flatten(), atol=0.01)
    assert torch.allclose(ab[0, :, 5, 250], torch.tensor((-20.0, -20.0)), atol=0.1)


# films


def test_a_stroke_colours_its_shot_and_no_other(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    stroke = Hint("#a06040", 0.5, ((0.0, 0.5), (1.0, 0.5)), frame=4)  # all over
    plain = chroma(list(colorize(film, options())))
    made = chroma(list(colorize(film, options(hints=written(tmp_path / "hints.json", stroke)))))
    assert np.array_equal(made[7:], plain[7:])
    luma = (
        torch.from_numpy(np.stack([moving_picture(t, SIZE) for t in range(7)]).astype(np.float32) - 16)[:, None] / 219
    )
    ab = ab_of("#a06040").expand(7, 2, *SIZE)
    true = 224 * chroma_from_rgb(rgb_at_luma(ab, luma, "bt601"), "bt601")[:, :, ::2, ::2].numpy()
    assert np.abs(made[:7] - true).mean() < CLOSE


@pytest.mark.parametrize("time", [0.16, 0.1599, 0.19])
def test_a_time_means_the_frame_that_is_shown_then(film: Path, time: float) -> None:
    hints = Hints((dot(frame=6), replace(dot(), frame=None, time=time)))
    found = Scout((48, 64), print, lambda: None).find(VideoSource(film), Wanted(hints=hints), (None, None))
    assert [(key.index, key.hints) for key in found.keys] == [(4, hints.hints[1:]), (6, hints.hints[:1])]


def test_a_grey_hint_asks_for_grey(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    stroke = Hint("#808080", 0.5, ((0.5, 0.5),), frame=0)
    made = chroma(list(colorize(film, options(hints=written(tmp_path / "hints.json", stroke)))))
    assert np.abs(made[0, :, 10:-10, 10:-10]).max() <= 1


def test_hints_lie_over_a_key_of_the_same_frame(film: Path, tmp_path: Path, reel: LoadedModel) -> None:
    keys = paint(tmp_path / "keys" / "4.png", 4, 0).parent
    stroke = Hint("#808080", 0.1, ((0.5, 0.5),), frame=4)
    chosen = options(keys, hints=written(tmp_path / "hints.json", stroke))
    made = chroma(list(colorize(film, chosen)))
    assert np.abs(made[4][:, 23:25, 31:33]).max() <= 1
    assert np.abs(wanted(4, 0)[:, 23:25, 31:33]).max() > 10  # or there was nothing to see


@pytest.mark.parametrize(
    ("hint", "sentence"),
    [
        (dot(frame=10), r"hint 2 is on frame 10, but the film has 10 frames, numbered from 0, and lasts 0\.400 s"),
        (replace(dot(), frame=None, time=0.41), r"hint 2 is at 0\.41 s, but the film"),
    ],
)
def test_a_hint_beyond_the_film_ends_the_run_before_anything_is_written(
    film: Path, tmp_path: Path, reel: LoadedModel, hint: Hint, sentence: str
) -> None:
    hints = written(tmp_path / "hints.json", dot(), hint)
    with pytest.raises(InputError, match=sentence):
        restore(film, tmp_path / "out.mkv", options(hints=hints))
    assert not list(tmp_path.glob("*out*"))


def test_hints_for_what_cannot_have_any_are_refused(film: Path, tmp_path: Path) -> None:
    hints = written(tmp_path / "hints.json", dot())
    with pytest.raises(UsageError, match="pipe"):
        restore("-", tmp_path / "out.mkv", options(hints=hints))
    Image.new("RGB", (64, 48), "gray").save(tmp_path / "still.png")
    with pytest.raises(UsageError, match="still picture"):
        restore(tmp_path / "still.png", tmp_path / "out.png", options(hints=hints))
    assert main(["restore", str(film), str(film), "-o", str(tmp_path / "out/"), "--hints", hints]) == 2


def test_hints_that_are_none_end_the_run_with_exit_code_3(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hints.json").write_text(whole(color="#ffffff"))
    for name in ("hints.json", "missing.json"):
        assert main(["restore", str(film), "--hints", str(tmp_path / name)]) == 3
        assert name in capsys.readouterr().err
    assert not list(tmp_path.glob("*color*"))


def test_changed_hints_do_not_go_on_with_old_work(
    film: Path, tmp_path: Path, reel: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidcolor import resume
    from vidcolor.watch import Watcher

    class Stopper(Watcher):
        found = -1

        def resumed(self, frames: int) -> None:
            self.found = frames

        def progressed(self, frame: int) -> None:
            if frame == 8:
                raise KeyboardInterrupt

    monkeypatch.setattr(resume, "SHORTEST", 3)
    monkeypatch.setattr(resume, "LONGEST", 4)
    path, found = tmp_path / "hints.json", []
    for colour in (RED, RED, "#2020c0"):
        chosen = options(hints=written(path, dot(colour=colour)), resume=True)
        stopper = Stopper()
        with pytest.raises(KeyboardInterrupt):
            restore(film, tmp_path / "out.mkv", chosen, stopper)
        found.append(stopper.found)
    assert found[0] == found[2] == 0 < found[1]
