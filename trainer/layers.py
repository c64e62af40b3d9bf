"""torch's layers for signals with time first: [T, B, *shape] in, [T, B, *shape'] out.

They are subclasses, so `isinstance(layer, nn.Conv2d)` still holds. A signal that is the same
at every step (direct encoding: an image held for T steps) is carried as a view without a stride
along time; whatever is computed from it alone is computed for one step and held again. So the
first convolution, and its norm, run once rather than T times, gradients included.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor, nn

from ..core.errors import NetworkError
from . import segments
from .kernels.pool import pair, pooled
from .neurons import Neuron
from .spike_bytes import alike, as_heard


def is_static(x: Tensor) -> bool:
    """Whether x [T, ...] is one step, held."""
    return len(x) > 1 and x.stride(0) == 0


def held(x: Tensor, steps: int) -> Tensor:
    """x [*shape] at each of T steps: [T, *shape], without a copy."""
    return x.expand(steps, *x.shape)


class Whole(nn.Module):
    """A layer that export takes as one and does not look into."""


def channel_axes(x: Tensor) -> tuple[int, ...]:
    """All axes of x [T, B, C, *space] but C. NetworkError if there is no C."""
    if x.ndim < 3:
        raise NetworkError(
            f"a norm over time takes [T, B, C, *space] but gets an input of shape {list(x.shape)}"
        )
    return tuple(axis for axis in range(x.ndim) if axis != 2)


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """values [C] or [T, C] shaped to go with x [T, B, C, *space]."""
    space = (1,) * (x.ndim - 3)
    head = () if values.ndim == 1 else (len(values), 1)
    return values.view(*head, -1, *space)


def over_time(layer: Callable[[Tensor], Tensor], x: Tensor, axes: int | None = None) -> Tensor:
    """Apply a layer that knows samples, [N, *shape] -> [N, *shape'], to x [T, B, *shape].

    axes: how many axes a sample must have; None: any number. NetworkError if it has others.
    """
    if x.ndim < 2 or (axes is not None and x.ndim != axes + 2):
        shape = "*shape" if axes is None else ", ".join(["C", "H", "W"][:axes])
        raise NetworkError(
            f"a layer over time takes [T, B, {shape}] but gets an input of shape {list(x.shape)}"
        )
    if is_static(x):
        return held(layer(x[0]), len(x))
    y = layer(alike(x.flatten(0, 1), x))
    return y.reshape(*x.shape[:2], *y.shape[1:])


class Conv2d(nn.Conv2d):
    """[T, B, C, H, W] -> [T, B, C', H', W']."""

    def forward(self, input: Tensor) -> Tensor:
        layer = super().forward
        return over_time(lambda x: layer(as_heard(x)), input, axes=3)


class Linear(nn.Linear):
    """[T, B, N] -> [T, B, N']."""

    def forward(self, input: Tensor) -> Tensor:
        layer = super().forward
        return over_time(lambda x: layer(as_heard(x)), input, axes=1)


class AvgPool2d(nn.AvgPool2d):
    """[T, B, C, H, W] -> [T, B, C, H', W']; windows side by side in a kernel of ours."""

    def forward(self, input: Tensor) -> Tensor:
        return over_time(lambda x: pooled(self, x), input, axes=3)


class SumPool2d(AvgPool2d):
    """The window's sum: torch's average pool with a divisor of 1."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__(kernel_size, stride, padding, divisor_override=1)


class MaxPool2d(nn.MaxPool2d):
    """[T, B, C, H, W] -> [T, B, C, H', W']; spikes of spikes."""

    def forward(self, input: Tensor) -> Tensor:
        pooled = over_time(super().forward, input, axes=3)
        # a window with gaps may lie in the border alone, and gives -inf
        gaps = any(n != 1 for n in pair(self.dilation)) and any(pair(self.padding))
        return pooled if gaps else alike(pooled, input)


class Flatten(nn.Flatten):
    """[T, B, *shape] -> [T, B, N]; axes are counted as in torch, with the batch as axis 0."""

    def forward(self, input: Tensor) -> Tensor:
        return alike(over_time(super().forward, input), input)


class Dropout(nn.Dropout):
    """Drops the same elements of a sample at every step, so that a silenced input stays silent."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return input
        mask = segments.memory(self)
        if mask is None:
            mask = F.dropout(torch.ones_like(input[0]), self.p)
        segments.keep(self, mask)
        return over_time(lambda x: x * mask, input) if is_static(input) else input * mask


class Recurrent(nn.Module):
    """Neurons that hear their own last spikes: at step t they get x[t] + linear(s[t - 1]).

    Neurons that fire late (see `Spiking.delay`) hear in step t what others hear of them in it.
    There are no spikes before t = 0, where linear(0) is the bias alone.
    """

    def __init__(self, neuron: Neuron, linear: nn.Linear) -> None:
        super().__init__()
        if linear.in_features != linear.out_features:
            raise NetworkError(
                f"a recurrent layer's weight is {linear.out_features} x {linear.in_features}; "
                "it must be square"
            )
        self.neuron = neuron
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """x [T, B, N] -> spikes [T, B, N]."""
        spikes: Tensor = self.neuron(x, self.linear)
        return spikes
