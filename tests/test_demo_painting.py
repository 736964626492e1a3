"""Promises of the page's shot view: frames are found, hints are judged, colours go where they were painted."""

from __future__ import annotations

import asyncio
import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeFilm, moving_picture
from numpy.typing import NDArray
from pages import Page, file_data, small_film, stream, upload
from PIL import Image

from demo import easel, painting, parts, rooms
from demo.gate import Gate
from demo.guides import MOST_HINTS, MOST_TEXT, Guides, frame_at, hints_of
from demo.options import Limits
from demo.painting import Painting, window
from demo.rooms import House, Refused
from streams.errors import InputError
from vidcolor.brake import Brake
from vidcolor.guide.choose import Wish
from vidcolor.guide.hints import Hint, Hints, parse_hints
from vidcolor.guide.keyframes import write_keyframes

SIZE = (96, 128)
BLUE = "#2038c8"


def shots_of(film: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], str]:
    """The shots of a film as the gate tells them, and where the visitor has it."""
    monkeypatch.setattr(rooms.tempfile, "tempdir", str(folder))
    house = House(60)
    visitor = house.welcome()
    path = visitor.new_path(film.name)
    path.write_bytes(film.read_bytes())
    facts = asyncio.run(Gate(Limits()).seen(visitor, str(path)))
    return facts["shots"], str(path)


def only(shots: list[dict[str, Any]], film: str, number: int) -> dict[str, Any]:
    """The order for one frame."""
    return painting.only(film, *painting.shot_of(shots, number))


def quiet(event: str, **values: object) -> None:
    del event, values


def picture_in(address: str) -> NDArray[np.float32]:
    return np.asarray(Image.open(BytesIO(base64.b64decode(address.partition(",")[2]))), dtype=np.float32)


def hints(*made: Hint) -> dict[str, Any]:
    from vidcolor.guide.hints import json_of

    return dict(json.loads(json_of(Hints(made))))


# Shots and frames


def test_each_shot_shows_the_frame_that_keyframes_chooses(
    make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film(frames=30, cuts=(12,), size=SIZE)
    shots, _ = shots_of(film, tmp_path, monkeypatch)
    write_keyframes(film, tmp_path / "keys", Wish(1))
    chosen = sorted(path.stem for path in (tmp_path / "keys").glob("*.png"))
    assert [f"{shot['frame']:08d}" for shot in shots] == chosen
    assert [(shot["first"], len(shot["times"])) for shot in shots] == [(0, 12), (12, 18)]
    assert shots[1]["time"] == pytest.approx(shots[1]["frame"] * 0.04, abs=1e-3)


def test_a_frame_is_found_by_its_number_where_times_are_uneven_and_begin_late(
    make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = [300 + 33 * index + 11 * (index % 3) for index in range(20)]
    film = make_film(frames=20, cuts=(9,), stamps=stamps, size=SIZE, sound=True)
    shots, path = shots_of(film, tmp_path, monkeypatch)
    for number in (0, 1, 8, 9, 10, 19):
        told = easel.still(only(shots, path, number), quiet, Brake())
        true = (moving_picture(number, SIZE, int(number >= 9)).astype(np.float32) - 16) * (255 / 219)
        near = [np.abs(picture_in(told["picture"]) - np.clip(true, 0, 255)).mean()]
        for other in (number - 1, number + 1):
            wrong = (moving_picture(other, SIZE, int(other >= 9)).astype(np.float32) - 16) * (255 / 219)
            near.append(np.abs(picture_in(told["picture"]) - np.clip(wrong, 0, 255)).mean())
        assert near[0] < 2 < min(near[1:]), "JPEG errs by one or two; neighbours are other pictures"


@pytest.mark.parametrize(
    ("count", "step", "here"), [(10, 0.04, 5), (400, 0.04, 0), (400, 0.04, 399), (900, 0.004, 300)]
)
def test_a_preview_is_a_few_seconds_of_the_shot_around_the_frame(count: int, step: float, here: int) -> None:
    shot = {"first": 100, "times": [10 + step * index for index in range(count)]}
    first, stop = window(shot, 100 + here)
    assert 100 <= first <= 100 + here < stop <= 100 + count
    assert stop - first <= painting.MOST_FRAMES
    assert shot["times"][stop - 101] - shot["times"][first - 100] <= painting.SECONDS


# Hints


def test_times_of_hints_become_the_frames_that_are_shown_then() -> None:
    shots = [{"first": 0, "times": [1.0, 1.04, 1.08]}, {"first": 3, "times": [1.12, 1.5]}, {"first": 5, "picture": ""}]
    asked = [(0, 0), (0.0399, 1), (0.05, 1), (0.12, 3), (0.3, 3), (0.5, 4), (9, None)]
    assert [frame_at(shots, time) for time, _ in asked] == [frame for _, frame in asked]
    text = json.dumps(hints(Hint(BLUE, 0.1, ((0.5, 0.5),), time=0.05), Hint(BLUE, 0.1, ((0.5, 0.5),), frame=3)))
    assert [hint.frame for hint in hints_of(text, shots).hints] == [1, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "deep|not JSON"),
        ('{"format": "vidcolor-hints", "version": 1, "hints": [], "brush": 1}', "brush"),
        (json.dumps(hints(*[Hint(BLUE, 0.1, ((0.5, 0.5),), frame=1)] * (MOST_HINTS + 1))), str(MOST_HINTS)),
        (" " + "x" * MOST_TEXT, "1 MB"),
    ],
)
def test_hints_that_make_no_sense_are_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as refusal:
        hints_of(text, [])
    assert str(refusal.value).endswith(".")


