"""The stages of a restoration one by one, each on its own and in this process: what each costs a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from benchmarks.spent import Spent, middle, work
from streams.luma import Plane
from streams.shots import Batch, batches
from streams.sink import EncodeOptions, VideoSink, plan_output
from streams.source import Frame, VideoSource
from vidcolor import zoo
from vidcolor.colorizer import Colorizer
from vidcolor.device import choose
from vidcolor.options import Options
from vidcolor.planes import ChromaMaker, network_size


@dataclass(frozen=True, slots=True)
class Bench:
    """One film and how it is restored."""

    film: Path
    scratch: Path
    options: Options


def measure(bench: Bench, frames: int, repeats: int) -> dict[str, Spent]:
    """Median cost of a frame in each stage, over the film's first ``frames`` frames held in memory."""
    runs: dict[str, list[Spent]] = {}
    for _ in range(repeats):
        for name, spent in _once(bench, frames):
            runs.setdefault(name, []).append(spent.share(frames))
    return {name: middle(some) for name, some in runs.items()}


def _once(bench: Bench, count: int) -> Iterator[tuple[str, Spent]]:
    options = bench.options
    model = zoo.load(options.model, choose(options.device, options.precision))
    network = model.colorizer
    with closing(VideoSource(bench.film)) as film:
        frames: list[Frame] = []
        yield "decode", work(lambda: frames.extend(islice(film, count)))
        form = film.info.format
        size = network_size((form.height, form.width), options.side or network.spec.side, network.spec.stride)
        plan = plan_output(film.info, bench.scratch, EncodeOptions(options.codec, options.crf, options.preset))
        maker = ChromaMaker(form, plan.coded)

        shots: list[Batch] = []
        yield "shots, small luma", work(lambda: shots.extend(batches(frames, size, model.place.batch)))

        colours: list[torch.Tensor] = []
        warm = [replace(shots[0], small=shots[0].small[:1])]  # torch plans and packs at its first picture
        aside(lambda: list(_colour(network, maker, warm)))
        yield "network", work(lambda: aside(lambda: colours.extend(_colour(network, maker, shots))))

        planes: list[tuple[Plane, Plane]] = []
        aside(lambda: list(maker.chroma(colours[0][:1], shots[0].small[:1])))
        yield "chroma", work(lambda: aside(lambda: planes.extend(_planes(maker, colours, shots))))

        def encode() -> None:
            with VideoSink(plan, film.info, "benchmark") as sink:
                for frame, (cb, cr) in zip(frames, planes, strict=True):
                    sink.write(frame, cb, cr)
                sink.finish()

        yield "encode, check", work(encode)


def aside(task: Callable[[], object]) -> None:
    """Do something in a thread of its own, as the product does: torch's threads wait otherwise in a program's first."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(task).result()


def _planes(maker: ChromaMaker, colours: list[torch.Tensor], shots: list[Batch]) -> Iterator[tuple[Plane, Plane]]:
    for ab, shot in zip(colours, shots, strict=True):
        yield from maker.chroma(ab, shot.small)


def _colour(network: Colorizer, maker: ChromaMaker, shots: list[Batch]) -> Iterator[torch.Tensor]:
    """One frame a step, as a CPU does it; memory from frame to frame."""
    own = next(network.parameters())
    state = network.start()
    with torch.inference_mode():
        for shot in shots:
            state = network.start() if shot.begins_shot else state
            parts = []
            for light in maker.small_to_light(shot.small).to(own):
                ab, state = network(light[None], state)
                parts.append(ab)
            yield torch.cat(parts)
