"""What the linear nodes compute, for a batch [B, *shape] of float64 numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import Array
from .errors import UnsupportedNode
from .nodes import (
    AvgPool2d,
    BatchNorm,
    Conv,
    Flatten,
    Linear,
    MaxPool2d,
    Node,
    Pool,
    Scale,
    SumPool2d,
)

WINDOWS = 1 << 20  # numbers in the windows of a convolution that are gathered at once


def linear(node: Linear, x: Array) -> Array:
    """[B, in] -> [B, out]."""
    y: Array = x @ node.weight.T
    return y if node.bias is None else y + node.bias


def conv(node: Conv, x: Array) -> Array:
    """[B, C_in, *space] -> [B, C_out, *space]: im2col, one product per group."""
    if node.weight.ndim == 3:  # one axis is two axes, the first of length 1
        weight, x = node.weight[:, :, None], x[:, :, None]
        stride, padding, dilation = (1, *node.stride), (0, *node.padding), (1, *node.dilation)
        return conv2d(weight, node.bias, x, stride, padding, dilation, node.groups)[:, :, 0]
    return conv2d(node.weight, node.bias, x, node.stride, node.padding, node.dilation, node.groups)


def conv2d(
    weight: Array,
    bias: Array | None,
    x: Array,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Array:
    """Cross-correlation; weight [O, C/g, y, x], x [B, C, y, x] -> [B, O, y, x]. A few samples at
    a time, so that their windows stay in the cache."""
    seen = windows(x, weight.shape[2:], stride, padding, dilation)  # [B, C, Y, X, ky, kx]
    batch, channels, rows, columns = seen.shape[:4]
    per_in, per_out = channels // groups, weight.shape[0] // groups
    y = np.empty((batch, weight.shape[0], rows, columns))
    few = max(1, WINDOWS // max(seen[:1].size // groups, 1))
    for g in range(groups):
        out, into = (slice(g * n, (g + 1) * n) for n in (per_out, per_in))
        kernel = weight[out].reshape(per_out, -1)
        for lo in range(0, batch, few):
            made = kernel @ as_columns(seen[lo : lo + few, into])
            y[lo : lo + few, out] = made.reshape(per_out, -1, rows, columns).swapaxes(0, 1)
    if bias is not None:
        y += bias[:, None, None]
    return y


def as_columns(seen: Array) -> Array:
    """Windows [B, C, Y, X, ky, kx] -> [C ky kx, B Y X]: place by place of the kernel, since numpy
    copies whole rows much faster than windows of three."""
    batch, channels, rows, columns, ky, kx = seen.shape
    found = np.empty((channels, ky, kx, batch, rows, columns))
    for j in range(ky):
        for i in range(kx):
            found[:, j, i] = seen[..., j, i].swapaxes(0, 1)
    return found.reshape(channels * ky * kx, -1)


def windows(
    x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any = (1, 1), fill: float = 0.0
) -> Array:
    """Every window of x as a view [B, C, Y, X, ky, kx]."""
    (py, px), (dy, dx), (ky, kx) = padding, dilation, kernel
    if py or px:
        x = np.pad(x, ((0, 0), (0, 0), (py, py), (px, px)), constant_values=fill)
    reach = (dy * (ky - 1) + 1, dx * (kx - 1) + 1)
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    view: Array = seen[:, :, :: stride[0], :: stride[1], ::dy, ::dx]
    return view


def pool(node: Pool, x: Array) -> Array:
    """Sum, mean or largest value of every window."""
    fill = -np.inf if isinstance(node, MaxPool2d) else 0.0
    seen = windows(x, node.kernel, node.stride, node.padding, fill=fill)
    if isinstance(node, MaxPool2d):
        return np.asarray(seen.max(axis=(4, 5)))
    total: Array = seen.sum(axis=(4, 5))
    return total / (node.kernel[0] * node.kernel[1]) if isinstance(node, AvgPool2d) else total


def flatten(node: Flatten, x: Array) -> Array:
    """[B, *shape] -> [B, *flattened]."""
    return x.reshape(len(x), *node.output_shape(x.shape[1:]))


def scale(node: Scale, x: Array) -> Array:
    """Element by element."""
    return x * node.scale


def batch_norm(node: BatchNorm, x: Array) -> Array:
    """Eval mode, over axis 1."""
    each = (slice(None), *(None,) * (x.ndim - 2))
    gain: Array = node.scale()
    y: Array = (x - node.mean[each]) * gain[each] + node.bias[each]
    return y


APPLY: dict[type[Node], Callable[[Any, Array], Array]] = {
    Linear: linear,
    Conv: conv,
    SumPool2d: pool,
    AvgPool2d: pool,
    MaxPool2d: pool,
    Flatten: flatten,
    Scale: scale,
    BatchNorm: batch_norm,
}


def apply(node: Node, x: Array) -> Array:
    """The node's output for x [B, *in]; UnsupportedNode if it computes nothing by itself."""
    try:
        computed = APPLY[type(node)]
    except KeyError:
        raise UnsupportedNode(f"{node.kind} is not a memoryless map") from None
    return computed(node, x)


def is_map(node: Node) -> bool:
    """Whether the node maps its input without state."""
    return type(node) in APPLY


def has_synapses(node: Node) -> bool:
    """Whether the node multiplies what arrives by weights: on a pipelined chip, one step."""
    return isinstance(node, Linear | Conv | SumPool2d | AvgPool2d | Scale)
