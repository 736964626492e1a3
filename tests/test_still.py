"""Still pictures stay pictures: same type, same light, all that belonged to them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from reels import textures

from streams.errors import InputError, OutputError
from streams.formats import ColorTags, PictureFormat, luma_weights
from streams.still import Still, encode_still, read_still, read_still_mark, write_still
from streams.stills.deep import _summed
from streams.stills.paint import _in_cube, paint

RNG = np.random.default_rng(9)
GREY = textures(1, (61, 83), top=230)[0]
ALPHA = RNG.integers(0, 256, GREY.shape).astype(np.uint8)
RGB = RNG.integers(0, 256, (61, 83, 3)).astype(np.uint8)
MARK = "machine-made colours; vidcolor=1.0; model=reel; sha256=abc"


def saved(path: Path, pixels: NDArray[Any] | Image.Image, **options: Any) -> Path:  # noqa: ANN401 - Pillow's own
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def colors(still: Still) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Wild chroma at half size for each page."""
    made = []
    for page in still.pages:
        dtype = page.luma.dtype
        size = tuple(max(1, side // 2) for side in page.luma.shape)
        made.append(tuple(RNG.integers(0, 1 << page.format.depth, size).astype(dtype) for _ in "br"))
    return made  # type: ignore[return-value]


def luma_of_pixels(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Exact BT.601 luma of decoded pixels, on their own scale."""
    if pixels.ndim == 2:
        return pixels.astype(float)
    if pixels.shape[2] < 3:
        return pixels[:, :, 0].astype(float)
    weights: NDArray[np.float64] = pixels[:, :, :3].astype(float) @ np.array(luma_weights("bt601"))
    return weights


def decoded(path: Path, pixels: str) -> NDArray[Any]:
    """Pixels as FFmpeg reads them: a second reader beside Pillow, and one that knows 16-bit colour."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).reformat(format=pixels)
    return frame.to_ndarray()


PICTURES: dict[str, Callable[[Path], Path]] = {
    "grey.png": lambda p: saved(p, GREY),
    "rgb.png": lambda p: saved(p, RGB),
    "la.png": lambda p: saved(p, np.dstack([GREY, ALPHA])),
    "rgba.png": lambda p: saved(p, np.dstack([RGB, ALPHA])),
    "palette.png": lambda p: saved(p, Image.fromarray(RGB).convert("P")),
    "bit.png": lambda p: saved(p, Image.fromarray(GREY > 128)),
    "dot.png": lambda p: saved(p, GREY[:1, :1]),
    "grey.tif": lambda p: saved(p, GREY, compression="tiff_lzw"),
    "rgb.tiff": lambda p: saved(p, RGB),
    "bit.tif": lambda p: saved(p, Image.fromarray(GREY > 128), compression="group4"),
    "lossless.webp": lambda p: saved(p, np.dstack([RGB, ALPHA]), lossless=True, exact=True),
}


@pytest.mark.parametrize("name", PICTURES)
def test_light_stays_within_one_code_value_and_alpha_bit_for_bit(tmp_path: Path, name: str) -> None:
    path = PICTURES[name](tmp_path / name)
    still = read_still(path)
    write_still(still, colors(still), tmp_path / f"out-{name}")
    with Image.open(path) as before, Image.open(tmp_path / f"out-{name}") as after:
        has_alpha = before.mode in ("LA", "RGBA")
        plain = before if before.mode in ("L", "LA", "RGB", "RGBA") else before.convert("RGB")
        old, new = np.asarray(plain), np.asarray(after)
        assert (after.format, after.size) == (before.format, before.size)
        assert after.mode == ("RGBA" if has_alpha else "RGB")
    # Rounding of three channels, each by half a code at most, weighs half a code; libraries round once more.
    assert np.abs(luma_of_pixels(new) - luma_of_pixels(old)).max() <= 1.0
    if has_alpha:
        np.testing.assert_array_equal(new[:, :, 3], old[:, :, -1])


DEEP = {
    "grey.png": ("gray16be", 1),
    "rgb.png": ("rgb48be", 3),
    "rgba.png": ("rgba64be", 4),
    "grey.tiff": ("gray16le", 1),
    "rgb.tiff": ("rgb48le", 3),
}


@pytest.mark.parametrize("name", DEEP)
def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path, name: str) -> None:
    stored, channels = DEEP[name]
    deep = RNG.integers(0, 1 << 16, (20, 30, channels)).astype(np.uint16)
    context = av.CodecContext.create(name.rpartition(".")[2], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = 30, 20, stored, 1  # type: ignore[assignment]
    frame = av.VideoFrame.from_ndarray(deep[:, :, 0] if channels == 1 else deep, stored)
    path = tmp_path / name
    path.write_bytes(b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None))))
    still = read_still(path)
    write_still(still, colors(still), tmp_path / f"out-{name}", mark=MARK)
    result = decoded(tmp_path / f"out-{name}", "rgba64le" if channels == 4 else "rgb48le")
    assert np.abs(luma_of_pixels(result) - luma_of_pixels(deep)).max() <= 1.0
    if channels == 4:
        np.testing.assert_array_equal(result[:, :, 3], deep[:, :, 3])
    assert read_still_mark(tmp_path / f"out-{name}") == MARK


