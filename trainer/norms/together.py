"""Moments over all processes of a data-parallel run, as if the batch were in one.

Each process has a share of the batch; sums and counts are added up over all, and gradients flow
back through the sum. With one process nothing is sent.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def shared() -> bool:
    """Whether the batch is shared out over processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def mean(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """x.mean(axes), over all processes; axes None: over everything. Shares may differ in size."""
    axes = tuple(range(x.ndim)) if axes is None else axes
    if not shared():
        return x.mean(axes)
    return _sum(x.sum(axes)) / count(_size(x, axes), x)


def count(own: int, like: Tensor) -> Tensor:
    """The counts of all processes, added up."""
    total = torch.tensor(float(own), dtype=torch.float64, device=like.device)
    if shared():
        dist.all_reduce(total)
    return total.to(like.dtype)


def batch_norm(
    x: Tensor,
    running: tuple[Tensor | None, Tensor | None],
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """torch's batch norm in training, of x [N, C, *space] over all processes: the biased variance
    in front, the unbiased one into the running one."""
    axes = (0, *range(2, x.ndim))
    shape = (1, -1, *(1,) * (x.ndim - 2))
    middle = mean(x, axes)
    apart = x - middle.view(shape)
    variance = mean(apart.square(), axes)
    with torch.no_grad():
        total = count(_size(x, axes), x)
        unbiased = variance * total / (total - 1)
        for kept, now in zip(running, (middle, unbiased), strict=True):
            if kept is not None:
                kept.lerp_(now.to(kept.dtype), momentum)
    y = apart * torch.rsqrt(variance + eps).view(shape)
    if weight is not None:
        y = y * weight.view(shape)
    return y if bias is None else y + bias.view(shape)


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _Everywhere.apply(x)  # type: ignore[no-untyped-call]
    return total


class _Everywhere(torch.autograd.Function):
    """The sum over all processes; what any of them wants of it comes back to each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _Everywhere.forward(ctx, grad)


def _size(x: Tensor, axes: tuple[int, ...]) -> int:
    size = 1
    for axis in axes:
        size *= x.shape[axis]
    return size
