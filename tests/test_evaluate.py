"""The report measures what the product would do, beside rows whose figures are known beforehand."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from streams.errors import InputError, UsageError
from vidcolor import stock
from vidcolor.colorizer import Colorizer, Spec, State
from vidcolor.evaluate import (
    bins,
    columns,
    command,
    curve,
    drift,
    lab,
    options,
    paint,
    report,
    samples,
    sections,
    sheet,
)
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
    whole, half = (way(film(1)) for way in report.network_ways(Counting(), "n", film(1), points).values())
    lengths = [float(lab.lab_from_rgb(rgb)[..., 2].mean()) for rgb in (whole, half)]
    assert lengths == pytest.approx([40, 20], abs=0.5)


def test_a_cut_that_is_missed_leaks_and_one_that_is_found_does_not() -> None:
    shot = film(20, cuts=(6,))
    rows = report.cut_leaks(Counting(), [shot], Setting(), lambda luma: [6])
    assert rows["cuts found"] == {"leak_0": 0, "leak_1": 0, "leak_4": 0, "leak_12": 0}
    assert rows["blind to cuts"]["leak_0"] == 6


def test_clips_are_measured_beside_grey_and_truth() -> None:
    pytest.importorskip("cv2")
    rows = report.clip_rows([film(10)], bins.read_table(), lambda s: report.steady_ways(Counting(), "n", s, Setting()))
    assert list(rows) == ["n, recurrent", "n, frame by frame", "truth"]
    assert rows["truth"]["cdc_minus_truth"] == 0
    # a* rises by one a frame when memory is carried, and not at all when it is not
    assert rows["n, recurrent"]["e_ab"] == pytest.approx(1, abs=0.05)
    assert rows["n, recurrent"]["e_ab_8"] == pytest.approx(8, abs=0.1)
    assert rows["n, frame by frame"]["e_ab"] == 0


def test_the_table_sets_gains_against_grey() -> None:
    shown = (columns.Column("score", "s"), columns.Column("gain", "s", gain=True), columns.Column("m", "x", factor=1e3))
    text = columns.markdown({"grey": {"s": 1.0, "x": 0.002}, "mine": {"s": 3.5}}, shown, "rows")
    assert text.splitlines()[2:] == ["| grey | 1.00 | +0.0 | 2.00 |", "| mine | 3.50 | +2.5 |  |"]


def test_points_are_read_as_pairs() -> None:
    assert options.points("0.38:0.9,1,own,own:0.8") == ((0.38, 0.9), (1.0, 1.0), (None, 1.0), (None, 0.8))
    with pytest.raises(Exception, match="not a list"):
        options.points("warm")


def test_nothing_to_measure_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == UsageError.exit_code
    assert "nothing to measure" in capsys.readouterr().err


def test_figures_are_written_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray((still().truth[0] * 255).astype(np.uint8)).save(tmp_path / "one.png")
    assert command.main(["--pictures", str(tmp_path), "--plain", "--json", str(tmp_path / "out.json")]) == 0
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["pictures"]["truth"]["auc_raw"] == 100
    assert told["models"] == []
    assert "| mean ab by lightness |" in capsys.readouterr().out


def test_the_arithmetic_of_the_figures_needs_no_torch() -> None:
    rooms = (
        "lab",
        "size",
        "bins",
        "stills",
        "motion",
        "flow",
        "landcover",
        "samples",
        "tally",
        "options",
        "columns",
        "book",
        "sheet",
    )
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
    assert "Frechet" in columns.markdown(rows, columns.STILL_COLUMNS, "")


def test_the_cheap_way_keeps_luma_and_pays_with_vivid_colours() -> None:
    sample = still((20, 30, 220))
    cheap, ceiling = paint.cheap_of(sample), paint.ceiling_of(sample)
    for painted in (cheap, ceiling):
        # what leaves the cube is clipped, and shifts luma by a code value or two at most
        assert lab.luma(painted, sample.matrix) == pytest.approx(sample.grey, abs=2 / 255)
    errors = [
        lab.chroma(lab.lab_from_rgb(p - 0)[..., 1:] - lab.lab_from_rgb(sample.truth)[..., 1:]).mean()
        for p in (cheap, ceiling)
    ]
    assert errors[0] > 2 * errors[1]


def test_bleeding_is_the_truths_concentration_less_ones_own() -> None:
    """A colour that ends where the light ends has none; the same colour spread over the edge has some."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30], picture[:, 30:] = (250, 140, 120), (20, 60, 120)
    sharp = replace(samples.picture_sample("edge", picture), fine=samples.picture_sample("edge", picture, 512))

    def spread(sample: samples.Sample) -> np.ndarray:
        return paint.paint(lab.lab_from_rgb(sample.truth)[:, ::4, ::4, 1:], sample)

    rows = report.picture_rows([sharp], bins.read_table(), lambda sample: {"spread": spread})
    assert rows["truth"]["bleeding"] == 0
    assert rows["truth"]["concentration"] > 0.9
    assert rows["truth's ab on the grey"]["bleeding"] == pytest.approx(0, abs=0.02)
    assert rows["spread"]["bleeding"] > 0.1
    assert "bleeding" not in rows["grey"]


