"""The main network: a ResNet-18 encoder, ConvLSTM memories at 1/16 and 1/8, and classification over ab bins.

Sources: He et al., CVPR 2016 (encoder); Shi et al., NeurIPS 2015 (ConvLSTM); Zhang, Isola, Efros, ECCV 2016 (ab
classes, annealed mean); Yu, Koltun, ICLR 2016 (dilated context); Teed, Deng, ECCV 2020 (convex up-sampling); Menon et
al., ICLR 2021 (scores adjusted by what classes counted in learning).

Differences from them: the encoder sees one channel and keeps ImageNet's batch norm folded; memories are residual and
live on part of the channels; convex up-sampling enlarges ab, not flow, guided by the light itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vidcolor.color import ab_centers, ab_rarity, annealed_mean
from vidcolor.colorizer import Answer, Colorizer, Spec, State
from vidcolor.memory import ConvLSTM
from vidcolor.packed import conv_add_relu, conv_relu

Views = tuple[Tensor, Tensor, Tensor]


class Block(nn.Module):
    """ResNet's basic block with its batch norm folded away."""

    def __init__(self, into: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1)
        self.downsample = nn.Sequential(nn.Conv2d(into, out, 1, stride)) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H/stride, W/stride)."""
        kept = self.downsample(x)
        return conv_add_relu(self.conv2, conv_relu(self.conv1, x), kept)


class ConvNormRelu(nn.Module):
    """3x3 convolution, batch norm that folds, ReLU."""

    def __init__(self, into: int, out: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv: nn.Module = nn.Conv2d(into, out, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H, W)."""
        if isinstance(self.norm, nn.Identity):
            return conv_relu(self.conv, x)
        return F.relu_(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Merge the norm into the convolution."""
        if isinstance(self.norm, nn.BatchNorm2d) and isinstance(self.conv, nn.Conv2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


def _stage(into: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(into, out, stride), Block(out, out))


class Reel(Colorizer):
    """Light to colour, with memory."""

    spec = Spec("reel", side=256, stride=16, scale=2, licence="MIT", needs_state=True, takes_stock=True)
    depth = 256
    pretrained = ("conv1", "layer")
    is_steadied = True
    temperature = 0.5
    # Shares of the colours by light (L*/100): none in black, few in dark clothes, all between, few in burnt-out skies.
    # They follow how much chroma true pictures have there, against how much the network gives.
    shadow, dusk, day, glare = 0.12, 0.15, 0.5, 0.9
    dim, white = 0.75, 0.1
    small, glint = 17, 0.15  # what glitters: pixels across what is around it, and how far it is above that at least
    strength = 1.2  # of the colours: a mean over classes is paler than nature
    # Share of the rebalancing that is taken back where it is dark (to the first light), and none (from the second):
    # rare colours that count so much in learning make black coats maroon.
    sober, night, noon = 0.4, 0.2, 0.6

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3)
        self.layer1, self.layer2, self.layer3 = _stage(64, 64, 1), _stage(64, 128, 2), _stage(128, 256, 2)
        self.context = nn.ModuleList(ConvNormRelu(256, 256, d) for d in (1, 2, 4))
        self.world = nn.Linear(256, 256)
        self.stock = nn.Linear(3, 256, bias=False)
        self.memory16 = ConvLSTM(96)
        self.narrow = nn.Conv2d(256, 128, 1)
        self.fuse8 = ConvNormRelu(256, 128)
        self.memory8 = ConvLSTM(48)
        self.fuse4 = ConvNormRelu(192, 96)
        self.refine4 = ConvNormRelu(96, 96)
        self.classes = nn.Conv2d(96, 313, 1)
        self.blend = nn.Conv2d(96 + 16, 4 * 9, 3, padding=1)
        self.centers: Tensor
        self.rarity: Tensor
        self.register_buffer("centers", ab_centers(), persistent=False)
        self.register_buffer("rarity", ab_rarity(), persistent=False)

    def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """See Colorizer.forward."""
        if self.is_led(state):
            return self.led(light, state, condition)
        if light.ndim == 5 and not self.is_taught:
            return self.film_by_film(light, state, condition)
        return self.watched(lambda frames, known: self.perceive(frames, known, condition)[:2], light, state)

    def perceive(
        self, light: Tensor, state: State, condition: Tensor | None = None
    ) -> tuple[Tensor, State, Tensor | None]:
        """See Colorizer.perceive."""
        views = self.look(light, condition)
        logits, features, next_state = self.decide(views, len(light), state)
        ab = self.enlarge(annealed_mean(self._sobered(logits, light), self.centers, self.temperature), features, light)
        ab = rearrange(self._lit(ab, light), "(t b) c h w -> t b c h w", t=len(light))
        return (ab[:, 0] if light.ndim == 4 else ab), next_state, views[1]

    def answer(
        self, light: Tensor, state: State, condition: Tensor | None = None, temperature: float = 0.0
    ) -> tuple[Answer, State]:
        """See Colorizer.answer."""
        views = self.look(light, condition)
        logits, features, after = self.decide(views, len(light), state)
        ab = self.enlarge(annealed_mean(logits, self.centers, temperature or self.temperature), features, light)
        return Answer(ab, logits, views[2], ab), after

    def remember(self, light: Tensor, state: State, condition: Tensor | None = None) -> State:
        """See Colorizer.remember; nothing is enlarged."""
        return self.classify(light, state, condition)[2]

    def _sobered(self, logits: Tensor, light: Tensor) -> Tensor:
        """Class scores, in the dark as if rare classes had counted less in learning."""
        shown = F.interpolate(_flat(light).float(), size=logits.shape[-2:], mode="area")
        share = self.sober * ((self.noon - shown) / (self.noon - self.night)).clamp(0, 1)
        return torch.addcmul(logits.float(), share, self.rarity.float()[:, None, None], value=-1)

    def _lit(self, ab: Tensor, light: Tensor) -> Tensor:
        """Colours at their strength, less in the dark and in white: what is guessed there is seen at once."""
        flat = _flat(light).float()
        shown = F.interpolate(flat, size=ab.shape[-2:], mode="area")
        black = (shown / self.shadow).clamp(max=1)
        dark = self.dim + (shown - self.dusk) * ((1 - self.dim) / (self.day - self.dusk))
        return ab * (self.strength * black * dark.clamp(self.dim, 1) * self._bright(_top(flat)))

    def _bright(self, top: Tensor) -> Tensor:
        """The share of colours that white leaves."""
        return (1 - (top - self.glare) * ((1 - self.white) / (1 - self.glare))).clamp(max=1)

    def faded(self, ab: Tensor, light: Tensor) -> Tensor:
        """Less colour where it glitters; see Colorizer.faded.

        Walls and skies stay as they were held: under a lamp that flickers they would tremble.
        """
        light = light.float()
        top = _top(light)
        around = F.avg_pool2d(light, self.small, 2, self.small // 2, count_include_pad=False)
        above = top - around[..., : top.shape[-2], : top.shape[-1]]
        glitter = (above / self.glint - 1).clamp(0, 1)
        share = 1 - glitter * (1 - self._bright(top))
        return ab * share.to(ab)

    def classify(self, light: Tensor, state: State, condition: Tensor | None) -> tuple[Tensor, Tensor, State]:
        """Class scores (T*B, 313, H/4, W/4), the features behind them (T*B, 96, H/4, W/4), and the next state."""
        return self.decide(self.look(light, condition), len(light), state)

    def look(self, light: Tensor, condition: Tensor | None) -> Views:
        """What is seen in each frame by itself: (T*B, C, h, w) at 1/4, 1/8 and 1/16."""
        frames = _flat(light).to(self.conv1.weight)
        quarter = F.relu_(F.max_pool2d(self.conv1((frames - 0.449) / 0.226), 3, 2, 1))  # a quarter to rectify
        quarter = self.layer1(quarter)
        eighth = self.layer2(quarter)
        return quarter, eighth, self._understand(self.layer3(eighth), condition)

    def decide(self, views: Views, time: int, state: State) -> tuple[Tensor, Tensor, State]:
        """Set what is seen against what is remembered; as `classify`, from what `look` gave for ``time`` frames."""
        quarter, eighth, deep = views
        deep, kept16 = self.memory16(deep, time, state.tensors, "memory16")
        up8 = F.interpolate(self.narrow(deep), scale_factor=2.0, mode="nearest")
        fused = self.fuse8(torch.cat((up8, eighth), 1))
        fused, kept8 = self.memory8(fused, time, state.tensors, "memory8")
        up4 = F.interpolate(fused, scale_factor=2.0, mode="bilinear", align_corners=False)
        features = self.refine4(self.fuse4(torch.cat((up4, quarter), 1)))
        return self.classes(features), features, State({**kept16, **kept8})

    def _understand(self, deep: Tensor, condition: Tensor | None) -> Tensor:
        """Context, near and whole, and what is known of the film stock: (N, 256, h, w) to the same."""
        whole = self.world(deep.mean((2, 3)))
        if condition is not None:
            known = condition.to(whole).reshape(-1, 3)
            whole = whole + self.stock(known.repeat(len(whole) // len(known), 1))
        for layer in self.context:
            deep = deep + layer(deep + whole[:, :, None, None])
        return deep

    def enlarge(self, ab: Tensor, features: Tensor, light: Tensor) -> Tensor:
        """Quarter-size ab to half size, each new pixel a learned mean of its 3x3 neighbours (so never a new colour)."""
        guide = rearrange(_flat(light), "n 1 (h y) (w x) -> n (y x) h w", y=4, x=4)
        guide = guide.to(features, memory_format=torch.channels_last)
        weights: Tensor = self.blend(torch.cat((features, guide), 1)).float()
        weights = rearrange(weights, "n (s k) h w -> n s k h w", k=9).softmax(2)
        near = F.unfold(F.pad(ab, (1, 1, 1, 1), mode="replicate"), 3)
        near = rearrange(near, "n (c k) (h w) -> n c k h w", k=9, w=ab.shape[-1])
        mixed: Tensor = (weights.unsqueeze(1) * near.unsqueeze(2)).sum(3)
        return rearrange(mixed, "n c (y x) h w -> n c (h y) (w x)", y=2)

    def fold(self) -> Reel:
        """Fold batch norm; for inference only."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNormRelu):
                module.fold()
        return self

    def start_from_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Take the encoder from a ResNet-18 (to layer3) with folded batch norm, its RGB summed to one light channel.

        Raises:
            KeyError: a tensor is missing.
        """
        mine = self.state_dict()
        std, mean = torch.tensor([0.229, 0.224, 0.225]), torch.tensor([0.485, 0.456, 0.406])
        for name, tensor in weights.items():
            if name != "conv1.weight" and name != "conv1.bias":
                mine[name].copy_(tensor)
        rgb = weights["conv1.weight"].float() / std[None, :, None, None]
        grey = rgb.sum(1, keepdim=True)
        shift = (rgb * mean[None, :, None, None]).sum((1, 2, 3))
        mine["conv1.weight"].copy_(0.226 * grey)
        mine["conv1.bias"].copy_(weights["conv1.bias"].float() - shift + 0.449 * grey.sum((1, 2, 3)))


def _top(light: Tensor) -> Tensor:
    """The brightest of 4x4 pixels around each half-size one: what glitters is smaller than a colour."""
    return F.max_pool2d(light, 4, 2, 1)


def _flat(x: Tensor) -> Tensor:
    """(T, B, C, H, W) or (T, C, H, W) to (T*B, C, H, W)."""
    return x.flatten(0, 1) if x.ndim == 5 else x
