"""The kernels of `gpu_loops` over torch's memory on a device."""

import math
import struct
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..spiking import state_type
from . import gpu_loops, passes
from .form import GRADIENTS, LEARNABLE, NUMBERS, STATE, Form, How
from .passes import Given, Span, Told

FEW = 1 << 18  # neurons that would not fill a GPU in blocks of many


class Tuning(NamedTuple):
    """block: neurons of a program. stages: steps that are fetched ahead."""

    block: int
    warps: int
    stages: int

    def options(self) -> dict[str, Any]:
        """Of a launch. A product and a sum stay two roundings, as they are in eager torch."""
        options = {"block": self.block, "stages": self.stages, "num_warps": self.warps}
        return options | {"enable_fp_fusion": False}


NARROW, WIDE = Tuning(128, 4, 4), Tuning(1024, 4, 2)


def tuning(size: int) -> Tuning:
    """By the number of neurons alone: the order of sums must not depend on the GPU."""
    return NARROW if size < FEW else WIDE


def numbers(given: Given, like: Tensor) -> Tensor:
    """[11] in the type of the state, pi the last. Learned ones are copied on the device, since
    to ask for their values would be to wait for it."""
    kind = state_type(like.dtype)
    plain = [0.0 if isinstance(v, Tensor) else v for v in given]
    found = fixed(struct.pack(f"{NUMBERS}d", *plain), kind, like.device)
    learned = {n: v for n, v in enumerate(given) if isinstance(v, Tensor)}
    if learned:
        found = found.clone()
        for n, value in learned.items():
            found[n] = value.detach()
    return found


@lru_cache(1024)
def fixed(packed: bytes, kind: torch.dtype, device: torch.device) -> Tensor:
    """Numbers on the device, from then on; by their bits, so that 0 is not -0."""
    with torch.inference_mode(False):
        values = (*struct.unpack(f"{NUMBERS}d", packed), math.pi)
        return torch.tensor(values, dtype=kind, device=device)


def on(x: Tensor) -> AbstractContextManager[Any]:
    """Launches inside the block go to its device; in the interpreter there is none."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()


def scratch(rows: int, size: int, like: Tensor, goes_on: bool) -> Tensor:
    """A state between launches, at rest."""
    return like.new_zeros(rows, size) if goes_on else like


class Forward(passes.Forward):
    """Spikes in the input's type, what is kept in the state's."""

    def __init__(
        self,
        like: Tensor,
        numbers: Tensor,
        form: Form,
        shape: tuple[int, int],
        keep: tuple[bool, bool],
        goes_on: bool = False,
        tuned: Tuning | None = None,
    ) -> None:
        super().__init__(like, numbers, form, shape, keep, like.dtype, goes_on)
        self.tuned = tuned or tuning(shape[1])
        self.scratch = scratch(STATE, shape[1], numbers, goes_on)

    def run(self, x: Tensor, span: Span) -> None:
        size = self.spikes.shape[1]
        if span.start == span.stop:
            return
        tuned = self.tuned
        membranes, currents = self.kept
        with on(x):
            gpu_loops.forward[(-(-size // tuned.block),)](
                x,
                self.numbers,
                self.spikes,
                self.spikes if membranes is None else membranes,
                self.spikes if currents is None else currents,
                self.scratch,
                size,
                *span,
                **self.form._asdict(),
                keep=membranes is not None,
                keep_u=currents is not None,
                held=len(x) == 1,
                goes_on=self.goes_on,
                **tuned.options(),
            )


class Backward(passes.Backward):
    """Gradients of the input in its type, summed in the state's."""

    def __init__(
        self,
        told: Told,
        how: How,
        shape: tuple[int, int],
        held: bool,
        late: int = 0,
        goes_on: bool = False,
        tuned: Tuning | None = None,
    ) -> None:
        super().__init__(told, how, shape, held, late, told.grad.dtype, goes_on)
        self.size, self.held = shape[1], held
        self.tuned = tuned or tuning(self.size)
        programs = -(-self.size // self.tuned.block)
        self.sums: Tensor = told.numbers.new_zeros(programs, NUMBERS, dtype=torch.float64)
        self.scratch = scratch(GRADIENTS, self.size, told.numbers, goes_on)

    def run(self, grad: Tensor, span: Span) -> None:
        if span.start == span.stop:
            return
        form, shape, detach, learn, to_x = self.how
        told, x = self.told, self.told.x
        absent = told.numbers
        arrays = (absent if a is None else a for a in (*told.kept, told.spikes))
        with on(grad):
            gpu_loops.backward[(len(self.sums),)](
                grad,
                absent if x is None else x,
                told.numbers,
                *arrays,
                self.to_x,
                self.sums,
                self.scratch,
                self.size,
                *span,
                **form._asdict(),
                shape=int(shape),
                detach=detach,
                **{name: n in learn for name, n in zip(LEARN, LEARNABLE, strict=True)},
                to_x=to_x,
                still=self.held,
                held=len(grad) == 1,
                x_held=x is not None and len(x) == 1,
                goes_on=self.goes_on,
                **self.tuned.options(),
            )

    def of_numbers(self) -> Tensor:
        """Summed on the device."""
        return self.sums.sum(0)


LEARN = ("to_decay_v", "to_decay_u", "to_gain_v", "to_bias", "to_threshold", "to_amount")
