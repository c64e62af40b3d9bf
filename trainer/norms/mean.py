"""Mean-only batch norm over time: y = weight (x - mean) + bias, one mean per channel.

Nothing is divided by a deviation (Salimans & Kingma 2016); meant to go with weight norm. The
mean is over T, batch and space in training, a running one (momentum 0.1) in eval mode, where
the whole is one affine map per channel and folds into the layer before it.
"""

import torch
from torch import Tensor, nn

from ..layers import Whole, channel_axes, held, is_static, per_channel
from . import together
from .batch import MOMENTUM


class MeanOnlyBatchNorm(Whole):
    """[T, B, C, *space]. scale: with a learned weight (the thesis); without: y = x - mean + bias
    (the paper)."""

    weight: nn.Parameter | None
    running_mean: Tensor

    def __init__(self, channels: int, scale: bool = True) -> None:
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.ones(channels)) if scale else None)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if x has no channels."""
        axes = channel_axes(x)
        if is_static(x):
            return held(self._normed(x[:1], axes)[0], len(x))
        return self._normed(x, axes)

    def _normed(self, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        mean = self.running_mean
        if self.training:
            mean = together.mean(x, axes)
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), MOMENTUM)
        y = x - per_channel(mean, x)
        if self.weight is not None:
            y = y * per_channel(self.weight, x)
        return y + per_channel(self.bias, x)

    def extra_repr(self) -> str:
        return f"{len(self.bias)}, scale={self.weight is not None}"
