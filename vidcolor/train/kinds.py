"""Teaching a network what tiles show (`style`): labelled pictures in true colour, and their styles at the end."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vidcolor.colorizer import Colorizer
from vidcolor.models.style import Style
from vidcolor.train import losses
from vidcolor.train.bank import Bank
from vidcolor.train.data import Sample, Shape, moving_pictures
from vidcolor.train.recipe import Recipe
from vidcolor.train.step import Blames, Lesson, Material, Student

HEARD = 32
"""Tiles of a class whose statistics are taken, spread over all of them."""


class KindsLesson(Lesson):
    """Draws batches of labelled tiles and tells what the student is blamed for: the wrong kind."""

    def __init__(self, student: Student, material: Material, recipe: Recipe) -> None:
        super().__init__(student, material, recipe)
        network = student.network
        assert isinstance(network, Style)
        for parameter in network.frozen():
            parameter.requires_grad_(False)
        self.reader = network

    def still(self, steps: int) -> tuple[Blames, int]:
        """A batch of tiles."""
        del steps
        self.student.train()
        sample = self._drawn()
        assert sample.labels is not None
        with self.autocast():
            scores = self.reader.classify(sample.rgb[:, 0])
        return {"labels": self.recipe.blame.labels * losses.label_loss(scores, sample.labels)}, self.recipe.batch

    def _drawn(self) -> Sample:
        shape = Shape(self.recipe.batch, 1, self.recipe.size, self.recipe.lens)
        return moving_pictures(self.material.pictures, self.dice, shape)


def take_styles(network: Style, tiles: Bank) -> None:
    """Make the statistics of each class's tiles its style; pictures without labels are all of one class."""
    for kind in range(max(1, len(network.labels))):
        is_wanted = tiles.labels == kind if network.labels else tiles.labels == tiles.labels
        chosen = is_wanted.nonzero()[:, 0]
        some = chosen[:: max(1, len(chosen) // HEARD)][:HEARD]
        if len(some):
            network.take_style(kind, [_tile(tiles, one) for one in some])


def _tile(tiles: Bank, index: Tensor) -> Tensor:
    """(1, 3, H, W) a whole tile, its sides cut to multiples of 8."""
    _, height, width = (int(length) for length in tiles.shapes[index])
    first = int(tiles.first[index])
    whole = tiles.pixels[first : first + height * width].view(height, width, 3)
    cut = whole[: height // 8 * 8, : width // 8 * 8].permute(2, 0, 1)
    return cut[None].float() / 255


def styled(network: Colorizer, average: Mapping[str, Tensor], tiles: Bank) -> dict[str, Tensor]:
    """Averaged weights with the styles of their tiles; the network has them from then on."""
    assert isinstance(network, Style)
    network.load_state_dict(average)
    take_styles(network, tiles)
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
