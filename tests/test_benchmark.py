"""The benchmark measures what it says: children counted, medians taken, both programs told the same."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import chart, film, fps, network, peers, spent, stages
from benchmarks.result import Result, table
from benchmarks.spent import Spent
from vidcolor.options import Options

BUSY = "import time; end = time.process_time() + 0.15\nwhile time.process_time() < end: pass"
OPTIONS = Options(codec="h264", crf=18, preset="veryfast", ffmpeg="ffmpeg")
needs_cpu_of_children = pytest.mark.skipif(spent.resource is None, reason="this system does not tell it")


@needs_cpu_of_children
def test_a_programs_cpu_time_is_counted_and_its_sleep_is_not() -> None:
    busy, idle = (spent.program([sys.executable, "-c", code]) for code in (BUSY, "import time; time.sleep(0.3)"))
    assert busy.cpu is not None
    assert idle.cpu is not None
    assert busy.cpu >= 0.15
    assert idle.cpu < idle.wall
    assert idle.wall >= 0.3
    assert busy.peak is not None
    assert busy.peak > 1_000_000


@needs_cpu_of_children
def test_children_of_children_are_counted() -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}], check=True)"
    measured = spent.program([sys.executable, "-c", nested])
    assert measured.cpu is not None
    assert measured.cpu >= 0.15


def test_without_wait4_the_children_are_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.wait4", raising=False)
    measured = spent.child([sys.executable, "-c", BUSY])
    assert measured.wall >= 0.15
    assert measured.cpu is None or measured.cpu >= 0.15


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        spent.program([sys.executable, "-c", "raise SystemExit('no such luck')"])


@needs_cpu_of_children
def test_a_programs_memory_is_its_own() -> None:
    held = np.ones(40_000_000)  # 320 MB in this process
    measured = spent.program([sys.executable, "-c", ""])
    assert measured.peak is not None
    assert measured.peak < held.nbytes / 2


def test_work_in_this_process_is_counted() -> None:
    assert spent.work(lambda: sum(range(1000))).wall >= 0


def test_medians_are_taken_figure_by_figure() -> None:
    assert spent.middle([Spent(1, 9, 5), Spent(3, 7, 8), Spent(2, 8, 6)]) == Spent(2, 8, 8)
    assert spent.middle([Spent(1, None), Spent(2, None)]) == Spent(1.5, None, None)


def test_starting_up_is_taken_off() -> None:
    assert Spent(10, 8, 7).less(Spent(4, 2, 6)).share(2) == Spent(3, 3, 7)
    assert Spent(10, None).less(Spent(4, 2)).cpu is None


def test_both_programs_get_the_same_encoder_settings() -> None:
    lists = [words(Path("a.mkv"), Path("b.mkv"), OPTIONS) for words in (fps.restore_words, fps.plain_words)]
    for option, value in (("crf", "18"), ("preset", "veryfast")):
        found = [next(words[i + 1] for i, word in enumerate(words) if word.lstrip("-") == option) for words in lists]
        assert found == [value, value]
    assert "libx264" in lists[1]
    assert lists[1][0] == lists[0][lists[0].index("--ffmpeg") + 1]


def test_the_film_is_long_enough_and_of_its_size(tmp_path: Path) -> None:
    film.make(fps.SAMPLE, tmp_path / "one.mkv", (96, 54), 5)
    with av.open(str(tmp_path / "one.mkv")) as made:
        frames = list(made.decode(made.streams.video[0]))
    assert [(frame.width, frame.height) for frame in frames] == [(96, 54)] * 5


def test_the_pictures_of_the_film_are_always_the_same() -> None:
    """Before they are coded: x264 itself gives other bytes now and then at such small sizes, with one thread too."""
    one, two = ([*islice(film.with_grain(film.enlarged(fps.SAMPLE, (96, 54)), (96, 54)), 5)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], one[1])


def test_a_film_plays_forwards_and_backwards_for_ever() -> None:
    pictures = [np.full((2, 2), value, np.uint8) for value in range(3)]
    played = [int(picture[0, 0]) for picture in islice(film.there_and_back(iter(pictures)), 8)]
    assert played == [0, 1, 2, 2, 1, 0, 0, 1]


def test_grain_has_the_strength_that_is_stated() -> None:
    flat = [np.full((120, 160), 100, np.uint8)] * 2
    first, second = film.with_grain(iter(flat), (160, 120))
    # a part of the field, in whole code values: its own sd lies a few percent off
    assert first.std() == pytest.approx(film.GRAIN, rel=0.1)
    assert abs(float(first.mean()) - 100) < 1
    assert not np.array_equal(first, second)


def result(whole: Spent, plain: Spent, stages: dict[str, Spent]) -> Result:
    return Result("480p", "fast", 60, stages, whole, plain, Spent(2, 1.5), 1.25, 3_000_000, (0, 0))


def test_the_table_shows_cost_speed_and_ratio(tmp_path: Path) -> None:
    costs = {"decode": Spent(0.01, 0.005, own=0.005), "encode": Spent(0.01, 0.007, own=0.002)}
    told = result(Spent(0.05, 0.04, 5 << 20), Spent(0.02, 0.02), costs)
    text = table([told])
    assert "| decode | 5.0 (100) |" in text
    assert "| **whole / plain** | **2.00** |" in text
    assert "| our own beside decoder and network | 2.0 |" in text
    assert "| starting up, core-s once | 1.5 |" in text
    assert "| first picture out, s | 1.2 |" in text
    assert "| scratch on disk, MB | 3.0 |" in text
    chart.draw([told], tmp_path / "chart.png", "a machine")
    with Image.open(tmp_path / "chart.png") as drawn:
        assert drawn.width > 500


def test_a_system_that_tells_no_cpu_time_gets_no_ratio() -> None:
    told = result(Spent(1, None), Spent(1, None), {})
    assert told.ratio is told.overlap is told.ours is None
    assert "| **whole / plain** | ? |" in table([told])


def test_no_waiting_core_is_an_overlap_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    told = result(Spent(0.03, 0.05), Spent(1, 1), {"decode": Spent(1, 0.02), "encode": Spent(1, 0.04)})
    assert told.overlap == pytest.approx(1)
    assert told.share == pytest.approx(0.05 / 0.06)


def test_what_lies_on_the_disk_for_a_while_is_seen(tmp_path: Path) -> None:
    with spent.Watch(tmp_path) as seen:
        (tmp_path / "heap").write_bytes(bytes(5000))
        time.sleep(0.5)
        (tmp_path / "heap").unlink()
    assert seen.most == 5000


def test_the_first_words_are_waited_for_and_no_more() -> None:
    words = "import sys, time; sys.stdout.write('x' * 10); sys.stdout.flush(); time.sleep(60)"
    assert spent.first_words([sys.executable, "-c", words], 10) < 30
    with pytest.raises(RuntimeError, match="0 bytes of 10"):
        spent.first_words([sys.executable, "-c", ""], 10)


def test_every_stage_is_measured(make_film: Callable[..., Path], tmp_path: Path) -> None:
    options = replace(OPTIONS, device="cpu", side=32)
    told = dict(stages.once(stages.Bench(make_film("film.mkv"), tmp_path / "out.mkv", options), 4))
    assert list(told) == [*stages.STAGES, stages.PASSTHROUGH]
    # what a few small frames cost an encoder more than one does is less than what its start varies by
    assert all(told[name].wall > 0 for name in ("decode", "small luma", "network", "chroma"))


def test_the_networks_work_is_counted_and_set_against_what_the_machine_can(capsys: pytest.CaptureFixture[str]) -> None:
    small, large = (network.gflop("reel", size) for size in ((32, 32), (64, 64)))
    assert large == pytest.approx(4 * small, rel=0.02)
    threads = torch.get_num_threads()
    assert network.main(["--sizes", "64x64", "--tries", "1", "--batches", "1", "2"]) == 0
    torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1:3] for line in lines[2:4]] == [[" 64x64 ", " 1 "], [" 64x64 ", " 2 "]]
    assert "GFLOP/s of the yardsticks: convolution" in lines[-1]


def test_peers_are_set_against_our_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS", (peers.Peer("plain", "here", (8, 8), lambda _: torch.nn.Conv2d(3, 4, 1)),))
    costs = [peers.Cost("ours", (8, 8), 1, 1, 0.01), peers.measure(peers.PEERS[0], tmp_path, 1)]
    assert costs[1].gflop == pytest.approx(2 * 3 * 4 * 64 / 1e9)
    assert "| plain | 8x8 | 0.0 |" in peers.table(costs)
    told = {"results": [{"size": "480p", "preset": "fast", "whole": {"cpu": costs[1].cpu / 7}}]}
    (tmp_path / "fps.json").write_text(json.dumps(told))
    assert "480p fast 7" in peers.shares(costs, tmp_path / "fps.json")
