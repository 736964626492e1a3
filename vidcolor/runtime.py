"""A network compiled by OpenVINO for a CPU: the same contract as in torch, in fp32, bf16 or eight bits; an extra.

It is traced in torch at the size that a film is seen at, and compiled in this process: nothing is stored or fetched.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streams.errors import ModelError
from vidcolor import device, zoo
from vidcolor.colorizer import Colorizer, State
from vidcolor.steady import PREFIX

if TYPE_CHECKING:
    from vidcolor.zoo import LoadedModel

Array = NDArray[np.float32]
MISSING = "--runtime openvino needs a package that is not here: pip install 'vidcolor[openvino]'"


def load(model: str, precision: str = "auto") -> LoadedModel:
    """Load a network for OpenVINO.

    Args:
        model: as for ``zoo.load``.
        precision: "auto", "fp32", "bf16" or "int8".

    Raises:
        UsageError: no such model.
        ModelError: its weights cannot be trusted, or OpenVINO is not installed.
    """
    _library()
    place = device.choose("cpu", precision)
    plain = zoo.load(model, replace(place, precision="fp32"))
    return replace(plain, colorizer=Compiled(plain.colorizer, place.precision), place=place)


class Compiled(Colorizer):
    """A network that OpenVINO runs, one frame at a time; with a memory that it does not know of, the network itself."""

    def __init__(self, network: Colorizer, precision: str) -> None:
        """`network`: in fp32 on the CPU."""
        super().__init__()
        self.spec, self.labels = network.spec, network.labels
        self._network = network
        self._precision = precision
        self._lock = threading.Lock()
        self._made: dict[tuple[int, ...], Program] = {}

    def start(self, batch: int = 1) -> State:
        """See Colorizer."""
        return self._network.start(batch)

    def shown(self, state: State) -> dict[str, float]:
        """See Colorizer."""
        return self._network.shown(state)

    def guide(self, state: State, light: Tensor, ab: Tensor, mask: Tensor) -> State:
        """See Colorizer."""
        return self._network.guide(state, light, ab, mask)

    def perceive(
        self, light: Tensor, state: State, condition: Tensor | None = None
    ) -> tuple[Tensor, State, Tensor | None]:
        """See Colorizer; by the network itself."""
        return self._network.perceive(light, state, condition)

    def forward(self, light: Tensor, state: State, condition: Tensor | None = None) -> tuple[Tensor, State]:
        """See Colorizer."""
        program = self._program(tuple(light.shape[-2:])) if light.ndim == 4 else None
        if program is None or not program.knows(state):
            made: tuple[Tensor, State] = self._network(light, state, condition)
            return made
        told = np.zeros(3, np.float32) if condition is None else condition.float().numpy()
        return self._network.watched(partial(_looked, program, told), light, state)

    def _program(self, size: tuple[int, ...]) -> Program:
        with self._lock:
            if size not in self._made:
                self._made = {size: compiled(self._network, size, self._precision)}  # one film at a time: one size
            return self._made[size]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled network: light, condition and memory in, ab and memory out.

    Attributes:
        names: of the parts of its memory.
        blank: what it remembers before a shot's first frame.
        run: one frame.
    """

    names: tuple[str, ...]
    blank: tuple[Array, ...]
    run: Callable[[list[Array]], list[Array]]

    def knows(self, state: State) -> bool:
        """Whether that is all that a network needs of a state: what was shown last is seen to behind it."""
        return {name for name in state.tensors if not name.startswith(PREFIX)} <= set(self.names)


def _looked(program: Program, told: Array, light: Tensor, state: State) -> tuple[Tensor, State]:
    """Run a program on some frames, one after the other."""
    memory, colours = [state.tensors.get(name) for name in program.names], []
    kept = [blank if tensor is None else tensor.numpy() for tensor, blank in zip(memory, program.blank, strict=True)]
    for frame in light.float().numpy():
        ab, *kept = program.run([frame[None], told, *kept])
        colours.append(torch.from_numpy(ab))
    return torch.cat(colours), State(dict(zip(program.names, map(torch.from_numpy, kept), strict=True)))


class _Flat(nn.Module):
    """A network whose memory is a row of tensors."""

    def __init__(self, network: Colorizer, names: tuple[str, ...]) -> None:
        super().__init__()
        self._network, self._names = network, names

    def forward(self, light: Tensor, told: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        state = State(dict(zip(self._names, memory, strict=True)))
        ab, after, _ = self._network.perceive(light, state, told if self._network.spec.takes_stock else None)
        return ab, *(after.tensors[name] for name in self._names)


def compiled(network: Colorizer, size: tuple[int, ...], precision: str) -> Program:
    """Compile a network for pictures of a size (height, width).

    Raises:
        ModelError: OpenVINO does not know all that it does.
    """
    with torch.inference_mode():
        _, state, _ = network.perceive(torch.zeros(1, 1, *size), network.start())
    try:
        return _program(network, size, precision, state)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot take the network {network.spec.name}: leave out --runtime") from error


def _program(network: Colorizer, size: tuple[int, ...], precision: str, state: State) -> Program:
    library, names = _library(), tuple(state.tensors)
    blank = tuple(np.zeros(tuple(tensor.shape), np.float32) for tensor in state.tensors.values())
    graph = _graph(network, names, [np.zeros((1, 1, *size), np.float32), np.zeros(3, np.float32), *blank])
    if precision == "int8":
        from vidcolor.eightbit import quantize

        quantize(graph, lambda made: runner(library, made, "fp32"), blank, size)
    return Program(names, blank, runner(library, graph, precision))


def _graph(network: Colorizer, names: tuple[str, ...], like: list[Array]) -> Any:  # noqa: ANN401 - openvino.Model
    """What OpenVINO makes of a network, every shape fixed.

    Its own `convert_model` is not asked: that would load what counts uses.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings(), torch.enable_grad():  # with gradients convolutions are plain ones, not packed
        warnings.simplefilter("ignore")
        given = tuple(torch.from_numpy(array.copy()) for array in like)
        traced = torch.jit.trace(_Flat(network, names), given, check_trace=False)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(traced)  # it has to live as long as the conversion
        front = FrontEndManager().load_by_framework("pytorch")
        graph = front.convert(front.load(decoder))
    shapes = [list(array.shape) for array in like]
    if len(graph.inputs) < len(like):  # an input that plays no part is left out: the condition
        del shapes[1]
    graph.reshape(dict(zip(graph.inputs, shapes, strict=True)))
    return graph


def runner(library: Any, graph: Any, precision: str) -> Callable[[list[Array]], list[Array]]:  # noqa: ANN401
    """Compile a graph; what comes back runs it, in any thread."""
    ours: dict[str, object] = {
        "INFERENCE_PRECISION_HINT": "f32" if precision == "fp32" else "bf16",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # the encoder wants cores as well
    }
    made = library.Core().compile_model(graph, "CPU", ours)
    local, takes_told = threading.local(), len(graph.inputs)

    def run(given: list[Array]) -> list[Array]:
        if not hasattr(local, "request"):
            local.request = made.create_infer_request()
        taken = given if len(given) == takes_told else [given[0], *given[2:]]
        found = local.request.infer(taken, share_inputs=True)
        return [found[place].copy() for place in range(len(made.outputs))]

    return run


def _library() -> Any:  # noqa: ANN401 - the module, where it is installed
    try:
        import openvino
    except ImportError as error:
        raise ModelError(MISSING) from error
    return openvino
