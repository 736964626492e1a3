"""Clips and a tiny network, made on the spot: no test waits for trained weights or opens a real film."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from av.container import OutputContainer
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pages import Page

    from vidcolor.zoo import LoadedModel

MakeFilm = Callable[..., Path]
TICK = Fraction(1, 1000)
SOUND_RATE = 48_000


def moving_picture(index: int, size: tuple[int, int], scene: int = 0) -> NDArray[np.uint8]:
    """Luma of a soft pattern that drifts; every scene has its own, so that a change of scene is a cut."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float64)
    slope = (0.21, 0.43, 0.11, 0.33)[scene % 4]
    wave = np.sin(slope * (x + index)) + np.cos(0.17 * (scene + 1) * (y - index / 2))
    return np.clip((90, 150, 60, 190)[scene % 4] + 25 * wave, 16, 235).astype(np.uint8)


def picture_of(luma: NDArray[np.uint8], pts: int) -> av.VideoFrame:
    """A 4:2:0 picture without colour."""
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
    for plane, values in zip(picture.planes, (luma, 128, 128), strict=True):
        lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
        lines[:, : plane.width] = values
    picture.pts, picture.time_base = pts, TICK
    return picture


@pytest.fixture
def make_film(tmp_path: Path) -> MakeFilm:
    """`make_film(name, frames, size=(height, width), cuts, stamps, sound)` makes a lossless clip.

    `cuts` are the numbers of pictures that begin a scene, `stamps` the times in milliseconds (default: 25 a second).
    """

    def make(
        name: str = "film.mkv",
        frames: int = 12,
        size: tuple[int, int] = (48, 64),
        cuts: tuple[int, ...] = (),
        stamps: list[int] | None = None,
        sound: bool = False,
    ) -> Path:
        scenes = [sum(index >= cut for cut in cuts) for index in range(frames)]
        with av.open(str(tmp_path / name), "w") as film:
            video = film.add_stream("ffv1", rate=25)
            video.height, video.width = size
            video.pix_fmt, video.codec_context.time_base = "yuv420p", TICK
            audio = film.add_stream("pcm_s16le", rate=SOUND_RATE, layout="mono") if sound else None
            for index, scene in enumerate(scenes):
                pts = stamps[index] if stamps else index * 40
                film.mux(video.encode(picture_of(moving_picture(index, size, scene), pts)))
            film.mux(video.encode(None))
            if audio is not None:
                _add_sound(film, audio, frames)
        return tmp_path / name

    return make


def _add_sound(film: OutputContainer, audio: av.AudioStream, frames: int) -> None:
    for index in range(frames):
        samples = np.arange(index * 1920, (index + 1) * 1920)
        wave = (8000 * np.sin(samples / 20)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, index * 1920, Fraction(1, SOUND_RATE)
        film.mux(audio.encode(frame))
    film.mux(audio.encode(None))


def tiny_model() -> LoadedModel:
    """A network of a few weights, with a memory."""
    import torch
    from torch import Tensor, nn

    from vidcolor import device
    from vidcolor.colorizer import Colorizer, Spec
    from vidcolor.memory import ConvLSTM, State
    from vidcolor.zoo import LoadedModel

    class Tiny(Colorizer):
        spec = Spec("tiny", 32, 8, 2, "MIT", True)

        def __init__(self) -> None:
            super().__init__()
            self.encode = nn.Conv2d(1, 6, 4, stride=4)
            self.memory = ConvLSTM(4)
            self.decode = nn.ConvTranspose2d(6, 2, 2, stride=2)
            nn.init.normal_(self.memory.out.weight)

        def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
            features, after = self.memory(self.encode(light), len(light), state.tensors, "memory")
            return self.decode(features) * 60, State(after)

    torch.manual_seed(7)
    network = Tiny().eval().requires_grad_(False)
    place = device.Place(torch.device("cpu"), "fp32")
    return LoadedModel(network, "tiny", "0" * 64, Path("tiny"), place)


def write_chance(path: Path) -> Path:
    """Write the main network with weights of chance, always the same."""
    import torch

    from vidcolor import weights
    from vidcolor.models.reel import Reel

    torch.manual_seed(11)
    weights.write(Reel().state_dict(), path, "reel")
    return path


@pytest.fixture(scope="session")
def chance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the main network with weights of chance."""
    return write_chance(tmp_path_factory.mktemp("chance") / "chance.safetensors")


@pytest.fixture(scope="session")
def network() -> LoadedModel:
    """The main network with weights of chance, loaded."""
    import torch

    from vidcolor import device
    from vidcolor.models.reel import Reel
    from vidcolor.zoo import LoadedModel

    torch.manual_seed(3)
    loaded = Reel().fold().requires_grad_(False)
    return LoadedModel(loaded, "reel", "0" * 64, Path("reel"), device.Place(torch.device("cpu"), "fp32"))


@pytest.fixture
def reel(network: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """That network in the place of the trained one, and a judge of coloured keys that was never taught."""
    from vidcolor import frames, job
    from vidcolor.guide import lead
    from vidcolor.guide.judge import Judge

    untaught = Judge().eval().requires_grad_(False)
    for room in (job, frames):
        monkeypatch.setattr(room, "load_model", lambda options: network)
    monkeypatch.setattr(lead, "judge_of", lambda: untaught)
    return network


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Pictures this small gain nothing by threads, and lose much where others want the processors."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the tiny network in the place of the trained one; its name."""
    from vidcolor import frames, job

    loaded = tiny_model()
    for room in (job, frames):
        monkeypatch.setattr(room, "load_model", lambda options: loaded)
    return "tiny"


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """One server of the page for all tests that want one: the framework takes ten seconds to load."""
    from pages import running

    with running() as served:
        yield served
