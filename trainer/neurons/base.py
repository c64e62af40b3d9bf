"""What kinds of neuron share: the numbers of one step, fixed or learned, and what is made of them.

The step itself is `core.neuron.step`; a kind only says with which numbers. `detach_reset` keeps
the gradient out of the reset (SEW and stork; harmful in deep nets otherwise); without it the
gradient flows through it (TET, STBP).
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ...core import nodes
from ...core.arrays import Array, frozen
from ...core.errors import ConfigError
from ...core.neuron import Law, real
from .. import kernels
from ..spiking import Feedback, Spiking, detached
from ..surrogate import Surrogate, Triangle

Number = float | Tensor  # a plain number, or a learned one of shape []
Reset = Literal["value", "subtract"]
Compare = Literal[">", ">="]


@dataclass(frozen=True)
class Numbers:
    """The numbers of one step, as `core.neuron.real` takes them; None: it does not happen.

    threshold None: no spikes, the membrane is the output. amount None: reset by value.
    """

    threshold: Number | None = None
    decay_v: Number | None = None
    decay_u: Number | None = None
    gain_u: Number | None = None
    gain_v: Number | None = None
    bias: Number | None = None
    v_reset: float = 0.0
    amount: Number | None = None

    def rest(self) -> dict[str, Any]:
        """All but the threshold, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "threshold"}

    def node(
        self, shape: tuple[int, ...], compare: Compare = ">", refractory: int = 0
    ) -> nodes.Neuron:
        """A population of `shape` with these numbers in float64."""
        found: dict[str, Any] = {f.name: array(getattr(self, f.name)) for f in fields(self)}
        amount = found.pop("amount")
        decay = found.pop("decay_v")
        return nodes.Neuron(
            shape=shape,
            decay_v=frozen(1.0) if decay is None else decay,
            reset="value" if amount is None else "subtract",
            reset_amount=amount,
            compare=compare,
            refractory=refractory,
            **{name: value for name, value in found.items() if value is not None},
        )


def array(value: Number | None) -> Array | None:
    """A number in float64."""
    if isinstance(value, Tensor):
        return frozen(value.detach().double().cpu().numpy())
    return None if value is None else frozen(value)