def tiff_of(pixels: NDArray[Any], order: str, tile: int, *, separate: bool) -> bytes:
    """An uncompressed RGB TIFF in strips of the whole picture or in tiles, its planes apart or not."""
    height, width, count = pixels.shape
    step = tile or max(height, width)
    planes = [pixels[:, :, n : n + 1] for n in range(count)] if separate else [pixels]
    blocks = []
    for plane in planes:
        for top in range(0, height, step):
            for left in range(0, width, step):
                part = plane[top : top + step, left : left + step]
                room = [(0, step - part.shape[0]), (0, step - part.shape[1]), (0, 0)] if tile else [(0, 0)] * 3
                blocks.append(np.pad(part, room).astype(f"{order}u2").tobytes())
    places = [8 + sum(map(len, blocks[:n])) for n in range(len(blocks))]
    lengths = [len(block) for block in blocks]
    storage = (
        {322: [tile], 323: [tile], 324: places, 325: lengths} if tile else {273: places, 278: [height], 279: lengths}
    )
    fields = {256: [width], 257: [height], 258: [16] * count, 259: [1], 262: [2], 277: [count]}
    fields |= {284: [1 + separate], **storage}
    begin = 8 + sum(lengths)
    after, entries, lists = begin + 6 + 12 * len(fields), b"", b""
    for tag, values in sorted(fields.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        entries += struct.pack(f"{order}HHI", tag, 4, len(values))
        entries += packed if len(values) == 1 else struct.pack(f"{order}I", after + len(lists))
        lists += packed if len(values) > 1 else b""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, begin)
    return head + b"".join(blocks) + struct.pack(f"{order}H", len(fields)) + entries + bytes(4) + lists


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("tile", "separate"), [(0, False), (0, True), (32, False), (32, True)])
def test_deep_colour_is_read_however_a_tiff_lays_it(order: str, tile: int, separate: bool) -> None:
    pixels = RNG.integers(0, 65536, (61, 83, 3))
    page = read_still(tiff_of(pixels, order, tile, separate=separate)).pages[0]
    assert page.light is not None
    # Half a step of the float32 that luma of 16 bits is calculated in.
    assert np.abs(page.light - luma_of_pixels(pixels)).max() < 0.01


def test_differences_of_deep_pixels_are_summed_from_the_edge_of_each_tile() -> None:
    pixels = RNG.integers(0, 65536, (61, 83, 3)).astype(np.uint16)
    steps = pixels.copy()  # as TIFF calls for in each tile
    for left in range(0, 83, 32):
        steps[:, left + 1 : left + 32] -= pixels[:, left : min(83, left + 32) - 1]
    tags = {317: 2, 322: 32, 324: ()}
    np.testing.assert_array_equal(_summed(steps, tags), pixels)
    steps[:, 1:] = pixels[:, 1:] - pixels[:, :-1]
    np.testing.assert_array_equal(_summed(steps, {317: 2}), pixels)


@pytest.mark.parametrize("name", ["film.jpg", "film.webp"])
@pytest.mark.parametrize("pixels", [GREY, np.dstack([GREY] * 3)], ids=["grey", "rgb"])
def test_lossy_types_keep_light_within_coding_noise(tmp_path: Path, name: str, pixels: NDArray[Any]) -> None:
    path = saved(tmp_path / name, pixels, quality=90)
    still = read_still(path)
    soft = [tuple(np.full((2, 2), value, np.uint8) for value in (110, 150))]
    write_still(still, soft, tmp_path / f"out-{name}")  # type: ignore[arg-type]
    with Image.open(path) as before, Image.open(tmp_path / f"out-{name}") as after:
        error = luma_of_pixels(np.asarray(after)) - luma_of_pixels(np.asarray(before))
    assert 10 * np.log10(255**2 / np.mean(error**2)) >= 38
    assert abs(error.mean()) <= 0.25


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["film.jpg", "film.png", "film.webp", "film.tif"])
def test_orientation_is_kept_and_not_applied(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = read_still(saved(tmp_path / f"up-{name}", GREY)).pages[0].luma
    still = read_still(saved(tmp_path / name, GREY, exif=exif))
    np.testing.assert_array_equal(still.pages[0].luma, upright)
    data = encode_still(still, colors(still))
    with Image.open(BytesIO(data)) as after:
        assert after.getexif()[0x0112] == orientation
    assert np.abs(read_still(data).pages[0].luma.astype(int) - upright).mean() <= 2


def profile(space: bytes) -> bytes:
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[16:20] = space
    return bytes(made)


@pytest.mark.parametrize("name", ["film.jpg", "film.png", "film.webp", "film.tif"])
def test_exif_profile_density_and_xmp_are_kept_byte_for_byte(tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = 6, "Plate Works", "Nobody"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile(b"RGB "), "dpi": (300, 300)}
    options |= {} if name.endswith("tif") else {"xmp": xmp}
    path = saved(tmp_path / name, RGB, **options)
    still = read_still(path)
    write_still(still, colors(still), tmp_path / f"out-{name}", mark=MARK)
    with Image.open(path) as before, Image.open(tmp_path / f"out-{name}") as after:
        for key in ("exif", "icc_profile", "xmp", "dpi"):
            assert after.info.get(key) == before.info.get(key), key
        assert [after.getexif()[tag] for tag in (0x0112, 0x010F, 0x8298)] == [6, "Plate Works", "Nobody"]
        assert after.size == before.size
    assert read_still_mark(tmp_path / f"out-{name}") == MARK
    assert read_still_mark(path) is None


@pytest.mark.parametrize("name", ["film.jpg", "film.png", "film.tif"])
def test_a_grey_profile_is_not_put_on_a_colour_picture(tmp_path: Path, name: str) -> None:
    still = read_still(saved(tmp_path / name, GREY, icc_profile=profile(b"GRAY")))
    with Image.open(BytesIO(encode_still(still, colors(still)))) as after:
        assert "icc_profile" not in after.info


def test_all_pages_of_a_tiff_are_kept_each_with_its_size(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY[: 61 - 7 * number]) for number in range(3)]
    path = saved(tmp_path / "pages.tif", pages[0], save_all=True, append_images=pages[1:], compression="tiff_deflate")
    still = read_still(path)
    data = encode_still(still, colors(still), mark=MARK)
    with Image.open(BytesIO(data)) as after:
        assert getattr(after, "n_frames", 1) == 3
        for number in range(3):
            after.seek(number)
            assert after.size == pages[number].size
            difference = luma_of_pixels(np.asarray(after)) - np.asarray(pages[number])
            assert np.abs(difference).max() <= 1.0


