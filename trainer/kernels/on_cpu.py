"""The loops of `loops` over torch's memory."""

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from ..spiking import state_type
from . import loops, passes, threads
from .form import GRADIENTS, NUMBERS, STATE, Form, How
from .layout import Signal, at
from .passes import Given, Span, Told

CPU = torch.device("cpu")  # whatever torch's default is now


def numbers(given: Given, like: Tensor) -> Tensor:
    """As they are now, in the type of the state."""
    kind = state_type(like.dtype)
    plain = [value.item() if isinstance(value, Tensor) else value for value in given]
    if any(isinstance(value, Tensor) for value in given):
        return torch.tensor(plain, dtype=kind, device=CPU)
    return fixed(passes.signed(plain), kind)


@lru_cache(1024)
def fixed(given: passes.Signed, kind: torch.dtype) -> Tensor:
    """Numbers that stay."""
    with torch.inference_mode(False):
        return torch.tensor([value for value, _ in given], dtype=kind, device=CPU)


def array(values: Tensor | None, kind: torch.dtype) -> Tensor | None:
    """In a type."""
    return values if values is None or values.dtype == kind else values.to(kind)


@cache
def silence(kind: torch.dtype) -> Tensor:
    """What a block hears in a step that hears nothing."""
    with torch.inference_mode(False):
        return torch.zeros(loops.ROW, dtype=kind, device=CPU)


def blocks(size: int) -> int:
    """How many blocks of neurons there are."""
    return -(-size // loops.BLOCK)


def wide(signal: Signal, again: bool = False) -> tuple[int, int]:
    """How many blocks a thread does at once, and how many such parts there are."""
    count = blocks(signal.size)
    each = 1 if again else count // threads.many(count, signal.steps * signal.size)
    each = max(1, min(loops.MOST, each))
    return each, -(-count // each)


def at_rest(rows: int, parts: int, kind: torch.dtype) -> Tensor:
    """A state of every part, which outlasts a call."""
    return torch.zeros(parts * rows * loops.ROW, dtype=kind, device=CPU)


class Forward(passes.Forward):
    """All in the type of the state."""

    def __init__(
        self,
        like: Tensor,
        numbers: Tensor,
        form: Form,
        signal: Signal,
        keep: tuple[bool, bool],
        goes_on: bool = False,
    ) -> None:
        kind = numbers.dtype
        super().__init__(like, numbers, form, signal, keep, kind, goes_on)
        self.loop: Any = loops.forward(form, *keep, kind == torch.float64)
        each, self.parts = wide(signal)
        # without one a thread has its own
        self.state = at_rest(STATE, self.parts, kind) if goes_on else None
        state, *out = at(self.state, self.spikes, *self.kept)
        self.out = state, each, *out
        self.room = loops.ROW * STATE * kind.itemsize

    def run(self, x: Tensor, span: Span) -> None:
        signal, kind = self.signal, self.numbers.dtype
        heard = x if x.dtype == kind else x.to(kind)
        heard_in = at(heard, self.numbers, silence(kind))
        given = (x.shape[0], signal.size, signal.steps, *span, *heard_in, *self.out)
        work = signal.size * (span.stop - span.start)
        threads.run(self.loop, given, self.parts, work, self.room)


class Backward(passes.Backward):
    """All in the type of the state."""

    def __init__(
        self,
        told: Told,
        how: How,
        signal: Signal,
        held: bool,
        late: int = 0,
        goes_on: bool = False,
    ) -> None:
        self.kind = kind = told.numbers.dtype
        super().__init__(told, how, signal, held, late, kind, goes_on)
        each, self.parts = wide(signal, told.again)
        spare = told.spare is not None
        self.loop: Any = loops.backward(*how, told.again, spare, kind == torch.float64)
        self.sums: Tensor | None = None
        if how[3]:  # numbers that are learned
            sums = blocks(signal.size), NUMBERS
            self.sums = torch.zeros(sums, dtype=torch.float64, device=CPU)
        self.state = at_rest(GRADIENTS, self.parts, kind) if goes_on else None
        self.x = array(told.x, kind)
        self.kept = [array(values, kind) for values in (*told.kept, told.spikes)]
        state, x, to_x, *rest = at(self.state, self.x, self.to_x, self.sums, *self.kept)
        rows = 1 if self.x is None else self.x.shape[0]
        self.out = state, each, x, rows, to_x, self.to_x.shape[0], *rest
        steps = signal.steps if told.again else 0
        self.room = loops.room_of(how[0], steps) * kind.itemsize

    def run(self, grad: Tensor, span: Span) -> None:
        signal = self.signal
        came = grad if grad.dtype == self.kind else grad.to(self.kind)
        heard_in = at(came, self.told.numbers, silence(self.kind))
        given = (grad.shape[0], signal.size, signal.steps, *span, *heard_in, *self.out)
        work = signal.size * (span.stop - span.start)
        threads.run(self.loop, given, self.parts, work, self.room)

    def of_numbers(self) -> Tensor:
        """The same whatever the threads."""
        assert self.sums is not None
        return self.sums.sum(0)
