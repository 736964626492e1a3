"""Clips whose first frame, or first and last, come in their true colours: how far those colours carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from vidcolor.colorizer import Colorizer, network_size
from vidcolor.evaluate import motion, paint
from vidcolor.evaluate.flow import dis_flow, follow, trusted
from vidcolor.evaluate.lab import Bytes, Floats, Mask, chroma, lab_from_rgb
from vidcolor.evaluate.motion import Flow, fetch, track
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.samples import Sample
from vidcolor.evaluate.size import resize
from vidcolor.evaluate.tally import Figures

FIRST, ENDS = "first", "ends"
LATE = range(25, 49)


@dataclass(slots=True)
class Sums:
    """Of one way: errors of frames, of late frames, where flow has lost the keys; and warp error, and chroma."""

    frames: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    lost: list[tuple[float, int]] = field(default_factory=list)
    pixels: int = 0
    steady: list[float] = field(default_factory=list)

    def figures(self) -> Figures:
        """Means over all frames of all clips."""
        error, count = np.sum(self.lost, 0) if self.lost else (0.0, 0)
        return {
            "key_error": float(np.mean(self.frames)),
            **({"key_error_late": float(np.mean(self.late))} if self.late else {}),
            "key_error_lost": float(error / max(count, 1)),
            "key_lost": float(count / max(self.pixels, 1)),
            "e_rel": float(np.mean(self.steady)),
        }


def rows(samples: Iterable[Sample], networks: Mapping[str, Colorizer], keys: str) -> dict[str, Figures]:
    """Figures of every way to colour clips by their keys: "first" or "ends"."""
    sums: dict[str, Sums] = {}
    for sample in samples:
        for name, (error, lost, steady) in _measured(sample, networks, keys).items():
            own = sums.setdefault(name, Sums())
            own.frames += [float(frame.mean()) for frame in error]
            own.late += [float(error[t - 1].mean()) for t in LATE if keys == FIRST and t <= len(error)]
            own.lost.append((float(error[lost].sum()), int(lost.sum())))
            own.pixels += error.size
            own.steady.append(steady)
    return {name: own.figures() for name, own in sums.items()}


def _measured(sample: Sample, networks: Mapping[str, Colorizer], keys: str) -> dict[str, tuple[Floats, Mask, float]]:
    """Errors (N, h, w) of the frames that are no keys, where flow has lost the keys, and the relative warp error."""
    truth, grey = lab_from_rgb(sample.truth)[..., 1:], np.floor(sample.grey * 255 + 0.5).astype(np.uint8)
    flow = dis_flow()
    carried, lost = by_flow(truth, grey, keys, flow)
    ways = {"grey": np.zeros_like(truth), "unmoved": unmoved(truth, keys), "flow": carried}
    for name, network in networks.items():
        ways[f"{name}, guided"] = lab_from_rgb(paint.paint(by_network(network, sample, keys), sample))[..., 1:]
        own = paint.predict(network, sample, Setting())
        ways[f"{name}, unguided"] = lab_from_rgb(paint.paint(own, sample))[..., 1:]
    between = slice(1, None if keys == FIRST else -1)
    tracks = [follow(one, other, flow) for one, other in zip(grey, grey[1:], strict=False)]
    return {name: (chroma(ab - truth)[between], lost[between], _unsteady(ab, tracks)) for name, ab in ways.items()}


def _unsteady(ab: Floats, tracks: list[motion.Track]) -> float:
    found = [motion.warp_error(one, other, way) for one, other, way in zip(ab, ab[1:], tracks, strict=False)]
    total, count = np.sum(found, 0)
    return motion.relative_warp_error(float(total / max(count, 1)), float(chroma(ab).mean()))


def unmoved(truth: Floats, keys: str) -> Floats:
    """Keys' colours where they are, blended by 1/distance: (T, h, w, 2)."""
    first, last = np.broadcast_to(truth[0], truth.shape), np.broadcast_to(truth[-1], truth.shape)
    return first if keys == FIRST else _blended(first, last)


def by_flow(truth: Floats, grey: Bytes, keys: str, flow: Callable[[Bytes, Bytes], Flow]) -> tuple[Floats, Mask]:
    """Keys' colours carried along optical flow frame by frame, blended by 1/distance; and where it has lost its way."""
    onward, lost = _followed(truth, grey, flow)
    if keys == FIRST:
        return onward, lost
    back, gone = _followed(truth[::-1], grey[::-1], flow)
    return _blended(onward, back[::-1]), lost & gone[::-1]


def _followed(truth: Floats, grey: Bytes, flow: Callable[[Bytes, Bytes], Flow]) -> tuple[Floats, Mask]:
    colours, known = [truth[0]], [np.ones(grey.shape[1:], np.float32)]
    everywhere = np.ones(grey.shape[1:], bool)
    for before, now in zip(grey, grey[1:], strict=False):
        back, onward = flow(now, before), flow(before, now)
        planes = fetch(np.dstack((colours[-1], known[-1])).astype(np.float32), track(back, everywhere))
        planes = planes.reshape(*now.shape, 3)
        colours.append(planes[..., :2])
        known.append(planes[..., 2] * trusted(back, onward, now, before))
    return np.stack(colours), np.stack(known) < 0.5


def _blended(first: Floats, last: Floats) -> Floats:
    share = np.linspace(0, 1, len(first), dtype=np.float32)[:, None, None, None]
    return first * (1 - share) + last * share


def by_network(network: Colorizer, sample: Sample, keys: str) -> Floats:
    """A network's colours when it is given the true ones of the keys: (T, h, w, 2) at the size that it sees."""
    from vidcolor.guide import carry, memory
    from vidcolor.guide.lead import guided

    size = network_size(sample.luma.shape[1:], network.spec.side, network.spec.stride)
    kind = next(network.parameters())
    light = paint.light_of(sample.luma, size).to(kind.device, kind.dtype)
    count, state, made = len(light), network.start(), []
    numbers = [0] if keys == FIRST else [0, count - 1]
    for number in numbers:
        state = guided(network, state, light[number : number + 1], _coloured(sample, number, size), number)
    back = []
    if keys == ENDS:
        last = memory.made(light[-1:], _coloured(sample, count - 1, size), None, count - 1)
        back = carry.carried_back(last, [light[t : t + 1].float() for t in range(count)])
    for t in range(count):
        if t < len(back):
            state = memory.written(state, replace(memory.read(state), ahead=back[t]))
        with torch.inference_mode():
            ab, state = network(light[t : t + 1], state)
        made.append(np.moveaxis(ab[0].float().cpu().numpy(), 0, -1))
    return np.stack(made)


def _coloured(sample: Sample, number: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    rgb = np.clip(resize(np.moveaxis(sample.truth[number], -1, 0), size), 0, 1)
    ab = lab_from_rgb(np.moveaxis(rgb, 0, -1))[..., 1:]
    return torch.from_numpy(np.moveaxis(ab, -1, 0).copy())[None], torch.ones(1, 1, *size)
