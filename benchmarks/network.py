"""The network alone: frames a second by picture size and batch, and what share of the processor that is.

Run from the repository's root: ``python -m benchmarks.network [--device cuda]``. The yardsticks are a convolution and a
product of matrices in the same precision and the same process.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn
from torch.nn import functional as F

from vidcolor import zoo
from vidcolor.colorizer import Colorizer, network_size
from vidcolor.device import Place
from vidcolor.job import load_model
from vidcolor.options import Options
from vidcolor.packed import PackedConv2d

SIZES = ("256x144", "512x288", "1920x1080")
BATCHES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one size and batch; ``seconds`` a batch, None where memory did not suffice."""

    size: tuple[int, int]
    batch: int
    gflop: float
    seconds: float | None

    @property
    def gflops(self) -> float | None:
        """GFLOP a second."""
        return self.gflop * self.batch / self.seconds if self.seconds else None


def seconds(task: Callable[[], object], device: torch.device, tries: int) -> float:
    """Median time of a task: CPU time of one thread, or wall time on a GPU, which is waited for."""
    runs = []
    for _ in range(tries + 2):
        began = _now(device)
        task()
        runs.append(_now(device) - began)
    return median(runs[2:])


def _now(device: torch.device) -> float:
    if device.type == "cpu":
        return time.thread_time()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def gflop(model: str, size: tuple[int, int]) -> float:
    """Of a network for one picture (height, width), a multiplication and an addition counted as two."""
    from torch.utils.flop_counter import FlopCounterMode

    network = zoo.load(model, Place(torch.device("cpu"), "fp32")).colorizer
    with FlopCounterMode(display=False) as counted:  # with gradients, convolutions are torch's own, and so are seen
        network(torch.zeros(1, 1, *size), network.start())
    return float(counted.get_total_flops()) / 1e9


def yardsticks(place: Place, kind: torch.dtype, tries: int) -> dict[str, float]:
    """GFLOP a second of a 3x3 convolution of 128 channels and of a product of square matrices."""
    cpu = place.device.type == "cpu"
    height, width, side = (72, 128, 1024) if cpu else (576, 1024, 8192)
    seen = torch.ones(1 if cpu else 8, 128, height, width, dtype=kind, device=place.device)
    seen = seen.to(memory_format=torch.channels_last)
    weights = torch.ones(128, 128, 3, 3, dtype=kind, device=place.device).to(memory_format=torch.channels_last)
    matrix = torch.ones(side, side, dtype=kind, device=place.device)
    with torch.inference_mode():
        convolved = seconds(lambda: F.conv2d(seen, weights, padding=1), place.device, tries)
        product = seconds(lambda: matrix @ matrix, place.device, tries)
    work = 2e-9 * len(seen) * height * width * 128 * 128 * 9
    return {"convolution": work / convolved, "product": 2e-9 * side**3 / product}


def measure(network: Colorizer, size: tuple[int, int], batch: int, tries: int) -> float | None:
    """Seconds that a batch of pictures (height, width) takes; None where there is no memory left.

    Each time they are a shot's first: then a network looks at them, whatever it may pass over later.
    """
    own = next(network.parameters())
    light = torch.rand(batch, 1, *size, generator=torch.Generator().manual_seed(1)).to(own)

    def step() -> None:
        with torch.inference_mode():
            network(light, network.start())

    try:
        return seconds(step, own.device, tries)
    except torch.cuda.OutOfMemoryError:
        return None


def compile_whole(network: Colorizer) -> None:
    """Let torch compile a network when it is first called, its weights frozen; in place."""
    from torch._inductor import config

    config.freezing = True
    for module in network.modules():
        if isinstance(module, PackedConv2d):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]  # it packs weights in a way of its own
    network.compile(dynamic=False)


def table(speeds: Sequence[Speed], yard: dict[str, float]) -> str:
    """Frames a second, and shares of the yardsticks."""
    lines = ["| size | batch | ms a frame | frames/s | GFLOP/s | of a convolution | of a product |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for speed in speeds:
        cells = [f"{speed.size[1]}x{speed.size[0]}", str(speed.batch)]
        if speed.seconds is None or speed.gflops is None:
            cells += ["no memory"] + [""] * 4
        else:
            each = speed.seconds / speed.batch
            cells += [f"{1000 * each:.2f}", f"{1 / each:.0f}", f"{speed.gflops:.0f}"]
            cells += [f"{speed.gflops / yard[name]:.2f}" for name in ("convolution", "product")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """What may be asked for."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.network", description=__doc__, allow_abbrev=False)
    made.add_argument("--device", default="cpu", help="as in `vidcolor restore` (default: cpu)")
    made.add_argument("--precision", default="auto", help="as in `vidcolor restore`")
    made.add_argument("--runtime", default="torch", help="as in `vidcolor restore`")
    made.add_argument("--model", default=Options().model, help="as in `vidcolor restore`")
    made.add_argument("--sizes", nargs="+", metavar="WxH", help=f"default: {' '.join(SIZES)}; on a CPU the first")
    made.add_argument("--batches", nargs="+", type=int, metavar="N", help=f"default: {BATCHES}; on a CPU 1")
    made.add_argument("--tries", type=int, default=15, metavar="N", help="medians are taken of them (default: 15)")
    made.add_argument("--threads", type=int, default=1, metavar="N", help="of torch (default: 1)")
    made.add_argument("--compile", action="store_true", help="torch.compile, which takes minutes and a C++ compiler")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    options = Options(model=args.model, device=args.device, precision=args.precision, runtime=args.runtime)
    model = load_model(options)
    network, is_cpu = model.colorizer, model.place.device.type == "cpu"
    sizes = args.sizes or (SIZES[:1] if is_cpu else SIZES)
    batches = args.batches or ((1,) if is_cpu else BATCHES)
    kind = {"fp32": torch.float32, "fp16": torch.float16}.get(model.place.precision, torch.bfloat16)
    yard = yardsticks(model.place, kind, args.tries)
    if args.compile:
        began = time.perf_counter()
        compile_whole(network)
        measure(network, _size(network, sizes[0]), batches[0], 1)
        sys.stdout.write(f"compiled in {time.perf_counter() - began:.0f} s\n")
    speeds = []
    for size in (_size(network, size) for size in sizes):
        work = gflop(args.model, size)
        speeds += [Speed(size, batch, work, measure(network, size, batch, args.tries)) for batch in batches]
    told = ", ".join(f"{name} {value:.0f}" for name, value in yard.items())
    sys.stdout.write(f"{table(speeds, yard)}\n\n{model.place}, {args.runtime}; GFLOP/s of the yardsticks: {told}\n")
    return 0


def _size(network: Colorizer, size: str) -> tuple[int, int]:
    width, height = map(int, size.split("x"))
    return network_size((height, width), max(width, height), network.spec.stride)


if __name__ == "__main__":
    raise SystemExit(main())
