"""What a graph is made of. Immutable; arrays read-only float64; shapes without batch or time.

The nodes carry NIR's names where NIR has them. Two differences are on purpose: `Neuron` holds
the numbers of one step (SEMANTICS: a_u, a_v, ...) instead of time constants, so that nothing
inside depends on dt and no decay moves by a bit; and the last section holds nodes that live
only before lowering, which the interpreter runs and no file may hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, Shape, collapsed, collapsed_integers, frozen, pair
from .errors import NetworkError
from .timed import Schedule

CLOSE = 1e-12  # relative: what counts as threshold / decay, in whatever order it was computed


@dataclass(frozen=True, eq=False)
class Node:
    """One node. `arrays` names the fields that hold numbers."""

    arrays: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.arrays:
            value = getattr(self, name)
            if value is not None:
                self._set(name, frozen(value))
        self.check()

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def check(self) -> None:
        """Raise NetworkError where a field contradicts another."""

    @cached_property
    def not_finite(self) -> tuple[str, int, int] | None:
        """(field, how many of them, of how many) of numbers that are NaN or infinite; None if
        there are none. Looked for once: a node stays the same in many networks."""
        for name in self.arrays:
            values = getattr(self, name)
            if values is not None and not all_finite(values):
                return name, int(np.size(values) - np.isfinite(values).sum()), np.size(values)
        return None

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape`; NetworkError if it does not fit."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """The name that errors, capabilities and tables use."""
        return type(self).__name__

    def described(self) -> dict[str, Any]:
        """Every field by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def all_finite(values: Array) -> bool:
    """Whether no number is NaN or infinite: one that is would show in the sum, which is tried
    first, since it takes no memory."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


@dataclass(frozen=True, eq=False)
class Input(Node):
    """Where a signal enters. content: 'analogue' numbers or 'spikes' (0 or 1)."""

    shape: Shape
    content: Literal["analogue", "spikes"] = "analogue"

    def check(self) -> None:
        self._set("shape", tuple(int(n) for n in self.shape))

    def output_shape(self, shape: Shape) -> Shape:
        return self.shape


@dataclass(frozen=True, eq=False)
class Output(Node):
    """Where a signal leaves."""

    shape: Shape

    def check(self) -> None:
        self._set("shape", tuple(int(n) for n in self.shape))

    def output_shape(self, shape: Shape) -> Shape:
        return same_shape(self.shape, shape)


def same_shape(wanted: Shape, given: Shape) -> Shape:
    """The shape, or NetworkError if the two differ."""
    if wanted != given:
        raise NetworkError(f"takes shape {list(wanted)}, gets {list(given)}")
    return wanted


# --- linear maps: a synapse, a fixed connection ------------------------------------------------


@dataclass(frozen=True, eq=False)
class Linear(Node):
    """y = W x + b. weight [out, in], bias [out] or None. NIR: Linear, or Affine with a bias.

    A bias of zeros is no bias: the two are one network."""

    weight: Array
    bias: Array | None = None
    arrays = ("weight", "bias")

    def check(self) -> None:
        if self.weight.ndim != 2:
            raise NetworkError(
                f"weight has shape {list(self.weight.shape)}; [out, in] is what can be run"
            )
        self._set("bias", checked_bias(self.bias, self.weight.shape[0]))

    @property
    def kind(self) -> str:
        return "Linear" if self.bias is None else "Affine"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 or shape[0] != self.weight.shape[1]:
            raise NetworkError(f"takes shape [{self.weight.shape[1]}], gets {list(shape)}")
        return (self.weight.shape[0],)


def checked_bias(bias: Array | None, channels: int) -> Array | None:
    """The bias if it says anything; NetworkError if its length is wrong."""
    if bias is not None and bias.shape != (channels,):
        raise NetworkError(f"bias has shape {list(bias.shape)}, the weight has {channels} outputs")
    return None if bias is None or not bias.any() else bias


@dataclass(frozen=True, eq=False)
class Conv(Node):
    """Cross-correlation in torch's order. weight [C_out, C_in / groups, *kernel] with one or
    two kernel axes, bias [C_out] or None; stride, padding (zeros) and dilation per axis."""

    weight: Array
    bias: Array | None = None
    stride: Sequence[int] = (1, 1)
    padding: Sequence[int] = (0, 0)
    dilation: Sequence[int] = (1, 1)
    groups: int = 1
    arrays = ("weight", "bias")

    def check(self) -> None:
        axes = self.weight.ndim - 2
        if axes not in (1, 2):
            raise NetworkError(
                f"weight has shape {list(self.weight.shape)}; [out, in, k] or [out, in, y, x]"
            )
        self._set("bias", checked_bias(self.bias, self.weight.shape[0]))
        for name, least in (("stride", 1), ("padding", 0), ("dilation", 1)):
            given = pair(getattr(self, name))
            self._set(name, given[:axes] if axes == 2 else given[-1:])
            if min(getattr(self, name)) < least:
                raise NetworkError(f"{name} is {given}; at least {least} is what can be run")
        self._set("groups", int(self.groups))
        if self.groups < 1 or self.weight.shape[0] % self.groups:
            raise NetworkError(
                f"groups is {self.groups}, which does not divide {self.weight.shape[0]} outputs"
            )

    @property
    def kind(self) -> str:
        return f"Conv{self.weight.ndim - 2}d"

    @property
    def kernel(self) -> Shape:
        """Kernel size per axis."""
        return tuple(self.weight.shape[2:])

    def output_shape(self, shape: Shape) -> Shape:
        channels = self.weight.shape[1] * self.groups
        if len(shape) != self.weight.ndim - 1 or shape[0] != channels:
            axes = ", ".join("yx"[-len(self.kernel) :])
            raise NetworkError(f"takes shape [{channels}, {axes}], gets {list(shape)}")
        window = zip(shape[1:], self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return (self.weight.shape[0], *(slots(*w) for w in window))


def slots(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """How many places a window takes along one axis (torch's formula, rounding down)."""
    free = size + 2 * padding - dilation * (kernel - 1) - 1
    if free < 0:
        raise NetworkError(
            f"a window of {dilation * (kernel - 1) + 1} does not fit an axis of {size} "
            f"with padding {padding}"
        )
    return free // stride + 1


@dataclass(frozen=True, eq=False)
class Pool(Node):
    """A window over the two last axes; kernel, stride and padding (zeros) as (y, x)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    def check(self) -> None:
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
            self._set(name, pair(getattr(self, name)))
            if min(getattr(self, name)) < least:
                raise NetworkError(f"{name} is {getattr(self, name)}, below {least}")
        if any(2 * p > k for p, k in zip(self.padding, self.kernel, strict=True)):
            raise NetworkError(
                f"padding {self.padding} is over half of kernel {self.kernel}: "
                "some windows would hold nothing but padding"
            )

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise NetworkError(f"takes shape [channels, y, x], gets {list(shape)}")
        window = zip(shape[1:], self.kernel, self.stride, self.padding, strict=True)
        return (shape[0], *(slots(*w) for w in window))


class SumPool2d(Pool):
    """The window's sum."""


class AvgPool2d(Pool):
    """The window's sum over kernel size; padding counts."""


@dataclass(frozen=True, eq=False)
class Flatten(Node):
    """Axes start_dim to end_dim become one; counted without the batch axis, as in NIR."""

    start_dim: int = 0
    end_dim: int = -1

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise NetworkError("has nothing to flatten: its input has no axes")
        first, last = (d + len(shape) if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= first <= last < len(shape):
            raise NetworkError(f"flattens axes {self.start_dim} to {self.end_dim} of {list(shape)}")
        return (*shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :])


@dataclass(frozen=True, eq=False)
class Scale(Node):
    """y = s * x, element by element. scale [*shape]."""

    scale: Array
    arrays = ("scale",)

    def output_shape(self, shape: Shape) -> Shape:
        return same_shape(tuple(self.scale.shape), shape)


@dataclass(frozen=True, eq=False)
class Delay(Node):
    """y[t] = x[t - steps], zero before. steps: one whole number for all elements, or one for
    each, [*shape]."""

    steps: int | NDArray[np.int64]

    def check(self) -> None:
        try:
            steps = collapsed_integers(self.steps)
        except ValueError:
            raise NetworkError("delay of a number of steps that is not whole") from None
        if steps.min(initial=0) < 0:
            raise NetworkError(f"delay of {steps.min()} steps; a signal cannot come early")
        self._set("steps", steps if steps.size > 1 else int(steps.sum()))

    @property
    def least(self) -> int:
        """Steps that every element waits at least."""
        return int(np.min(self.steps))

    @property
    def most(self) -> int:
        """Steps of the element that waits longest."""
        return int(np.max(self.steps))

    def output_shape(self, shape: Shape) -> Shape:
        return shape if isinstance(self.steps, int) else same_shape(self.steps.shape, shape)


# --- neurons -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Neuron(Node):
    """A population of deployable neurons: `core.neuron.step` in real numbers.

    u <- decay_u u + gain_u x;  v <- decay_v v + gain_v u + bias;  s <- v > threshold; reset.
    Every parameter has shape () or `shape`; one number written many times becomes ().
    decay_u None: no synaptic current. threshold None: no spikes, the output is v.
    compare '>=' fires at equality too. refractory: whole steps. schedule: numbers that change
    from step to step, in place of those above; then every run has its number of steps.
    """

    shape: Shape
    decay_v: Array
    threshold: Array | None = None
    decay_u: Array | None = None
    gain_u: Array = field(default_factory=lambda: frozen(1.0))
    gain_v: Array = field(default_factory=lambda: frozen(1.0))
    bias: Array = field(default_factory=lambda: frozen(0.0))
    v_reset: Array = field(default_factory=lambda: frozen(0.0))
    reset: Literal["value", "subtract"] = "value"
    reset_amount: Array | None = None  # of reset 'subtract'; None: the threshold
    compare: Literal[">", ">="] = ">"
    refractory: int = 0
    memoryless: bool = False  # NIR's Threshold: no state at all
    schedule: Schedule | None = None
    arrays = (
        "decay_v",
        "threshold",
        "decay_u",
        "gain_u",
        "gain_v",
        "bias",
        "v_reset",
        "reset_amount",
    )

    def check(self) -> None:
        self._set("shape", tuple(int(n) for n in self.shape))
        for name in self.arrays:
            value = getattr(self, name)
            if value is None:
                continue
            if value.shape not in ((), self.shape):
                raise NetworkError(
                    f"{name} has shape {list(value.shape)}; [] or {list(self.shape)} is meant"
                )
            self._set(name, collapsed(value))
        if self.reset not in ("value", "subtract") or self.compare not in (">", ">="):
            raise NetworkError(f"reset {self.reset!r} with compare {self.compare!r} is unknown")
        if self.refractory < 0:
            raise NetworkError(f"refractory period of {self.refractory} steps")
        amount, threshold = self.reset_amount, self.threshold
        if amount is not None and (
            self.reset == "value" or (threshold is not None and np.array_equal(amount, threshold))
        ):
            self._set("reset_amount", None)
        if self.schedule is not None:
            self.check_schedule(self.schedule)
        if self.memoryless:
            self.check_memoryless()

    def check_memoryless(self) -> None:
        """NetworkError for numbers that a Threshold has no use for, and a file no room."""
        if self.threshold is None:
            raise NetworkError("a Threshold without a threshold")
        for name, idle in (("decay_v", 0), ("gain_v", 1), ("bias", 0), ("v_reset", 0)):
            if (getattr(self, name) != idle).any():
                raise NetworkError(f"a Threshold has no state, and no {name} other than {idle}")
        if self.decay_u is not None or self.refractory or self.reset != "value":
            raise NetworkError("a Threshold has no state: no current, refractory period or reset")

    def check_schedule(self, schedule: Schedule) -> None:
        """NetworkError where it gives numbers that the population does not have."""
        schedule.fits(self.shape)
        for name in schedule.given():
            if self.memoryless or getattr(self, name) is None:
                raise NetworkError(f"a schedule of {name} for a {self.kind}, which has none")

    def at(self, t: int) -> "Neuron":
        """The population as it is in step t."""
        if self.schedule is None:
            return self
        now: dict[str, Any] = dict(self.schedule.at(t, self.shape))
        return replace(self, schedule=None, **now)

    @property
    def kind(self) -> str:
        if self.memoryless:
            return "Threshold"
        if self.decay_u is not None:
            return "CubaLI" if self.threshold is None else "CubaLIF"
        perfect = bool((self.decay_v == 1).all())
        if self.threshold is None:
            return "I" if perfect else "LI"
        return "IF" if perfect else "LIF"

    @property
    def spiking(self) -> bool:
        """Whether the output is spikes."""
        return self.threshold is not None

    @property
    def amount(self) -> Array:
        """What a spike takes off under reset 'subtract'."""
        assert self.threshold is not None
        return self.threshold if self.reset_amount is None else self.reset_amount

    @property
    def subtracts_after_decay(self) -> bool:
        """Whether a spike takes off threshold / decay: the threshold, after the next decay. Not
        so of a threshold below 0: who looks at the membrane before a step finds one at rest above.
        """
        if self.threshold is None or self.reset != "subtract" or (self.threshold < 0).any():
            return False
        with np.errstate(divide="ignore", invalid="ignore"):
            late = self.amount / self.threshold * self.decay_v
        return bool((np.abs(late - 1) <= CLOSE).all())

    def output_shape(self, shape: Shape) -> Shape:
        return same_shape(self.shape, shape)


# --- only before lowering: no file may hold these ----------------------------------------------


@dataclass(frozen=True, eq=False)
class BatchNorm(Node):
    """Batch norm in eval mode, per channel (axis 0): (x - mean) * weight * factor
    / sqrt(var + eps) + bias. factor is tdBN's alpha * V_th, else 1."""

    weight: Array
    bias: Array
    mean: Array
    var: Array
    eps: float
    factor: float = 1.0
    arrays = ("weight", "bias", "mean", "var")

    def check(self) -> None:
        shapes = {tuple(getattr(self, name).shape) for name in self.arrays}
        if len(shapes) != 1 or len(self.weight.shape) != 1:
            raise NetworkError(f"parameters have shapes {sorted(shapes)}; one [channels] is meant")
        if (self.var + self.eps <= 0).any():
            raise NetworkError("running variance + eps is not positive in every channel")

    def scale(self) -> Array:
        """What the input is multiplied by, per channel (TET, eq. 6, eps included)."""
        return frozen(self.weight * self.factor / np.sqrt(self.var + self.eps))

    def output_shape(self, shape: Shape) -> Shape:
        if not shape or shape[0] != len(self.weight):
            raise NetworkError(f"takes {len(self.weight)} channels, gets shape {list(shape)}")
        return shape


class MaxPool2d(Pool):
    """The window's largest value; the padding never wins."""
