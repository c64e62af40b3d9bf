"""Batch norm through time (BNTT, Kim & Panda 2021): a batch norm of its own at every step.

    y[t] = c[t] (x[t] - mean[t])      c[t] = weight[t] / sqrt(var[t] + eps), no bias

T steps have T sets of moments, so there is no one weight that it folds into, and the net cannot
run for more steps than it was trained for. `schedule` is the exact form with one weight: the
neuron's threshold, leak and bias change from step to step.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor, nn

from ...core.errors import NetworkError
from ..layers import Whole, channel_axes
from . import together
from .batch import MOMENTUM

EPS = 1e-4


class BNTT(Whole):
    """[T, B, C, *space] with T fixed to `steps`; moments over batch and space, step by step."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, steps: int, channels: int, eps: float = EPS) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(steps, channels))
        self.register_buffer("running_mean", torch.zeros(steps, channels))
        self.register_buffer("running_var", torch.ones(steps, channels))

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if x has another number of steps."""
        channel_axes(x)
        if len(x) != len(self.weight):
            raise NetworkError(
                f"BNTT has moments for {len(self.weight)} steps and gets {len(x)}; run it for "
                f"{len(self.weight)} steps, or train with a norm that does not count steps (bn)"
            )
        return torch.stack([self._step(t, x[t]) for t in range(len(x))])

    def _step(self, t: int, x: Tensor) -> Tensor:
        mean, var = self.running_mean[t], self.running_var[t]
        if self.training and together.shared():
            return together.batch_norm(x, (mean, var), self.weight[t], None, MOMENTUM, self.eps)
        return F.batch_norm(x, mean, var, self.weight[t], None, self.training, MOMENTUM, self.eps)

    def gains(self) -> Tensor:
        """c [T, C] of eval mode."""
        return self.weight / torch.sqrt(self.running_var + self.eps)

    def extra_repr(self) -> str:
        return f"{len(self.weight)} steps, {self.weight.shape[1]}, eps={self.eps}"


@dataclass(frozen=True, eq=False)
class PerStep:
    """What the neurons behind a BNTT become when they hear x itself, [T, C] each:
    v <- decay[t] v + x[t] + bias[t]; a spike where v > threshold[t]. The membrane is in units
    of x: v here is the normed one / c[t]. Reset 'subtract' takes threshold[t] off."""

    threshold: Tensor
    decay: Tensor
    bias: Tensor


def schedule(gains: Tensor, means: Tensor, decay: float, threshold: float) -> PerStep:
    """The exact form of v <- decay v + c[t] (x[t] - mean[t]), for gains c and means [T, C].

    decay[0] multiplies the resting membrane and is given as 0. NetworkError if a gain is not
    positive: a threshold has no sign to take over.
    """
    if not bool((gains > 0).all()):
        wrong = int((gains <= 0).sum())
        raise NetworkError(
            f"{wrong} of {gains.numel()} gains of a BNTT are not positive, and a threshold cannot "
            "take over a sign; train with a norm that folds (bn, tdbn)"
        )
    before = torch.cat([torch.zeros_like(gains[:1]), gains[:-1]])
    return PerStep(threshold / gains, decay * before / gains, -means)
