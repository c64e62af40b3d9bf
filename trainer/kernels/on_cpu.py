"""The loops of `loops` over torch's memory, block by block."""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from . import loops
from .threads import side_by_side

How = tuple[loops.Form, loops.Shape, bool, tuple[int, ...], bool]  # what makes a backward loop


class Kept(NamedTuple):
    """What a forward pass leaves for the backward one, each [T, N] where it is needed."""

    membranes: Tensor | None
    currents: Tensor | None


class Told(NamedTuple):
    """What a backward pass starts from. grad [T or 1, N], of the output; what was kept; the
    spikes [T, N] and the input [T or 1, N] where they are needed."""

    grad: Tensor
    kept: Kept
    spikes: Tensor | None
    x: Tensor | None
    numbers: list[float]


class Span(NamedTuple):
    """Steps [start, stop) of a pass, the first `late` of which hear nothing."""

    late: int
    start: int
    stop: int


def array(values: Tensor | None, like: Tensor) -> Any:
    """Its memory; where there is none, [1, 1] that nobody reads."""
    return (like.new_empty(1, 1) if values is None else values).numpy()


def blocks(size: int) -> int:
    """How many blocks of neurons there are."""
    return -(-size // loops.BLOCK)


def kept_scratch(rows: int, size: int, dtype: Any, goes_on: bool) -> Any:
    """Room for the state of every block, at rest; None: a thread has its own, for one block."""
    return np.zeros(blocks(size) * rows * loops.BLOCK, dtype) if goes_on else None


class Forward:
    """Spikes [steps, N], and what is kept of how they came about, filled by `run`.

    goes_on: run is called for spans of steps in turn, so that its state outlasts a call."""

    def __init__(
        self,
        like: Tensor,
        numbers: list[float],
        form: loops.Form,
        shape: tuple[int, int],
        keep: tuple[bool, bool],
        goes_on: bool = False,
    ) -> None:
        self.spikes = like.new_empty(shape)
        self.kept = Kept(*(like.new_empty(shape) if wanted else None for wanted in keep))
        self.goes_on = goes_on
        self.loop: Any = loops.forward(form, *keep)
        out = self.spikes.numpy()
        self.out = out, *(array(values, like) for values in self.kept)
        self.numbers = np.array(numbers, out.dtype)
        self.silence = np.zeros(loops.BLOCK, out.dtype)
        self.scratch = kept_scratch(loops.STATE, shape[1], out.dtype, goes_on)

    def run(self, x: Tensor, span: Span) -> None:
        """x [T or 1, N]: one row is heard in every step."""
        size = self.spikes.shape[1]
        given = x.numpy(), self.numbers, *self.out

        def work(share: range) -> None:
            scratch = self.scratch
            if scratch is None:
                scratch = np.empty(loops.STATE * loops.BLOCK, self.numbers.dtype)
            self.loop(*given, scratch, self.silence, self.goes_on, *span, share.start, share.stop)

        side_by_side(work, blocks(size), size * (span.stop - span.start))


class Backward:
    """Gradients of what every step hears, [steps, N] or summed over time [1, N], filled by
    `run`; then of the numbers. late: see Span."""

    def __init__(
        self,
        told: Told,
        how: How,
        shape: tuple[int, int],
        held: bool,
        late: int = 0,
        goes_on: bool = False,
    ) -> None:
        like = told.grad
        rows = shape[0] + late if how[-1] and not held else 1
        self.to_x = like.new_empty(rows, shape[1])
        self.late = 0 if rows == 1 else late
        # what comes so late is heard by no step; one row is added to, and begins as 0 in a pass
        self.to_x[rows - (self.late or int(goes_on)) :] = 0
        self.size, self.goes_on = shape[1], goes_on
        self.loop: Any = loops.backward(*how)
        dtype = like.numpy().dtype
        self.sums = np.zeros((blocks(self.size), len(told.numbers)))
        self.given = (
            array(told.x, like),
            np.array(told.numbers, dtype),
            *(array(values, like) for values in (*told.kept, told.spikes)),
            self.to_x.numpy(),
            self.sums,
        )
        self.dtype = dtype
        self.scratch = kept_scratch(loops.GRADIENTS, self.size, dtype, goes_on)

    def run(self, grad: Tensor, span: Span) -> None:
        """grad [T or 1, N], of the output: one row is that of every step."""
        came = grad.numpy()

        def work(share: range) -> None:
            scratch = self.scratch
            if scratch is None:
                scratch = np.empty(loops.GRADIENTS * loops.BLOCK, self.dtype)
            waste = np.zeros(loops.BLOCK, self.dtype)
            self.loop(
                came, *self.given, scratch, waste, self.goes_on, *span, share.start, share.stop
            )

        side_by_side(work, len(self.sums), self.size * (span.stop - span.start))

    def to_input(self) -> Tensor:
        """The gradient of x [T or 1, N]."""
        return self.to_x[self.late :]

    def of_numbers(self) -> list[float]:
        """Summed block by block in their order, whatever the threads."""
        return [float(s) for s in self.sums.sum(0)]
