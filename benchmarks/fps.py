"""Frames a second and CPU time of a restoration and its stages, beside a plain transcode with the same encoder.

Run from the repository's root: ``python -m benchmarks.fps [--json FILE] [--png FILE]``. Stages and whole runs of both
programs take turns, so that a machine that is busy with other things is as busy for one as for the other; what is
compared is CPU time, children included. Each program also runs on a short film; the difference is what a frame costs
once the program is up, and starting up is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import av
import torch

from benchmarks import film as films
from benchmarks.chart import draw
from benchmarks.result import Result, table
from benchmarks.spent import Spent, Watch, first_words, middle, program, work
from benchmarks.stages import Bench, once
from streams.writing.encoders import CODECS
from streams.writing.ffmpeg import Ffmpeg, find_ffmpeg
from vidcolor import __version__
from vidcolor.options import Options
from vidcolor.threads import share

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "demo" / "samples" / "his-girl-friday-1940.mp4"
FRAMES = {"480p": 240, "720p": 144, "1080p": 96, "2160p": 36}
SHORT = 12
CODEC = CODECS["h264"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A film of a size and its first frames, made once."""

    size: str
    long: Path
    short: Path
    frames: int


def restore_words(film: Path, target: Path, options: Options) -> list[str]:
    """The command that restores a film."""
    words = [sys.executable, "-m", "vidcolor", "restore", str(film), "-o", str(target), "-y", "--progress", "none"]
    words += ["--codec", CODEC.name, "--crf", str(options.crf), "--preset", str(options.preset)]
    words += ["--model", options.model, "--device", options.device, "--precision", options.precision]
    return [*words, "--runtime", options.runtime, "--ffmpeg", str(options.ffmpeg)]


def plain_words(film: Path, target: Path, options: Options) -> list[str]:
    """The command that only encodes it anew."""
    words = [str(options.ffmpeg), "-hide_banner", "-nostdin", "-v", "error", "-y", "-i", str(film)]
    words += ["-c:v", CODEC.encoder, "-crf", str(options.crf), "-preset", str(options.preset)]
    return [*words, "-fps_mode", "passthrough", str(target)]


def pipe_words(film: Path, options: Options) -> list[str]:
    """The command that restores a film into a pipe."""
    words = [sys.executable, "-m", "vidcolor", "restore", str(film), "-o", "-", "--format", "y4m", "-q"]
    return [*words, "--model", options.model, "--device", options.device, "--runtime", options.runtime]


