"""The network at work on a film: batches in, pictures with chroma out; carries the memory and drops it at a cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from streams.errors import ModelError
from streams.shots import Batch
from streams.source import Frame
from vidcolor.checkpoint import Checkpoint
from vidcolor.memory import State
from vidcolor.planes import ChromaMaker, Plane
from vidcolor.stock import Shares
from vidcolor.zoo import LoadedModel

OVERFLOW = "the network overflowed in half precision: the film goes on in fp32"
NOT_FINITE = "the network gave colours that are not finite numbers: its weights are damaged"
NO_MEMORY = "the device has no memory for a single picture: try a smaller --side, or --device cpu"


@dataclass(frozen=True, slots=True)
class Told:
    """A frame, and what is known of it when it was coloured.

    Attributes:
        frame: as it was decoded.
        before: where a segment begins: what a run that goes on from here would have to know.
        begins_shot: whether it does.
        shown: what the shot shows up to here, told now and then, and by the last picture of a shot, by networks that
            tell it.
    """

    frame: Frame
    before: Checkpoint | None
    begins_shot: bool
    shown: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Sketch(Told):
    """What the network sees in a frame, still small: `ab`, (2, h/k, w/k) in Lab units, and luma `small`, (h, w)."""

    ab: Tensor
    small: Plane


@dataclass(frozen=True, slots=True)
class Picture(Told):
    """A frame and its colours: chroma planes at the size and depth of the coded format."""

    cb: Plane
    cr: Plane


class Painter:
    """Colours the batches of one film, shot after shot.

    On a CPU the network runs one frame a step: no slower there, and the colours then cannot depend on how the film
    was cut into batches, since every product is summed over the same shapes.
    """

    def __init__(
        self,
        model: LoadedModel,
        maker: ChromaMaker,
        warn: Callable[[str], None],
        stock: Shares | None = None,
        since: Checkpoint | None = None,
    ) -> None:
        """`stock`: what the network is told of the film stock. `since`: where another run stopped."""
        self._model = model.in_fp32() if since and since.is_fp32 and model.place.precision != "fp32" else model
        self._since = since
        self._maker = maker
        self._warn = warn
        self._told = () if stock is None else (torch.tensor(stock),)
        self._limit = 1 if model.place.device.type == "cpu" else 0  # frames a step; 0 = the whole batch
        self.state = self._first_state()  # after the last batch

    def paint(self, batches: Iterable[Batch]) -> Iterator[Picture]:
        """Colour all batches.

        Raises:
            ModelError: a colour that is not finite, or no memory for even a single frame.
        """
        return self.finished(self.sketched(batches))

    def sketched(self, batches: Iterable[Batch]) -> Iterator[Sketch]:
        """What the network sees in all batches: the first half of `paint`, and all that the network is needed for."""
        for batch in self._units(batches):
            before = Checkpoint(self.state, batch.opens, self.is_fp32) if batch.opens else None
            if batch.begins_shot:
                self.state = self._model.colorizer.start()
            self.state = self._prepared(batch, self.state)
            light = self._maker.small_to_light(batch.small)
            ab, self.state = self._colour(light, self.state)
            shown, colours = self._shown(), ab.float().cpu()
            for number, (frame, seen, small) in enumerate(zip(batch.frames, colours, batch.small, strict=True)):
                first, last = number == 0, number == len(batch.frames) - 1
                begins = first and batch.begins_shot
                yield Sketch(frame, before if first else None, begins, shown if last else None, seen, small)

    def finished(self, sketches: Iterable[Sketch]) -> Iterator[Picture]:
        """Pictures from sketches: the second half of `paint`, which another thread may do meanwhile."""
        for one in sketches:
            ((cb, cr),) = self._maker.chroma(one.ab[None], one.small[None])
            yield Picture(one.frame, one.before, one.begins_shot, one.shown, cb, cr)

    def _shown(self) -> Mapping[str, float] | None:
        network = self._model.colorizer
        return network.shown(self.state) if network.tells_labels else None

    def _units(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """What is coloured at once."""
        return batches

    def _prepared(self, batch: Batch, state: State) -> State:
        """The memory that a batch is coloured with."""
        del batch
        return state

    def _first_state(self) -> State:
        if self._since is None:
            return self._model.colorizer.start()
        device = self._model.place.device
        return State({name: tensor.to(device) for name, tensor in self._since.state.tensors.items()})

    @property
    def is_fp32(self) -> bool:
        """Whether the network works in full precision by now."""
        return self._model.place.precision == "fp32"

    def _colour(self, light: Tensor, state: State) -> tuple[Tensor, State]:
        ab, after = self._steps(light, state)
        if _finite(ab, after):
            return ab, after
        if self._model.place.precision == "fp32":
            raise ModelError(NOT_FINITE)
        self._model = self._model.in_fp32()
        again = self._colour(light, State({name: tensor.float() for name, tensor in state.tensors.items()}))
        self._warn(OVERFLOW)  # only now: damaged weights are no better in full precision
        return again

    def _steps(self, light: Tensor, state: State) -> tuple[Tensor, State]:
        """All frames of a batch, in as many steps as memory asks for."""
        kind = next(self._model.colorizer.parameters())
        colours, rest = [], light.to(kind.device, kind.dtype)
        while len(rest):
            step = rest[: self._limit or len(rest)]
            try:
                with torch.inference_mode():
                    ab, state = self._run(step, state)
            except RuntimeError as error:
                self._halve(len(step), error)
                continue
            colours.append(ab)
            rest = rest[len(step) :]
        return torch.cat(colours), state

    def _run(self, light: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of the network."""
        made: tuple[Tensor, State] = self._model.colorizer(light, state, *self._told)
        return made

    def _halve(self, tried: int, error: RuntimeError) -> None:
        """Take fewer frames a step from now on, if it was memory that failed."""
        if not isinstance(error, torch.cuda.OutOfMemoryError) and "allocate" not in str(error):
            raise error
        if tried == 1:
            raise ModelError(NO_MEMORY) from error
        self._limit = tried // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _finite(ab: Tensor, state: State) -> bool:
    """Whether all values are: a sum is only then, and costs a fifth of looking at each."""
    return all(bool(tensor.sum(dtype=torch.float32).isfinite()) for tensor in (ab, *state.tensors.values()))
