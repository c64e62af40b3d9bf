"""The loops of `loops` over torch's memory, block by block."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..spiking import state_type
from . import loops, passes
from .form import GRADIENTS, STATE, Form, How
from .passes import Given, Span, Told
from .threads import side_by_side


def numbers(given: Given, like: Tensor) -> Any:
    """As they are now, in the type of the state."""
    plain = [v.item() if isinstance(v, Tensor) else v for v in given]
    return np.array(plain, np.float64 if state_type(like.dtype) == torch.float64 else np.float32)


def array(values: Tensor | None, like: Tensor) -> Any:
    """Its memory; where there is none, [1, 1] that nobody reads."""
    return (like.new_empty(1, 1) if values is None else values.to(like.dtype)).numpy()


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
        self.out = tuple(array(values, self.spikes) for values in (self.spikes, *self.kept))
        self.silence = np.zeros(loops.BLOCK, numbers.dtype)
        self.scratch = kept_scratch(STATE, shape[1], numbers.dtype, goes_on)

    def run(self, x: Tensor, span: Span) -> None:
        size = self.spikes.shape[1]
        given = array(x, self.spikes), self.numbers, *self.out

        def work(share: range) -> None:
            scratch = self.scratch
            if scratch is None:
                scratch = np.empty(STATE * loops.BLOCK, self.numbers.dtype)
            self.loop(*given, scratch, self.silence, self.goes_on, *span, share.start, share.stop)

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
        super().__init__(told, how, shape, held, late, state_type(told.grad.dtype), goes_on)
        self.size = shape[1]
        self.loop: Any = loops.backward(*how)
        self.sums = np.zeros((blocks(self.size), len(told.numbers)))
        self.given = (
            array(told.x, self.to_x),
            told.numbers,
            *(array(values, self.to_x) for values in (*told.kept, told.spikes)),
            array(self.to_x, self.to_x),
            self.sums,
        )
        self.dtype = told.numbers.dtype
        self.scratch = kept_scratch(GRADIENTS, self.size, self.dtype, goes_on)

    def run(self, grad: Tensor, span: Span) -> None:
        came = array(grad, self.to_x)

        def work(share: range) -> None:
            scratch = self.scratch
            if scratch is None:
                scratch = np.empty(GRADIENTS * loops.BLOCK, self.dtype)
            waste = np.zeros(loops.BLOCK, self.dtype)
            self.loop(
                came, *self.given, scratch, waste, self.goes_on, *span, share.start, share.stop
            )

        side_by_side(work, len(self.sums), self.size * (span.stop - span.start))

    def of_numbers(self) -> Tensor:
        """The same whatever the threads."""
        return torch.from_numpy(self.sums.sum(0))
