"""Norms of the post-synaptic potential, before the synapse (Ikegawa et al. 2022).

    PSP-BN   y = a / sqrt(E + lam)     E = mean of a^2 per channel over T, batch and space
    PSP-LN   y = a / sqrt(E + lam)     E = mean of a^2 per sample over T, channels and space

a is the post-synaptic potential of the spikes, which stands before the weights in the paper. Here
its filter stays in the SRM neurons behind them: a factor that is constant in time may change
places with it, so only E is taken of the potential (`tau_s`), and the factor goes to the spikes.
In the causal form, whose factor changes, that is a form of its own. Without `tau_s` a is the
input as it is.

No weight, no shift: a silent input stays silent, zero padding stays exact, and with a constant E
the norm is a factor on the input axis of the next weight. PSP-BN has a running E (momentum 0.1,
from 1) in eval mode; the paper does not say what it used. PSP-LN over the whole window needs
the future; two forms do not: `causal`, E of the steps so far, and `calibrated`, the running E in
eval mode.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ...core.errors import ConfigError
from ..layers import Whole, channel_axes, held, is_static, per_channel
from ..neurons.base import positive
from ..potential import potential
from . import together
from .batch import MOMENTUM

LAMBDA = 0.1
Over = Literal["window", "causal", "calibrated"]


class PspNorm(Whole):
    """What both have: lam > 0, a running E, and the tau_s (steps) of the potential, or None."""

    running: Tensor

    def __init__(self, shape: tuple[int, ...], lam: float, tau_s: float | None) -> None:
        super().__init__()
        if not 0 < lam < float("inf"):
            raise ConfigError(f"lambda of a PSP norm is {lam}; give a finite number above 0")
        self.lam = lam
        self.tau_s = None if tau_s is None else positive("tau_s", tau_s)
        self.register_buffer("running", torch.ones(shape))

    def measured(self, x: Tensor) -> Tensor:
        """a [T, B, *shape], of which E is taken, for an input x [T, B, *shape]."""
        return x if self.tau_s is None else potential(x, self.tau_s)

    @torch.no_grad()
    def _follow(self, found: Tensor) -> None:
        self.running.lerp_(found.to(self.running.dtype), MOMENTUM)

    def gain(self) -> Tensor:
        """What a deployed network multiplies by, shaped as `running`."""
        return 1 / torch.sqrt(self.running + self.lam)


class PspBatchNorm(PspNorm):
    """[T, B, C, *space]. moment: 'second' (eq. 19), or 'variance' in its place (eq. 15)."""

    def __init__(
        self,
        channels: int,
        lam: float = LAMBDA,
        moment: Literal["second", "variance"] = "second",
        tau_s: float | None = None,
    ) -> None:
        super().__init__((channels,), lam, tau_s)
        self.moment = moment

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if x has no channels."""
        axes = channel_axes(x)
        found = self.running
        if self.training:
            found = self._moment(one(x) if self.tau_s is None else self.measured(x), axes)
            self._follow(found)
        return over_steps(lambda x: x / per_channel(torch.sqrt(found + self.lam), x), x)

    def _moment(self, a: Tensor, axes: tuple[int, ...]) -> Tensor:
        return _second(a, axes) if self.moment == "second" else _variance(a, axes)

    def extra_repr(self) -> str:
        return f"{len(self.running)}, lam={self.lam}, moment={self.moment}, tau_s={self.tau_s}"


class PspLayerNorm(PspNorm):
    """[T, B, *shape]; over: where E comes from, see above. In training, 'calibrated' is
    'window'."""

    def __init__(
        self, lam: float = LAMBDA, over: Over = "window", tau_s: float | None = None
    ) -> None:
        super().__init__((), lam, tau_s)
        if over not in ("window", "causal", "calibrated"):
            raise ConfigError(f"PSP-LN over {over!r}; give 'window', 'causal' or 'calibrated'")
        self.over = over

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if x has no channels."""
        channel_axes(x)
        if self.over == "calibrated" and not self.training:
            return over_steps(lambda x: x / torch.sqrt(self.running + self.lam), x)
        a = one(x) if self.tau_s is None else self.measured(x)
        each = a.square().flatten(2).mean(2)  # [T, B]
        if self.training:
            self._follow(together.mean(each))
        if self.over == "causal" and len(each) > 1:
            steps = torch.arange(1, len(x) + 1, dtype=x.dtype, device=x.device)
            return self._scaled(x, each.cumsum(0) / steps[:, None])
        found = each.mean(0, keepdim=True)
        return over_steps(lambda x: self._scaled(x, found), x)

    def _scaled(self, x: Tensor, found: Tensor) -> Tensor:
        """found [T or 1, B]."""
        scale = torch.sqrt(found + self.lam)
        return x / scale.view(*scale.shape, *(1,) * (x.ndim - 2))

    def extra_repr(self) -> str:
        return f"lam={self.lam}, over={self.over}, tau_s={self.tau_s}"


def one(x: Tensor) -> Tensor:
    """One step of a signal that is held, [1, B, *shape]: the mean over equal steps is its own."""
    return x[:1] if is_static(x) else x


def over_steps(scale: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """x [T, B, *shape] scaled by what is constant in time; held if x is."""
    return held(scale(x[:1])[0], len(x)) if is_static(x) else scale(x)


def _second(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return together.mean(x.square(), axes)


def _variance(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    if not together.shared():
        return x.var(axes, correction=0)
    return together.mean((x - per_channel(together.mean(x, axes), x)).square(), axes)


def effective_threshold(found: Tensor, lam: float, threshold: float, refractory: Tensor) -> Tensor:
    """What a PSP norm does to the neuron behind it, eq. 18: sqrt(E + lam) (threshold - nu).

    refractory: the value nu <= 0 of the refractory kernel, so that a spike raises the threshold
    (the paper's text says lowers)."""
    return torch.sqrt(found + lam) * (threshold - refractory)
