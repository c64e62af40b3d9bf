"""The few operations that numpy's arrays and torch's tensors spell differently, so that a network
is laid out and timed once for both."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.arrays import Numbers

Array = Any  # numpy.ndarray or torch.Tensor


def is_numpy(x: Array) -> bool:
    """Whether it lies in numpy's memory; else it is a tensor."""
    return isinstance(x, np.ndarray)


def concatenated(parts: Sequence[Array]) -> Array:
    """One after the other along the first axis."""
    if is_numpy(parts[0]):
        return np.concatenate(parts)
    import torch

    return torch.cat(list(parts))


def repeated(x: Array, steps: int) -> Array:
    """[T or 1, ...] -> [T, ...], without a copy."""
    if is_numpy(x):
        return np.broadcast_to(x, (steps, *x.shape[1:]))
    return x.expand(steps, *x.shape[1:])


def transposed(x: Array, order: Sequence[int]) -> Array:
    """Axes in another order, contiguous."""
    if is_numpy(x):
        return np.ascontiguousarray(x.transpose(order))
    return x.permute(*order).contiguous()


def cast(x: Array, like: Array) -> Array:
    """In the number type of another one."""
    return x.astype(like.dtype) if is_numpy(x) else x.to(like.dtype)


def copied(x: Array) -> Array:
    """With memory of its own."""
    return x.copy() if is_numpy(x) else x.clone()


def emptied(x: Array, steps: int) -> Array:
    """Room for so many steps of its kind."""
    shape = (steps, *x.shape[1:])
    return np.empty(shape, x.dtype) if is_numpy(x) else x.new_empty(shape)


def summed(parts: Sequence[Array]) -> Array:
    """Exact sums of whole numbers, int32, which their bound allows."""
    if is_numpy(parts[0]):
        total = parts[0].astype(np.int64)
        for more in parts[1:]:
            total = total + more.astype(np.int64)
        return total.astype(np.int32)
    total = parts[0].long()
    for more in parts[1:]:
        total = total + more.long()
    return total.int()


def fetched(x: Array) -> Numbers:
    """In numpy's memory."""
    found: Numbers = x if is_numpy(x) else x.cpu().numpy()
    return found
