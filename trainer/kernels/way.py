"""How a fused population runs: its form, its numbers, and what has to be kept for a gradient."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..surrogate import SHAPES, Surrogate
from .choice import PLANS
from .engines import Engine
from .form import DECAY_U, GAIN_V, LEARNABLE, V_RESET, Form, Shape
from .passes import Backward

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

    def needs(self, to_x: bool, learn: tuple[int, ...], again: bool = False) -> "Needs":
        """What a gradient takes, if one is asked for of the input or of the numbers in `learn`.
        again: the input alone is kept, and the rest made again from it."""
        return needed(self.form, learn, self.keep and (to_x or bool(learn)), again)


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


@cache
def needed(form: Form, learn: tuple[int, ...], wanted: bool, again: bool) -> Needs:
    """The same of a form; wanted: whether there is anything to keep."""
    membranes = wanted and form.fires
    currents = wanted and form.current and bool({DECAY_U, GAIN_V} & set(learn))
    again = again and (membranes or currents)
    return Needs(
        learn,
        any=wanted,
        membranes=membranes and not again,
        currents=currents and not again,
        spikes=wanted and form.dead and not again,
        x=again or (wanted and not form.current and GAIN_V in learn),
        again=again,
    )


class Plan:
    """A way, and the numbers that go it. learned: which of them are tensors."""

    def __init__(self, way: Way, given: Given) -> None:
        self.way, self.given = way, given
        self.learned = tuple(n for n, value in enumerate(given) if isinstance(value, Tensor))
        self.tensors = tuple(value for value in given if isinstance(value, Tensor))
        self._told: dict[tuple[Any, ...], Any] = {}

    def numbers(self, engine: Engine, like: Tensor) -> Any:
        """As an engine has them, made once where none is learned."""
        key = engine, like.dtype, like.device
        if (told := self._told.get(key)) is None:
            told = engine.numbers(self.way.numbers(self.given), like)
            if not self.learned:
                self._told[key] = told
        return told

    def asked(self, needs_grad: Sequence[bool]) -> tuple[int, ...]:
        """Numbers that get a gradient; needs_grad: of each that is learned."""
        if not self.learned:
            return ()
        of_learned = zip(self.learned, needs_grad, strict=True)
        return tuple(n for n, needs in of_learned if needs and n in LEARNABLE)

    def gradients(self, done: Backward, learn: tuple[int, ...]) -> list[Tensor | None]:
        """Of every tensor, like it, where it is in `learn`; after a pass."""
        if not learn:
            return [None for _ in self.tensors]
        sums = done.of_numbers()
        return [
            sums[n].to(value.device, value.dtype) if n in learn else None
            for n, value in zip(self.learned, self.tensors, strict=True)
        ]


def of_neuron(neuron: "Neuron") -> Plan:
    """The plan of a neuron that is covered. It is kept until something of the neuron is set,
    unless some of its numbers are learned."""
    keep = torch.is_grad_enabled()
    plans: dict[bool, Plan] = neuron.__dict__.setdefault(PLANS, {})
    if keep in plans:
        return plans[keep]
    plan = planned(neuron)
    if not plan.learned:
        plans[keep] = plan
    return plan


def planned(neuron: "Neuron") -> Plan:
    """A fresh one."""
    numbers = neuron.numbers()
    form = Form(
        numbers.decay_u is not None,
        numbers.amount is not None,
        neuron.compare == ">=",
        neuron.dead_step,
    )
    way = Way(form, neuron.surrogate, neuron.detach_reset, neuron.delay)
    return Plan(way, given(numbers))


def of_integrator(numbers: "Numbers", late: int) -> Plan:
    """The same of a population that does not fire."""
    form = Form(numbers.decay_u is not None, False, False, fires=False)
    return Plan(Way(form, late=late), given(numbers))


def given(numbers: "Numbers") -> list[float | Tensor]:
    """The kernel's numbers, learned ones as tensors."""
    found = [idle if (v := getattr(numbers, name)) is None else v for name, idle in IDLE.items()]
    if numbers.v_reset == 0:
        found[V_RESET] = IDLE["v_reset"]
    return found
