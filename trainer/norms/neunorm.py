"""NeuNorm (Wu et al. 2019): every pixel's activity over the feature maps, filtered, inhibits it.

    x[t] = k x[t-1] + (1 - k) / F^2 * sum_f s_f[t]       out_f[t] = s_f[t] - w_f x[t]

F feature maps, w learned per map and pixel. Linear and causal, so it is no fold but more
neurons: a leaky integrator per pixel that hears all maps and gives graded inhibition.
"""

import torch
from torch import Tensor, nn

from ...core.errors import ConfigError, NetworkError
from .. import segments
from ..layers import Whole


class NeuNorm(Whole):
    """[T, B, F, *space] of spikes -> the same shape, graded. k: what is kept of the past."""

    def __init__(self, shape: tuple[int, ...], k: float = 0.9) -> None:
        super().__init__()
        if not 0 <= k < 1:
            raise ConfigError(f"NeuNorm keeps k = {k} of its past; it must be from 0 to below 1")
        self.k = k
        self.weight = nn.Parameter(torch.empty(shape))
        bound = 1 / float(self.weight[0].numel()) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)

    @property
    def share(self) -> float:
        """What one spike adds to x."""
        return float((1 - self.k) / len(self.weight) ** 2)

    def forward(self, s: Tensor) -> Tensor:
        """NetworkError if s has another shape than the weight."""
        if s.shape[2:] != self.weight.shape:
            raise NetworkError(
                f"NeuNorm of {list(self.weight.shape)} gets an input of shape {list(s.shape)}; "
                "[T, B, F, *space] is meant"
            )
        carried = segments.memory(self)
        x, out = torch.zeros_like(s[0, :, :1]) if carried is None else carried, []
        for now in s.unbind(0):
            x = self.k * x + self.share * now.sum(1, keepdim=True)
            out.append(now - self.weight * x)
        segments.keep(self, x)
        return torch.stack(out)

    def extra_repr(self) -> str:
        return f"{list(self.weight.shape)}, k={self.k}"
