"""LIF as SpikingJelly writes it, and PLIF, whose leak is learned (Fang et al. 2021).

    v <- v + (x - (v - v_reset)) / tau        decay_input
    v <- v - (v - v_reset) / tau + x          else
    s <- v >= threshold;  v <- v_reset where s, or v - threshold s

As a step of the house: decay 1 - 1 / tau, gain 1 / tau or 1, bias v_reset / tau. PLIF trains w
of 1 / tau = sigmoid(w), one for the layer; it is kept as its negative, the decay's logit.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Unpack

import torch
from torch import Tensor

from ...core.errors import ConfigError
from ..surrogate import Surrogate
from .base import Compare, Neuron, Number, Numbers, Options, Reset


class SpikingJellyLIF(Neuron):
    """LIF by its time constant tau >= 1, in steps."""

    def __init__(
        self,
        tau: float = 2.0,
        decay_input: bool = True,
        *,
        threshold: float = 1.0,
        reset: Reset = "value",
        v_reset: float = 0.0,
        compare: Compare = ">=",
        detach_reset: bool = True,
        surrogate: Surrogate | None = None,
        learn: Collection[str] = (),
    ) -> None:
        if not 1 <= tau < float("inf"):
            raise ConfigError(f"tau is {tau} steps; give a finite number of at least 1")
        super().__init__(
            1 - 1 / tau,
            None,
            threshold=threshold,
            reset=reset,
            v_reset=v_reset,
            compare=compare,
            detach_reset=detach_reset,
            surrogate=surrogate,
            learn=learn,
        )
        self._tau = tau
        self.decay_input = decay_input

    @property
    def tau(self) -> Number:
        """Steps; learned where the decay is."""
        return 1 / self.rate() if "decay" in self.learn else self._tau

    def rate(self, dtype: torch.dtype | None = None) -> Number:
        """1 / tau."""
        return self.forgotten("decay", dtype) if "decay" in self.learn else 1 / self._tau

    def numbers(self, dtype: torch.dtype | None = None) -> Numbers:
        rate = self.rate(dtype)
        return replace(
            super().numbers(dtype),
            gain_v=rate if self.decay_input else None,
            bias=self.v_reset * rate if self.v_reset else None,
        )


class PLIF(SpikingJellyLIF):
    """SpikingJellyLIF that learns tau > 1, from init_tau on."""

    def __init__(
        self, init_tau: float = 2.0, decay_input: bool = True, **options: Unpack[Options]
    ) -> None:
        if init_tau == 1:
            raise ConfigError("init_tau is 1; a learned tau must start above 1, it is 2 by default")
        options["learn"] = sorted({"decay", *options.get("learn", ())})
        super().__init__(init_tau, decay_input, **options)

    @property
    def w(self) -> Tensor:
        """Fang et al.'s parameter: 1 / tau = sigmoid(w)."""
        learned: Tensor = self.learned_decay  # type: ignore[assignment]
        return -learned
