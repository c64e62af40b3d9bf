"""Neurons that fire at most once, at a real-valued time (Mostafa 2017; Zhou et al. 2021).

A non-leaky IF neuron with an exponential synapse of time constant 1: after input spikes at
times t_i < t its membrane is V(t) = sum_i w_i (1 - exp(t_i - t)). With z = exp(t) it reaches
the threshold at

    z_out = sum_C w_i z_i / (sum_C w_i - threshold),     C = {i: t_i < t_out}

C is found by sorting: it is the first m inputs for which sum w > threshold and
z_m <= z_out <= z_{m+1}. Times in other units are divided by the synapse's time constant first.
"""

import torch
from torch import Tensor, nn

from ...core.errors import ConfigError, NetworkError
from .base import positive

NEVER = 1e5  # z of a neuron that does not fire


class SingleSpike(nn.Module):
    """Weights and neurons in one, since the causal set takes every single input time:
    z [*any, in] -> z [*any, out], both exp(time). Whoever does not fire says NEVER."""

    def __init__(self, in_features: int, out_features: int, threshold: float = 1.0) -> None:
        super().__init__()
        if min(in_features, out_features) < 1:
            raise ConfigError(f"{in_features} inputs and {out_features} outputs; give 1 or more")
        self.threshold = positive("threshold", threshold)
        # sum of weights 4 times the threshold on average: all can fire at the start
        self.weight = nn.Parameter(torch.rand(out_features, in_features) * 8 / in_features)

    def forward(self, z: Tensor) -> Tensor:
        inputs = self.weight.shape[1]
        if z.shape[-1] != inputs:
            raise NetworkError(f"a layer of {inputs} inputs gets times of shape {list(z.shape)}")
        z, order = z.sort(dim=-1, stable=True)
        z = z.unsqueeze(-2)  # [*any, 1, in]
        weight = self.weight[:, order].movedim(0, -2)  # [*any, out, in]
        weight = weight * (z < NEVER)
        total = weight.cumsum(-1) - self.threshold
        able = total > 0
        found = (weight * z).cumsum(-1) / total.where(able, 1)
        after = torch.cat([z[..., 1:], torch.full_like(z[..., :1], NEVER)], -1)
        causal = able & (z <= found) & (found <= after)
        first = causal.int().argmax(-1, keepdim=True)
        return found.where(causal, NEVER).gather(-1, first).squeeze(-1)

    def extra_repr(self) -> str:
        outputs, inputs = self.weight.shape
        return f"{inputs}, {outputs}, threshold={self.threshold:g}"
