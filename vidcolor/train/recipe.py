"""How to train: every choice that shapes a run, with defaults by device, and how a user changes one by its name."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from streams.errors import UsageError, printable
from vidcolor.train.camera import Lens


@dataclass(frozen=True, slots=True)
class Blame:
    """What a network is blamed for, and how much each blame counts.

    Attributes:
        classes: soft cross-entropy over ab classes.
        rebalancing: of the classes: 0 counts every pixel alike, 1 every class alike (Zhang 2016 trains at 0.5).
        distance: smooth L1 on the decoded ab, weighted like the classes (a plain one pales everything).
        edges: difference of the ab's own slopes: colours that run over edges, blotches on what is flat.
        liveliness: difference of a picture's colourfulness from the truth's: matched, never pushed up.
        labels: classes of whole pictures, where they are known, told by a head that is not kept.
        steady: change of colour along motion that is known.
        squares: mean square error of the colours, in the network's own space: what pales (Zhang 2016, section 2.1).
        absolute: mean absolute error, likewise.
        adversary: colours that a critic tells from true ones, towards the end (``Recipe.critic``).
    """

    classes: float = 1.0
    rebalancing: float = 0.5
    distance: float = 0.04
    edges: float = 0.02
    liveliness: float = 0.01
    labels: float = 0.05
    steady: float = 0.2
    squares: float = 0.0
    absolute: float = 0.0
    adversary: float = 0.0


@dataclass(frozen=True, slots=True)
class Wear:
    """How often each kind of damage strikes, as shares of clips."""

    stock: float = 0.45
    tone: float = 0.7
    blur: float = 0.3
    grain: float = 0.6
    flicker: float = 0.5
    dirt: float = 0.15
    blocks: float = 0.15


@dataclass(frozen=True, slots=True)
class Transfer:
    """How `style` transfers style (vidcolor.models.style.Manner): kept in its weights file.

    Attributes:
        layer: whose features the content is.
        ratio: of style to content.
        freeze: as many layers of the CNN keep what ImageNet taught them.
        steps: of the optimizer for a picture.
    """

    layer: int = 6
    ratio: float = 2e4
    freeze: int = 7
    steps: int = 40


UNWORN = Wear(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        minutes: of training in all, both stages, over every resumption.
        steps: a budget in steps instead, where it is not 0: the same seed then gives the same weights.
        stills: share of the budget spent on single pictures alone; the rest is shared with moving ones.
        height, width: of crops, multiples of 16.
        zoom, near: pictures are shown up to so many times smaller than they are stored, and down to so many.
        stretch: pictures are drawn wide or high up to this share.
        batch: single pictures a step.
        clips: films a step in the second stage.
        times: frames of a film a step, drawn anew for each.
        before: frames that its memory has already seen by then, without being taught by them, drawn anew for each: a
            film is longer than any step, and a memory must stay sane beyond what is unrolled.
        occluders: share of moving pictures that something else moves across.
        rate: highest learning rate.
        encoder, memory: the encoder's and the memories' rate, in ``rate``: memories begin at nothing, and only the
            second stage teaches them.
        temperature: of the annealed mean in training; 0 = the network's own.
        clip: longest gradient that a step may follow.
        warm: steps until the rate is at its highest.
        decay: of weights.
        average: of the exponential moving average that is kept and measured.
        critic: last share of the budget in which a critic learns; in the latter two thirds of it the network hears it.
        space: the colour space that the network is taught in, for those that can be (vidcolor.spaces).
        patience: checkpoints without a better score after which training ends early; 0 = never.
        seed: of all chance.
    """

    minutes: float = 90.0
    steps: int = 0
    stills: float = 0.62
    height: int = 128
    width: int = 176
    zoom: float = 1.62
    near: float = 1.0
    stretch: float = 0.0
    batch: int = 16
    clips: int = 4
    times: tuple[int, ...] = (4, 5, 6)
    before: tuple[int, ...] = (0, 0, 3, 10)
    occluders: float = 0.3
    rate: float = 1e-3
    encoder: float = 0.25
    memory: float = 8.0
    temperature: float = 0.0
    clip: float = 5.0
    warm: int = 100
    decay: float = 0.02
    average: float = 0.998
    critic: float = 0.0
    space: str = "lab"
    patience: int = 0
    seed: int = 1
    device: str = "cpu"
    compile: bool = False
    checkpoint_minutes: float = 5.0
    blame: Blame = field(default_factory=Blame)
    wear: Wear = field(default_factory=Wear)
    transfer: Transfer = field(default_factory=Transfer)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of crops."""
        return self.height, self.width

    @property
    def lens(self) -> Lens:
        """How much of a picture a crop covers."""
        return Lens(self.zoom, self.near, self.stretch)


_ON_GPU = {"batch": 384, "clips": 48, "rate": 2e-3, "memory": 4.0, "warm": 300, "average": 0.999}


def recipe_for(device: str) -> Recipe:
    """The recipe to begin with: a GPU takes many pictures a step, and so larger steps."""
    return replace(Recipe(device=device), **(_ON_GPU if device.startswith("cuda") else {}))  # type: ignore[arg-type]


def changed(recipe: Recipe, settings: list[str]) -> Recipe:
    """A recipe with some choices changed.

    Args:
        recipe: to begin with.
        settings: each "name=value"; "blame.edges=0.1" and "wear.grain=0.3" reach inside, lists are "4,5,6".

    Raises:
        UsageError: no such choice, or a value that is none.
    """
    for setting in settings:
        name, _, value = setting.partition("=")
        recipe = _with(recipe, name.split("."), value, setting)
    return recipe


def _with(thing: Any, path: list[str], value: str, said: str) -> Any:  # noqa: ANN401 - a recipe or a part of one
    known = {entry.name: entry for entry in fields(thing)}
    if path[0] not in known:
        raise UsageError(f"--set {printable(said)}: known are {', '.join(known)}")
    old = getattr(thing, path[0])
    if len(path) > 1 and hasattr(old, "__dataclass_fields__"):
        return replace(thing, **{path[0]: _with(old, path[1:], value, said)})
    return replace(thing, **{path[0]: _read(known[path[0]], old, value, said)})


def _read(entry: Field[Any], old: object, text: str, said: str) -> object:
    try:
        if isinstance(old, bool):
            return {"yes": True, "no": False}[text]
        if isinstance(old, tuple):
            return tuple(int(part) for part in text.split(","))
        if isinstance(old, int | float | str):
            return type(old)(text)
    except (ValueError, KeyError):
        pass
    raise UsageError(f"--set {printable(said)}: {entry.name} is like {old!r}")
