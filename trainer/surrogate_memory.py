"""A spike's stand-in derivative that goes by time, not by the membrane: STDB (Rathi et al. 2020).

    backward   ds/dv = scale * exp(-n / width),   n steps after the neuron's last spike

A neuron that has just fired hears its gradient well, whatever its membrane is; one that has not
fired yet counts as having done so a thousand steps before the first, as in hybrid training's code.
"""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor

from ..core.errors import ConfigError
from .spike_bytes import fired
from .surrogate import Fire, Surrogate

BEFORE = 999  # steps since a spike, at the first step


@dataclass(frozen=True)
class SinceSpike(Surrogate):
    """width: in steps."""

    def begun(self) -> Fire:
        return _Remembering(self)

    def __call__(
        self, v: Tensor, threshold: float | Tensor, compare: Literal[">", ">="] = ">"
    ) -> Tensor:
        """Spikes of a first step."""
        return self.begun()(v, threshold, compare)

    def derivative(self, x: Tensor) -> NoReturn:
        """ConfigError: it does not follow from the membrane."""
        raise ConfigError(
            "surrogate 'stdb' goes by the time since the last spike, which training in a chip's "
            "integers does not keep; choose one that goes by the membrane, such as triangle"
        )


class _Remembering:
    """Fires for one sequence, and counts the steps since each neuron did."""

    def __init__(self, surrogate: SinceSpike) -> None:
        self.surrogate = surrogate
        self.since: Tensor | None = None

    def __call__(
        self, v: Tensor, threshold: float | Tensor, compare: Literal[">", ">="] = ">"
    ) -> Tensor:
        if self.since is None:
            self.since = torch.full_like(v, BEFORE, requires_grad=False)
        flow = torch.exp(-self.since / self.surrogate.width) * self.surrogate.scale
        spikes: Tensor = _Timed.apply(v, threshold, flow, compare)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self.since = torch.where(spikes > 0, 1.0, self.since + 1)
        return spikes


class _Timed(torch.autograd.Function):
    """The step forward; a given flow backward, to membrane and threshold."""

    @staticmethod
    def forward(
        ctx: Any, v: Tensor, threshold: float | Tensor, flow: Tensor, compare: str
    ) -> Tensor:
        ctx.save_for_backward(flow)
        ctx.shape = threshold.shape if isinstance(threshold, Tensor) else None
        return fired((v > threshold if compare == ">" else v >= threshold).to(v.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        flow = ctx.saved_tensors[0] * grad
        return flow, None if ctx.shape is None else -flow.sum_to_size(ctx.shape), None, None
