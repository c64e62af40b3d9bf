"""The current-based LIF of Zenke & Vogels (2021), as stork has it: with a dead step.

    S[n]   = U[n] > threshold
    U[n+1] = (decay U[n] + (1 - decay) I[n]) (1 - S[n])
    I[n+1] = decay_syn I[n] + x[n],        x[n] = W S_in[n] + V S[n]

With u[n] = I[n+1] and v[n] = U[n+2] that is `core.neuron.step` with gain 1 - decay and a
refractory period of one step, whose spikes are heard two steps later: a spike sees the input
of two steps before, and what arrives in the dead step is lost to the membrane.
"""

from dataclasses import replace
from typing import Unpack

import torch

from ...core.neuron import Law, resting, same
from .base import Common, Neuron, Numbers

BETA_MEM = 0.9048374180359595  # exp(-2 ms / 20 ms)
BETA_SYN = 0.8187307530779818  # exp(-2 ms / 10 ms)


class ZenkeLIF(Neuron):
    """decay: beta_mem; decay_syn: beta_syn. In a Recurrent layer V S[n] is heard in step n."""

    refractory = 1
    delay = 2
    dead_step = True

    def __init__(
        self, decay: float = BETA_MEM, decay_syn: float = BETA_SYN, **options: Unpack[Common]
    ) -> None:
        super().__init__(decay, decay_syn, **options)

    def numbers(self, dtype: torch.dtype | None = None) -> Numbers:
        return replace(super().numbers(dtype), gain_v=self.forgotten("decay", dtype))

    def law(self) -> Law:
        # The dead step is the reset, and U keeps its value until then: so the gradient through
        # the factor 1 - S, where it is wanted, is the definition's.
        return replace(
            super().law(), reset=lambda v, s: v, held=resting if self.detach_reset else same
        )
