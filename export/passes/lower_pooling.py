"""Pools become what an engine or a chip can hold: weights, sums, or neurons. All exact."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import Shape, frozen
from ...core.errors import PassError
from ...core.network import Network
from ...core.nodes import (
    AvgPool2d,
    Conv,
    Flatten,
    Linear,
    MaxPool2d,
    Neuron,
    Node,
    Pool,
    SumPool2d,
)
from ...core.schedule import compile
from ..binary import binary
from .edit import free_name, inserted, readers, with_nodes, without


@dataclass(frozen=True)
class MergePools:
    """A sum or average pool merges into the convolution or dense layer that reads it.

    Into a Conv: kernel kron(W, ones(k, k)), stride * k, padding * k; exact iff the pool's
    stride is its kernel, it has no padding, the convolution's dilation is 1, and k divides the
    map (or the convolution has no padding). Into a Linear: columns are repeated. A pool for
    which that does not hold stays.
    """

    name: str = "merge_pools"

    def apply(self, network: Network) -> Network:
        """Merge each pool all of whose readers can take it."""
        for name in network.named(SumPool2d, AvgPool2d):
            merged = self.merged(network, name)
            network = network if merged is None else merged
        return network

    def merged(self, network: Network, name: str) -> Network | None:
        """The network without the pool, or None."""
        pool = network.nodes[name]
        assert isinstance(pool, Pool)
        found = readers(network, name)
        if found is None or not found or pool.stride != pool.kernel or any(pool.padding):
            return None
        shapes = compile(network).shapes
        wide = shapes[network.sources[name][0]]
        changes: dict[str, Node] = {}
        for reader, way in found:
            node = network.nodes[reader]
            if len(network.sources[reader]) > 1:
                return None  # its other sources have not been pooled
            if isinstance(node, Conv) and not way and fits(pool, node, wide):
                changes[reader] = merged_conv(pool, node)
            elif isinstance(node, Linear) and flattens_all(network, way, shapes[name]):
                changes[reader] = merged_linear(pool, node, wide)
            else:
                return None
        return without(with_nodes(network, changes), name)


def fits(pool: Pool, conv: Conv, wide: Shape) -> bool:
    """Whether the merged kernel sees just what the pool and the convolution saw."""
    if conv.weight.ndim != 4 or tuple(conv.dilation) != (1, 1):
        return False
    divides = all(n % k == 0 for n, k in zip(wide[1:], pool.kernel, strict=True))
    return divides or not any(conv.padding)


def flattens_all(network: Network, way: Sequence[str], pooled: Shape) -> bool:
    """Whether the Flattens on the way turn the whole map into one axis."""
    shape = pooled
    for name in way:
        node = network.nodes[name]
        assert isinstance(node, Flatten)
        shape = node.output_shape(shape)
    return len(way) > 0 and len(shape) == 1


def share(pool: Pool) -> float:
    """What each element of a window counts for."""
    return 1 / (pool.kernel[0] * pool.kernel[1]) if isinstance(pool, AvgPool2d) else 1.0


def merged_conv(pool: Pool, conv: Conv) -> Conv:
    """Pool, then convolution, as one convolution."""
    weight = np.kron(conv.weight, np.ones((1, 1, *pool.kernel))) * share(pool)
    (ky, kx), (sy, sx), (py, px) = pool.kernel, conv.stride, conv.padding
    return replace(
        conv, weight=frozen(weight), stride=(sy * ky, sx * kx), padding=(py * ky, px * kx)
    )


def merged_linear(pool: Pool, linear: Linear, wide: Shape) -> Linear:
    """Pool, flatten, then dense, as one dense layer on the flattened wide map."""
    (ky, kx), (channels, rows, columns) = pool.kernel, wide
    small = (channels, rows // ky, columns // kx)
    weight = linear.weight.reshape(-1, *small)
    grown = np.zeros((len(weight), *wide))
    repeated = weight.repeat(ky, axis=2).repeat(kx, axis=3) * share(pool)
    grown[:, :, : small[1] * ky, : small[2] * kx] = repeated
    return replace(linear, weight=frozen(grown.reshape(len(weight), -1)))


@dataclass(frozen=True)
class AvgToSum:
    """An average pool becomes a sum pool; 1 / k^2 goes into the weights that read it."""

    name: str = "avg_to_sum"

    def apply(self, network: Network) -> Network:
        """A pool that something without weights reads stays."""
        for name in network.named(AvgPool2d):
            pool = network.nodes[name]
            assert isinstance(pool, AvgPool2d)
            found = readers(network, name) or ()
            nodes = {reader: network.nodes[reader] for reader, _ in found}
            if not nodes or any(
                not isinstance(node, Linear | Conv) or len(network.sources[reader]) > 1
                for reader, node in nodes.items()
            ):
                continue
            changes: dict[str, Node] = {
                reader: replace(node, weight=frozen(node.weight * share(pool)))  # type: ignore[call-arg,attr-defined]
                for reader, node in nodes.items()
            }
            changes[name] = SumPool2d(pool.kernel, pool.stride, pool.padding)
            network = with_nodes(network, changes)
        return network


@dataclass(frozen=True)
class PoolsToConv:
    """A sum or average pool becomes a convolution of its own: one kernel of ones a channel.
    For engines that cannot pad a pool, or have none of that kind."""

    kinds: Collection[str] = ("SumPool2d", "AvgPool2d")
    only_padded: bool = False
    name: str = "pools_to_conv"

    def apply(self, network: Network) -> Network:
        """Every pool of these kinds, or only those with padding."""
        shapes = compile(network).shapes
        changes: dict[str, Node] = {}
        for name in network.named(SumPool2d, AvgPool2d):
            pool = network.nodes[name]
            assert isinstance(pool, Pool)
            if pool.kind not in self.kinds or (self.only_padded and not any(pool.padding)):
                continue
            channels = shapes[name][0]
            weight = np.full((channels, 1, *pool.kernel), share(pool))
            changes[name] = Conv(frozen(weight), None, pool.stride, pool.padding, (1, 1), channels)
        return with_nodes(network, changes)


@dataclass(frozen=True)
class MaxPoolToSpikes:
    """A max-pool of binary spikes is an OR: a sum pool, then a neuron that fires above 1/2.

    Of anything graded it is not, and is refused. The neuron is ours: it has no origin, and is
    left out of spike rates.
    """

    name: str = "max_pool_to_spikes"

    def apply(self, network: Network) -> Network:
        """PassError names a pool whose input is not one population's spikes."""
        shapes = compile(network).shapes
        for name in network.named(MaxPool2d):
            pool = network.nodes[name]
            assert isinstance(pool, MaxPool2d)
            sources = network.sources[name]
            if len(sources) != 1 or not binary(network.nodes, network.sources, sources[0]):
                found = ", ".join(f"{s} ({network.nodes[s].kind})" for s in sources)
                raise PassError(
                    f"max-pool {name!r} hears {found}, which is not one population of binary "
                    "spikes, and a maximum of graded values is not an OR; pool after the "
                    "neurons, or use an average pool"
                )
            summed = SumPool2d(pool.kernel, pool.stride, pool.padding)
            fires = Neuron(shapes[name], frozen(1.0), frozen(0.5))
            network = with_nodes(network, {name: summed})
            network = inserted(network, name, free_name(network, f"{name}.or"), fires)
        return network
