"""The spike response model of SLAYER (Shrestha & Orchard 2018; Ikegawa et al.).

    u(t) = (eps * x)(t) + (nu * S)(t),      S(t) = u(t) >= threshold
    eps(t) = t / tau_s exp(1 - t / tau_s)
    nu(t)  = -scale_ref threshold exp(-t / tau_r)                 kernel 'exponential' (eq. 4)
           = -scale_ref threshold t / tau_r exp(1 - t / tau_r)    kernel 'alpha' (slayerPytorch)

x(t) is the weighted input W s(t): the filter and the weights may change places. No kernel is
cut off. eps(0) = nu(0) = 0, so an input is felt one step later. Both kernels are two first-order
filters in a row: so the neuron is a current-based integrator, a threshold and a filter of its
own spikes. Where nu is exponential and tau_r = tau_s the reset is a subtraction from the
integrator itself, and one current-based LIF is the whole neuron.
"""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ...core import nodes
from ...core.errors import ConfigError
from ...core.neuron import State, real
from ..spiking import Feedback, Stepper
from ..surrogate import Surrogate
from ..surrogate_forms import slayer_library
from .base import Compare, Neuron, Number, Numbers, positive

Kernel = Literal["exponential", "alpha"]


def alpha(tau_s: float) -> Numbers:
    """eps(t) = t / tau_s exp(1 - t / tau_s) as two first-order filters in a row, one step early.
    tau_s: steps."""
    keep = math.exp(-1 / tau_s)
    return Numbers(None, keep, keep, math.e / tau_s, keep)


class SRM(Neuron):
    """tau_s, tau_r: steps. scale_ref: how many thresholds a spike takes off. Only the threshold
    can be learned. The default surrogate is the library's, of width threshold and scale
    1 / threshold; the paper's printed alpha = beta = 10 is `surrogate_forms.slayer(10, 10)`.
    """

    delay = 1

    def __init__(
        self,
        tau_s: float = 10.0,
        tau_r: float = 10.0,
        kernel: Kernel = "exponential",
        *,
        scale_ref: float = 2.0,
        threshold: float = 10.0,
        compare: Compare = ">=",
        detach_reset: bool = True,
        surrogate: Surrogate | None = None,
        learn: Collection[str] = (),
    ) -> None:
        if kernel not in ("exponential", "alpha"):
            raise ConfigError(f"kernel is {kernel!r}; it must be 'exponential' or 'alpha'")
        super().__init__(
            None,
            None,
            threshold=positive("threshold", threshold),
            compare=compare,
            detach_reset=detach_reset,
            surrogate=surrogate or slayer_library(threshold),
            learn=learn,
        )
        self.tau_s, self.tau_r = positive("tau_s", tau_s), positive("tau_r", tau_r)
        self.kernel = kernel
        self.scale_ref = positive("scale_ref", scale_ref)

    @property
    def merged(self) -> bool:
        """Whether the reset is a subtraction from the filter of the input."""
        return self.kernel == "exponential" and self.tau_r == self.tau_s

    def amount(self, dtype: torch.dtype | None = None) -> Number:
        """-nu(0) of the exponential kernel."""
        return self.scale_ref * self.needed("threshold", dtype)

    def numbers(self, dtype: torch.dtype | None = None) -> Numbers:
        """Of the population that fires: the whole neuron, or a threshold without a memory."""
        threshold = self.needed("threshold", dtype)
        if not self.merged:
            return Numbers(threshold, decay_v=0.0)
        return self.potential(threshold, self.amount(dtype))

    def potential(self, threshold: Number | None = None, amount: Number | None = None) -> Numbers:
        """Of the filter eps, one step early."""
        return replace(alpha(self.tau_s), threshold=threshold, amount=amount)

    def after_spikes(self, dtype: torch.dtype | None = None) -> Numbers:
        """Of the filter nu, one step early."""
        keep, amount = math.exp(-1 / self.tau_r), self.amount(dtype)
        if self.kernel == "exponential":
            return Numbers(decay_v=keep, gain_v=-keep * amount)
        return Numbers(None, keep, keep, -math.e / self.tau_r * amount, keep)

    def side_nodes(self, shape: tuple[int, ...]) -> tuple[nodes.Neuron, nodes.Neuron] | None:
        """The filters of the input and of the own spikes; None: they are in the neuron."""
        if self.merged:
            return None
        return self.potential().node(shape), self.after_spikes(torch.float64).node(shape)

    def forward(self, x: Tensor, feedback: Feedback | None = None) -> Tensor:
        if self.merged:
            return super().forward(x, feedback)
        return self.steps(x, _Filtered(self), feedback)

    def extra_repr(self) -> str:
        threshold = float(torch.as_tensor(self.threshold).detach())
        return (
            f"tau_s={self.tau_s:g}, tau_r={self.tau_r:g}, kernel={self.kernel}, "
            f"scale_ref={self.scale_ref:g}, threshold={threshold:g}, surrogate={self.surrogate}"
        )


class _Filtered:
    """Filters of the input and of the own spikes, and between them a threshold without memory."""

    def __init__(self, neuron: SRM) -> None:
        self.potential = Stepper(real(fire=None, **neuron.potential().rest()))
        self.after = Stepper(real(fire=None, **neuron.after_spikes().rest()))
        self.fire = Stepper(neuron.law())
        self.detach = neuron.detach_reset
        self.nu: Tensor | float = 0.0

    @property
    def state(self) -> tuple[State, State, State, Tensor | float]:
        """Of all three, and what the last spikes do to the membrane."""
        return self.potential.state, self.after.state, self.fire.state, self.nu

    @state.setter
    def state(self, carried: tuple[State, State, State, Tensor | float]) -> None:
        self.potential.state, self.after.state, self.fire.state, self.nu = carried

    def __call__(self, drive: Tensor) -> tuple[Tensor, State]:
        spikes, state = self.fire(self.potential(drive)[0] + self.nu)
        self.nu, _ = self.after(spikes.detach() if self.detach else spikes)
        return spikes, state
