"""The loops of `loops` over torch's memory, block by block."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..spiking import state_type
from . import loops, passes
from .form import GRADIENTS, STATE, Form, How
from .passes import Given, Span, Told
from .threads import room, side_by_side


def numbers(given: Given, like: Tensor) -> Any:
    """As they are now, in the type of the state."""
    plain = [v.item() if isinstance(v, Tensor) else v for v in given]
    return np.array(plain, np.float64 if state_type(like.dtype) == torch.float64 else np.float32)


def array(values: Tensor | None, kind: torch.dtype) -> Any:
    """Its memory in a type; where there is none, [1, 1] that nobody reads."""
    if values is None:
        return absent(kind)
    return (values if values.dtype == kind else values.to(kind)).numpy()


@cache
def absent(kind: torch.dtype) -> Any:
    """[1, 1] that nobody reads or writes."""
    return torch.zeros(1, 1, dtype=kind).numpy()


@cache
def silence(dtype: Any) -> Any:
    """What a block hears in a step that hears nothing."""
    return np.zeros(loops.BLOCK, dtype)


def blocks(size: int) -> int:
    """How many blocks of neurons there are."""
    return -(-size // loops.BLOCK)


def kept_scratch(rows: int, size: int, dtype: Any, goes_on: bool) -> Any:
    """Room for the state of every block, at rest; None: a thread has its own, for one block."""
    return np.zeros(blocks(size) * rows * loops.BLOCK, dtype) if goes_on else None


class Forward(passes.Forward):
    """All in the type of the state."""

    def __init__(
        self,
        like: Tensor,
        numbers: Any,
        form: Form,
        shape: tuple[int, int],
        keep: tuple[bool, bool],
        goes_on: bool = False,
    ) -> None:
        super().__init__(like, numbers, form, shape, keep, state_type(like.dtype), goes_on)
        self.loop: Any = loops.forward(form, *keep)
        self.kind, self.dtype = self.spikes.dtype, numbers.dtype
        self.out = tuple(array(values, self.kind) for values in (self.spikes, *self.kept))
        self.scratch = kept_scratch(STATE, shape[1], self.dtype, goes_on)

    def run(self, x: Tensor, span: Span) -> None:
        size = self.spikes.shape[1]
        given = array(x, self.kind), self.numbers, *self.out
        rest = silence(self.dtype), self.goes_on, *span

        def work(share: range) -> None:
            scratch = self.scratch
            if scratch is None:
                scratch = room(STATE * loops.BLOCK, self.dtype)
            self.loop(*given, scratch, *rest, share.start, share.stop)

        side_by_side(work, blocks(size), size * (span.stop - span.start))


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
        self.kind = state_type(told.grad.dtype)
        super().__init__(told, how, shape, held, late, self.kind, goes_on)
        self.steps, self.size = shape
        self.loop: Any = loops.backward(*how, told.again)
        self.sums = np.zeros((blocks(self.size), len(told.numbers)))
        self.x, self.out = array(told.x, self.kind), array(self.to_x, self.kind)
        self.kept = tuple(array(values, self.kind) for values in (*told.kept, told.spikes))
        self.dtype = told.numbers.dtype
        self.scratch = kept_scratch(GRADIENTS, self.size, self.dtype, goes_on)

    def run(self, grad: Tensor, span: Span) -> None:
        given = array(grad, self.kind), self.x, self.told.numbers
        out, rest = (self.out, self.sums), (silence(self.dtype), self.goes_on, *span)

        def work(share: range) -> None:
            scratch, waste, kept = self.own()
            scratch = scratch if self.scratch is None else self.scratch
            self.loop(*given, *kept, *out, scratch, waste, *rest, share.start, share.stop)

        side_by_side(work, len(self.sums), self.size * (span.stop - span.start))

    def own(self) -> tuple[Any, Any, tuple[Any, ...]]:
        """A thread's: gradients and state of a block, what is wasted, and what was kept: of all
        neurons, or, where that is made again, room for it of a block."""
        form, again = self.how[0], self.told.again
        rows = [self.steps * (again and made) for made in (True, form.current, form.dead)]
        state = GRADIENTS + STATE * again
        own = room((sum(rows) + state + 1) * loops.BLOCK, self.dtype).reshape(-1, loops.BLOCK)
        scratch, waste = own[:state].reshape(-1), own[state]
        waste[:] = 0
        if not again:
            return scratch, waste, self.kept
        ends = np.cumsum([state + 1, *rows])
        parts = zip(ends, ends[1:], strict=False)
        made = tuple(own[lo:hi] if hi > lo else absent(self.kind) for lo, hi in parts)
        return scratch, waste, made

    def of_numbers(self) -> Tensor:
        """The same whatever the threads."""
        return torch.from_numpy(self.sums.sum(0))