class Neuron(Spiking):
    """A population, one set of numbers for all its neurons.

    decay None: no leak. decay_syn None: no synaptic current. compare: whether it fires at the
    threshold too ('>='). learn: which of 'decay', 'decay_syn' and 'threshold' are trained,
    starting from the value given: decays stay within (0, 1) by a sigmoid, a threshold stays
    positive as its start times a softplus that is 1 at first. ConfigError for a value out of range.
    """

    refractory: int = 0  # steps
    plain_step: bool = True  # `law` is made of `numbers`, and nothing else
    dead_step: bool = False  # no reset but a refractory period of one step, spent at v_reset

    def __init__(
        self,
        decay: float | None,
        decay_syn: float | None,
        *,
        threshold: float = 1.0,
        reset: Reset = "value",
        v_reset: float = 0.0,
        compare: Compare = ">",
        detach_reset: bool = True,
        surrogate: Surrogate | None = None,
        learn: Collection[str] = (),
    ) -> None:
        super().__init__()
        given = {"decay": decay, "decay_syn": decay_syn, "threshold": threshold}
        _check(given, reset, v_reset, compare, learn)
        self._given = given
        for name in learn:
            value = given[name]
            assert value is not None
            start = 0.0 if name == "threshold" else math.log(value / (1 - value))
            self.register_parameter(LEARNED[name], nn.Parameter(torch.tensor(start)))
        self.learn = tuple(learn)
        self.reset = reset
        self.v_reset = v_reset
        self.compare: Compare = compare
        self.detach_reset = detach_reset
        self.surrogate = surrogate or Triangle()

    @property
    def decay(self) -> Number | None:
        """What the membrane is multiplied by each step; None: no leak."""
        return self.number("decay")

    @property
    def decay_syn(self) -> Number | None:
        """What the synaptic current is multiplied by each step; None: there is none."""
        return self.number("decay_syn")

    @property
    def threshold(self) -> Number:
        """What the membrane has to exceed, or to reach."""
        return self.needed("threshold")

    def number(self, name: str, dtype: torch.dtype | None = None) -> Number | None:
        """The number as it is now, a learned one in `dtype` (None: the parameter's own)."""
        value = self._given[name]
        if name not in self.learn or value is None:
            return value
        learned: Tensor = getattr(self, LEARNED[name]).to(dtype)
        if name != "threshold":
            return learned.sigmoid()
        return value * (softplus(learned) / softplus(torch.zeros_like(learned)))

    def needed(self, name: str, dtype: torch.dtype | None = None) -> Number:
        """A number that this kind has."""
        value = self.number(name, dtype)
        assert value is not None
        return value

    def forgotten(self, name: str, dtype: torch.dtype | None = None) -> Number:
        """1 - decay, to the last digit where the decay is learned."""
        if name in self.learn:
            learned: Tensor = getattr(self, LEARNED[name]).to(dtype)
            return (-learned).sigmoid()
        return 1 - self.needed(name)

    def numbers(self, dtype: torch.dtype | None = None) -> Numbers:
        """One step's, learned ones in `dtype`."""
        threshold = self.needed("threshold", dtype)
        return Numbers(
            threshold=threshold,
            decay_v=self.number("decay", dtype),
            decay_u=self.number("decay_syn", dtype),
            v_reset=self.v_reset,
            amount=threshold if self.reset == "subtract" else None,
        )

    def forward(self, x: Tensor, feedback: Feedback | None = None) -> Tensor:
        choice = kernels.chosen(self, x, feedback)
        if choice.fused:
            return kernels.run(self, x, choice, feedback)
        return super().forward(x, feedback)

    def law(self) -> Law:
        """How `core.neuron.step` is carried out in torch."""
        numbers = self.numbers()
        threshold = numbers.threshold
        assert threshold is not None
        fire = self.surrogate.begun()
        law = real(
            fire=lambda v: fire(v, threshold, self.compare),
            refractory=self.refractory or None,
            **numbers.rest(),
        )
        return detached(law) if self.detach_reset else law

    def node(self, shape: tuple[int, ...]) -> nodes.Neuron:
        """The numbers of one step in float64, for a population of `shape`."""
        return self.numbers(torch.float64).node(shape, self.compare, self.refractory)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__.pop(kernels.PLANS, None)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self.__dict__.pop(kernels.PLANS, None)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        """As torch's; what is learned now is looked at anew."""
        super().register_parameter(name, param)
        self.__dict__.pop(kernels.PLANS, None)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()  # at once: another thread may plan meanwhile
        state.pop(kernels.PLANS, None)
        return state

    def extra_repr(self) -> str:
        numbers = {n: v for n in self._given if (v := array(self.number(n))) is not None}
        said = [f"{name}={float(value):g}" for name, value in numbers.items()]
        return ", ".join([*said, f"reset={self.reset}", f"surrogate={self.surrogate}"])


LEARNED = {  # number -> the parameter that it is trained by
    "decay": "learned_decay",
    "decay_syn": "learned_decay_syn",
    "threshold": "raw_threshold",
}


class Common(TypedDict, total=False):
    """What every kind of neuron takes by name; see `Neuron`."""

    threshold: float
    compare: Compare
    detach_reset: bool
    surrogate: Surrogate | None
    learn: Collection[str]


class Options(Common, total=False):
    """What every kind takes that leaves the reset open."""

    reset: Reset
    v_reset: float


def _check(
    given: dict[str, float | None],
    reset: str,
    v_reset: float,
    compare: str,
    learn: Collection[str],
) -> None:
    """ConfigError where a number makes no neuron."""
    for name, value in given.items():
        if name in learn and value is None:
            raise ConfigError(f"'{name}' cannot be learned: this kind of neuron has none")
        if value is None:
            continue
        if name == "threshold":
            positive(name, value)
        elif not 0 <= value <= 1 or (name in learn and value in (0, 1)):
            limit = "between 0 and 1" if name in learn else "from 0 to 1"
            raise ConfigError(f"{name} is {value}; it must be {limit}")
    unknown = sorted(set(learn) - set(given))
    if unknown:
        raise ConfigError(f"'{unknown[0]}' cannot be learned; choose from {', '.join(given)}")
    if reset not in ("value", "subtract"):
        raise ConfigError(f"reset is {reset!r}; it must be 'value' or 'subtract'")
    if compare not in (">", ">="):
        raise ConfigError(f"compare is {compare!r}; it must be '>' or '>='")
    if not math.isfinite(v_reset) or (reset == "subtract" and v_reset != 0):
        raise ConfigError(f"v_reset is {v_reset}; a finite number, and 0 under reset 'subtract'")


def positive(name: str, value: float, least: float = 0.0) -> float:
    """The value, or ConfigError if it is not a finite number greater than `least`."""
    if not (math.isfinite(value) and value > least):
        raise ConfigError(f"{name} is {value}; give a finite number greater than {least:g}")
    return value