class Turns:
    """Runs of everything that is compared, one after the other, again and again."""

    def __init__(self, pair: Pair, room: Path, options: Options) -> None:
        self.runs: dict[str, list[Spent]] = {}
        self.scratch = 0
        self._firsts: list[float] = []
        self._pair, self._options = pair, options
        self._room = room / "turns"

    def take(self, stage_frames: int) -> None:
        """Everything once."""
        self._room.mkdir(exist_ok=True)
        for name, spent in once(Bench(self._pair.long, self._room / "stage.mkv", self._options), stage_frames):
            self.runs.setdefault(name, []).append(spent)
        self._both("plain", plain_words)
        each, short = self._both("whole", restore_words)
        self.runs.setdefault("start", []).append(short.less(Spent(each.wall * SHORT, each.cpu and each.cpu * SHORT)))
        width, height = films.SIZES[self._pair.size]
        self._firsts.append(first_words(pipe_words(self._pair.short, self._options), width * height * 3 // 2))
        shutil.rmtree(self._room)

    def _both(self, name: str, words: Callable[[Path, Path, Options], list[str]]) -> tuple[Spent, Spent]:
        """A frame of the long film by itself, and the short film."""
        out = self._room / "out.mkv"
        for left in self._room.iterdir():  # of the stages, and of the run before
            left.unlink()
        with Watch(self._room) as seen:
            long = program(words(self._pair.long, out, self._options), scratch=self._room)
        if name == "whole":
            self.scratch = max(self.scratch, seen.most - out.stat().st_size)
        short = program(words(self._pair.short, out, self._options))
        each = long.less(short).share(self._pair.frames - SHORT)
        self.runs.setdefault(name, []).append(each)
        return each, short

    def result(self, preset: str, load: float) -> Result:
        """Medians of all turns."""
        told = {name: middle(runs) for name, runs in self.runs.items()}
        whole, plain, start = (told.pop(name) for name in ("whole", "plain", "start"))
        first, pair = median(self._firsts), self._pair
        return Result(
            pair.size, preset, pair.frames, told, whole, plain, start, first, max(0, self.scratch), (load, _load())
        )


def make_films(room: Path, sample: Path, size: str, frames: int) -> Pair:
    """The film and its short form; a film that is there already is not made again."""
    pair = Pair(size, room / f"{size}-{frames}.mkv", room / f"{size}-{SHORT}.mkv", frames)
    for path, count in ((pair.long, frames), (pair.short, SHORT)):
        if not path.exists():
            films.make(sample, path, films.SIZES[size], count)
    return pair


def measure_size(args: argparse.Namespace, room: Path, size: str, options: Options) -> Result:
    """All figures of one size."""
    before, frames = _load(), args.frames or FRAMES[size]
    turns = Turns(make_films(room, args.sample, size, frames), room, options)
    for _ in range(args.repeats):
        turns.take(min(frames, args.stage_frames))
    return turns.result(str(options.preset), before)


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def machine(ffmpeg: Ffmpeg) -> dict[str, object]:
    """Where this was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_threads": os.environ.get("OMP_NUM_THREADS", str(share())),
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
    made.add_argument("--sizes", nargs="+", choices=films.SIZES, default=list(films.SIZES), help="default: all")
    made.add_argument("--presets", nargs="+", default=[CODEC.preset], help=f"of x264 (default: {CODEC.preset})")
    made.add_argument("--crf", type=int, default=CODEC.crf[1] if CODEC.crf else None, help="default: the product's")
    made.add_argument("--frames", type=int, metavar="N", help=f"default: {FRAMES}")
    made.add_argument("--stage-frames", type=int, default=36, metavar="N", help="for the stages (default: 36)")
    made.add_argument("--repeats", type=int, default=3, metavar="N", help="medians are taken of them (default: 3)")
    made.add_argument("--sample", type=Path, default=SAMPLE, help="old film to enlarge (default: of the demo)")
    made.add_argument("--model", default=Options().model, help="as in `vidcolor restore`")
    made.add_argument("--device", default="auto", help="as in `vidcolor restore`")
    made.add_argument("--precision", default="auto", help="as in `vidcolor restore`")
    made.add_argument("--runtime", default="torch", help="as in `vidcolor restore`")
    made.add_argument("--ffmpeg", help="used by both (default: as in `vidcolor restore`)")
    made.add_argument("--room", type=Path, help="folder for the films, kept (default: a temporary one)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    made.add_argument("--png", type=Path, metavar="FILE", help="draw the stages (needs matplotlib)")
    return made


def run(args: argparse.Namespace, room: Path) -> list[Result]:
    """Measure all sizes at all presets."""
    ffmpeg = find_ffmpeg(args.ffmpeg)
    facts = machine(ffmpeg)
    base = Options(
        model=args.model,
        device=args.device,
        precision=args.precision,
        runtime=args.runtime,
        codec=CODEC.name,
        crf=args.crf,
        ffmpeg=ffmpeg.path,
    )
    results = []
    for size in args.sizes:
        for preset in args.presets:
            results.append(measure_size(args, room, size, replace(base, preset=preset)))
            _write(args, results, facts)  # after each: a long run that is stopped has told what it knew
    sys.stdout.write(f"{table(results)}\n\n{'; '.join(f'{name} {value}' for name, value in facts.items())}\n")
    return results


def _write(args: argparse.Namespace, results: list[Result], facts: dict[str, object]) -> None:
    if args.json:
        extra = ("ratio", "overlap", "share", "ours")
        told = [{**asdict(result), **{name: getattr(result, name) for name in extra}} for result in results]
        args.json.write_text(json.dumps({"machine": facts, "crf": args.crf, "results": told}, indent=1) + "\n")
    if args.png:
        draw(results, args.png, f"{facts['processor']}, {facts['cores']} cores, {facts['bf16_gflops']} GFLOP/s in bf16")


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
