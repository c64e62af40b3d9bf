"""The kernels of `gpu_loops` over torch's memory on a device."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from ..spiking import state_type
from . import gpu_loops, passes
from .form import GRADIENTS, LEARNABLE, NUMBERS, STATE, Form, How
from .launch import Kernel, Tuning
from .layout import Signal
from .passes import Given, Span, Told

FEW = 1 << 18  # neurons that would not fill a GPU in blocks of many
NARROW, WIDE = Tuning(128, 4, 4), Tuning(1024, 4, 2)
FORWARD, BACKWARD = Kernel(gpu_loops.forward), Kernel(gpu_loops.backward)


def tuning(size: int) -> Tuning:
    """By the number of neurons alone: the order of sums must not depend on the GPU."""
    return NARROW if size < FEW else WIDE


def numbers(given: Given, like: Tensor) -> Tensor:
    """[11] in the type of the state, pi the last. Learned ones are copied on the device, since
    to ask for their values would be to wait for it."""
    kind = state_type(like.dtype)
    plain = [0.0 if isinstance(v, Tensor) else v for v in given]
    found = fixed(passes.signed(plain), kind, like.device)
    learned = {n: v for n, v in enumerate(given) if isinstance(v, Tensor)}
    if learned:
        found = found.clone()
        for n, value in learned.items():
            found[n] = value.detach()
    return found


@lru_cache(1024)
def fixed(given: passes.Signed, kind: torch.dtype, device: torch.device) -> Tensor:
    """Numbers on the device, from then on."""
    with torch.inference_mode(False):
        values = [*(value for value, _ in given), math.pi]
        return torch.tensor(values, dtype=kind, device=device)


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
        signal: Signal,
        keep: tuple[bool, bool],
        goes_on: bool = False,
        tuned: Tuning | None = None,
    ) -> None:
        super().__init__(like, numbers, form, signal, keep, like.dtype, goes_on)
        self.tuned = tuned or tuning(signal.size)
        self.scratch = scratch(STATE, signal.size, numbers, goes_on)

    def run(self, x: Tensor, span: Span) -> None:
        if span.start == span.stop:
            return
        spikes, (membranes, currents) = self.spikes, self.kept
        keep, keep_u = membranes is not None, currents is not None
        arrays = (
            x,
            self.numbers,
            spikes,
            spikes if membranes is None else membranes,
            spikes if currents is None else currents,
            self.scratch,
        )
        fixed = *self.form, keep, keep_u, x.shape[0] == 1, self.goes_on
        FORWARD.launch(arrays, self.signal.size, span, fixed, self.tuned)


class Backward(passes.Backward):
    """Gradients of the input in its type, summed in the state's."""

    def __init__(
        self,
        told: Told,
        how: How,
        signal: Signal,
        held: bool,
        late: int = 0,
        goes_on: bool = False,
        tuned: Tuning | None = None,
    ) -> None:
        super().__init__(told, how, signal, held, late, told.grad.dtype, goes_on)
        self.size, self.held = signal.size, held
        self.tuned = tuned or tuning(self.size)
        programs = -(-self.size // self.tuned.block)
        self.sums: Tensor | None = None
        if how[3]:  # numbers that are learned
            self.sums = told.numbers.new_zeros(programs, NUMBERS, dtype=torch.float64)
        self.scratch = scratch(GRADIENTS, self.size, told.numbers, goes_on)

    def run(self, grad: Tensor, span: Span) -> None:
        if span.start == span.stop:
            return
        form, surrogate, detach, learn, to_x = self.how
        told, x, absent = self.told, self.told.x, self.told.numbers
        arrays = (
            grad,
            absent if x is None else x,
            told.numbers,
            *(absent if a is None else a for a in (*told.kept, told.spikes)),
            self.to_x,
            absent if self.sums is None else self.sums,
            self.scratch,
        )
        fixed = (
            *(*form, int(surrogate), detach),
            *(n in learn for n in LEARNABLE),
            *(to_x, self.held, grad.shape[0] == 1),
            *(x is not None and x.shape[0] == 1, self.goes_on),
        )
        BACKWARD.launch(arrays, self.size, span, fixed, self.tuned)

    def of_numbers(self) -> Tensor:
        """Summed on the device."""
        assert self.sums is not None
        return self.sums.sum(0)