def test_what_is_painted_on_a_part_of_a_film_keeps_its_frames(tmp_path: Path) -> None:
    dots = [Hint(BLUE, 0.1, ((0.5, 0.5),), frame=frame) for frame in (3, 10, 12)]
    keys = {number: tmp_path / f"{number}.png" for number in (9, 11)}
    keys[11].write_bytes(b"picture")
    part = Guides(Hints(tuple(dots)), keys).within(10, 12)
    assert [hint.frame for hint in part.hints.hints] == [0]
    assert part.keys == {1: keys[11]}
    shots = [{"first": first, "times": [0.04 * number for number in range(first, first + 8)]} for first in (0, 8)]
    later = Guides(Hints(tuple(dots)), keys).between([{"first": 16}, *shots], 0.36, 0.44)
    assert ([hint.frame for hint in later.hints.hints], later.keys) == ([10], {9: keys[9]}), "numbered as before"
    options = part.written(tmp_path)
    assert (Path(options["keys"]) / "00000001.png").read_bytes() == b"picture"
    assert parse_hints(Path(options["hints"]).read_text(encoding="utf-8")) == part.hints


# Coloured pictures of a frame


def test_a_coloured_picture_of_another_frame_or_shape_or_without_colour_is_refused(
    make_film: MakeFilm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots, path = shots_of(make_film(frames=20, cuts=(10,), size=SIZE), tmp_path, monkeypatch)
    light = moving_picture(4, SIZE).astype(np.float32)
    tinted = np.clip(np.stack((light * 1.2, light, light * 0.5), -1), 0, 255).astype(np.uint8)
    pictures = {
        "good": tinted,
        "grey": np.repeat(light.astype(np.uint8)[..., None], 3, -1),
        "shape": tinted[:, :60],
    }
    for name, samples in pictures.items():
        Image.fromarray(samples).save(tmp_path / f"{name}.png")
    painted = easel.key({**only(shots, path, 4), "coloured": str(tmp_path / "good.png")}, quiet, Brake())
    red, _, blue = np.moveaxis(picture_in(painted["picture"]), -1, 0)
    assert (red - blue).mean() > 40
    for name, number, said in (("grey", 4, "no colour"), ("shape", 4, "shape"), ("good", 15, "another frame")):
        with pytest.raises(InputError, match=said) as refusal:
            easel.key({**only(shots, path, number), "coloured": str(tmp_path / f"{name}.png")}, quiet, Brake())
        assert str(tmp_path) not in str(refusal.value), "where the page keeps files is nobody's business"


# What is left behind


def test_previews_of_a_page_leave_their_last_few_files_and_those_that_failed_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms.tempfile, "tempdir", str(tmp_path))
    visitor = House(60).welcome()
    shelf = painting.Shelf.of(visitor, "page")
    made = []
    for number in range(painting.KEPT + 2):
        made.append(visitor.new_path("result").parent / "painted.mp4")
        with shelf.keeping(made[-1].parent) as keep:
            made[-1].write_bytes(b"film")
            if number:
                keep([str(made[-1])])
                assert visitor.owns(str(made[-1]))
    assert [path.exists() for path in made] == [False, False] + [True] * painting.KEPT
    assert all(visitor.owns(str(path)) == path.exists() for path in made)
    plain = [shelf.plain_of(f"shot {number}") for number in range(painting.KEPT + 1)]
    assert [path.is_dir() for path in plain] == [False] + [True] * painting.KEPT
    assert shelf.plain_of("shot 2") == plain[2]
    assert painting.Shelf.of(visitor, "page") is shelf
    assert painting.Shelf.of(visitor, "another") is not shelf


