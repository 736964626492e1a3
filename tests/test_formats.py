"""How pictures are stored: settled once, from FFmpeg's descriptions."""

from __future__ import annotations

import pytest
from reels import frame_of, textures

from streams.errors import InputError, OutputError
from streams.formats import ColorTags, PictureFormat, luma_weights, pixel_layout


def settled(pixels: str, size: tuple[int, int] = (96, 72), is_still: bool = False, **tags: str) -> PictureFormat:
    return PictureFormat.of(size, pixels, ColorTags(**tags), is_still=is_still)


@pytest.mark.parametrize(
    ("pixels", "depth", "kind", "sampling", "alpha"),
    [
        ("yuv420p", 8, "yuv", (1, 1), False),
        ("nv12", 8, "yuv", (1, 1), False),
        ("yuv422p10le", 10, "yuv", (1, 0), False),
        ("p010le", 10, "yuv", (1, 1), False),
        ("yuv411p", 8, "yuv", (2, 0), False),
        ("yuva444p16le", 16, "yuv", (0, 0), True),
        ("gray12le", 12, "grey", (0, 0), False),
        ("ya8", 8, "grey", (0, 0), True),
        ("monow", 8, "grey", (0, 0), False),
        ("pal8", 8, "palette", (0, 0), False),
        ("rgb24", 8, "rgb", (0, 0), False),
        ("gbrap12le", 12, "rgb", (0, 0), True),
    ],
)
def test_depth_and_sampling_come_from_the_description_not_the_name(
    pixels: str, depth: int, kind: str, sampling: tuple[int, int], alpha: bool
) -> None:
    layout = pixel_layout(pixels)
    assert (layout.depth, layout.kind, layout.has_alpha) == (depth, kind, alpha)
    assert (layout.log2_chroma_w, layout.log2_chroma_h) == sampling


@pytest.mark.parametrize("pixels", ["cuda", "grayf32le", "bayer_rggb8", "rgbaf16le", "no such format"])
def test_pictures_without_code_values_are_refused(pixels: str) -> None:
    with pytest.raises(InputError, match="not supported"):
        pixel_layout(pixels)


def test_grey_rgb_and_yuvj_count_as_full_range_and_yuv_as_limited_unless_they_say_so() -> None:
    assert settled("gray").full_range
    assert settled("rgb24", range="tv").full_range
    assert settled("yuvj420p").full_range
    assert settled("pal8").full_range
    assert not settled("yuv420p").full_range
    assert not settled("gray", range="tv").full_range
    assert settled("yuv420p", range="pc").full_range


def test_an_unstated_matrix_is_guessed_by_size_and_for_stills_it_is_bt601() -> None:
    assert settled("yuv420p", (720, 576)).matrix == "bt601"
    assert settled("yuv420p", (1280, 720)).matrix == "bt709"
    assert settled("rgb24", (4000, 3000), is_still=True).matrix == "bt601"
    assert settled("yuv420p", (1280, 720), matrix="bt470bg").matrix == "bt601"
    assert settled("yuv420p10le", matrix="bt2020nc").primaries == "bt2020"


def test_a_matrix_that_does_not_make_cb_and_cr_is_not_stated_again() -> None:
    fmt = settled("gbrp", matrix="gbr", transfer="bt709")
    assert fmt.stated == ColorTags(transfer="bt709")


def test_black_and_white_have_their_code_values() -> None:
    limited, full = settled("yuv420p10le"), settled("gray12le")
    assert (limited.luma_zero, limited.luma_peak, limited.chroma_mid, limited.chroma_span) == (64, 940, 512, 896)
    assert (full.luma_zero, full.luma_peak, full.chroma_mid, full.chroma_span) == (0, 4095, 2048, 4095)


def test_chroma_planes_of_odd_pictures_round_up() -> None:
    assert settled("yuv420p", (97, 71)).chroma_size == (36, 49)
    assert settled("yuv411p", (97, 71)).chroma_size == (71, 25)


def test_what_is_handed_to_an_encoder_keeps_range_and_tags() -> None:
    source = settled("gray10le", transfer="bt709")
    carried = source.carried(10, 1, 1, alpha=False)
    assert (carried.pixels, carried.full_range, carried.stated) == ("yuv420p10le", True, source.stated)
    assert source.carried(8, 0, 0, alpha=True).pixels == "yuva444p"
    with pytest.raises(OutputError, match="yuv410p10le"):
        source.carried(10, 2, 2, alpha=False)


def test_tags_are_read_from_a_picture() -> None:
    frame = frame_of(textures(1)[0])
    frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = 2, 6, 5, 1
    fmt = PictureFormat.of_frame(frame, "topleft")
    assert fmt.stated == ColorTags("pc", "smpte170m", "bt470bg", "bt709", "topleft")


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_luma_weights_sum_to_one(matrix: str) -> None:
    assert sum(luma_weights(matrix)) == pytest.approx(1, abs=1e-9)
