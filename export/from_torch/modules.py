"""Layers of torch and of the trainer -> nodes: one function a kind of layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ...core import nodes
from ...core.arrays import Array, Shape, frozen, pair, sealed
from ...core.errors import UnsupportedNode
from ...core.nodes import Node
from ...trainer.norms import MeanOnlyBatchNorm, PspBatchNorm, PspLayerNorm
from ...trainer.readouts import Vote
from . import norms
from .readouts import vote

Made = Callable[[Any, Shape], Node | None]  # None: the identity


def numbers(values: torch.Tensor | None) -> Array | None:
    """A tensor of a model that is ours alone, in float64: its own memory, read-only from here."""
    return None if values is None else sealed(values.detach().double().cpu().numpy())


def needed(values: torch.Tensor) -> Array:
    """A tensor that is there."""
    array = numbers(values)
    assert array is not None
    return array


def linear(layer: nn.Linear, shape: Shape) -> Node:
    """Dense, on flat input only."""
    if len(shape) != 1:
        raise UnsupportedNode(f"gets shape {list(shape)}; put a Flatten before it")
    return nodes.Linear(needed(layer.weight), numbers(layer.bias))


def conv(layer: nn.Conv1d | nn.Conv2d, shape: Shape) -> Node:
    """Convolution with zero padding."""
    if layer.padding_mode != "zeros":
        raise UnsupportedNode(f"pads with {layer.padding_mode!r}; only zeros can be lowered")
    padding: Any = layer.padding
    if padding == "same":
        reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        if any(r % 2 for r in reach):
            raise UnsupportedNode(
                f"has padding 'same' with kernel {layer.kernel_size}, which pads one side more "
                "than the other; only the same padding on both sides can be lowered"
            )
        padding = [r // 2 for r in reach]
    elif padding == "valid":
        padding = (0,)
    return nodes.Conv(
        needed(layer.weight),
        numbers(layer.bias),
        layer.stride,
        padding,
        layer.dilation,
        layer.groups,
    )


def batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, shape: Shape) -> Node:
    """Batch norm with its running moments; tdBN's factor with it."""
    assert layer.running_mean is not None and layer.running_var is not None  # lower() checked
    mean = needed(layer.running_mean)
    plain = np.ones_like(mean), np.zeros_like(mean)
    weight, bias = plain if layer.weight is None else (needed(layer.weight), needed(layer.bias))
    factor = float(getattr(layer, "factor", 1.0))
    return nodes.BatchNorm(
        frozen(weight), frozen(bias), mean, needed(layer.running_var), layer.eps, factor
    )


def avg_pool(layer: nn.AvgPool2d, shape: Shape) -> Node:
    """Average pool, or sum pool where the divisor is 1."""
    refuse_ceil(layer)
    kernel, stride, padding = windows_of(layer)
    if layer.divisor_override == 1:
        return nodes.SumPool2d(kernel, stride, padding)
    if layer.divisor_override is not None:
        raise UnsupportedNode(f"divides by {layer.divisor_override}; only 1 or the window's size")
    if any(padding) and not layer.count_include_pad:
        raise UnsupportedNode(
            "leaves its padding out of the mean (count_include_pad=False), which is another "
            "divisor at the border; only count_include_pad=True can be lowered"
        )
    return nodes.AvgPool2d(kernel, stride, padding)


def max_pool(layer: nn.MaxPool2d, shape: Shape) -> Node:
    """Max-pool; a pass turns it into an OR of spikes."""
    refuse_ceil(layer)
    if pair(layer.dilation) != (1, 1) or layer.return_indices:
        raise UnsupportedNode("has dilation or returns indices; neither can be lowered")
    return nodes.MaxPool2d(*windows_of(layer))


def refuse_ceil(layer: Any) -> None:
    """Windows that reach over the border have no counterpart."""
    if layer.ceil_mode:
        raise UnsupportedNode("has ceil_mode=True, which NIR's pools do not know; pad instead")


def windows_of(layer: Any) -> tuple[tuple[int, int], ...]:
    """(kernel, stride, padding) of a pool."""
    stride = layer.kernel_size if layer.stride is None else layer.stride
    return pair(layer.kernel_size), pair(stride), pair(layer.padding)


def flatten(layer: nn.Flatten, shape: Shape) -> Node:
    """The trainer's Flatten counts the batch as axis 0, NIR does not count it."""
    return flattened(layer.start_dim, layer.end_dim, 1)


def flattened(start: int, end: int, before: int) -> nodes.Flatten:
    """A Flatten whose axes were counted with `before` axes in front of the shape."""
    if 0 <= start < before or 0 <= end < before:
        raise UnsupportedNode(
            f"flattens axes {start} to {end}, which takes time or batch in; start at {before}"
        )
    return nodes.Flatten(*(d if d < 0 else d - before for d in (start, end)))


def nothing(layer: nn.Module, shape: Shape) -> None:
    """Changes nothing in eval mode."""
    return None


LAYERS: tuple[tuple[type[nn.Module] | tuple[type[nn.Module], ...], Made], ...] = (
    (nn.Linear, linear),
    ((nn.Conv1d, nn.Conv2d), conv),
    ((nn.BatchNorm1d, nn.BatchNorm2d), batch_norm),
    (MeanOnlyBatchNorm, norms.mean_only),
    (PspBatchNorm, norms.psp_batch_norm),
    (PspLayerNorm, norms.psp_layer_norm),
    (Vote, vote),
    (nn.AvgPool2d, avg_pool),
    (nn.MaxPool2d, max_pool),
    (nn.Flatten, flatten),
    ((nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d), nothing),
)


def node_of(layer: nn.Module, shape: Shape) -> Node | None:
    """The layer as a node for an input of `shape`; None for the identity. UnsupportedNode
    names the kind of layer and what can be lowered."""
    for kinds, made in LAYERS:
        if isinstance(layer, kinds):
            return made(layer, shape)
    known = ", ".join(
        kind.__name__
        for kinds, _ in LAYERS
        for kind in (kinds if isinstance(kinds, tuple) else (kinds,))
    )
    raise UnsupportedNode(
        f"is a {type(layer).__name__}, which cannot be lowered; there are Neuron, "
        f"Recurrent, Add, And, Iand, {known}"
    )


INSTEAD: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    ((nn.RNNBase, nn.RNNCellBase), "Recurrent(CubaLIF(), nn.Linear(n, n)), spiking neurons"),
    ((nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU), "a population, such as LIF()"),
)


def instead(layer: nn.Module) -> str:
    """What to take in the place of a layer that many nets have."""
    for kinds, word in INSTEAD:
        if isinstance(layer, kinds):
            return f"; take {word} of spikeport.trainer in its place"
    return ""
