"""Convolutions in the form that nir's own type check gets right: square, one group. Exact."""

from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import frozen
from ...core.network import Network
from ...core.nodes import Conv, Node
from .edit import with_nodes


@dataclass(frozen=True)
class ExpandGroups:
    """A grouped convolution becomes one with a block of zeros for every other group."""

    name: str = "expand_groups"

    def apply(self, network: Network) -> Network:
        """Every grouped convolution."""
        changes: dict[str, Node] = {}
        for name in network.named(Conv):
            conv = network.nodes[name]
            assert isinstance(conv, Conv)
            if conv.groups > 1:
                changes[name] = expanded(conv)
        return with_nodes(network, changes)


def expanded(conv: Conv) -> Conv:
    """The same map with groups = 1."""
    outputs, per_in = conv.weight.shape[:2]
    per_out = outputs // conv.groups
    weight = np.zeros((outputs, per_in * conv.groups, *conv.kernel))
    for g in range(conv.groups):
        out, into = slice(g * per_out, (g + 1) * per_out), slice(g * per_in, (g + 1) * per_in)
        weight[out, into] = conv.weight[out]
    return replace(conv, weight=frozen(weight), groups=1)


@dataclass(frozen=True)
class SquareKernels:
    """A kernel that is not square gets rows or columns of zeros, and the padding to match.

    An axis that must grow by an odd number gets the odd one behind, where no padding makes up
    for it; that loses no output only if the stride leaves room, so such a kernel stays.
    """

    name: str = "square_kernels"

    def apply(self, network: Network) -> Network:
        """Every 2-D convolution whose kernel can be squared exactly."""
        changes: dict[str, Node] = {}
        for name in network.named(Conv):
            conv = network.nodes[name]
            assert isinstance(conv, Conv)
            if conv.weight.ndim == 4 and conv.kernel[0] != conv.kernel[1]:
                squared = square(conv)
                if squared is not None:
                    changes[name] = squared
        return with_nodes(network, changes)


def square(conv: Conv) -> Conv | None:
    """The same map with a square kernel, or None where an axis would grow by an odd number."""
    side = max(conv.kernel)
    missing = [side - k for k in conv.kernel]
    if any((m * d) % 2 for m, d in zip(missing, conv.dilation, strict=True)):
        return None
    if any(m % 2 for m in missing):
        return None
    grow = [(m // 2, m // 2) for m in missing]
    weight = np.pad(conv.weight, ((0, 0), (0, 0), *grow))
    padding = tuple(
        p + d * m // 2 for p, d, m in zip(conv.padding, conv.dilation, missing, strict=True)
    )
    return replace(conv, weight=frozen(weight), padding=padding)
