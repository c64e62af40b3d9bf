"""Spikes forward, a smooth stand-in for their derivative backward.

    forward    s = 1 where v > threshold (or v >= threshold, if asked for), else 0
    backward   ds/dv = scale * h(|v - threshold| / width),   h(0) = 1

`width` says how far from the threshold a gradient still flows and `scale` is its peak. They are
two separate numbers because it is the scale that decides whether deep or recurrent nets train
(Zenke & Vogels 2021). What the papers call by other names:

    shape        h(z)                 area
    triangle     max(0, 1 - z)        scale * width         TET, Esser, Bellec
    rectangular  1 where z < 1        2 scale * width       STBP
    atan         1 / (1 + (pi z)^2)   scale * width         SEW, PLIF
    superspike   1 / (1 + z)^2        2 scale * width       Zenke & Vogels
    sigmoid      4 s(z) (1 - s(z))    4 scale * width       the logistic function's derivative
    exponential  exp(-z)              2 scale * width       SLAYER

`surrogate_memory` has one that goes by the time since the last spike, and `surrogate_forms` each
paper's own parameters as a width and a scale.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..core.errors import ConfigError
from .spike_bytes import fired

Fire = Callable[[Tensor, float | Tensor, Literal[">", ">="]], Tensor]  # see Surrogate.__call__


@dataclass(frozen=True)
class Surrogate:
    """A way to fire. Called with the membrane and the threshold it gives the spikes.

    width: in units of the membrane; scale: the derivative's peak. binary: whether what it gives
    is 0 or 1, as a spike has to be where it is exported.
    """

    binary: ClassVar[bool] = True
    width: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("width", "scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(
                    f"surrogate {name} is {value}; give a finite number greater than 0"
                )

    def __call__(
        self, v: Tensor, threshold: float | Tensor, compare: Literal[">", ">="] = ">"
    ) -> Tensor:
        """Spikes of v [*any] in v's dtype; threshold: a number or a tensor that broadcasts."""
        spikes: Tensor = _Spike.apply(v, threshold, self, compare)  # type: ignore[no-untyped-call]
        return spikes

    def begun(self) -> Fire:
        """What fires through one sequence; anew for each, where it remembers."""
        return self

    def of_states(self, v: Tensor, threshold: Tensor, middle: Tensor, unit: Tensor) -> Tensor:
        """Spikes of a membrane of which 1 is `unit` in v's units, such as a chip's states.
        middle: the real threshold in those units, of which `threshold` is the rounded one."""
        spikes: Tensor = _State.apply(v, threshold, self, middle, unit)  # type: ignore[no-untyped-call]
        return spikes

    def derivative(self, x: Tensor) -> Tensor:
        """scale * h(|x| / width) for x = v - threshold, elementwise."""
        return self.shape(x.abs().div_(self.width)).mul_(self.scale)

    def shape(self, z: Tensor) -> Tensor:
        """h(z) for z >= 0; may overwrite z."""
        raise NotImplementedError


class Triangle(Surrogate):
    """TET eq. 5."""

    def shape(self, z: Tensor) -> Tensor:
        return z.neg_().add_(1).clamp_min_(0)


class Rectangular(Surrogate):
    """STBP's window."""

    def shape(self, z: Tensor) -> Tensor:
        return (z < 1).to(z.dtype)


class ATan(Surrogate):
    """The derivative of an arc tangent, as in SEW and PLIF."""

    def shape(self, z: Tensor) -> Tensor:
        return z.mul_(math.pi).square_().add_(1).reciprocal_()


class SuperSpike(Surrogate):
    """The fast sigmoid's derivative, with |x| inside the square (not |x|^2)."""

    def shape(self, z: Tensor) -> Tensor:
        return z.add_(1).square_().reciprocal_()


class Sigmoid(Surrogate):
    """The derivative of a logistic function."""

    def shape(self, z: Tensor) -> Tensor:
        e = z.neg_().exp_()
        return 4 * e / (1 + e).square_()


class Exponential(Surrogate):
    """SLAYER's probability that noise makes a neuron fire."""

    def shape(self, z: Tensor) -> Tensor:
        return z.neg_().exp_()


@dataclass(frozen=True)
class ForwardSigmoid(Surrogate):
    """sigmoid((v - threshold) / width) forward too, and its true derivative (TET's ablation).

    What it gives are no spikes: for experiments only, refused at export.
    """

    binary: ClassVar[bool] = False
    scale: float = field(init=False)

    def __post_init__(self) -> None:
        if self.width:  # else it is refused below
            object.__setattr__(self, "scale", 0.25 / self.width)
        super().__post_init__()

    def __call__(
        self, v: Tensor, threshold: float | Tensor, compare: Literal[">", ">="] = ">"
    ) -> Tensor:
        return torch.sigmoid((v - threshold) / self.width)

    def shape(self, z: Tensor) -> Tensor:
        return Sigmoid().shape(z)


SHAPES: dict[str, type[Surrogate]] = {
    "triangle": Triangle,
    "rectangular": Rectangular,
    "atan": ATan,
    "superspike": SuperSpike,
    "sigmoid": Sigmoid,
    "exponential": Exponential,
}


class _Spike(torch.autograd.Function):
    """The step forward; the surrogate's derivative backward, to membrane and threshold."""

    @staticmethod
    def forward(
        ctx: Any, v: Tensor, threshold: float | Tensor, surrogate: Surrogate, compare: str
    ) -> Tensor:
        learned = isinstance(threshold, Tensor)
        ctx.save_for_backward(v, *([threshold] if learned else []))
        ctx.threshold = None if learned else threshold
        ctx.surrogate = surrogate
        return fired((v > threshold if compare == ">" else v >= threshold).to(v.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        v, *rest = ctx.saved_tensors
        threshold = rest[0] if rest else ctx.threshold
        flow = ctx.surrogate.derivative(v - threshold).mul_(grad)
        return flow, -flow.sum_to_size(threshold.shape) if rest else None, None, None


class _State(torch.autograd.Function):
    """The step forward; the surrogate's derivative, in v's units, backward to the membrane."""

    @staticmethod
    def forward(
        ctx: Any, v: Tensor, threshold: Tensor, surrogate: Surrogate, middle: Tensor, unit: Tensor
    ) -> Tensor:
        ctx.save_for_backward(v, middle, unit)
        ctx.surrogate = surrogate
        return fired((v > threshold).to(v.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        v, middle, unit = ctx.saved_tensors
        flow = ctx.surrogate.derivative((v - middle) / unit).mul_(grad / unit)
        return flow, None, None, None, None
