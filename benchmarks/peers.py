"""What the networks of others cost: their own published architectures with weights of chance, one picture at a time.

Run from the repository's root: ``python -m benchmarks.peers FOLDER``. The folder, which you fill yourself, holds their
sources as they are published: ``DeOldify`` (jantic), ``DDColor`` (piddnad) and ``RobustVideoMatting`` (PeterL1n, a
recurrent network that does not colour: an anchor). Those that are missing are left out. They need torchvision; DDColor
needs timm as well, and DeOldify what its fastai asks for. Nothing of theirs is part of vidcolor.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.network import gflop, seconds
from vidcolor.colorizer import network_size
from vidcolor.job import load_model
from vidcolor.options import Options

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Peer:
    """A network at the size that it is meant for.

    Attributes:
        name: of the network.
        source: the folder that its source lies in.
        size: height and width of its input.
        make: builds it from that folder.
    """

    name: str
    source: str
    size: tuple[int, int]
    make: Callable[[Path], nn.Module]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one thread for one picture; parameters in millions."""

    name: str
    size: tuple[int, int]
    parameters: float
    gflop: float
    cpu: float


def deoldify(folder: Path) -> nn.Module:
    """The network for films: a wide U-net on a ResNet-101, as `gen_inference_wide` builds it."""
    sys.path.insert(0, str(folder))
    spectral = import_module("fastai.layers").NormType.Spectral
    body = import_module("fastai.vision.learner").create_body(import_module("torchvision.models").resnet101, False)
    shape = {"n_classes": 3, "nf_factor": 2, "y_range": (-3.0, 3.0), "norm_type": spectral}
    switches = {"blur": True, "blur_final": True, "self_attention": True, "last_cross": True, "bottle": False}
    made: nn.Module = import_module("deoldify.unet").DynamicUnetWide(body, **shape, **switches)
    return made


def ddcolor(encoder: str, queries: int) -> Callable[[Path], nn.Module]:
    """DDColor with one of its encoders, as its own pipeline builds it."""

    def make(folder: Path) -> nn.Module:
        for name in ("basicsr", "basicsr.archs", "ddcolor"):  # their own beginnings load what only training needs
            package = types.ModuleType(name)
            package.__path__ = [str(folder.joinpath(*name.split(".")))]
            sys.modules[name] = package
        sys.path.insert(0, str(folder))
        decoder = {"decoder_name": "MultiScaleColorDecoder", "num_queries": queries, "num_scales": 3, "dec_layers": 9}
        shape = {"input_size": [512, 512], "num_output_channels": 2, "last_norm": "Spectral", "do_normalize": False}
        made: nn.Module = import_module("ddcolor.model").DDColor(encoder_name=encoder, **decoder, **shape)
        return made

    return make


def matting(folder: Path) -> nn.Module:
    """RobustVideoMatting with its small encoder."""
    sys.path.insert(0, str(folder))
    made: nn.Module = import_module("model").MattingNetwork("mobilenetv3")
    return made


PEERS = (
    Peer("DeOldify video, render factor 21", "DeOldify", (336, 336), deoldify),
    Peer("DDColor tiny", "DDColor", (512, 512), ddcolor("convnext-t", 100)),
    Peer("DDColor large", "DDColor", (512, 512), ddcolor("convnext-l", 100)),
    Peer("RobustVideoMatting mobilenetv3", "RobustVideoMatting", (288, 512), matting),
)


def measure(peer: Peer, folder: Path, tries: int) -> Cost:
    """What one picture costs; a memory, where there is one, is that of the picture before."""
    from torch.utils.flop_counter import FlopCounterMode

    network = peer.make(folder / peer.source).eval().requires_grad_(False)
    seen, memory = torch.rand(1, 3, *peer.size), list[Tensor]()

    def step() -> None:
        nonlocal memory
        with torch.inference_mode():
            made = network(seen, *memory)
            memory = list(made[2:]) if isinstance(made, list | tuple) else []

    step()
    with FlopCounterMode(display=False) as counted:
        step()
    cpu = median(seconds(step, seen.device, 1) for _ in range(tries))
    parameters = sum(some.numel() for some in network.parameters()) / 1e6
    return Cost(peer.name, peer.size, parameters, float(counted.get_total_flops()) / 1e9, cpu)


def ours(tries: int) -> Cost:
    """Our own network, in the precision that this machine gets by default."""
    model = load_model(Options(device="cpu"))
    spec = model.colorizer.spec
    size = network_size((9, 16), spec.side, spec.stride)
    light, state = torch.rand(1, 1, *size).to(next(model.colorizer.parameters())), model.colorizer.start()

    def step() -> None:
        nonlocal state
        with torch.inference_mode():
            _, state = model.colorizer(light, state)

    parameters = sum(some.numel() for some in model.colorizer.parameters()) / 1e6
    cpu = seconds(step, light.device, 5 * tries)
    return Cost(f"vidcolor {model.name} ({model.place.precision})", size, parameters, gflop(model.name, size), cpu)


def table(costs: Sequence[Cost]) -> str:
    """One line a network; the first is ours."""
    lines = ["| network, fp32 unless said | input | M parameters | GFLOP/frame | core-ms/frame | ours x |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for cost in costs:
        numbers = f"{cost.parameters:.1f} | {cost.gflop:.1f} | {1000 * cost.cpu:.0f} | {cost.cpu / costs[0].cpu:.0f}"
        lines.append(f"| {cost.name} | {cost.size[1]}x{cost.size[0]} | {numbers} |")
    return "\n".join(lines)


def shares(costs: Sequence[Cost], file: Path) -> str:
    """How many whole restorations a picture of theirs would pay for, by what `benchmarks.fps --json` wrote."""
    results = json.loads(file.read_text())["results"]
    lines = []
    for cost in costs[1:]:
        told = [f"{r['size']} {r['preset']} {cost.cpu / r['whole']['cpu']:.0f}" for r in results if r["whole"]["cpu"]]
        lines.append(f"{cost.name} / our whole restoration: {', '.join(told)}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__, allow_abbrev=False)
    made.add_argument("folder", type=Path, help="holds the sources of the others")
    made.add_argument("--tries", type=int, default=3, metavar="N", help="medians are taken of them (default: 3)")
    made.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="those whose name holds a word")
    made.add_argument("--fps", type=Path, metavar="FILE", help="set them against what benchmarks.fps --json wrote")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    args = made.parse_args(argv)
    torch.set_num_threads(1)
    costs = [ours(args.tries)]
    for peer in PEERS:
        if (args.folder / peer.source).is_dir() and any(word.lower() in peer.name.lower() for word in args.only):
            costs.append(measure(peer, args.folder, args.tries))
    sys.stdout.write(f"{table(costs)}\n\n")
    if args.fps:
        sys.stdout.write(f"{shares(costs, args.fps)}\n")
    if args.json:
        args.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
