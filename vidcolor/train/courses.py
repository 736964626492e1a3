"""What each network is taught by: its paper's own losses, on the same data, damage and budget as all the others."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from vidcolor.train.recipe import UNWORN, Blame, Recipe, recipe_for

NOTHING = Blame(classes=0, distance=0, edges=0, liveliness=0, labels=0, steady=0)
_CLASSES = replace(NOTHING, classes=1.0)
_SQUARES = replace(NOTHING, squares=1.0)

COURSES: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "reel": {},
        "zhang16": {"stills": 1.0, "blame": _CLASSES},
        "cnn-lstm": {"blame": _CLASSES},
        "resnet-half": {"stills": 1.0, "blame": _SQUARES, "decay": 0.0},
        # the paper's 1/300 on colours in 0..1, in our units
        "two-stream": {"stills": 1.0, "blame": replace(_SQUARES, labels=0.5)},
        "cnn9": {"stills": 1.0, "blame": _SQUARES, "patience": 4, "decay": 0.0},
        "autoencoder": {"stills": 1.0, "blame": _SQUARES, "decay": 0.0},
        # Isola's hundredfold L1, in our units
        "gan": {"stills": 1.0, "blame": replace(NOTHING, absolute=1.0, adversary=0.06), "critic": 0.3},
        "style": {"stills": 1.0, "blame": replace(NOTHING, labels=1.0), "height": 96, "width": 96, "wear": UNWORN}
        | {"zoom": 1.5, "rate": 5e-4, "encoder": 0.2},
        # the encoder and the memories stay: the weights file then holds only what differs
        "aerial": {"stills": 1.0, "encoder": 0.0, "memory": 0.0, "rate": 3e-4, "height": 128, "width": 128}
        | {"zoom": 1.15},
        "resnet-half-ycbcr": {"stills": 1.0, "blame": _SQUARES, "decay": 0.0, "space": "ycbcr"},
        "resnet-half-oklab": {"stills": 1.0, "blame": _SQUARES, "decay": 0.0, "space": "oklab"},
    }
)
"""By name: what is changed in the recipe of the device. The last two are one network taught in other colour spaces."""

ON_TILES = frozenset({"style", "aerial"})
"""What learns from land-cover tiles, not from pictures."""
GO_ON = frozenset({"aerial"})
"""What goes on from packaged weights unless it is told otherwise."""


def network_of(name: str) -> str:
    """The network, as the zoo has it, that a course teaches."""
    return name.removesuffix("-ycbcr").removesuffix("-oklab")


def course(name: str, device: str) -> Recipe:
    """The recipe of a network on a device; raises KeyError for a name that is none."""
    return replace(recipe_for(device), **COURSES[name])
