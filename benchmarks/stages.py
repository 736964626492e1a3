"""The stages of a restoration one by one, each on its own and in this process: what each costs a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from benchmarks.spent import Spent, work
from streams.formats import PictureFormat
from streams.luma import Plane
from streams.prefetch import prefetch
from streams.reading.info import FilmInfo
from streams.shots import Batch, batches
from streams.sink import EncodeOptions, OutputPlan, VideoSink, plan_output
from streams.source import Frame, VideoSource
from vidcolor.job import load_model
from vidcolor.options import Options
from vidcolor.planes import ChromaMaker, network_size
from vidcolor.zoo import LoadedModel


@dataclass(frozen=True, slots=True)
class Bench:
    """One film and how it is restored."""

    film: Path
    scratch: Path
    options: Options


STAGES = ("decode", "small luma", "network", "chroma", "encode")
"""Of a restoration, in order. "encode" holds the pipe, ffmpeg, and the look at what it wrote."""
PASSTHROUGH = "passthrough"
_LASTING = ("encode", PASSTHROUGH)  # these start a program: what a frame costs is seen when some frames more are done
"""Decoded here and encoded by ffmpeg, as in a restoration, but without colours."""


def once(bench: Bench, count: int) -> Iterator[tuple[str, Spent]]:
    """Cost of a frame in each stage by itself, then of all but the colouring: the first ``count`` frames, in memory."""
    for name, spent in _once(bench, count):
        yield name, spent if name in _LASTING else spent.share(count)


def _once(bench: Bench, count: int) -> Iterator[tuple[str, Spent]]:
    options = bench.options
    model = load_model(options)
    with closing(VideoSource(bench.film)) as film:
        frames: list[Frame] = []
        yield "decode", work(lambda: frames.extend(islice(film, count)))
        info = film.info
    size = _size(model, info.format, options)
    encoder = EncodeOptions(options.codec, options.crf, options.preset, ffmpeg=options.ffmpeg)
    plan = plan_output(info, bench.scratch, encoder)
    maker = ChromaMaker(info.format, plan.coded)

    shots: list[Batch] = []
    yield "small luma", work(lambda: shots.extend(batches(frames, size, model.place.batch)))

    colours: list[torch.Tensor] = []
    warm = [replace(shots[0], small=shots[0].small[:1])]  # torch plans and packs at its first picture
    aside(lambda: list(_colour(model, maker, warm)))
    yield "network", work(lambda: aside(lambda: colours.extend(_colour(model, maker, shots))))

    planes: list[tuple[Plane, Plane]] = []
    aside(lambda: list(maker.chroma(colours[0][:1], shots[0].small[:1])))
    yield "chroma", work(lambda: aside(lambda: planes.extend(_planes(maker, colours, shots))))

    pictures = list(zip(frames, planes, strict=True))
    yield "encode", _each(lambda some: _encode(plan, info, pictures[:some]), count)
    yield PASSTHROUGH, _each(lambda some: _pass(bench.film, plan, planes[0], some), count)


def _each(task: Callable[[int], None], count: int) -> Spent:
    """What each frame costs of a task that also costs something to begin and to end: ``count`` against a third."""
    few = max(1, count // 3)
    return work(lambda: task(count)).less(work(lambda: task(few))).share(max(1, count - few))


def _size(model: LoadedModel, form: PictureFormat, options: Options) -> tuple[int, int]:
    spec = model.colorizer.spec
    return network_size((form.height, form.width), options.side or spec.side, spec.stride)


def _pass(path: Path, plan: OutputPlan, planes: tuple[Plane, Plane], count: int) -> None:
    with closing(VideoSource(path)) as film, prefetch(islice(film, count), 8) as frames:
        _encode(plan, film.info, ((frame, planes) for frame in frames))


def _encode(plan: OutputPlan, info: FilmInfo, pictures: Iterable[tuple[Frame, tuple[Plane, Plane]]]) -> None:
    with VideoSink(plan, info, "benchmark") as sink:
        for frame, (cb, cr) in pictures:
            sink.write(frame, cb, cr)
        sink.finish()


def aside(task: Callable[[], object]) -> None:
    """Do something in a thread of its own, as the product does: torch's threads wait otherwise in a program's first."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(task).result()


def _planes(maker: ChromaMaker, colours: list[torch.Tensor], shots: list[Batch]) -> Iterator[tuple[Plane, Plane]]:
    for ab, shot in zip(colours, shots, strict=True):
        yield from maker.chroma(ab, shot.small)


def _colour(model: LoadedModel, maker: ChromaMaker, shots: list[Batch]) -> Iterator[torch.Tensor]:
    """One frame a step on a CPU, a batch a step elsewhere, as the product does it; memory from frame to frame."""
    network, own = model.colorizer, next(model.colorizer.parameters())
    state = network.start()
    with torch.inference_mode():
        for shot in shots:
            state = network.start() if shot.begins_shot else state
            parts = []
            light = maker.small_to_light(shot.small).to(own)
            for step in torch.split(light, 1 if own.device.type == "cpu" else len(light)):
                ab, state = network(step, state)
                parts.append(ab)
            yield torch.cat(parts).float().cpu()
