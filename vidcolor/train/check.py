"""The validation table: true metrics of the averaged weights, on pictures and clips that were never trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from streams.errors import InputError, UsageError
from vidcolor.colorizer import Colorizer
from vidcolor.evaluate import paint, report
from vidcolor.evaluate.bins import read_table
from vidcolor.evaluate.flow import dis_flow
from vidcolor.evaluate.paint import Setting
from vidcolor.evaluate.samples import Sample, read_clips, read_pictures
from vidcolor.evaluate.tally import Figures, clip_figures, still_figures, tally_clip, tally_picture

CLIP_FRAMES = 24


class Checker:
    """Measures weights, always on the same pictures and clips."""

    def __init__(self, pictures: Sequence[Sample], films: Sequence[Sample] = (), device: str = "cpu") -> None:
        """What does not depend on the weights is worked out once."""
        self.pictures, self.films, self.device = list(pictures), list(films), device
        self.table = read_table()
        self.truth = [report.truth_of(sample, self.table)[0] for sample in self.pictures]
        self.true = [tally_picture(true.rgb, true) for true in self.truth]
        grey = [tally_picture(paint.grey_of(one)[0], true) for one, true in zip(self.pictures, self.truth, strict=True)]
        self.grey = still_figures(grey, self.true, self.table)

    @classmethod
    def of(cls, sources: Sequence[Path], clips: Sequence[Path], device: str, count: int = 64) -> Checker | None:
        """Read what is to be measured on: ``count`` pictures, and the beginnings of a few clips; None for nothing.

        Raises:
            UsageError: clips alone: the score is that of pictures.
            InputError: something cannot be read.
        """
        if clips and not sources:
            raise UsageError("--check-clips needs pictures beside it: give --check")
        if not sources:
            return None
        share = -(-count // len(sources))
        pictures = [sample for source in sources for sample in read_pictures(source, share)]
        films = [sample for folder in clips for sample in read_clips(folder, 3, CLIP_FRAMES, with_cuts=False)]
        if clips:
            try:
                dis_flow()
            except UsageError as error:
                raise InputError(str(error)) from error
        return cls(pictures, films, device)

    def measure(self, weights: Mapping[str, Tensor], of: Colorizer) -> Figures:
        """Figures of a network with these weights.

        ``score``, by which the best are known, is the gain in AuC, rebalanced (0.5) and raw. Their sum
        hardly changes where colours are only made stronger or paler: one rises as the other falls.
        """
        network = type(of).made(of.facts())
        network.load_state_dict(dict(weights), strict=False)
        network.fold().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        found = self._still_figures(network)
        gains = {
            name: found[name] - self.grey[name] for name in ("auc_rebalanced_half", "auc_rebalanced_zero", "auc_raw")
        }
        return {
            "score": gains["auc_rebalanced_half"] + gains["auc_raw"],
            "gain_half": gains["auc_rebalanced_half"],
            "gain_zero": gains["auc_rebalanced_zero"],
            "gain_raw": gains["auc_raw"],
            "ab_error": found["ab_error"],
            "grey_error": self.grey["ab_error"],
            "cf_ratio": found["cf_ratio"],
            **(self._steadiness(network) if self.films else {}),
        }

    def _still_figures(self, network: Colorizer) -> Figures:
        tallies = []
        for sample, true in zip(self.pictures, self.truth, strict=True):
            rgb = paint.paint(paint.predict(network, sample, Setting()), sample)
            tallies.append(tally_picture(rgb[0], true))
        return still_figures(tallies, self.true, self.table)

    def _steadiness(self, network: Colorizer) -> Figures:
        """Of a few clips: relative warp error, jitter where it is still, flicker; and the truth's own."""
        tallies: dict[str, list] = {"": [], "true_": []}  # type: ignore[type-arg]
        for sample in self.films:
            painted = paint.paint(paint.predict(network, sample, Setting()), sample)
            outputs = {"": painted, "true_": sample.truth}
            found = tally_clip(outputs, report.truth_of(sample, self.table), sample.cuts, dis_flow())
            for name, tally in found.items():
                tallies[name].append(tally)
        rows = {name: clip_figures(some, tallies["true_"], self.table) for name, some in tallies.items()}
        return {f"{name}{key}": row[key] for name, row in rows.items() for key in ("e_rel", "jitter", "flicker")}
