"""How a fused population runs: its form, its numbers, and what has to be kept for a gradient."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..surrogate import SHAPES, Surrogate
from .form import DECAY_U, GAIN_V, LEARNABLE, V_RESET, Form, Shape

if TYPE_CHECKING:
    from ..neurons.base import Neuron, Numbers

Given = Sequence[float | Tensor]  # in the order of the kernel's numbers

IDLE = {  # what moves no bit where a number is None, in the order of the kernel's numbers
    "decay_v": 1.0,
    "decay_u": 0.0,
    "gain_u": 1.0,
    "gain_v": 1.0,
    "bias": -0.0,  # x + -0 is x for every x, 0 and -0 too
    "threshold": 0.0,
    "v_reset": -0.0,
    "amount": 0.0,
}
SHAPE_OF = {kind: Shape[name.upper()] for name, kind in SHAPES.items()}


@dataclass(frozen=True)
class Way:
    """Beside the numbers. late: steps after which the output is heard. detach: no gradient
    through the reset. keep: gradients may be asked for."""

    form: Form
    surrogate: Surrogate | None = None  # None: it does not fire
    detach: bool = True
    late: int = 0
    keep: bool = field(default_factory=torch.is_grad_enabled)

    @property
    def shape(self) -> Shape:
        """Of the surrogate."""
        return Shape.TRIANGLE if self.surrogate is None else SHAPE_OF[type(self.surrogate)]

    def numbers(self, given: Given) -> list[float | Tensor]:
        """All that a kernel takes."""
        slope = self.surrogate or Surrogate()
        return [*given, slope.width, slope.scale]

    def needs(self, to_x: bool, to_numbers: Sequence[bool], again: bool = False) -> "Needs":
        """What a gradient takes, if one is asked for of the input or of some numbers. again: the
        input alone is kept, and the rest made again from it."""
        learn = tuple(n for n in LEARNABLE if to_numbers[n])
        wanted = self.keep and (to_x or bool(learn))
        current = self.form.current
        membranes = wanted and self.form.fires
        currents = wanted and current and bool({DECAY_U, GAIN_V} & set(learn))
        again = again and (membranes or currents)
        return Needs(
            learn,
            any=wanted,
            membranes=membranes and not again,
            currents=currents and not again,
            spikes=wanted and self.form.dead and not again,
            x=again or (wanted and not current and GAIN_V in learn),
            again=again,
        )


class Needs(NamedTuple):
    """learn: numbers that get a gradient. What is kept: anything, and what of it. again: what is
    not kept is made again from x."""

    learn: tuple[int, ...]
    any: bool
    membranes: bool
    currents: bool
    spikes: bool
    x: bool
    again: bool


def of_neuron(neuron: "Neuron") -> tuple[Way, list[float | Tensor]]:
    """How a neuron that is covered runs, and its numbers."""
    numbers = neuron.numbers()
    form = Form(
        numbers.decay_u is not None,
        numbers.amount is not None,
        neuron.compare == ">=",
        neuron.dead_step,
    )
    return Way(form, neuron.surrogate, neuron.detach_reset, neuron.delay), given(numbers)


def of_integrator(numbers: "Numbers", late: int) -> tuple[Way, list[float | Tensor]]:
    """The same of a population that does not fire."""
    form = Form(numbers.decay_u is not None, False, False, fires=False)
    return Way(form, late=late), given(numbers)


def given(numbers: "Numbers") -> list[float | Tensor]:
    """The kernel's numbers, learned ones as tensors."""
    found = [idle if (v := getattr(numbers, name)) is None else v for name, idle in IDLE.items()]
    if numbers.v_reset == 0:
        found[V_RESET] = IDLE["v_reset"]
    return found


def gradients(sums: Tensor, learn: Sequence[int], given: Given) -> list[Tensor | None]:
    """Of every number that is learned, like it."""
    found: list[Tensor | None] = [None] * len(given)
    for n in learn:
        value = given[n]
        assert isinstance(value, Tensor)
        found[n] = sums[n].to(value.device, value.dtype)
    return found
