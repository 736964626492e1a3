"""The report measures what the product would do, beside rows whose figures are known beforehand."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from streams.errors import InputError, UsageError
from vidcolor.colorizer import Colorizer, Spec, State
from vidcolor.evaluate import bins, command, lab, options, paint, report, samples
from vidcolor.evaluate.paint import Setting

MakeFilm = Callable[..., Path]


class Counting(Colorizer):
    """A network that tells how many frames it has seen: a* is the number of the frame since its memory was empty."""

    spec = Spec("counting", side=32, stride=8, scale=2, licence="MIT", needs_state=True)
    temperature = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        time, _, height, width = light.shape
        seen = state.tensors.get("seen", torch.zeros(())) + torch.arange(time)
        ab = torch.zeros(time, 2, height // 2, width // 2)
        ab[:, 0] = seen[:, None, None]
        ab[:, 1] = self.temperature
        return ab * self.one, State({"seen": seen[-1] + 1})


def still(colour: tuple[int, int, int] = (180, 120, 60), size: tuple[int, int] = (24, 32)) -> samples.Sample:
    picture = np.full((*size, 3), colour, np.uint8)
    picture[: size[0] // 2] = (40, 90, 160)
    return samples.picture_sample("still", picture)


def film(frames: int = 6, cuts: tuple[int, ...] = ()) -> samples.Sample:
    luma = np.full((frames, 24, 32), 0.5, np.float32)
    return samples.Sample("film", luma, luma, np.repeat(luma[..., None], 3, -1), "bt601", cuts)


def test_a_limit_takes_pictures_spread_evenly_and_always_the_same() -> None:
    assert samples.pick(10, 5) == [0, 2, 4, 6, 8]
    assert samples.pick(3, None) == samples.pick(3, 7) == [0, 1, 2]


def test_pictures_come_in_the_order_of_their_names_from_folder_and_tar(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for name in ("b.png", "a.png", "index.jsonl"):
            held = io.BytesIO()
            Image.new("RGB", (8, 6), (200, 10, 10)).save(held, "png")
            info = tarfile.TarInfo(name)
            info.size = len(held.getvalue())
            tar.addfile(info, io.BytesIO(held.getvalue()))
            (tmp_path / name).write_bytes(held.getvalue())
    from_tar, from_folder = (list(samples.read_pictures(path, None)) for path in (tmp_path / "set.tar", tmp_path))
    assert [one.name for one in from_tar] == [one.name for one in from_folder] == ["a.png", "b.png"]
    assert np.array_equal(from_tar[0].luma, from_folder[0].luma)


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        list(samples.read_pictures(tmp_path, None))


def test_an_empty_folder_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to measure"):
        list(samples.read_clips(tmp_path, None))


def test_a_networks_only_view_of_a_still_is_its_eight_bit_grey() -> None:
    sample = still((255, 0, 0))
    assert sample.luma.shape == (1, 24, 32)
    assert sample.luma[0, -1, -1] * 255 == pytest.approx(54)


def test_clips_are_read_with_their_luma_and_their_cuts(make_film: MakeFilm) -> None:
    path = make_film("clip.mkv", frames=5, size=(48, 64))
    (path.parent / "index.json").write_text(json.dumps({"val": [{"file": "val/clip.mkv", "cut_frames": [3]}]}))
    (one,) = samples.read_clips(path.parent, None)
    assert (one.luma.shape, one.truth.shape, one.cuts) == ((5, 48, 64), (5, 48, 64, 3), (3,))
    assert one.matrix == "bt601"
    assert 0 < one.luma.min() < one.luma.max() < 1
    assert not list(samples.read_clips(path.parent, None, 2))[0].cuts
    with pytest.raises(InputError):
        list(samples.read_clips(path.parent / "nowhere", None))


def test_clips_with_cuts_can_be_kept_apart(make_film: MakeFilm) -> None:
    folder = make_film("one.mkv", frames=2).parent
    make_film("two.mkv", frames=2)
    (folder / "index.json").write_text(json.dumps({"val": [{"file": "two.mkv", "cut_frames": [1]}]}))
    names = [[one.name for one in samples.read_clips(folder, None, with_cuts=cut)] for cut in (False, True, None)]
    assert names == [["one.mkv"], ["two.mkv"], ["one.mkv", "two.mkv"]]


def test_memory_is_carried_within_shots_and_dropped_at_cuts() -> None:
    def counted(setting: Setting, cuts: tuple[int, ...] = ()) -> list[float]:
        return [float(ab[0, 0, 0]) for ab in paint.predict(Counting(), film(12, cuts), setting)]

    assert counted(Setting()) == list(range(12))
    assert counted(Setting(), (10,)) == [*range(10), 0, 1]
    assert counted(Setting(recurrent=False)) == [0] * 12


def test_a_network_gets_its_own_temperature_back() -> None:
    network = Counting()
    assert paint.predict(network, film(1), Setting(temperature=0.25))[0, 0, 0, 1] == 0.25
    assert network.temperature == 0.5
    assert paint.predict(network, film(1), Setting())[0, 0, 0, 1] == 0.5


def test_painted_colours_keep_the_greys_luma() -> None:
    sample = still()
    painted = paint.paint(np.full((1, 3, 4, 2), (20.0, -15.0)), sample)
    # float32 arithmetic on 0..1: a tenth of a code value is far above its noise
    assert lab.luma(painted, sample.matrix) == pytest.approx(sample.grey, abs=0.1 / 255)
    assert lab.chroma(lab.lab_from_rgb(painted)[..., 1:]).min() > 10


def test_the_truth_scores_a_hundred_and_grey_has_no_colour() -> None:
    rows = report.picture_rows([still(), still((60, 160, 90))], bins.read_table(), lambda sample: {})
    assert rows["truth"]["auc_rebalanced_half"] == rows["truth"]["auc_raw"] == 100
    assert (rows["truth"]["cf_ratio"], rows["truth"]["dcf"], rows["truth"]["ab_error"]) == (1, 0, 0)
    assert rows["grey"]["cf"] == pytest.approx(0, abs=1e-4)
    assert rows["grey"]["auc_rebalanced_half"] < rows["truth's ab on the grey"]["auc_rebalanced_half"]
    # the true ab are at hand: what is left is float32
    assert rows["truth's ab on the grey"]["ab_error"] < 0.5


def test_a_point_is_named_by_temperature_and_scale() -> None:
    assert report.named("reel", Setting(0.38, 0.85)) == "reel, T 0.38, k 0.85"
    assert report.named("reel", Setting()) == "reel"


def test_the_scale_multiplies_the_colours() -> None:
    points = [Setting(40.0), Setting(40.0, 0.5)]
    whole, half = report.paint_points(Counting(), "n", film(1), points).values()
    lengths = [float(lab.lab_from_rgb(rgb)[..., 2].mean()) for rgb in (whole, half)]
    assert lengths == pytest.approx([40, 20], abs=0.5)


def test_a_cut_that_is_missed_leaks_and_one_that_is_found_does_not() -> None:
    shot = film(20, cuts=(6,))
    rows = report.cut_leaks(Counting(), [shot], Setting(), lambda luma: [6])
    assert rows["cuts found"] == {"leak_0": 0, "leak_1": 0, "leak_4": 0, "leak_12": 0}
    assert rows["blind to cuts"]["leak_0"] == 6


def test_clips_are_measured_beside_grey_and_truth() -> None:
    pytest.importorskip("cv2")
    rows = report.clip_rows([film(10)], bins.read_table(), lambda s: report.steady_pair(Counting(), "n", s, Setting()))
    assert list(rows) == ["grey", "truth", "n, recurrent", "n, frame by frame"]
    assert rows["truth"]["cdc_minus_truth"] == 0
    # a* rises by one a frame when memory is carried, and not at all when it is not
    assert rows["n, recurrent"]["e_ab"] == pytest.approx(1, abs=0.05)
    assert rows["n, recurrent"]["e_ab_8"] == pytest.approx(8, abs=0.1)
    assert rows["n, frame by frame"]["e_ab"] == 0


def test_the_table_sets_gains_against_grey() -> None:
    columns = (report.Column("score", "s"), report.Column("gain", "s", gain=True), report.Column("m", "x", factor=1e3))
    text = report.markdown({"grey": {"s": 1.0, "x": 0.002}, "mine": {"s": 3.5}}, columns, "rows")
    assert text.splitlines()[2:] == ["| grey | 1.00 | +0.0 | 2.00 |", "| mine | 3.50 | +2.5 |  |"]


def test_points_are_read_as_pairs() -> None:
    assert options.points("0.38:0.9,1") == ((0.38, 0.9), (1.0, 1.0))
    with pytest.raises(Exception, match="not a list"):
        options.points("warm")


def test_nothing_to_measure_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == UsageError.exit_code
    assert "--pictures or --clips" in capsys.readouterr().err


def test_figures_are_written_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray((still().truth[0] * 255).astype(np.uint8)).save(tmp_path / "one.png")
    assert command.main(["--pictures", str(tmp_path), "--plain", "--json", str(tmp_path / "out.json")]) == 0
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["pictures"]["truth"]["auc_raw"] == 100
    assert told["model"] is None
    assert "| mean ab by lightness |" in capsys.readouterr().out


def test_the_arithmetic_of_the_figures_needs_no_torch() -> None:
    rooms = ("lab", "size", "bins", "stills", "motion", "flow", "landcover", "samples", "tally", "options")
    code = f"import sys; from vidcolor.evaluate import {', '.join(rooms)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_layouts_of_many_pictures_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [still((180, 120, 60)), still((60, 160, 90)), still((90, 60, 200))]
    assert "frechet" not in report.picture_rows(shown, bins.read_table(), lambda sample: {})["truth"]
    monkeypatch.setattr("vidcolor.evaluate.tally.ENOUGH_FOR_FRECHET", 3)
    rows = report.picture_rows(shown, bins.read_table(), lambda sample: {})
    # roots of covariances that hold zeros lose half the digits; grey lies hundreds away
    assert rows["truth"]["frechet"] == pytest.approx(0, abs=0.05)
    assert rows["grey"]["frechet"] > 100
    assert "Frechet" in report.markdown(rows, report.STILL_COLUMNS, "")