def test_former_marks_are_replaced_and_other_texts_kept(tmp_path: Path) -> None:
    for name, options in (
        ("film.jpg", {"comment": b"a comment"}),
        ("film.png", {}),
        ("film.webp", {}),
        ("film.tif", {}),
    ):
        still = read_still(saved(tmp_path / name, GREY, **options))
        once = read_still(encode_still(still, colors(still), mark="first"))
        (tmp_path / name).write_bytes(encode_still(once, colors(once), mark="second"))
        assert read_still_mark(tmp_path / name) == "second"
    with Image.open(tmp_path / "film.jpg") as after:
        assert after.info["comment"] == b"a comment"


def test_jpeg_without_loss_is_refused_and_png_is_named(tmp_path: Path) -> None:
    still = read_still(saved(tmp_path / "film.jpg", GREY))
    with pytest.raises(OutputError, match="PNG"):
        write_still(still, colors(still), tmp_path / "out.jpg", lossless=True)
    with pytest.raises(OutputError, match="type"):
        write_still(still, colors(still), tmp_path / "out.png")
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("mode", ["CMYK", "F", "I", "LAB"])
def test_stored_colours_that_are_not_light_are_refused_in_words(tmp_path: Path, mode: str) -> None:
    path = saved(
        tmp_path / "film.tif",
        Image.fromarray(RGB).convert("L").convert("F").convert(mode) if mode in "FI" else Image.new(mode, (8, 8)),
    )
    with pytest.raises(InputError, match=mode):
        read_still(path)


def test_broken_pictures_are_refused_and_stderr_stays_empty(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("film.jpg", "film.png", "film.tif", "film.webp"):
        data = saved(tmp_path / name, GREY).read_bytes()
        for cut in (30, len(data) // 2):
            with pytest.raises(InputError):
                read_still(data[:cut])
    assert capfd.readouterr().err == ""


def test_colours_outside_the_cube_lose_saturation_and_no_light() -> None:
    light = np.arange(256, dtype=np.uint8)[None].repeat(9, axis=0)
    still = read_still(as_png(light))
    page = still.pages[0]
    cb = np.linspace(0, 255, 9).astype(np.uint8)[:, None].repeat(256, axis=1)
    painted = paint(page, (cb, cb[::-1]))
    assert np.abs(luma_of_pixels(painted) - light).max() <= 0.5 + 1e-3
    neutral = np.full_like(cb, 128)
    np.testing.assert_array_equal(paint(page, (neutral, neutral)), np.dstack([light] * 3))


def as_png(pixels: NDArray[Any]) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_the_folder_holds_nothing_else_afterwards(tmp_path: Path) -> None:
    still = read_still(saved(tmp_path / "film.png", GREY))
    write_still(still, colors(still), tmp_path / "out.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.png", "out.png"]


def test_rounding_to_rgb_leaves_luma_within_a_fifth_of_a_code() -> None:
    """A single pixel has no neighbours to average its error with, so each must be right on its own."""
    random = np.random.default_rng(9)
    luma = random.integers(40, 200, (64, 64), dtype=np.uint8)
    chroma = tuple(random.integers(110, 150, (64, 64), dtype=np.uint8) for _ in range(2))
    form = PictureFormat.of((64, 64), "gray", ColorTags(), is_still=True)
    rgb = _in_cube(luma.astype(np.float32), chroma[0], chroma[1], form)
    assert np.abs(rgb @ [0.299, 0.587, 0.114] - luma).max() <= 0.2
