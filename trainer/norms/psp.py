"""Norms of the post-synaptic potential, before the synapse (Ikegawa et al. 2022).

    PSP-BN   y = a / sqrt(E + lam)     E = mean of a^2 per channel over T, batch and space
    PSP-LN   y = a / sqrt(E + lam)     E = mean of a^2 per sample over T, channels and space

No weight, no shift: a silent input stays silent, zero padding stays exact, and with a constant E
the norm is a factor on the input axis of the next weight. PSP-BN has a running E (momentum 0.1,
from 1) in eval mode; the paper does not say what it used. PSP-LN over the whole window needs
the future; two forms do not: `causal`, E of the steps so far, and `calibrated`, the running E in
eval mode.
"""

from typing import Literal

import torch
from torch import Tensor

from ...core.errors import ConfigError
from ..layers import Whole, channel_axes, held, is_static, per_channel
from . import together
from .batch import MOMENTUM

LAMBDA = 0.1
Over = Literal["window", "causal", "calibrated"]


class _PspNorm(Whole):
    """What both have: lam > 0 and a running E."""

    running: Tensor

    def __init__(self, shape: tuple[int, ...], lam: float) -> None:
        super().__init__()
        if not 0 < lam < float("inf"):
            raise ConfigError(f"lambda of a PSP norm is {lam}; give a finite number above 0")
        self.lam = lam
        self.register_buffer("running", torch.ones(shape))

    @torch.no_grad()
    def _follow(self, found: Tensor) -> None:
        self.running.lerp_(found.to(self.running.dtype), MOMENTUM)

    def gain(self) -> Tensor:
        """What a deployed network multiplies by, shaped as `running`."""
        return 1 / torch.sqrt(self.running + self.lam)


class PspBatchNorm(_PspNorm):
    """[T, B, C, *space]. moment: 'second' (eq. 19), or 'variance' in its place (eq. 15)."""

    def __init__(
        self,
        channels: int,
        lam: float = LAMBDA,
        moment: Literal["second", "variance"] = "second",
    ) -> None:
        super().__init__((channels,), lam)
        self.moment = moment

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if x has no channels."""
        axes = channel_axes(x)
        if is_static(x):
            return held(self._normed(x[:1], axes)[0], len(x))
        return self._normed(x, axes)

    def _normed(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        found = self.running
        if self.training:
            second = self.moment == "second"
            found = _second(x, axes) if second else _variance(x, axes)
            self._follow(found)
        return x / per_channel(torch.sqrt(found + self.lam), x)

    def extra_repr(self) -> str:
        return f"{len(self.running)}, lam={self.lam}, moment={self.moment}"


class PspLayerNorm(_PspNorm):
    """[T, B, *shape]; over: where E comes from, see above. In training, 'calibrated' is
    'window'."""

    def __init__(self, lam: float = LAMBDA, over: Over = "window") -> None:
        super().__init__((), lam)
        if over not in ("window", "causal", "calibrated"):
            raise ConfigError(f"PSP-LN over {over!r}; give 'window', 'causal' or 'calibrated'")
        self.over = over

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if x has no channels."""
        channel_axes(x)
        if is_static(x):  # the mean over equal steps is that of one
            return held(self._normed(x[:1])[0], len(x))
        return self._normed(x)

    def _normed(self, x: Tensor) -> Tensor:
        if self.over == "calibrated" and not self.training:
            return x / torch.sqrt(self.running + self.lam)
        each = x.square().flatten(2).mean(2)  # [T, B]
        if self.training:
            self._follow(together.mean(each))
        if self.over == "causal":
            steps = torch.arange(1, len(x) + 1, dtype=x.dtype, device=x.device)
            found = each.cumsum(0) / steps[:, None]
        else:
            found = each.mean(0, keepdim=True)
        scale = torch.sqrt(found + self.lam)
        return x / scale.view(*scale.shape, *(1,) * (x.ndim - 2))

    def extra_repr(self) -> str:
        return f"lam={self.lam}, over={self.over}"


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
