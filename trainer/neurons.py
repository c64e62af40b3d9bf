"""Spiking neurons over a whole sequence: [T, B, *shape] of input current -> spikes.

One step is `core.neuron.step`, looped over time here and stated nowhere else:

    u <- decay_syn u + x          CubaLIF only; else u = x
    v <- decay v + u              IF: decay = 1
    s <- v > threshold
    v <- v_reset where s          reset 'value'      (TET eq. 1-3)
    v <- v - threshold s          reset 'subtract'

Every call starts from rest. `detach_reset` keeps the gradient out of the reset (SEW and stork;
harmful in deep nets otherwise); without it the gradient flows through it (TET, STBP).
"""

import math
from collections.abc import Collection
from typing import Literal, TypedDict, Unpack

import torch
from torch import Tensor, nn

from ..core import nodes
from ..core.arrays import Array, frozen
from ..core.errors import ConfigError
from ..core.neuron import Law, real
from .spiking import Spiking, detached
from .surrogate import Surrogate, Triangle

Number = float | Tensor  # a plain number, or a learned one of shape []
Reset = Literal["value", "subtract"]


class Neuron(Spiking):
    """A population, one set of numbers for all its neurons.

    decay None: no leak. decay_syn None: no synaptic current. learn: which of 'decay',
    'decay_syn' and 'threshold' are trained, starting from the value given; decays stay within
    (0, 1) by a sigmoid. ConfigError for a value out of range.
    """

    def __init__(
        self,
        decay: float | None,
        decay_syn: float | None,
        *,
        threshold: float = 1.0,
        reset: Reset = "value",
        v_reset: float = 0.0,
        detach_reset: bool = True,
        surrogate: Surrogate | None = None,
        learn: Collection[str] = (),
    ) -> None:
        super().__init__()
        given = {"decay": decay, "decay_syn": decay_syn, "threshold": threshold}
        _check(given, reset, v_reset, learn)
        self._fixed = {name: value for name, value in given.items() if name not in learn}
        for name in learn:
            value = given[name]
            assert value is not None
            start = value if name == "threshold" else math.log(value / (1 - value))
            self.register_parameter(f"learned_{name}", nn.Parameter(torch.tensor(start)))
        self.reset = reset
        self.v_reset = v_reset
        self.detach_reset = detach_reset
        self.surrogate = surrogate or Triangle()

    @property
    def decay(self) -> Number | None:
        """What the membrane is multiplied by each step; None: no leak."""
        return self._number("decay")

    @property
    def decay_syn(self) -> Number | None:
        """What the synaptic current is multiplied by each step; None: there is none."""
        return self._number("decay_syn")

    @property
    def threshold(self) -> Number:
        """What the membrane has to exceed."""
        value = self._number("threshold")
        assert value is not None
        return value

    def _number(self, name: str) -> Number | None:
        if name in self._fixed:
            return self._fixed[name]
        learned: Tensor = getattr(self, f"learned_{name}")
        return learned if name == "threshold" else learned.sigmoid()

    def law(self) -> Law:
        """How `core.neuron.step` is carried out in torch."""
        threshold = self.threshold
        law = real(
            fire=lambda v: self.surrogate(v, threshold),
            decay_v=self.decay,
            decay_u=self.decay_syn,
            v_reset=self.v_reset,
            amount=threshold if self.reset == "subtract" else None,
        )
        return detached(law) if self.detach_reset else law

    def node(self, shape: tuple[int, ...]) -> nodes.Neuron:
        """The numbers of one step in float64, for a population of `shape`."""
        decay = self._float64("decay")
        threshold = self._float64("threshold")
        return nodes.Neuron(
            shape=shape,
            decay_v=frozen(1.0) if decay is None else decay,
            decay_u=self._float64("decay_syn"),
            threshold=threshold,
            v_reset=frozen(self.v_reset),
            reset=self.reset,
        )

    def _float64(self, name: str) -> Array | None:
        if name in self._fixed:
            value = self._fixed[name]
            return None if value is None else frozen(value)
        learned: Tensor = getattr(self, f"learned_{name}").detach().double().cpu()
        return frozen((learned if name == "threshold" else learned.sigmoid()).numpy())

    def extra_repr(self) -> str:
        numbers = {n: v for n in ("decay", "decay_syn", "threshold") if (v := self._number(n))}
        said = [f"{name}={float(value):g}" for name, value in numbers.items()]
        return ", ".join([*said, f"reset={self.reset}", f"surrogate={self.surrogate}"])


class Options(TypedDict, total=False):
    """What every kind of neuron takes by name; see `Neuron`."""

    threshold: float
    reset: Reset
    v_reset: float
    detach_reset: bool
    surrogate: Surrogate | None
    learn: Collection[str]


class IF(Neuron):
    """Integrate and fire: v <- v + x."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(None, None, **options)


class LIF(Neuron):
    """Leaky integrate and fire: v <- decay v + x."""

    def __init__(self, decay: float = 0.5, **options: Unpack[Options]) -> None:
        super().__init__(decay, None, **options)


class CubaLIF(Neuron):
    """Current-based LIF: u <- decay_syn u + x; v <- decay v + u, with the new u."""

    def __init__(
        self, decay: float = 0.5, decay_syn: float = 0.5, **options: Unpack[Options]
    ) -> None:
        super().__init__(decay, decay_syn, **options)


def _check(
    given: dict[str, float | None], reset: str, v_reset: float, learn: Collection[str]
) -> None:
    """ConfigError where a number makes no neuron."""
    for name, value in given.items():
        if name in learn and value is None:
            raise ConfigError(f"'{name}' cannot be learned: this kind of neuron has none")
        if value is None:
            continue
        if name == "threshold":
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"threshold is {value}; give a finite number greater than 0")
        elif not 0 <= value <= 1 or (name in learn and value in (0, 1)):
            limit = "between 0 and 1" if name in learn else "from 0 to 1"
            raise ConfigError(f"{name} is {value}; it must be {limit}")
    unknown = sorted(set(learn) - set(given))
    if unknown:
        raise ConfigError(f"'{unknown[0]}' cannot be learned; choose from {', '.join(given)}")
    if reset not in ("value", "subtract"):
        raise ConfigError(f"reset is {reset!r}; it must be 'value' or 'subtract'")
    if not math.isfinite(v_reset) or (reset == "subtract" and v_reset != 0):
        raise ConfigError(f"v_reset is {v_reset}; a finite number, and 0 under reset 'subtract'")
