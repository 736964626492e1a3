"""`two-stream`: what each place shows and what the whole picture shows, fused; it tells the scene's name as well.

Source: Iizuka, Simo-Serra, Ishikawa, Let there be Color!, SIGGRAPH 2016, as a five-student project built it anew.

Differences from it: a third of its width; the global stream goes on from the frame's own features and ends in their
mean, where the paper looks at the picture once more at 224x224 and ends in a dense layer; a tanh, not a sigmoid, ends
the colours. The scene's name over a shot is the mean of its frames' shares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vidcolor.colorizer import Answer, Colorizer, Spec, State
from vidcolor.models.parts import ConvNorm, Regressor, flat, last, twice

MOST_LABELS = 4096


class TwoStream(Regressor):
    """Light to two numbers a pixel, frame by frame; what a shot showed so far is all that it remembers."""

    spec = Spec("two-stream", side=256, stride=8, scale=2, licence="MIT", needs_state=False)
    tells_labels = True

    def __init__(self, space: str = "lab", labels: tuple[str, ...] = ()) -> None:
        super().__init__(space)
        self.labels = labels
        self.low = nn.Sequential(
            *(ConvNorm(1, 32, 3, 2), ConvNorm(32, 64), ConvNorm(64, 64, 3, 2), ConvNorm(64, 128)),
            *(ConvNorm(128, 128, 3, 2), ConvNorm(128, 192)),
        )
        self.middle = nn.Sequential(ConvNorm(192, 192), ConvNorm(192, 96))
        self.whole = nn.Sequential(
            *(ConvNorm(192, 128, 3, 2), ConvNorm(128, 128), ConvNorm(128, 128, 3, 2), ConvNorm(128, 128)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 256), nn.ReLU()),
        )
        self.narrow = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 96), nn.ReLU())
        self.scene = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, max(1, len(labels))))
        self.fused = ConvNorm(192, 96, 1)
        self.at4 = nn.Sequential(ConvNorm(96, 64), ConvNorm(64, 64))
        self.at2 = nn.Sequential(ConvNorm(64, 32), last(32))

    @classmethod
    def made(cls, facts: Mapping[str, str]) -> Colorizer:
        """See Colorizer.made; "labels" is a JSON list of names."""
        names = json.loads(facts.get("labels", "[]"))
        if not isinstance(names, list) or len(names) > MOST_LABELS or not all(isinstance(name, str) for name in names):
            raise ValueError("labels is no list of names")
        return cls(facts.get("space", "lab"), tuple(names))

    def facts(self) -> dict[str, str]:
        """See Colorizer.facts."""
        return {**super().facts(), "labels": json.dumps(self.labels)}

    def answer(
        self, light: Tensor, state: State, condition: Tensor | None = None, temperature: float = 0.0
    ) -> tuple[Answer, State]:
        """See Colorizer.answer."""
        del condition, temperature
        frames = flat(light).to(next(self.parameters()))
        low = self.low(2 * frames - 1)
        whole = self.whole(low)
        near, far = self.middle(low), self.narrow(whole)[:, :, None, None]
        fused = self.fused(torch.cat((near, far.expand(-1, -1, *near.shape[-2:])), 1))
        scores = self.scene(whole) if self.labels else None
        told = self.told(self.at2(twice(self.at4(twice(fused)))), frames, labels=scores)
        return told, self._noted(scores, len(light), state)

    def _noted(self, scores: Tensor | None, time: int, state: State) -> State:
        """The shares of all frames so far, summed one by one, so that batches do not matter."""
        if scores is None:
            return state
        shares = scores.float().softmax(-1).chunk(time)
        whole = state.tensors.get("shares", torch.zeros_like(shares[0]))
        for one in shares:
            whole = whole + one
        return State({"shares": whole})

    def shown(self, state: State) -> dict[str, float]:
        """See Colorizer.shown."""
        shares = state.tensors.get("shares")
        if shares is None:
            return {}
        mean = shares.float().reshape(-1, len(self.labels)).mean(0)
        return dict(zip(self.labels, (mean / mean.sum()).tolist(), strict=True))
