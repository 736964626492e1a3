"""Light comes out as it was decoded, whatever the layout."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from reels import frame_of

from streams.formats import ColorTags, PictureFormat, luma_weights
from streams.luma import Plane, alpha_of, has_clear_pixels, luma_of

RNG = np.random.default_rng(5)


def noise(depth: int, size: tuple[int, int] = (34, 52)) -> Plane:
    return RNG.integers(0, 1 << depth, size, np.uint8 if depth == 8 else np.uint16)


@pytest.mark.parametrize(
    ("planar", "stored"),
    [
        ("yuv420p", "nv12"),
        ("yuv420p", "nv21"),
        ("yuv420p10le", "p010le"),
        ("yuv420p12le", "p012le"),
        ("yuv422p10le", "p210le"),
        ("yuv420p10le", "yuv420p10be"),
        ("yuv444p10le", "yuv444p10msble"),
        ("yuv422p", "yuyv422"),
        ("yuv422p", "yvyu422"),
        ("yuv422p", "uyvy422"),
        ("yuv422p10le", "y210le"),
        ("yuv422p12le", "y212le"),
        ("yuv444p10le", "xv30le"),
        ("yuv444p10le", "v30xle"),
        ("yuv444p12le", "xv36le"),
        ("yuv444p16le", "xv48le"),
        ("yuv444p", "vyu444"),
        ("yuv444p", "vuyx"),
        ("yuva444p", "vuya"),
        ("yuva444p", "ayuv"),
        ("yuva444p", "uyva"),
        ("gray16le", "gray16be"),
        ("gray", "ya8"),
        ("gray16le", "ya16le"),
    ],
)
def test_luma_and_alpha_of_every_layout_are_the_code_values_themselves(planar: str, stored: str) -> None:
    depth = av.VideoFormat(planar).components[0].bits
    luma = noise(depth)
    alpha = noise(depth) if planar.startswith("yuva") else None
    picture = frame_of(luma, planar, alpha)
    frame = picture.reformat(format=stored, src_color_range=2, dst_color_range=2, threads=1)
    fmt = PictureFormat.of_frame(frame)
    assert fmt.depth == depth
    np.testing.assert_array_equal(luma_of(frame, fmt), luma)
    if alpha is not None:
        np.testing.assert_array_equal(alpha_of(frame, fmt), alpha)


def test_luma_of_411_in_one_plane_is_picked_from_its_groups() -> None:
    frame = av.VideoFrame(16, 2, "uyyvyy411")
    rows = np.frombuffer(frame.planes[0], np.uint8).reshape(2, -1)  # type: ignore[call-overload]
    groups = RNG.integers(0, 256, (2, 4, 6)).astype(np.uint8)
    rows[:, :24] = groups.reshape(2, 24)
    fmt = PictureFormat.of_frame(frame)
    np.testing.assert_array_equal(luma_of(frame, fmt), groups[:, :, (1, 2, 4, 5)].reshape(2, 16))


@pytest.mark.parametrize("pixels", ["yuv420p", "gray", "gray10le", "nv12", "yuv444p12le"])
def test_luma_is_a_view_that_nobody_can_write_to(pixels: str) -> None:
    frame = av.VideoFrame(50, 30, pixels)
    luma = luma_of(frame, PictureFormat.of_frame(frame))
    address = luma.__array_interface__["data"][0]
    assert address == frame.planes[0].buffer_ptr
    assert not luma.flags.writeable


@pytest.mark.parametrize(
    "pixels", ["rgb24", "bgr24", "bgra", "argb", "0rgb", "rgb48be", "rgba64le", "gbrp10le", "gbrap"]
)
@pytest.mark.parametrize("matrix", ["smpte170m", "bt709", "bt2020nc"])
def test_luma_of_rgb_is_within_0_6_code_value_of_the_exact_one(pixels: str, matrix: str) -> None:
    frame = av.VideoFrame(40, 30, pixels)
    for plane in frame.planes:
        words = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
        words[:] = RNG.integers(0, 256, words.size)
    if pixels == "gbrp10le":
        for plane in frame.planes:
            np.frombuffer(plane, "<u2")[:] &= 1023  # type: ignore[call-overload]
    fmt = PictureFormat.of((40, 30), pixels, ColorTags(matrix=matrix))
    exact = channels(frame, fmt) @ np.array(luma_weights(fmt.matrix))
    assert np.abs(luma_of(frame, fmt) - exact).max() <= 0.6
    assert fmt.depth == av.VideoFormat(pixels).components[0].bits


def channels(frame: av.VideoFrame, fmt: PictureFormat) -> NDArray[np.float64]:
    if fmt.pixels.startswith("gbr"):
        dtype = np.uint8 if fmt.depth == 8 else np.uint16
        planes = [np.frombuffer(p, dtype).reshape(30, -1)[:, :40] for p in frame.planes[:3]]  # type: ignore[call-overload]
        return np.stack([planes[2], planes[0], planes[1]], axis=-1).astype(float)
    order = fmt.pixels.partition("24")[0].partition("48")[0].partition("64")[0]
    dtype = np.uint8 if fmt.depth == 8 else np.dtype(">u2" if fmt.pixels.endswith("be") else "<u2")
    words = np.frombuffer(frame.planes[0], dtype).reshape(30, -1)  # type: ignore[call-overload]
    pixels = words[:, : 40 * len(order)].reshape(30, 40, -1)
    return np.stack([pixels[:, :, order.index(name)] for name in "rgb"], axis=-1).astype(float)


@pytest.mark.parametrize(
    ("pixels", "word", "rgb"),
    [
        ("rgb565le", 0b11111_111111_11111, (255, 255, 255)),
        ("rgb565be", 0b10000_000001_00000, (132, 4, 0)),
        ("bgr565le", 0b10000_000001_00000, (0, 4, 132)),
        ("rgb555le", 0b0_11111_00000_00001, (255, 0, 8)),
        ("bgr555be", 0b0_11111_00000_00001, (8, 0, 255)),
        ("rgb444le", 0b1000_1111_0001, (136, 255, 17)),
        ("rgb8", 0b100_111_01, (146, 255, 85)),
        ("bgr8", 0b01_111_100, (146, 255, 85)),
        ("rgb4_byte", 0b1_10_0, (255, 170, 0)),
    ],
)
def test_rgb_of_a_few_bits_fills_the_whole_range(pixels: str, word: int, rgb: tuple[int, int, int]) -> None:
    frame = av.VideoFrame(17, 3, pixels)
    dtype = np.dtype("u1" if "8" in pixels or "byte" in pixels else ">u2" if pixels.endswith("be") else "<u2")
    np.frombuffer(frame.planes[0], dtype)[:] = word  # type: ignore[call-overload]
    fmt = PictureFormat.of_frame(frame)
    luma = luma_of(frame, fmt)
    assert luma.shape == (3, 17)
    assert np.abs(luma - np.array(luma_weights(fmt.matrix)) @ rgb).max() <= 0.6


def test_luma_of_a_palette_picture_goes_through_its_palette() -> None:
    frame = av.VideoFrame(20, 10, "pal8")
    colors = RNG.integers(0, 256, (256, 3))
    entries = 0xFF000000 | (colors[:, 0] << 16) | (colors[:, 1] << 8) | colors[:, 2]
    np.frombuffer(frame.planes[1], np.uint32)[:] = entries  # type: ignore[call-overload]
    index = RNG.integers(0, 256, (10, 20))
    np.frombuffer(frame.planes[0], np.uint8).reshape(10, -1)[:, :20] = index  # type: ignore[call-overload]
    fmt = PictureFormat.of_frame(frame)
    exact = colors[index] @ np.array(luma_weights("bt601"))
    assert np.abs(luma_of(frame, fmt) - exact).max() <= 0.6
    assert not has_clear_pixels(frame, fmt)
    np.frombuffer(frame.planes[1], np.uint32)[int(index[0, 0])] = 0  # type: ignore[call-overload]
    assert has_clear_pixels(frame, fmt)


@pytest.mark.parametrize(("pixels", "set_bit"), [("monob", 255), ("monow", 0)])
def test_single_bits_become_black_and_white(pixels: str, set_bit: int) -> None:
    frame = av.VideoFrame(13, 3, pixels)
    np.frombuffer(frame.planes[0], np.uint8).reshape(3, -1)[:, :2] = (0b10000000, 0b00001000)  # type: ignore[call-overload]
    luma = luma_of(frame, PictureFormat.of_frame(frame))
    expected = np.full((3, 13), 255 - set_bit, np.uint8)
    expected[:, [0, 12]] = set_bit
    np.testing.assert_array_equal(luma, expected)
