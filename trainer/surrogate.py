"""Spikes forward, a smooth stand-in for their derivative backward.

    forward    s = 1 where v > threshold (strict), else 0
    backward   ds/dv = scale * h(|v - threshold| / width),   h(0) = 1

`width` says how far from the threshold a gradient still flows and `scale` is its peak. They are
two separate numbers because it is the scale that decides whether deep or recurrent nets train
(Zenke & Vogels 2021). What the papers call by other names:

    shape        h(z)                 area              the papers' form
    triangle     max(0, 1 - z)        scale * width     TET: width = gamma, scale = 1 / gamma
    rectangular  1 where z < 1        2 scale * width   STBP: width = a, scale = 1 / (2 a)
    atan         1 / (1 + (pi z)^2)   scale * width     SEW: width = 2 / alpha, scale = alpha / 2
    superspike   1 / (1 + z)^2        2 scale * width   width = 1 / beta; asymptotic: scale = beta
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core.errors import ConfigError


@dataclass(frozen=True)
class Surrogate:
    """A way to fire. Called with the membrane and the threshold it gives the spikes.

    width: in units of the membrane; scale: the derivative's peak.
    """

    width: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("width", "scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(
                    f"surrogate {name} is {value}; give a finite number greater than 0"
                )

    def __call__(self, v: Tensor, threshold: float | Tensor) -> Tensor:
        """Spikes of v [*any] in v's dtype; threshold: a number or a tensor that broadcasts."""
        spikes: Tensor = _Spike.apply(v, threshold, self)  # type: ignore[no-untyped-call]
        return spikes

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


SHAPES: dict[str, type[Surrogate]] = {
    "triangle": Triangle,
    "rectangular": Rectangular,
    "atan": ATan,
    "superspike": SuperSpike,
}


class _Spike(torch.autograd.Function):
    """The step forward; the surrogate's derivative backward, to membrane and threshold."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, threshold: float | Tensor, surrogate: Surrogate) -> Tensor:
        learned = isinstance(threshold, Tensor)
        ctx.save_for_backward(v, *([threshold] if learned else []))
        ctx.threshold = None if learned else threshold
        ctx.surrogate = surrogate
        return (v > threshold).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        v, *rest = ctx.saved_tensors
        threshold = rest[0] if rest else ctx.threshold
        flow = ctx.surrogate.derivative(v - threshold).mul_(grad)
        return flow, -flow.sum_to_size(threshold.shape) if rest else None, None


class _State(torch.autograd.Function):
    """The step forward; the surrogate's derivative, in v's units, backward to the membrane."""

    @staticmethod
    def forward(
        ctx: Any, v: Tensor, threshold: Tensor, surrogate: Surrogate, middle: Tensor, unit: Tensor
    ) -> Tensor:
        ctx.save_for_backward(v, middle, unit)
        ctx.surrogate = surrogate
        return (v > threshold).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        v, middle, unit = ctx.saved_tensors
        flow = ctx.surrogate.derivative((v - middle) / unit).mul_(grad / unit)
        return flow, None, None, None, None
