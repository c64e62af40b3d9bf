"""The loops of `loops` over torch's memory."""

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from ..spiking import state_type
from . import loops, passes, threads
from .form import GRADIENTS, NUMBERS, STATE, Form, How
from .layout import at
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


def wide(shape: tuple[int, int], again: bool = False) -> tuple[int, int]:
    """How many blocks a thread does at once, and how many such parts there are."""
    count = blocks(shape[1])
    each = 1 if again else count // threads.many(count, shape[0] * shape[1])
    each = max(1, min(loops.MOST, each))
    return each, -(-count // each)


def kept_state(rows: int, parts: int, kind: torch.dtype, goes_on: bool) -> Tensor | None:
    """The state of every part, at rest; None: a thread has its own."""
    size = parts * rows * loops.ROW
    return torch.zeros(size, dtype=kind, device=CPU) if goes_on else None


class Forward(passes.Forward):
    """All in the type of the state."""

    def __init__(
        self,
        like: Tensor,
        numbers: Tensor,
        form: Form,
        shape: tuple[int, int],
        keep: tuple[bool, bool],
        goes_on: bool = False,
    ) -> None:
        kind = numbers.dtype
        super().__init__(like, numbers, form, shape, keep, kind, goes_on)
        self.loop: Any = loops.forward(form, *keep, kind == torch.float64)
        each, self.parts = wide(shape)
        self.state = kept_state(STATE, self.parts, kind, goes_on)
        self.out = at(self.state), each, at(self.spikes), *map(at, self.kept)
        self.room = loops.ROW * STATE * kind.itemsize

    def run(self, x: Tensor, span: Span) -> None:
        steps, size = self.spikes.shape
        heard, kind = array(x, self.numbers.dtype), self.numbers.dtype
        given = len(x), size, steps, *span, at(heard), at(self.numbers), at(silence(kind))
        work = size * (span.stop - span.start)
        threads.run(self.loop, (*given, *self.out), self.parts, work, self.room)


class Backward(passes.Backward):
    """All in the type of the state."""

    def __init__(
        self,
        told: Told,
        how: How,
        shape: tuple[int, int],
        held: bool,
        late: int = 0,
        goes_on: bool = False,
    ) -> None:
        self.kind = kind = told.numbers.dtype
        super().__init__(told, how, shape, held, late, kind, goes_on)
        self.shape, (each, self.parts) = shape, wide(shape, told.again)
        spare = told.spare is not None
        self.loop: Any = loops.backward(*how, told.again, spare, kind == torch.float64)
        sums = blocks(shape[1]), NUMBERS
        self.sums = torch.zeros(sums, dtype=torch.float64, device=CPU) if how[3] else None
        self.state = kept_state(GRADIENTS, self.parts, kind, goes_on)
        self.x = array(told.x, kind)
        rows = 1 if self.x is None else len(self.x)
        arrays = at(self.x), rows, at(self.to_x), len(self.to_x), at(self.sums)
        self.out = at(self.state), each, *arrays
        self.kept = [array(values, kind) for values in (*told.kept, told.spikes)]
        steps = shape[0] if told.again else 0
        self.room = loops.room_of(how[0], steps) * kind.itemsize

    def run(self, grad: Tensor, span: Span) -> None:
        steps, size = self.shape
        came = array(grad, self.kind)
        given = len(grad), size, steps, *span, at(came), at(self.told.numbers)
        rest = at(silence(self.kind)), *self.out, *map(at, self.kept)
        work = size * (span.stop - span.start)
        threads.run(self.loop, (*given, *rest), self.parts, work, self.room)

    def of_numbers(self) -> Tensor:
        """The same whatever the threads."""
        assert self.sums is not None
        return self.sums.sum(0)
