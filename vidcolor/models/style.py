"""`style`: neural style transfer; each picture's colours are optimised until its features have a tile set's statistics.

Sources: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style, 2015; Ishii, Carbonneau, Miyamoto, Colorisation of
Archival Aerial Imagery Using Deep Learning (its CNN fine-tuned on land-cover tiles, content layer 6, freeze layer 7,
style/content ratio 2e4); the CNN from He et al., CVPR 2016.

Differences from them: the CNN is ResNet-18 to layer2, nine convolutions, not VGG-19; only the two channels of colour
are optimised, at half size, since the film's light stays; the style is that of the land-cover class whose grey tiles
look most like the picture, or of a reference that it is guided with; colours begin at that class's mean, or, in film,
at those of the frame before; a little smoothness is asked for; the optimizer is Adam for a fixed number of steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vidcolor.color import lab_from_rgb, rgb_from_lab
from vidcolor.colorizer import Colorizer, Spec, State
from vidcolor.models.reel import Block

LAYERS = 9
HEARD = (1, 5, 9)
"""Layers whose statistics are the style."""
WIDTHS = {1: 64, 5: 64, 9: 128}
TOLD_APART = 5
"""The layer by whose statistics the grey of a picture is likened to that of a class."""
SMOOTH = 0.02
PACE = 3.0
"""Lab units that a colour may change a step."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How style is transferred.

    Attributes:
        layer: whose features the content is: 1 to 9.
        ratio: of style to content.
        freeze: as many layers of the CNN keep what ImageNet taught them.
        steps: of the optimizer for a picture; a third of them where a frame went before.
    """

    layer: int = 6
    ratio: float = 2e4
    freeze: int = 7
    steps: int = 40

    def __post_init__(self) -> None:
        if not (1 <= self.layer <= LAYERS and 0 <= self.freeze <= LAYERS and 1 <= self.steps <= 10_000):
            raise ValueError("layer is 1 to 9, freeze 0 to 9, steps 1 to 10000")
        if not 0 < self.ratio < 1e12:
            raise ValueError("the ratio of style to content is a number above 0")


class Style(Colorizer):
    """Light to colours, by optimising them; remembers the colours of the frame before."""

    spec = Spec("style", side=256, stride=8, scale=2, licence="MIT", needs_state=True)
    pretrained = ("conv1", "layer")
    taught = "kinds"

    def __init__(self, labels: tuple[str, ...] = (), manner: Manner | None = None) -> None:
        super().__init__()
        self.labels, self.manner = labels, manner or Manner()
        kinds = max(1, len(labels))
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128))
        self.kinds = nn.Linear(128, kinds)
        for layer, wide in WIDTHS.items():
            self.register_buffer(f"style{layer}", torch.zeros(kinds, wide, wide))
        self.grey: Tensor
        self.register_buffer("grey", torch.zeros(kinds, WIDTHS[TOLD_APART], WIDTHS[TOLD_APART]))
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(kinds, 2))

    @classmethod
    def made(cls, facts: Mapping[str, str]) -> Colorizer:
        """See Colorizer.made; "labels" is a JSON list of names, "manner" a JSON object of Manner's numbers."""
        names, told = json.loads(facts.get("labels", "[]")), json.loads(facts.get("manner", "{}"))
        if not isinstance(names, list) or not isinstance(told, dict) or len(names) > 4096:
            raise ValueError("labels or manner are of another form")
        try:
            return cls(tuple(str(name) for name in names), Manner(**told))
        except TypeError as error:
            raise ValueError("manner is of another form") from error

    def facts(self) -> dict[str, str]:
        """See Colorizer.facts."""
        return {"labels": json.dumps(self.labels), "manner": json.dumps(asdict(self.manner))}

    def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """See Colorizer.forward; every picture is optimised by itself, in full precision."""
        del condition
        films = light.unsqueeze(1) if light.ndim == 4 else light
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(light.device.type, enabled=False):
            done = [self._film(films[:, b].float().clone(), state, b) for b in range(films.shape[1])]
        ab = torch.stack([film for film, _ in done], 1)
        after = {name: torch.stack([kept[name] for _, kept in done]) for name in done[0][1]}
        given = {name: tensor for name, tensor in state.tensors.items() if name.startswith("given")}
        return (ab[:, 0] if light.ndim == 4 else ab), State({**given, **after})

    def _film(self, light: Tensor, state: State, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Colours (T, 2, H/2, W/2) of one film's frames (T, 1, H, W), and what it leaves behind."""
        before, kind = (
            state.tensors[name][number].clone() if name in state.tensors else None for name in ("ab", "kind")
        )
        colours = []
        for frame in light.chunk(len(light)):
            kind = self._likest(frame) if kind is None else kind
            before = self._optimise(frame, before, self._wanted(state, number, int(kind)), int(kind))
            colours.append(before)
        assert before is not None
        assert kind is not None
        return torch.stack(colours), {"ab": before, "kind": kind}

    def _wanted(self, state: State, number: int, kind: int) -> list[Tensor]:
        """The statistics that colours are to have: a reference's, or a class's."""
        given = [state.tensors.get(f"given{layer}") for layer in HEARD]
        classes = [self.get_buffer(f"style{layer}")[kind] for layer in HEARD]
        return [(c if g is None else g[number]).float().clone() for g, c in zip(given, classes, strict=True)]

    def _optimise(self, light: Tensor, before: Tensor | None, wanted: list[Tensor], kind: int) -> Tensor:
        """Colours (2, H/2, W/2) of a picture (1, 1, H, W)."""
        size = (light.shape[-2] // 2, light.shape[-1] // 2)
        first = self.mean[kind].float().view(1, 2, 1, 1).expand(1, 2, *size) if before is None else before[None].float()
        ab = first.detach().clone().requires_grad_(True)
        content = self._views(_shown(light, torch.zeros_like(ab)))[self.manner.layer - 1].detach()
        optimizer = torch.optim.Adam([ab], lr=PACE)
        for _ in range(self.manner.steps if before is None else -(-self.manner.steps // 3)):
            optimizer.zero_grad(set_to_none=True)
            blame = self._blame(_shown(light, ab), content, wanted) + SMOOTH * _roughness(ab)
            blame.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return ab.detach()[0]

    def _blame(self, rgb: Tensor, content: Tensor, wanted: list[Tensor]) -> Tensor:
        """Gatys's two losses; both are sums, so that the ratio means what it means there."""
        views = self._views(rgb)
        style = sum(
            0.25 * (statistics(views[layer - 1])[0] - goal).square().mean()
            for layer, goal in zip(HEARD, wanted, strict=True)
        )
        return self.manner.ratio * style / len(HEARD) + 0.5 * (views[self.manner.layer - 1] - content).square().sum()

    def _likest(self, light: Tensor) -> Tensor:
        """The class whose grey tiles have statistics most like the picture's."""
        with torch.no_grad():
            mine = statistics(self._views(_shown(light, None))[TOLD_APART - 1])
        return (self.grey.float() - mine).square().mean((1, 2)).argmin().float()

    def _views(self, rgb: Tensor) -> list[Tensor]:
        """What each of the nine layers makes of (N, 3, H, W) RGB, behind its ReLU."""
        x = F.relu(_convolved(self.conv1, normal(rgb)))
        views, x = [x], F.max_pool2d(x, 3, 2, 1)
        for block in (*self.layer1, *self.layer2):
            assert isinstance(block, Block)
            kept = block.downsample
            inner = F.relu(_convolved(block.conv1, x))
            passed = _convolved(kept[0], x) if isinstance(kept, nn.Sequential) else x
            x = F.relu(_convolved(block.conv2, inner) + passed)
            views += [inner, x]
        return views

    def classify(self, rgb: Tensor) -> Tensor:
        """Scores (N, K) of what tiles (N, 3, H, W) show."""
        return F.linear(self._views(rgb)[-1].mean((2, 3)), self.kinds.weight.float(), self.kinds.bias.float())

    def frozen(self) -> Iterator[nn.Parameter]:
        """Parameters of the layers that keep what ImageNet taught them."""
        for number, layer in enumerate(self._convolutions(), 1):
            if number <= self.manner.freeze:
                yield from layer.parameters()

    def _convolutions(self) -> Iterator[nn.Module]:
        yield self.conv1
        for block in (*self.layer1, *self.layer2):
            assert isinstance(block, Block)
            yield block.conv1
            yield nn.ModuleList((block.conv2, block.downsample))

    @torch.no_grad()
    def take_style(self, kind: int, pictures: Sequence[Tensor]) -> None:
        """Make the mean statistics of some pictures (1, 3, H, W), of any sizes, those of a class."""
        labs = [lab_from_rgb(rgb) for rgb in pictures]
        views = [self._views(rgb) for rgb in pictures]
        greys = [self._views(_shown(lab[:, :1] / 100, None))[TOLD_APART - 1] for lab in labs]
        for layer in HEARD:
            self.get_buffer(f"style{layer}")[kind] = torch.cat([statistics(one[layer - 1]) for one in views]).mean(0)
        self.grey[kind] = torch.cat([statistics(one) for one in greys]).mean(0)
        self.mean[kind] = torch.stack([lab[:, 1:].mean((0, 2, 3)) for lab in labs]).mean(0)

    def guide(self, state: State, light: Tensor, ab: Tensor, mask: Tensor) -> State:
        """Take a reference's statistics for the style: (B, 1, H, W) light, (B, 2, h, w) colours."""
        del mask
        with torch.no_grad():
            views = self._views(_shown(light.float(), ab.float()))
        given = {f"given{layer}": statistics(views[layer - 1]) for layer in HEARD}
        return State({**state.tensors, **given})

    def start_from_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Take the CNN from a ResNet-18 with folded batch norm.

        Raises:
            KeyError: a tensor is missing.
        """
        for name, tensor in self.state_dict().items():
            if name.startswith(self.pretrained):
                tensor.copy_(weights[name])


def statistics(features: Tensor) -> Tensor:
    """Gram matrices, each divided by the number of pixels: (N, C, H, W) to (N, C, C)."""
    rows = rearrange(features, "n c h w -> n c (h w)")
    return rows @ rows.transpose(1, 2) / rows.shape[-1]


def normal(rgb: Tensor) -> Tensor:
    """RGB as ImageNet's networks want it."""
    mean = rgb.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    return (rgb - mean) / rgb.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def _convolved(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution in full precision, whatever the weights are kept in."""
    assert isinstance(layer, nn.Conv2d)
    bias = None if layer.bias is None else layer.bias.float()
    return F.conv2d(x, layer.weight.float(), bias, layer.stride, layer.padding)


def _shown(light: Tensor, ab: Tensor | None) -> Tensor:
    """RGB (N, 3, H, W) of a light and colours of any size; None for grey."""
    size = light.shape[-2:]
    large = light.new_zeros(len(light), 2, *size) if ab is None else _grown(ab, size)
    return rgb_from_lab(torch.cat((100 * light, large), 1)).clamp(0, 1)


def _grown(ab: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(ab, size=size, mode="bilinear", align_corners=False)


def _roughness(ab: Tensor) -> Tensor:
    """Squared steps between neighbours."""
    return ab.diff(dim=-1).square().sum() + ab.diff(dim=-2).square().sum()