def test_a_stock_turns_colours_into_its_own_greys() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[:] = (220, 10, 10)
    by_stock = [float(samples.picture_sample("r", red, stock=stock.mean_shares(k)).luma.mean()) for k in stock.STOCKS]
    assert by_stock == sorted(by_stock)
    white = np.full((4, 4, 3), 255, np.uint8)
    assert samples.picture_sample("w", white, stock=stock.mean_shares("ortho")).luma.min() == 1


def test_what_is_told_reaches_the_network() -> None:
    class Told(Counting):
        def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
            ab, state = super().forward(light, state)
            return ab + (0 if condition is None else 100 * condition[0]), state

    told = [paint.predict(Told(), film(1), Setting(told=shares))[0, 0, 0, 0] for shares in (None, (0.5, 0.25, 0.25))]
    assert told == [0, 50]


def test_mirrored_colours_are_the_mean_of_both_views() -> None:
    class Lopsided(Counting):
        def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
            ab = torch.zeros(len(light), 2, light.shape[2] // 2, light.shape[3] // 2)
            ab[..., 0] = 40
            return ab * self.one, state

    plain, both = (paint.predict(Lopsided(), still(), Setting(mirrored=mirrored)) for mirrored in (False, True))
    assert [plain[0, 0, 0, 0], plain[0, 0, -1, 0]] == [40, 0]
    assert [both[0, 0, 0, 0], both[0, 0, -1, 0], both[0, 0, 1, 0]] == [20, 20, 0]


def test_a_curve_rises_in_colourfulness_with_scale() -> None:
    class Warm(Counting):
        def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
            ab = torch.full((len(light), 2, light.shape[2] // 2, light.shape[3] // 2), 30.0)
            ab[..., : ab.shape[-1] // 2] = -10
            return ab * self.one, state

    found = curve.curve(Warm(), [still()], bins.read_table())
    line = [found[0.38, scale]["cf_ratio"] for scale in curve.SCALES]
    assert line == sorted(line)
    assert line[0] > 0
    pytest.importorskip("matplotlib")


def test_the_curves_grey_errs_as_much_as_grey() -> None:
    class Grey(Counting):
        def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
            return torch.zeros(len(light), 2, light.shape[2] // 2, light.shape[3] // 2) * self.one, state

    figures = curve.curve(Grey(), [still()], bins.read_table())[1.0, 1.0]
    assert figures["error_ratio"] == pytest.approx(1, abs=1e-3)
    assert [figures[f"gain_{name}"] for name in ("half", "zero", "raw")] == pytest.approx([0, 0, 0], abs=1e-3)


def test_drift_is_how_far_colours_have_wandered() -> None:
    class Slow(Counting):
        def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
            ab, state = super().forward(light, state)
            return ab / 100, state

    figures = drift.drift(Slow(), [still()], 60)
    assert figures["drift"] == pytest.approx(0.48, abs=1e-3)  # from frames 0..11 to frames 48..59, a hundredth each
    assert figures["drift_most"] == figures["drift"]
    assert figures["frames"] == 60


def test_a_contact_sheet_shows_the_worst_first(tmp_path: Path) -> None:
    shown = sheet.Sheet(["grey", "ours", "truth"])
    for shade in (0.1, 0.9):
        one = replace(still(), name=f"picture {shade}")
        shown.show(
            one,
            {
                "grey": paint.grey_of(one),
                "ours": shade * paint.grey_of(one) + (1 - shade) * one.truth,
                "truth": one.truth,
            },
        )
    assert [name for _, name, _ in sorted(shown.strips, key=lambda strip: -strip[0])] == ["picture 0.9", "picture 0.1"]
    assert shown.write(tmp_path / "sheet.png", 24, worst=1) == tmp_path / "sheet.png"
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert drawn.width >= 2 * 3 * 32
    assert sheet.Sheet(["grey"]).write(tmp_path / "none.png", 5) is None


def test_a_whole_report_lies_in_one_folder(
    tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cv2")
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(command, "_load", lambda args, model: sections.Found(Counting(), model, "0" * 64))
    for folder in ("pictures", "clips", "archival", "photos"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        if folder in ("pictures", "photos"):
            Image.fromarray((still().truth[0] * 255).astype(np.uint8)).save(tmp_path / "data" / folder / "one.png")
        else:
            make_film("clip.mkv", frames=6).rename(tmp_path / "data" / folder / "clip.mkv")
    out = tmp_path / "report"
    words = f"one two --data {tmp_path / 'data'} --out {out} --curve 1 --stocks 1 --drift 24 --frames 6 --points 0.5:1"
    assert command.main(words.split()) == 0
    assert {path.name for path in out.iterdir()} == {
        *("report.md", "report.json", "curve.png"),
        *("pictures.png", "clips.png", "archival.png", "photos.png"),
    }
    told = json.loads((out / "report.json").read_text())
    assert {
        "pictures",
        "curve",
        "film stock ortho",
        "clips",
        "photos",
        "drift",
        "archival, one, T 0.5, recurrent",
    } <= told.keys()
    assert {"one, T 0.5", "two, T 0.5", "sepia", "truth's ab at the grey's L"} <= told["pictures"].keys()
    assert {"one, T 0.5, frame by frame", "sepia", "mean ab by lightness"} <= told["clips"].keys()
    assert told["drift"]["two"]["frames"] == 24
    assert [one["name"] for one in told["models"]] == ["one", "two"]
    assert "![curve](curve.png)" in (out / "report.md").read_text()
