"""The figures of colour and steadiness give the values of the worked examples in their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from vidcolor.evaluate import bins, lab, landcover, motion, size, stills, tally

PRINTED = 5.1e-5
"""The worked examples are printed to four decimals (less one unit of binary rounding)."""
PRINTED_6 = 5.1e-7
TOY = np.array([(0, 0), (10, 0), (60, 60)], float)


def toy_prior() -> np.ndarray:
    return bins.smoothed_prior(np.array([90.0, 9.0, 1.0]), TOY)


@pytest.mark.parametrize(
    ("rgb", "grey"),
    [
        ((255, 0, 0), 54),
        ((0, 255, 0), 182),
        ((0, 0, 255), 18),
        ((255, 255, 0), 237),
        ((194, 150, 130), 158),
        ((10, 20, 5), 17),
    ],
)
def test_the_grey_of_a_still_is_its_bt709_luma_rounded_half_up(rgb: tuple[int, int, int], grey: int) -> None:
    assert lab.grey_from_rgb8(np.array(rgb, np.uint8)) == grey


COLOURS = [
    ((255, 0, 0), (53.2408, 80.0925, 67.2032)),
    ((0, 255, 0), (87.7347, -86.1827, 83.1793)),
    ((0, 0, 255), (32.2970, 79.1875, -107.8602)),
    ((128, 128, 128), (53.5850, 0, 0)),
    ((194, 150, 130), (65.6673, 13.6745, 16.8985)),
    ((10, 20, 5), (5.2010, -5.9214, 5.6279)),
]


@pytest.mark.parametrize(("rgb", "expected"), COLOURS)
def test_lab_has_its_published_values(rgb: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert lab.lab_from_rgb(np.array(rgb) / 255) == pytest.approx(expected, abs=PRINTED)


@pytest.mark.parametrize(("rgb", "expected"), COLOURS)
def test_lab_leads_back_to_rgb(rgb: tuple[int, ...], expected: tuple[float, ...]) -> None:
    # 1e-4 of 0..1: the printed Lab values carry four decimals
    assert lab.rgb_from_lab(np.array(expected)) == pytest.approx(np.array(rgb) / 255, abs=1e-4)


def test_luma_is_not_lightness() -> None:
    greys = np.array([18, 54, 158]) / 255
    assert lab.lightness(greys) == pytest.approx([5.5, 22.6, 65.1], abs=0.06)


def test_rgb_of_luma_and_chroma_undoes_the_matrix() -> None:
    rgb = np.array([0.8, 0.3, 0.1])
    for matrix, (red, _, blue) in lab.LUMA.items():
        y = float(lab.luma(rgb, matrix))
        planes = np.array([y, (rgb[2] - y) / (2 * (1 - blue)), (rgb[0] - y) / (2 * (1 - red))])
        assert lab.rgb_from_luma_chroma(planes, matrix) == pytest.approx(rgb, abs=1e-12)


def test_both_colour_conversions_of_the_house_agree() -> None:
    torch = pytest.importorskip("torch")
    from vidcolor import color

    rgb = np.random.default_rng(1).random((5, 7, 3))
    theirs = color.lab_from_rgb(torch.from_numpy(rgb).movedim(-1, 0)).movedim(0, -1).numpy()
    # 1e-5 Lab units: both work in float64
    assert lab.lab_from_rgb(rgb) == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, (144, 256)),
        (720, 576, (205, 256)),
        (640, 480, (192, 256)),
        (480, 640, (256, 192)),
        (200, 100, (100, 200)),
    ],
)
def test_the_evaluation_size_has_a_long_side_of_256(width: int, height: int, expected: tuple[int, int]) -> None:
    assert size.evaluation_size(height, width) == expected


def test_reducing_takes_area_means() -> None:
    assert size.resize(np.array([[0.0, 1, 2, 3]]), (1, 3)) == pytest.approx(np.array([[0.25, 1.5, 2.75]]))


def test_enlarging_keeps_flat_planes_flat() -> None:
    assert size.resize(np.full((3, 4), 0.3), (11, 9)) == pytest.approx(np.full((11, 9), 0.3), abs=1e-6)


def test_classes_spread_their_own_mass() -> None:
    assert toy_prior() == pytest.approx([0.803446, 0.186554, 0.010000], abs=PRINTED_6)


@pytest.mark.parametrize(
    ("strength", "expected"),
    [(0.5, (0.803553, 1.757038, 2.660570)), (0, (0.414880, 1.786789, 33.333333))],
)
def test_rare_classes_weigh_more(strength: float, expected: tuple[float, ...]) -> None:
    # the example's last prior is its printed 0.010000, so its weight carries a relative 1e-6
    assert bins.rebalancing(toy_prior(), strength) == pytest.approx(expected, rel=2e-6)


def test_a_tie_goes_to_the_lower_class() -> None:
    ab = np.array([(4.4, 0), (5, 0), (5.5, 0), (40, 40)])
    assert bins.classify(ab, bins.bin_lookup(TOY)).tolist() == [0, 0, 1, 2]


def test_the_packaged_table_has_the_313_classes() -> None:
    table = bins.read_table()
    assert table.bins.shape == (313, 2)
    assert table.prior.sum() == pytest.approx(1)
    assert len({tuple(row) for row in table.bins}) == 313
    assert table.classify(table.bins).tolist() == list(range(313))


@pytest.mark.parametrize(
    ("errors", "expected"),
    [((0, 10, 20.5, 200), 70.0), ((0.5,), 99.6667), ((10,), 93.6667), ((150,), 0.3333), ((151,), 0)],
)
def test_auc_is_the_area_under_the_error_curve(errors: tuple[float, ...], expected: float) -> None:
    counts = stills.error_counts(np.array(errors), np.zeros(len(errors), int), 1)
    assert stills.auc(counts) == pytest.approx(expected, abs=PRINTED)


def test_auc_weighs_pixels_by_their_class() -> None:
    counts = stills.error_counts(np.array([0, 10, 20.5, 200]), np.arange(4), 4)
    assert stills.auc(counts, np.array([1.0, 1, 1, 3])) == pytest.approx(46.6667, abs=PRINTED)


def test_rebalanced_auc_of_the_toy_classes() -> None:
    counts = stills.error_counts(np.array([2.0, 2, 2, 60]), np.array([0, 0, 1, 2]), 3)
    weights = [None, bins.rebalancing(toy_prior(), 0.5), bins.rebalancing(toy_prior(), 0)]
    assert [stills.auc(counts, weight) for weight in weights] == pytest.approx([89.3333, 81.9244, 63.1476], abs=PRINTED)


def test_counts_of_two_pictures_add_up() -> None:
    rng = np.random.default_rng(2)
    errors, classes = rng.random((2, 50)) * 160, rng.integers(0, 3, (2, 50))
    apart = sum(stills.error_counts(errors[i], classes[i], 3) for i in range(2))
    assert np.array_equal(apart, stills.error_counts(errors, classes, 3))


def test_psnr_l_takes_the_lightness_of_the_truth() -> None:
    true = np.array([(50.0, 20, 30), (70, -10, 5)])
    output = np.array([(40.0, 10, 20), (75, 0, 0)])
    assert stills.psnr_l(output, true) == pytest.approx(25.9211, abs=PRINTED)
    assert stills.ab_error(output[:, 1:], true[:, 1:]).mean() == pytest.approx(12.6612, abs=PRINTED)


def test_psnr_of_equal_pictures_is_a_hundred() -> None:
    assert stills.psnr(0.0) == 100


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)], 238.5307),
        ([(255, 0, 0), (0, 0, 255)], 272.6187),
        ([(200, 150, 100)], 27.0416),
    ],
)
def test_colourfulness_is_hasler_and_suesstrunks(pixels: list[tuple[int, ...]], expected: float) -> None:
    assert stills.colourfulness(np.array(pixels, float)) == pytest.approx(expected, abs=PRINTED)


def test_saturation_distance_is_in_lab_units() -> None:
    one, other = (stills.chroma_histogram(np.array(lengths, float)) for lengths in ((1, 3, 5), (1, 3, 15)))
    assert stills.saturation_distance(one, other) == pytest.approx(3.3333, abs=PRINTED)


@pytest.mark.parametrize(
    ("polar", "expected"),
    [([(20, 5), (20, 95), (20, 185), (20, 275)], 2.0), ([(30, 5), (10, 95), (2, 0)], 0.8113), ([(7, 0)], 0.0)],
)
def test_hue_entropy_counts_hues_by_their_chroma(polar: list[tuple[float, float]], expected: float) -> None:
    length, angle = np.array(polar, float).T
    ab = np.stack((length * np.cos(np.radians(angle)), length * np.sin(np.radians(angle))), -1)
    assert stills.hue_entropy(ab) == pytest.approx(expected, abs=PRINTED)


def test_dark_and_light_areas_begin_at_grey_16_and_247() -> None:
    grey = np.tile(np.array([128.0, 16, 17, 246, 247]), (5, 1))
    sums = stills.neutral_chroma(np.ones((5, 5)), grey, lab.lightness(grey / 255))
    assert (sums["dark"], sums["light"], sums["bars"]) == ((5, 5), (5, 5), (0, 0))


def test_black_bars_are_found_at_the_edges_only() -> None:
    grey = np.full((100, 60), 120.0)
    grey[:12] = 16
    grey[50:70] = 16  # a dark band inside the picture is no bar
    grey[:, -1:] = 16  # one column is too few
    found = stills.bars(grey)
    assert found[:12].all()
    assert not found[12:].any()


def test_bleeding_lowers_the_concentration_of_colour_at_edges() -> None:
    right = np.arange(40) >= 20
    light = lab.lightness(np.tile(np.where(right, 180.0, 60.0), (40, 1)) / 255)
    row = np.where(right, 30.0, -30.0)
    shares = []
    for box in (1, 5, 9):
        padded = np.pad(row, box // 2, mode="edge")
        a = np.convolve(padded, np.full(box, 1 / box), "valid")
        near, wide = stills.edge_colour(light, np.stack((np.tile(a, (40, 1)), np.zeros((40, 40))), -1))
        shares.append(near / wide)
    assert shares == pytest.approx([1.0, 0.8, 0.4444], abs=PRINTED)


def test_frechet_distance_of_two_small_sets() -> None:
    one = np.array([(0.0, 0), (2, 0), (0, 2), (2, 2)])
    other = np.array([(1.0, 0), (5, 0), (1, 2), (5, 2)])
    assert stills.frechet(one, other) == pytest.approx(5.3333, abs=PRINTED)


def test_layout_has_36_numbers_and_knows_where_colours_lie() -> None:
    ab = np.zeros((30, 30, 2))
    ab[:10, :10] = (20, -5)
    numbers = stills.layout(ab).reshape(3, 3, 4)
    assert numbers[0, 0] == pytest.approx([20, -5, 0, 0], abs=1e-5)
    assert numbers[1:, 1:] == pytest.approx(np.zeros((2, 2, 4)), abs=1e-5)


def test_divergence_of_two_distributions() -> None:
    assert motion.jensen_shannon(np.array([0.5, 0.5, 0]), np.array([0, 0.5, 0.5])) == pytest.approx(
        0.346574, abs=PRINTED_6
    )


def steps_film() -> np.ndarray:
    film = np.full((5, 2, 2, 3), 10, np.uint8)
    film[1].reshape(-1, 3)[:2, 0] = 20
    film[2:] = 20
    return np.stack([motion.histograms(frame) for frame in film])


@pytest.mark.parametrize(("step", "expected"), [(1, 0.151485), (2, 0.409055), (4, 0.693147)])
def test_cdc_by_step(step: int, expected: float) -> None:
    assert motion.cdc(steps_film(), steps=(step,)) == pytest.approx(expected, abs=PRINTED_6)


def test_cdc_is_the_mean_over_steps_and_stops_at_cuts() -> None:
    assert motion.cdc(steps_film()) == pytest.approx(0.417896, abs=PRINTED_6)
    assert list(motion.pairs(5, [2], 1)) == [(0, 1), (2, 3), (3, 4)]
    assert motion.cdc(steps_film(), cuts=[2]) == pytest.approx(0.011987, abs=PRINTED_6)


def test_warp_error_follows_the_flow() -> None:
    later = np.broadcast_to(np.array([(0.0, 0), (3, 4), (6, 8)]), (2, 3, 2))
    flow = np.broadcast_to(np.array([1, 0], np.float32), (2, 3, 2))
    sure = np.array([[True, True, False]] * 2)
    total, count = motion.warp_error(np.zeros((2, 3, 2)), later, motion.track(flow, sure))
    assert total / count == pytest.approx(7.5)


def test_tracks_interpolate_between_pixels() -> None:
    frame = np.arange(12, dtype=float).reshape(3, 4, 1)
    flow = np.full((3, 4, 2), (0.25, 0.5), np.float32)
    sure = np.zeros((3, 4), bool)
    sure[1, 2] = True
    assert motion.fetch(frame, motion.track(flow, sure)) == pytest.approx(6 + 0.25 + 0.5 * 4)


def test_pale_colours_are_judged_against_their_paleness() -> None:
    assert motion.relative_warp_error(2.0, 8.0) == 0.25
    assert motion.relative_warp_error(0.0, 0.0) == 0


def test_jitter_of_one_jump() -> None:
    squares = motion.second_difference(np.zeros(2), np.array([3.0, 4.0]), np.zeros(2))
    assert motion.jitter(float(squares), 1) == pytest.approx(2.886751, abs=PRINTED_6)


def test_static_jitter_is_the_sigma_of_independent_noise() -> None:
    rng = np.random.default_rng(3)
    ab = rng.normal(0, 1.5, (24, 20, 30, 2))
    grey = np.full((24, 20, 30), 90.0)
    measured = motion.jitter(*motion.static_jitter(ab, motion.static_pixels(grey)))
    # 12 000 pixels of noise: the sigma is known to about one percent
    assert measured == pytest.approx(1.5, rel=0.02)


def test_pixels_that_move_are_not_static() -> None:
    grey = np.full((7, 8, 8), 90.0)
    grey[4:, :, :5] += 30
    found = dict(motion.static_pixels(grey))
    assert sorted(found) == [2, 3, 4]
    assert not found[3][:, :6].any()
    assert found[3][:, 6:].all()


def test_no_window_crosses_a_cut() -> None:
    grey = np.full((9, 8, 8), 90.0)
    assert [t for t, _ in motion.static_pixels(grey, [4])] == [6]
    mean_ab = np.zeros((9, 2))
    mean_ab[4:] = 50
    assert motion.flicker(mean_ab, [4]) == (0, 5)
    assert motion.flicker(mean_ab)[0] > 0


def test_drift_is_measured_shot_by_shot() -> None:
    mean_ab = np.concatenate((np.zeros((30, 2)), np.linspace((0, 0), (6, 8), 30)))
    still, moving = motion.shot_drift(mean_ab, [30])
    assert still == 0
    assert 5 < moving < 10


def test_a_leak_is_seen_after_the_cut_and_nowhere_else() -> None:
    alone = np.zeros((15, 4, 4, 2))
    joined = alone.copy()
    joined[0] = (3, 4)
    assert motion.leak(joined, alone) == {0: 5, 1: 0, 4: 0, 12: 0}


def test_macro_f1_and_recovery() -> None:
    confusion = np.array([(8.0, 2, 0), (1, 7, 2), (0, 3, 7)])
    assert landcover.macro_f1(confusion) == pytest.approx(0.738437, abs=PRINTED_6)
    assert landcover.recovery(0.70, 0.55, 0.80) == pytest.approx(0.6)


def test_flow_follows_a_moving_picture_and_doubts_what_leaves_it() -> None:
    pytest.importorskip("cv2")
    from vidcolor.evaluate import flow

    rng = np.random.default_rng(4)
    coarse = size.resize(rng.random((20, 30)) * 200, (80, 120))
    scene = np.clip(coarse + 25, 0, 255).astype(np.uint8)
    one, other = scene[:, 6:106], scene[:, 2:102]  # everything moves four pixels to the right
    find = flow.dis_flow()
    forward, backward = find(one, other), find(other, one)
    # DIS is good to a fraction of a pixel on textured ground
    assert np.median(forward[10:-10, 10:-10], (0, 1)) == pytest.approx([4, 0], abs=0.3)
    sure = flow.trusted(forward, backward, one, other)
    assert sure[20:-20, 20:-20].mean() > 0.8
    assert not sure[:, -3:].any()


SEEDS = range(3)


def natural(seed: int, frames: int = 1, shape: tuple[int, int] = (24, 32)) -> np.ndarray:
    """RGB (T, H, W, 3) of soft shapes in many colours, moving slowly."""
    rng = np.random.default_rng(seed)
    field = size.resize(rng.random((3, 6, 8 + frames)), (shape[0], shape[1] + 4 * frames))
    film = [np.moveaxis(field[:, :, 2 * t : 2 * t + shape[1]], 0, -1) for t in range(frames)]
    return np.clip(np.stack(film), 0, 1)


def true_pictures(rgb: np.ndarray) -> list[tally.TruePicture]:
    return [tally.TruePicture.of(frame, lab.luma(frame), "bt709", TABLE) for frame in rgb]


TABLE = bins.read_table()


@pytest.mark.parametrize("seed", SEEDS)
def test_grey_and_truth_score_exactly_what_the_definitions_say(seed: int) -> None:
    rgb = natural(seed)
    (true,) = true_pictures(rgb)
    grey = np.repeat(true.grey[..., None], 3, -1)
    own, none = (tally.tally_picture(picture, true) for picture in (rgb[0], grey))
    rows = [tally.still_figures([one], [own], TABLE) for one in (own, none)]
    truth, pale = rows
    assert [truth[name] for name in ("auc_rebalanced_half", "auc_rebalanced_zero", "auc_raw")] == [100, 100, 100]
    assert (truth["ab_error"], truth["cf_ratio"], truth["dcf"], truth["psnr_l"]) == (0, 1, 0, 100)
    assert truth["saturation_distance"] == 0
    # grey errs by the chroma of what is true, and has no colour at all but for rounding
    assert pale["ab_error"] == pytest.approx(lab.chroma(true.lab[..., 1:]).mean(), rel=1e-6)
    assert (pale["cf"], pale["chroma_ratio"], pale["hue_entropy"]) == pytest.approx((0, 0, 0), abs=1e-4)
    assert pale["luma_psnr"] == pytest.approx(100)
    assert pale["saturation_distance"] == pytest.approx(
        2 * np.arange(75) @ stills.chroma_histogram(lab.chroma(true.lab[..., 1:])), rel=1e-6
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_do_not_know_left_from_right_nor_up_from_down(seed: int) -> None:
    rgb, other = natural(seed)[0], natural(seed + 9)[0]
    for turn in (np.fliplr, np.flipud):
        straight, turned = (
            tally.tally_picture(f(other), tally.TruePicture.of(f(rgb), lab.luma(f(rgb)), "bt709", TABLE))
            for f in (np.asarray, turn)
        )
        assert straight.values == pytest.approx(turned.values)
        assert np.array_equal(straight.counts, turned.counts)
    ab = lab.lab_from_rgb(other)[..., 1:]
    light = lab.lightness(lab.luma(rgb))
    assert stills.edge_colour(light, ab) == pytest.approx(stills.edge_colour(light[:, ::-1], ab[:, ::-1]))


@pytest.mark.parametrize("seed", SEEDS)
def test_auc_falls_as_errors_grow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors, classes = rng.random(300) * 40, rng.integers(0, 313, 300)
    weights = bins.rebalancing(TABLE.prior, 0.5)
    scores = [stills.auc(stills.error_counts(errors * grown, classes, 313), weights) for grown in (0.5, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] < scores[0] <= 100


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clip_of_grey_is_steady_and_the_truth_is_its_own_measure(seed: int) -> None:
    pytest.importorskip("cv2")
    from vidcolor.evaluate.flow import dis_flow

    rgb = natural(seed, frames=10, shape=(48, 64))
    truth = true_pictures(rgb)
    grey = np.stack([np.repeat(one.grey[..., None], 3, -1) for one in truth])
    tallies = tally.tally_clip({"truth": rgb, "grey": grey}, truth, (), dis_flow())
    rows = {name: tally.clip_figures([one], [tallies["truth"]], TABLE) for name, one in tallies.items()}
    assert (rows["truth"]["cdc_minus_truth"], rows["truth"]["drift_minus_truth"]) == (0, 0)
    assert rows["truth"]["e_ab"] > 0
    names = ("e_ab", "e_rel", "jitter", "flicker", "e_ab_8")
    assert [rows["grey"][name] for name in names] == pytest.approx([0] * 5, abs=1e-4)
    assert rows["grey"]["near_grey"] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_divergence_is_symmetric_and_bounded(seed: int) -> None:
    one, other = np.random.default_rng(seed).dirichlet(np.full(256, 0.1), 2)
    there, back = motion.jensen_shannon(one, other), motion.jensen_shannon(other, one)
    assert there == pytest.approx(back)
    assert 0 < there < np.log(2)
    assert motion.jensen_shannon(one, one) == pytest.approx(0, abs=1e-12)
