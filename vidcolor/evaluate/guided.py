"""Clips whose first frame, half of it, or first and last come in their true colours: how far those colours carry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

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

KINDS = ("first", "ends", "half")
FIRST, ENDS, HALF = KINDS
LATE = range(25, 49)

Areas = dict[str, Mask]


@dataclass(slots=True)
class Sums:
    """Of one way: errors of frames, of late frames, of areas; warp error, and jitter; and what it cost."""

    frames: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    areas: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    pixels: int = 0
    unsteady: list[float] = field(default_factory=list)
    jitter: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, error: Floats, areas: Areas, late: bool) -> None:
        """Count errors (N, h, w) of the frames that are no keys, in areas (N, h, w) each by itself."""
        self.frames += [float(frame.mean()) for frame in error]
        self.late += [float(error[t - 1].mean()) for t in LATE if late and t <= len(error)]
        for name, area in areas.items():
            self.areas.setdefault(name, []).append((float(error[area].sum()), int(area.sum())))
        self.pixels += error.size

    def figures(self) -> Figures:
        """Means over all frames of all clips."""
        known: Figures = {"key_error": float(np.mean(self.frames))}
        if self.late:
            known["key_error_late"] = float(np.mean(self.late))
        for name, found in self.areas.items():
            error, count = np.sum(found, 0)
            known[f"key_error_{name}"] = float(error / max(count, 1))
            known[f"key_{name}"] = float(count / max(self.pixels, 1))
        known["e_rel"] = float(np.mean(self.unsteady))
        if self.jitter:
            known["jitter"] = float(np.mean(self.jitter))
        if self.seconds:
            known["key_cost"] = float(np.mean(self.seconds))
        return known


def rows(samples: Iterable[Sample], networks: Mapping[str, Colorizer], keys: str) -> dict[str, Figures]:
    """Figures of every way to colour clips by their keys: one of `KINDS`."""
    sums: dict[str, Sums] = {}
    for sample in samples:
        _measure(sample, networks, keys, sums)
    return {name: own.figures() for name, own in sums.items()}


def _measure(sample: Sample, networks: Mapping[str, Colorizer], keys: str, sums: dict[str, Sums]) -> None:
    truth, grey = lab_from_rgb(sample.truth)[..., 1:], np.floor(sample.grey * 255 + 0.5).astype(np.uint8)
    flow = dis_flow()
    given = truth * coloured_part(truth.shape[1:3], keys)[..., None]
    carried, lost = by_flow(given, grey, keys, flow)
    ways = {"truth": truth, "grey": np.zeros_like(truth), "unmoved": unmoved(given, keys), "flow": carried}
    seconds: dict[str, float] = {}
    for name, network in networks.items():
        for way, coloured in (
            (f"{name}, guided", partial(by_network, network, sample, keys)),
            (f"{name}, unguided", partial(paint.predict, network, sample, Setting())),
        ):
            began = time.process_time()
            ab = coloured()
            seconds[way] = (time.process_time() - began) / len(ab)
            ways[way] = lab_from_rgb(paint.paint(ab, sample))[..., 1:]
    areas = {"lost": lost} if keys != HALF else _sides(truth, grey, flow)
    between = slice(1, -1 if keys == ENDS else None)
    areas = {name: area[between] for name, area in areas.items()}
    tracks = [follow(one, other, flow) for one, other in zip(grey, grey[1:], strict=False)]
    static = list(motion.static_pixels(sample.grey * 255))
    for name, ab in ways.items():
        own = sums.setdefault(name, Sums())
        own.add(chroma(ab - truth)[between], areas, late=keys == FIRST)
        own.seconds += [seconds[name]] if name in seconds else []
        own.unsteady.append(_unsteady(ab, tracks))
        if static:
            own.jitter.append(motion.jitter(*motion.static_jitter(ab, iter(static))))


def coloured_part(size: tuple[int, ...], keys: str) -> Floats:
    """(h, w) 1 where keys are coloured: everywhere, or in their left half."""
    part = np.ones(size, np.float32)
    if keys == HALF:
        part[:, size[1] // 2 :] = 0
    return part


def _sides(truth: Floats, grey: Bytes, flow: Callable[[Bytes, Bytes], Flow]) -> Areas:
    """Where optical flow finds the coloured half of a key again, and where it finds the other (T, h, w)."""
    part = np.broadcast_to(coloured_part(truth.shape[1:3], HALF)[None, ..., None], truth.shape)
    carried, lost = by_flow(part, grey, FIRST, flow)
    return {"inside": (carried[..., 0] > 0.9) & ~lost, "outside": (carried[..., 0] < 0.1) & ~lost}


def _unsteady(ab: Floats, tracks: list[motion.Track]) -> float:
    found = [motion.warp_error(one, other, way) for one, other, way in zip(ab, ab[1:], tracks, strict=False)]
    total, count = np.sum(found, 0)
    return motion.relative_warp_error(float(total / max(count, 1)), float(chroma(ab).mean()))


def unmoved(truth: Floats, keys: str) -> Floats:
    """Keys' colours where they are, blended by 1/distance: (T, h, w, 2)."""
    first, last = np.broadcast_to(truth[0], truth.shape), np.broadcast_to(truth[-1], truth.shape)
    return _blended(first, last) if keys == ENDS else first


def by_flow(truth: Floats, grey: Bytes, keys: str, flow: Callable[[Bytes, Bytes], Flow]) -> tuple[Floats, Mask]:
    """Keys' colours carried along optical flow frame by frame, blended by 1/distance; and where it has lost its way."""
    onward, lost = _followed(truth, grey, flow)
    if keys != ENDS:
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
    for number in (0, count - 1) if keys == ENDS else (0,):
        state = guided(network, state, light[number : number + 1], _coloured(sample, number, size, keys), number)
    back = []
    if keys == ENDS:
        last = memory.made(light[-1:], _coloured(sample, count - 1, size, keys), None, count - 1)
        back = carry.carried_back(last, [light[t : t + 1].float() for t in range(count)])
    for t in range(count):
        if t < len(back):
            state = memory.written(state, replace(memory.read(state), ahead=back[t]))
        with torch.inference_mode():
            ab, state = network(light[t : t + 1], state)
        made.append(np.moveaxis(ab[0].float().cpu().numpy(), 0, -1))
    return np.stack(made)


def _coloured(sample: Sample, number: int, size: tuple[int, int], keys: str) -> tuple[torch.Tensor, torch.Tensor]:
    rgb = np.clip(resize(np.moveaxis(sample.truth[number], -1, 0), size), 0, 1)
    ab = lab_from_rgb(np.moveaxis(rgb, 0, -1))[..., 1:]
    part = coloured_part(size, keys)
    return torch.from_numpy(np.moveaxis(ab, -1, 0).copy())[None], torch.from_numpy(part)[None, None]