# Without what it needs


def test_without_opencv_the_shot_view_says_so_and_offers_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(painting.importlib.util, "find_spec", lambda name: None)
    facts = {"name": "a", "sound": [], "width": 1, "height": 1, "depth": 8, "codec": "", "container": "", "bytes": 1}
    facts |= {"subtitles": 0, "chapters": 0, "shots": [{"number": 1, "start": 0.0, "picture": "data:,"}]}
    assert "needs OpenCV" in parts.facts(facts)
    monkeypatch.setattr(rooms.tempfile, "tempdir", str(tmp_path))
    house = House(60)
    room = Painting(Limits(), house, None, Gate(Limits()))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="OpenCV"):
        asyncio.run(room.still(house.welcome(), "page", "film", 0))


# By the named addresses


def test_a_programme_lists_shots_paints_on_one_and_restores_the_film_so(page: Page, tmp_path: Path) -> None:
    film = small_film(tmp_path / "old film.mp4", frames=15, cut=5, size=(108, 192))
    with page.client() as visitor:
        given = file_data(upload(visitor, film))
        shots = stream(visitor, "shots", film=given)[-1]
        assert [shot["first"] for shot in shots] == [0, 5]
        painted = hints(Hint(BLUE, 0.2, ((0.3, 0.5), (0.5, 0.5)), time=shots[1]["time"]))
        again = file_data(upload(visitor, film))
        last = stream(visitor, "shot", film=again, frame=shots[1]["frame"], hints=painted)[-1]
        assert last["frames"] == 10
        automatic, as_painted = (fetched(visitor, one) for one in last["pair"])
        assert blueness(as_painted) > blueness(automatic) + 15, "colours went where they were painted"
        other = stream(visitor, "shot", film=given, frame=0, hints=painted)[-1]
        assert not other.get("beside"), "nothing is painted on that shot"
        begin, seconds = shots[1]["start"], 15 / 25
        shown = [
            fetched(
                visitor, stream(visitor, "preview", film=given, start=start, seconds=seconds, hints=some)[-1]["pair"][1]
            )
            for start, some in ((begin, {}), (begin, painted))
        ]
        assert blueness(shown[1]) > blueness(shown[0]) + 15, "a preview of that part shows it"
        numbered = hints(Hint(BLUE, 0.2, ((0.3, 0.5), (0.5, 0.5)), frame=shots[1]["frame"]))
        fresh = file_data(upload(visitor, film))
        last = stream(visitor, "preview", film=fresh, start=begin, seconds=seconds, hints=numbered)[-1]
        assert blueness(fetched(visitor, last["pair"][1])) > blueness(shown[0]) + 15, "though nobody had looked at it"
        assert stream(visitor, "preview", film=given, seconds=0.16, hints=painted)[-1]["frames"] == 4, "none is there"
        done = stream(visitor, "restore", film=given, hints=painted)[-1]
        assert done["frames"] == 15
        kept = visitor.get(f"/gradio_api/file={done['hints']['path']}")
        (kept_hint,) = parse_hints(kept.text).hints
        assert (kept_hint.frame, kept_hint.colour) == (shots[1]["frame"], BLUE)
        assert kept.headers["content-disposition"].startswith("attachment")
        with pytest.raises(AssertionError, match="hint 1"):
            stream(visitor, "restore", film=given, hints={**painted, "hints": [{"frame": 1}]})


def fetched(visitor: Any, given: dict[str, Any]) -> NDArray[np.float32]:  # noqa: ANN401
    answer = visitor.get(f"/gradio_api/file={given['path']}").raise_for_status()
    return np.asarray(Image.open(BytesIO(answer.content)), dtype=np.float32)


def blueness(picture: NDArray[np.float32]) -> float:
    """How blue the painted place is."""
    height, width = picture.shape[:2]
    red, _, blue = np.moveaxis(
        picture[int(0.45 * height) : int(0.55 * height), int(0.3 * width) : int(0.5 * width)], -1, 0
    )
    return float((blue - red).mean())
