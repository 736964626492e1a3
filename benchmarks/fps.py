"""Frames a second and CPU time of a restoration and its stages, beside a plain transcode with the same encoder.

Run from the repository's root: ``python -m benchmarks.fps [--json FILE]``. Whole runs of both programs take turns, so
that a machine that is busy with other things is as busy for one as for the other; what is compared is CPU time,
children included. Each program also runs on a short film, and the difference is what a frame costs once the program is
up; starting up is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import av
import torch

from benchmarks import film as films
from benchmarks.spent import Spent, middle, program, work
from benchmarks.stages import Bench, measure
from streams.writing.encoders import CODECS
from streams.writing.ffmpeg import Ffmpeg, find_ffmpeg
from vidcolor import __version__
from vidcolor.options import Options

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "demo" / "samples" / "his-girl-friday-1940.mp4"
FRAMES = {"480p": 240, "1080p": 96}
SHORT = 12
CODEC = CODECS["h264"]


@dataclass(frozen=True, slots=True)
class Result:
    """One size at one preset.

    Attributes:
        size, preset: which.
        frames: of the long film.
        stages: cost of a frame by stage.
        whole, plain: cost of a frame, starting up taken off.
        start: what restoring spends before its first frame.
        load: average load of the machine before and after.
    """

    size: str
    preset: str
    frames: int
    stages: dict[str, Spent]
    whole: Spent
    plain: Spent
    start: Spent
    load: tuple[float, float]

    @property
    def ratio(self) -> float | None:
        """CPU time of the whole against the plain transcode."""
        return self.whole.cpu / self.plain.cpu if self.whole.cpu and self.plain.cpu else None


@dataclass(frozen=True, slots=True)
class Pair:
    """A film and its first frames, made once."""

    long: Path
    short: Path
    frames: int


def restore_words(film: Path, target: Path, options: Options) -> list[str]:
    """The command that restores a film."""
    words = [sys.executable, "-m", "vidcolor", "restore", str(film), "-o", str(target), "-y", "--progress", "none"]
    words += ["--codec", CODEC.name, "--crf", str(options.crf), "--preset", str(options.preset)]
    words += ["--model", options.model, "--device", options.device, "--ffmpeg", str(options.ffmpeg)]
    return words


def plain_words(film: Path, target: Path, options: Options) -> list[str]:
    """The command that only encodes it anew."""
    words = [str(options.ffmpeg), "-hide_banner", "-nostdin", "-v", "error", "-y", "-i", str(film)]
    words += ["-c:v", CODEC.encoder, "-crf", str(options.crf), "-preset", str(options.preset)]
    return [*words, "-fps_mode", "passthrough", str(target)]


def take_turns(pair: Pair, room: Path, options: Options, repeats: int) -> tuple[Spent, Spent, Spent]:
    """Costs of a frame restored and of one only encoded, and of starting to restore: medians."""
    runs: dict[str, list[Spent]] = {"whole": [], "plain": [], "start": []}
    beyond = pair.frames - SHORT
    for _ in range(repeats):
        for name, words in (("plain", plain_words), ("whole", restore_words)):
            long, short = (program(words(film, room / "out.mkv", options)) for film in (pair.long, pair.short))
            each = long.less(short).share(beyond)
            runs[name].append(each)
            if name == "whole":
                runs["start"].append(short.less(Spent(each.wall * SHORT, each.cpu and each.cpu * SHORT)))
    return middle(runs["whole"]), middle(runs["plain"]), middle(runs["start"])


def make_films(room: Path, sample: Path, size: str, frames: int) -> Pair:
    """The film and its short form; a film that is there already is not made again."""
    pair = Pair(room / f"{size}-{frames}.mkv", room / f"{size}-{SHORT}.mkv", frames)
    for path, count in ((pair.long, frames), (pair.short, SHORT)):
        if not path.exists():
            films.make(sample, path, films.SIZES[size], count)
    return pair


def measure_size(args: argparse.Namespace, room: Path, size: str, options: Options) -> Result:
    """All figures of one size."""
    before = _load()
    frames = args.frames or FRAMES[size]
    pair = make_films(room, args.sample, size, frames)
    stages = measure(Bench(pair.long, room / "stage.mkv", options), min(frames, args.stage_frames), args.repeats)
    whole, plain, start = take_turns(pair, room, options, args.repeats)
    return Result(size, str(options.preset), frames, stages, whole, plain, start, (before, _load()))


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def table(results: Sequence[Result]) -> str:
    """Milliseconds of CPU time a frame (frames a second in brackets), one column a size and preset."""
    names = list(dict.fromkeys(name for result in results for name in result.stages))
    head = ["core-ms a frame (frames/s)", *(f"{result.size}, {result.preset}" for result in results)]
    rows = [[name, *(_cost(result.stages.get(name)) for result in results)] for name in names]
    rows.append(["**whole**", *(_cost(result.whole) for result in results)])
    rows.append(["plain transcode", *(_cost(result.plain) for result in results)])
    rows.append(["**whole / plain**", *(f"**{r.ratio:.2f}**" if r.ratio else "?" for r in results)])
    rows.append(["starting up, core-s once", *(_seconds(result.start) for result in results)])
    rows.append(["largest process, MB", *(_megabytes(result.whole) for result in results)])
    lines = [head, ["---", *["---:"] * len(results)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cost(spent: Spent | None) -> str:
    if spent is None:
        return ""
    told = "?" if spent.cpu is None else f"{1000 * spent.cpu:.1f}"
    return f"{told} ({1 / spent.wall:.0f})" if spent.wall > 0 else told


def _seconds(spent: Spent) -> str:
    return "?" if spent.cpu is None else f"{spent.cpu:.1f}"


def _megabytes(spent: Spent) -> str:
    return "?" if spent.peak is None else f"{spent.peak / 1e6:.0f}"


def machine(ffmpeg: Ffmpeg) -> dict[str, object]:
    """Where this was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "av": av.__version__,
        "ffmpeg": ffmpeg.version,
        "vidcolor": __version__,
        "bf16_gflops": round(yardstick()),
    }


