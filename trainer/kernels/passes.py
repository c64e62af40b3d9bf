"""A pass forward and one backward, whatever runs them: what they are given and what they leave."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..spiking import state_type
from .form import Form, How

Given = list[float | Tensor]  # in the order of the kernel's numbers
Signed = tuple[tuple[float, float], ...]


def signed(values: Iterable[float]) -> Signed:
    """Each with its sign, so that 0 is not -0 where they are looked up."""
    return tuple((value, math.copysign(1, value)) for value in values)


class Kept(NamedTuple):
    """What a forward pass leaves for the backward one, each [T, N] where it is needed."""

    membranes: Tensor | None
    currents: Tensor | None


class Told(NamedTuple):
    """What a backward pass starts from. grad [T or 1, N], of the output; what was kept; the
    spikes [T, N] and the input [T or 1, N] where they are needed; the engine's numbers. again:
    what was kept, and the spikes, are made again from the input. spare: memory for the gradient
    of the input, [T, N] of its kind, which may be that of the membranes."""

    grad: Tensor
    kept: Kept
    spikes: Tensor | None
    x: Tensor | None
    numbers: Any
    again: bool = False
    spare: Tensor | None = None


class Span(NamedTuple):
    """Steps [start, stop) of a pass, the first `late` of which hear nothing."""

    late: int
    start: int
    stop: int


class Forward:
    """Spikes [steps, N], and what is kept of how they came about, filled by `run`.

    numbers: the engine's. kind: of the spikes. goes_on: run is called for spans of steps in
    turn, so that its state outlasts a call."""

    def __init__(
        self,
        like: Tensor,
        numbers: Any,
        form: Form,
        shape: tuple[int, int],
        keep: tuple[bool, bool],
        kind: torch.dtype,
        goes_on: bool = False,
    ) -> None:
        wide = state_type(like.dtype)
        self.numbers, self.form, self.goes_on = numbers, form, goes_on
        self.spikes = like.new_empty(shape, dtype=kind)
        self.kept = Kept(*(like.new_empty(shape, dtype=wide) if k else None for k in keep))

    def run(self, x: Tensor, span: Span) -> None:
        """x [T or 1, N]: one row is heard in every step."""
        raise NotImplementedError


class Backward:
    """Gradients of what every step hears, [steps, N] or summed over time [1, N], filled by
    `run`; then of the numbers. late: see Span. kind: of the gradients."""

    def __init__(
        self,
        told: Told,
        how: How,
        shape: tuple[int, int],
        held: bool,
        late: int,
        kind: torch.dtype,
        goes_on: bool = False,
    ) -> None:
        rows = shape[0] + late if how[-1] and not held else 1
        self.told, self.how, self.goes_on = told, how, goes_on
        if told.spare is None:
            self.to_x = told.grad.new_empty(rows, shape[1], dtype=kind)
        else:
            self.to_x = told.spare
        self.late = 0 if rows == 1 else late
        # what comes so late is heard by no step; one row is added to, and begins as 0 in a pass
        if unheard := self.late or int(goes_on):
            self.to_x[rows - unheard :] = 0

    def run(self, grad: Tensor, span: Span) -> None:
        """grad [T or 1, N], of the output: one row is that of every step."""
        raise NotImplementedError

    def to_input(self) -> Tensor:
        """The gradient of x [T or 1, N]."""
        return self.to_x[self.late :] if self.late else self.to_x

    def of_numbers(self) -> Tensor:
        """float64 [10], summed block by block in their order."""
        raise NotImplementedError
