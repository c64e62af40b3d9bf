"""Channels last inside, torch's channels first outside.

The event kernels add up runs of output channels, so maps are held as [.., *space, C]. Flat
shapes have one order only.
"""

import numpy as np

from ...core.arrays import Numbers, Shape
from .arrays import Array, transposed


def inside(values: Array, shape: Shape) -> Array:
    """[.., C, *space] -> [.., *space, C], contiguous."""
    if len(shape) < 2:
        return values
    lead = values.ndim - len(shape)
    order = (*range(lead), *range(lead + 1, values.ndim), lead)
    return transposed(values, order)


def outside(values: Array, shape: Shape) -> Array:
    """[.., *space, C] -> [.., C, *space], contiguous."""
    if len(shape) < 2:
        return values
    lead = values.ndim - len(shape)
    order = (*range(lead), values.ndim - 1, *range(lead, values.ndim - 1))
    return transposed(values, order)


def shaped(shape: Shape) -> Shape:
    """The shape inside."""
    return (*shape[1:], shape[0]) if len(shape) > 1 else shape


def spread(values: Numbers, shape: Shape) -> Numbers:
    """A parameter of shape () or `shape` as one number a neuron, in the order inside."""
    flat: Numbers = inside(np.broadcast_to(values, shape), shape).reshape(-1)
    return flat
