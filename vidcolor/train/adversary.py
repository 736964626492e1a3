"""A critic that looks at patches and tells true colours from made ones; learns beside the network, and is not kept.

Source: Isola et al., CVPR 2017 (PatchGAN). As in NoGAN (Antic, DeOldify), the network first learns without it, then the
critic learns alone, and only at the end, briefly, the network hears it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

UNIT = 50.0
"""Lab units that are one to the critic."""


class Critic(nn.Module):
    """Light and two channels of colour in, a verdict a patch of about 34 pixels out."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96)
        pairs = zip(widths, widths[1:], strict=False)
        steps = [layer for a, b in pairs for layer in (nn.Conv2d(a, b, 4, 2, 1), nn.GroupNorm(8, b), nn.LeakyReLU(0.2))]
        self.layers = nn.Sequential(*steps, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, light: Tensor, colours: Tensor) -> Tensor:
        """(N, 1, H, W) and (N, 2, H, W) to (N, 1, H/8, W/8); above zero where colours look true."""
        verdict: Tensor = self.layers(torch.cat((light, colours / UNIT), 1))
        return verdict


class Adversary:
    """A critic, its own optimizer, and what it makes of a network's colours."""

    def __init__(self, device: torch.device, rate: float = 5e-4) -> None:
        self.critic = Critic().to(device)
        self.optimizer = torch.optim.AdamW(self.critic.parameters(), rate, betas=(0.5, 0.999))

    def learn(self, light: Tensor, made: Tensor, true: Tensor) -> None:
        """One step of telling apart; the network learns nothing from it."""
        self.critic.requires_grad_(True)
        right, wrong = self.critic(light, true), self.critic(light, made.detach())
        blame = F.softplus(-right).mean() + F.softplus(wrong).mean()
        self.optimizer.zero_grad(set_to_none=True)
        blame.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def blame(self, light: Tensor, made: Tensor) -> Tensor:
        """How far colours are from being taken for true; the critic learns nothing from it."""
        self.critic.requires_grad_(False)
        return F.softplus(-self.critic(light, made)).mean()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"critic": self.critic.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up where a state was taken."""
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["optimizer"])
