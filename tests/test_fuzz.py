"""Any bytes end well: damaged films of many kinds, by file and by pipe, and what such films once brought to light."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest
import specimens
from mutants import CHANGES, mutant
from outlets import ffmpeg, kinds, lumas, plan, rewrite, times
from PIL import Image
from reels import frame_of, textures, write_film
from warden import Case, Warden, draw, judge_all

from streams.reading.film import _usual_rate
from streams.still import encode_still, read_still
from streams.writing.rehearsal import refused
from vidcolor.cli import main

COUNT, JOBS, SEED = 200, 2, "house"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return specimens.make(tmp_path_factory.mktemp("samples"))


def test_damaged_films_never_crash_hang_bloat_or_leave_anything(samples: list[Path], tmp_path: Path) -> None:
    faults: list[str] = []

    def tell(case: Case, verdict: str | None) -> None:
        faults.extend([f"{case.label}: {verdict}"] if verdict else [])

    judge_all(lambda number: draw(samples, f"{SEED}:{number}"), COUNT, JOBS, tmp_path, tell)
    assert not faults, "\n".join(faults)


def test_whole_films_of_every_kind_are_restored(samples: list[Path], tmp_path: Path) -> None:
    faults: list[str] = []

    def whole(number: int) -> Case:
        sample = samples[number]
        name = f"film{sample.suffix}"
        return Case(sample.name, name, sample.read_bytes(), ("restore", name), piped=False)

    def tell(case: Case, verdict: str | None) -> None:
        faults.extend([f"{case.label}: {verdict}"] if verdict else [])

    judge_all(whole, len(samples), JOBS, tmp_path, tell)
    assert not faults, "\n".join(faults)


_MISDEEDS = (
    ("import os; os.abort()", "death"),
    ("import time; time.sleep(60)", "hang"),
    ("sys.stderr.write('Traceback'); return 3", "a traceback"),
    ("return 7", "exit 7"),
    ("open('left', 'w').close(); return 3", "exit 3 with new files"),
    ("open('film.mkv', 'ab').write(b'x'); return 3", "touched"),
    ("open(os.environ['TMPDIR'] + '/left', 'w').close(); return 3", "left behind"),
    ("sys.stderr.write('words'); return 3", "no JSON"),
    (
        "open('out.mkv', 'w').close(); sys.stderr.write('{\"event\": \"done\", \"frame\": 1}'); return 0",
        "cannot be read",
    ),
)


def test_the_judge_sees_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A victim whose command does nothing but what it is told, and so misbehaves in each way there is."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types, vidcolor.cli\n"
        "def bad(words):\n"
        "    room = {}\n"
        "    exec('def work():\\n    import os, sys\\n    ' + words[1], room)\n"
        "    return room['work']()\n"
        "vidcolor.cli.main = bad\n"
        "sys.modules['torch'] = types.SimpleNamespace(set_num_threads=lambda count: None)\n"
        "sys.modules['conftest'] = types.SimpleNamespace(tiny_model=lambda: None)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "cell").mkdir()
    with Warden(tmp_path / "cell", patience=6) as warden:
        for code, words in _MISDEEDS:
            verdict = warden.judge(Case("it", "film.mkv", b"film", ("restore", code), piped=False))
            assert words in (verdict or ""), (code, verdict)


def test_mutants_depend_on_their_seed_alone() -> None:
    data, other = bytes(range(256)) * 8, b"ftypmoov" * 99
    drawn = [mutant(f"1:{number}", data, other) for number in range(60)]
    assert drawn == [mutant(f"1:{number}", data, other) for number in range(60)]
    assert len(set(drawn)) > 50
    assert all(change.__doc__ for change in CHANGES)


# ------------------------------------------------- what damaged films have shown


def test_a_tag_that_is_not_text_does_not_end_the_run(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(3)])
    ffmpeg("-i", film, "-c:v", "flv", "-metadata", "title=" + "t" * 12, tmp_path / "a.flv")
    damaged = (tmp_path / "a.flv").read_bytes().replace(b"t" * 12, b"t\xff\xfe" * 4)
    (tmp_path / "a.flv").write_bytes(damaged)
    assert rewrite(tmp_path / "a.flv", tmp_path / "b.mp4") == 3


def test_sound_that_nobody_knows_is_left_out_and_said(tmp_path: Path, samples: list[Path]) -> None:
    film = next(path for path in samples if path.name == "ffv1.mkv")
    old, new = tmp_path / "a.mkv", tmp_path / "b.mkv"
    old.write_bytes(film.read_bytes().replace(b"A_FLAC", b"A_FLAX"))
    assert "stream 1 (audio, unknown) cannot be held by Matroska and is left out" in plan(old, new).warnings
    assert rewrite(old, new) == 8
    assert [kind for kind, _ in kinds(new)] == ["video"]


def test_a_stream_that_spoils_the_file_is_found_before_work_begins(samples: list[Path]) -> None:
    by_name = {path.name: path for path in samples}
    assert refused(by_name["ffv1.mkv"], [1], "matroska") == frozenset()
    assert refused(by_name["ffv1.mkv"], [1], "webm") == {1}
    assert refused(by_name["rich.mkv"], [1, 2], "matroska") == frozenset()
    assert refused(by_name["rich.mkv"], [1, 2], "avi") == {2} or refused(by_name["rich.mkv"], [1, 2], "avi") == {1, 2}


@pytest.mark.parametrize("target", ["b.avi", "b.mkv", "b.mpg"])
def test_a_cut_between_two_ticks_keeps_every_picture_and_its_sound_in_step(
    tmp_path: Path, samples: list[Path], target: str
) -> None:
    film = next(path for path in samples if path.name == "packed.avi")
    assert rewrite(film, tmp_path / target, (Fraction(1, 10), Fraction(3, 10))) == 5
    whole, cut = lumas(film), lumas(tmp_path / target)
    assert len(cut) == 5
    assert np.abs(cut[-1].astype(int) - whole[7]).mean() < 8, "the last picture is another one"
    if target == "b.mkv":
        first = next(iter(times(tmp_path / target)))
        with av.open(str(tmp_path / target)) as opened:
            sound = next(packet for packet in opened.demux(audio=0) if packet.size)
            # Pictures of 1/25 s: the first is that of 0.12 s; the packet of sound that was taken began 0.1 s in, or
            # up to a packet (1024 samples of 8000) later.
            begins = float((sound.pts or 0) * (sound.time_base or 1)) - float(first) + 0.12
        assert 0.099 <= begins <= 0.1 + 1024 / 8000


@pytest.mark.parametrize("target", ["b.avi", "b.mpg", "b.ogg"])
def test_pictures_closer_than_a_beat_are_all_written(tmp_path: Path, target: str) -> None:
    film = write_film(tmp_path / "a.mkv", [frame_of(luma) for luma in textures(6)], stamps=[0, 40, 41, 42, 120, 160])
    with av.open(str(film)) as opened:
        rate = opened.streams.video[0].average_rate
    assert rewrite(film, tmp_path / target) == 6, rate
    assert len(lumas(tmp_path / target)) == 6


def test_pictures_that_are_all_equal_are_all_written(tmp_path: Path) -> None:
    luma = textures(1)[0]
    write_film(tmp_path / "a.mkv", [frame_of(luma) for _ in range(8)])
    assert rewrite(tmp_path / "a.mkv", tmp_path / "b.ogg") == 8
    assert len(lumas(tmp_path / "b.ogg")) == 8


def test_a_jpeg_segment_whose_length_lies_does_not_spoil_the_output(tmp_path: Path) -> None:
    Image.fromarray(textures(1)[0]).save(tmp_path / "a.jpg", comment=b"x")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data.replace(b"\xff\xfe\0\x03x", b"\xff\xfe\0\0"))
    still = read_still(tmp_path / "a.jpg")
    page = still.pages[0]
    (tmp_path / "b.jpg").write_bytes(encode_still(still, [(np.full_like(page.luma, 130),) * 2], mark="mark"))
    with Image.open(tmp_path / "b.jpg") as image:
        image.load()


def test_a_rate_that_is_only_the_clocks_is_no_rate() -> None:
    rate = Fraction(1000)
    codec = SimpleNamespace(framerate=rate)
    stream: Any = SimpleNamespace(average_rate=rate, guessed_rate=rate, codec_context=codec)
    assert _usual_rate(cast("av.VideoStream", stream)) is None
    stream.guessed_rate = Fraction(24)
    assert _usual_rate(cast("av.VideoStream", stream)) == 24
    stream.guessed_rate, codec.framerate = Fraction(50), Fraction(25)
    assert _usual_rate(cast("av.VideoStream", stream)) == 25


@pytest.mark.usefixtures("tiny")
def test_a_strict_run_ends_where_others_warn(tmp_path: Path, samples: list[Path]) -> None:
    by_name = {path.name: path.read_bytes() for path in samples}
    (tmp_path / "cut.mp4").write_bytes(by_name["mpeg4.mp4"][:-3000])
    (tmp_path / "rich.mkv").write_bytes(by_name["rich.mkv"])
    before = sorted(tmp_path.iterdir())
    for film, target, code in (("cut.mp4", "new.mkv", 3), ("rich.mkv", "new.avi", 4)):
        words = ["restore", str(tmp_path / film), "-o", str(tmp_path / target), "-q"]
        assert main([*words, "--strict"]) == code
        assert sorted(tmp_path.iterdir()) == before
        assert main(words) == 0
        (tmp_path / target).unlink()
