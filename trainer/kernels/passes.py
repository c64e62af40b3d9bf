"""A pass forward and one backward, whatever runs them: what they are given and what they leave."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..spiking import state_type
from .form import Form, How
from .layout import Signal

Given = list[float | Tensor]  # in the order of the kernel's numbers
Signed = tuple[tuple[float, float], ...]


def signed(values: Iterable[float]) -> Signed:
    """Each with its sign, so that 0 is not -0 where they are looked up."""
    return tuple((value, math.copysign(1, value)) for value in values)


class Kept(NamedTuple):
    """What a forward pass leaves for the backward one, each a signal where it is needed."""

    membranes: Tensor | None
    currents: Tensor | None


class Told(NamedTuple):
    """What a backward pass starts from. grad, of the output, as rows of memory, T or 1; what was
    kept, and the spikes where they are needed, in the very layout of the signal; the input, where
    it is needed, in T or 1 rows; the engine's numbers. again: what was kept, and the spikes, are
    made again from the input. spare: memory for the gradient of the input, a signal of its kind,
    which may be that of the membranes."""

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
    """Spikes, and what is kept of how they came about, in the layout of `signal`, filled by `run`.

    numbers: the engine's. kind: of the spikes. goes_on: run is called for spans of steps in
    turn, so that its state outlasts a call."""

    def __init__(
        self,
        like: Tensor,
        numbers: Any,
        form: Form,
        signal: Signal,
        keep: tuple[bool, bool],
        kind: torch.dtype,
        goes_on: bool = False,
    ) -> None:
        wide = state_type(like.dtype)
        self.numbers, self.form, self.goes_on = numbers, form, goes_on
        self.signal, self.spikes = signal, signal.new(like, kind)
        membranes, currents = keep
        self.kept = Kept(
            signal.new(like, wide) if membranes else None,
            signal.new(like, wide) if currents else None,
        )

    def run(self, x: Tensor, span: Span) -> None:
        """x, in T or 1 rows: one is heard in every step."""
        raise NotImplementedError


class Backward:
    """Gradients of what every step hears, in the layout of `signal`, or summed over time in one row
    of it, filled by `run`; then of the numbers. late: see Span. kind: of the gradients."""

    def __init__(
        self,
        told: Told,
        how: How,
        signal: Signal,
        held: bool,
        late: int,
        kind: torch.dtype,
        goes_on: bool = False,
    ) -> None:
        count = signal.steps + late if how[-1] and not held else 1  # rows
        self.told, self.how, self.signal, self.goes_on = told, how, signal, goes_on
        if told.spare is None:
            self.to_x = signal.new(told.grad, kind, count)
        else:
            self.to_x = told.spare
        self.late = 0 if count == 1 else late
        # what comes so late is heard by no step; one row is added to, and begins as 0 in a pass
        if unheard := self.late or int(goes_on):
            self.to_x[count - unheard :] = 0

    def run(self, grad: Tensor, span: Span) -> None:
        """grad, of the output, in T or 1 rows: one is that of every step."""
        raise NotImplementedError

    def to_input(self) -> Tensor:
        """The gradient of x [T or 1, *sample]."""
        return self.to_x[self.late :] if self.late else self.to_x

    def of_numbers(self) -> Tensor:
        """float64 [10], summed block by block in their order."""
        raise NotImplementedError