def yardstick(side: int = 1024, tries: int = 12) -> float:
    """GFLOP a CPU second of one thread's bf16 matrix product: how fast this machine is for networks, just now."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    matrix = torch.ones(side, side, dtype=torch.bfloat16)
    runs = [work(lambda: matrix @ matrix) for _ in range(tries)]
    torch.set_num_threads(threads)
    spent = middle(runs[2:])
    return 2 * side**3 / (spent.cpu or spent.wall) / 1e9


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def parser() -> argparse.ArgumentParser:
    """What may be asked for."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.fps", description=__doc__, allow_abbrev=False)
    made.add_argument("--sizes", nargs="+", choices=films.SIZES, default=list(films.SIZES), help="default: both")
    made.add_argument("--presets", nargs="+", default=[CODEC.preset], help=f"of x264 (default: {CODEC.preset})")
    made.add_argument("--crf", type=int, default=CODEC.crf[1] if CODEC.crf else None, help="default: the product's")
    made.add_argument("--frames", type=int, metavar="N", help=f"default: {FRAMES}")
    made.add_argument("--stage-frames", type=int, default=48, metavar="N", help="for the stages (default: 48)")
    made.add_argument("--repeats", type=int, default=3, metavar="N", help="medians are taken of them (default: 3)")
    made.add_argument("--sample", type=Path, default=SAMPLE, help="old film to enlarge (default: of the demo)")
    made.add_argument("--model", default=Options().model, help="as in `vidcolor restore`")
    made.add_argument("--device", default="auto", help="as in `vidcolor restore`")
    made.add_argument("--ffmpeg", help="used by both (default: as in `vidcolor restore`)")
    made.add_argument("--room", type=Path, help="folder for the films, kept (default: a temporary one)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    return made


def run(args: argparse.Namespace, room: Path) -> list[Result]:
    """Measure all sizes at all presets."""
    ffmpeg = find_ffmpeg(args.ffmpeg)
    facts = machine(ffmpeg)
    base = Options(model=args.model, device=args.device, codec=CODEC.name, crf=args.crf, ffmpeg=ffmpeg.path)
    results = []
    for size in args.sizes:
        for preset in args.presets:
            results.append(measure_size(args, room, size, replace(base, preset=preset)))
    sys.stdout.write(f"{table(results)}\n\n{'; '.join(f'{name} {value}' for name, value in facts.items())}\n")
    if args.json:
        told = [{**asdict(result), "ratio": result.ratio} for result in results]
        args.json.write_text(json.dumps({"machine": facts, "crf": args.crf, "results": told}, indent=1) + "\n")
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    args = parser().parse_args(argv)
    if args.room:
        args.room.mkdir(parents=True, exist_ok=True)
        run(args, args.room)
        return 0
    with tempfile.TemporaryDirectory(prefix="vidcolor-bench-") as room:
        run(args, Path(room))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
