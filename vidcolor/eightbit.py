"""A network's convolutions in eight bits: ranges seen on ordinary pictures, then weights and what they meet quantised.

Source: Jacob et al., CVPR 2018 (affine quantisation, weights for each channel of their own).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Run = Callable[[list[Array]], list[Array]]
Range = tuple[float, float]

LEVELS = 256
LIGHTS = (0.45, 1.6)  # exponents: faded, dark
REPEATS = 2  # frames that a picture stands still: a memory fills


def quantize(graph: Any, compiled: Callable[[Any], Run], blank: tuple[Array, ...], size: tuple[int, ...]) -> None:  # noqa: ANN401
    """Put all convolutions of a graph (openvino.Model) in eight bits, in place.

    Args:
        graph: light, condition and memory in; ab and memory out.
        compiled: makes it run, exactly.
        blank: memory before the first frame.
        size: height and width that it sees.
    """
    convolutions = [node for node in graph.get_ordered_ops() if _can_be(node)]
    ranges = _ranges(graph, convolutions, compiled, blank, size)
    for node in convolutions:
        _quantize(node, ranges[_name(node.input_value(0))])
    graph.validate_nodes_and_infer_types()


def _can_be(node: Any) -> bool:  # noqa: ANN401
    """Whether it is a convolution whose weights are known beforehand."""
    kind: str = node.get_type_name()
    return kind == "Convolution" and bool(node.input_value(1).get_node().get_type_name() == "Constant")


def _ranges(
    graph: Any,  # noqa: ANN401
    convolutions: list[Any],
    compiled: Callable[[Any], Run],
    blank: tuple[Array, ...],
    size: tuple[int, ...],
) -> dict[str, Range]:
    """Least and greatest of what each convolution meets."""
    looked = graph.clone()
    twins = {node.get_friendly_name(): node for node in looked.get_ordered_ops()}
    sources = {_name(node.input_value(0)): twins[node.get_friendly_name()].input_value(0) for node in convolutions}
    first = len(looked.outputs)
    looked.add_outputs(list(sources.values()))  # what is an output already is not added: so they are told by name
    places = {_name(port.get_node().input_value(0)): place for place, port in enumerate(looked.outputs)}
    run, seen = compiled(looked), {name: (0.0, 0.0) for name in sources}
    for light in ordinary_light(size):
        memory = list(blank)
        for _ in range(REPEATS):
            found = run([light, np.zeros(3, np.float32), *memory])
            memory = found[1:first]
            for name, (least, most) in seen.items():
                met = found[places[name]]
                seen[name] = min(least, float(met.min())), max(most, float(met.max()))
    return seen


def _name(port: Any) -> str:  # noqa: ANN401
    return f"{port.get_node().get_friendly_name()}:{port.get_index()}"


def _quantize(node: Any, met: Range) -> None:  # noqa: ANN401
    from openvino import opset13 as operations

    weights = node.input_value(1)
    values = weights.get_node().get_data()
    reach = np.maximum(np.abs(values).max((1, 2, 3), keepdims=True), 1e-8).astype(np.float32)
    ends = [operations.constant(sign * reach) for sign in (-1, 1, -1, 1)]
    rounded = operations.fake_quantize(weights, *ends, LEVELS - 1)
    bounds = [operations.constant(np.full((1, 1, 1, 1), end, np.float32)) for end in _with_zero(met) * 2]
    seen = operations.fake_quantize(node.input_value(0), *bounds, LEVELS)
    node.input(0).replace_source_output(seen.output(0))
    node.input(1).replace_source_output(rounded.output(0))


def _with_zero(met: Range) -> Range:
    """A range in whose steps zero is exact: padding is zero."""
    least, most = min(met[0], 0.0), max(met[1], 1e-6)
    step = (most - least) / (LEVELS - 1)
    below = round(-least / step)
    return -below * step, (LEVELS - 1 - below) * step


def ordinary_light(size: tuple[int, ...]) -> Iterator[Array]:
    """Light (1, 1, H, W) of pictures as films are made of, each as it is, and faded or dark."""
    from PIL import Image

    for number, picture in enumerate(_pictures()):
        small = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX), np.float32) / 255
        for exponent in (1.0, LIGHTS[number % len(LIGHTS)]):
            yield np.ascontiguousarray(small[None, None] ** np.float32(exponent))


@cache
def _pictures() -> tuple[Any, ...]:
    """The pictures of the sheet: twelve frames of public-domain films, four in a row."""
    from PIL import Image

    data = files("vidcolor.data").joinpath("ordinary.jpg").read_bytes()
    with Image.open(BytesIO(data), formats=["JPEG"]) as sheet:
        grey = sheet.convert("L")
    width, height = grey.width // 4, grey.height // 3
    corners = [(x * width, y * height) for y in range(3) for x in range(4)]
    return tuple(grey.crop((x, y, x + width, y + height)) for x, y in corners)
