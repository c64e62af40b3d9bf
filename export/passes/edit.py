"""Small edits that the passes share: pure functions on networks and on linear nodes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...core.arrays import Array, frozen, sealed
from ...core.network import Network
from ...core.nodes import Conv, Flatten, Linear, Node

Weighted = Linear | Conv


def with_nodes(network: Network, changes: Mapping[str, Node]) -> Network:
    """Other nodes under the same names."""
    return network.changed(nodes={**network.nodes, **changes}) if changes else network


def without(network: Network, name: str) -> Network:
    """Take a node out; what came in goes on to where its output went."""
    before, after = network.sources[name], network.targets[name]
    edges = [edge for edge in network.edges if name not in edge]
    edges += [(a, b) for a in before for b in after if (a, b) not in edges]
    nodes = {n: node for n, node in network.nodes.items() if n != name}
    origin = {n: o for n, o in network.origin.items() if n != name}
    return network.changed(nodes=nodes, edges=tuple(edges), origin=origin)


def inserted(network: Network, after: str, name: str, node: Node) -> Network:
    """Put a new node behind another; it takes over all its targets."""
    edges = [(name if a == after else a, b) for a, b in network.edges] + [(after, name)]
    return network.changed(
        nodes={**network.nodes, name: node},
        edges=tuple(edges),
        origin={**network.origin, name: None},
    )


def free_name(network: Network, wanted: str) -> str:
    """A name that no node has yet."""
    name, count = wanted, 1
    while name in network.nodes:
        count += 1
        name = f"{wanted}{count}"
    return name


def only_into(network: Network, name: str, target: str) -> bool:
    """Whether all that a node says is heard by `target` alone."""
    return network.targets[name] == (target,)


def weighted_sources(network: Network, name: str) -> tuple[str, ...] | None:
    """The Linear and Conv nodes whose sum a node hears, if it hears nothing else and they
    speak to it alone: then a factor on its input is a factor on their weights."""
    found = network.sources[name]
    fine = all(
        isinstance(network.nodes[s], Weighted) and only_into(network, s, name) for s in found
    )
    return found if found and fine else None


def readers(
    network: Network, name: str, through: tuple[type[Node], ...] = (Flatten,)
) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """Those that hear a node, looking through Flatten nodes, or others of these kinds: (reader,
    nodes on the way). None if a node on the way also hears something else."""
    found: list[tuple[str, tuple[str, ...]]] = []
    waiting: list[tuple[str, tuple[str, ...]]] = [(t, ()) for t in network.targets[name]]
    while waiting:
        target, way = waiting.pop()
        if not isinstance(network.nodes[target], through):
            found.append((target, way))
        elif len(network.sources[target]) > 1:
            return None
        else:
            waiting += [(t, (*way, target)) for t in network.targets[target]]
    return tuple(found)


def scaled_outputs(node: Weighted, factor: Array) -> Weighted:
    """The node with output channel c multiplied by factor[c] (or by one number)."""
    each = np.broadcast_to(factor, (len(node.weight),))
    weight = node.weight * each.reshape(-1, *(1,) * (node.weight.ndim - 1))
    bias = None if node.bias is None else frozen(node.bias * each)
    return replace(node, weight=sealed(weight), bias=bias)


def scaled_inputs(node: Weighted, factor: Array) -> Weighted:
    """The node with input channel c multiplied by factor[c]. A Linear hears the channels one
    after the other, each as one block of its columns."""
    if isinstance(node, Linear):
        each = np.repeat(factor, node.weight.shape[1] // len(factor))
        return replace(node, weight=sealed(node.weight * each))
    per_group = factor.reshape(node.groups, -1)  # [groups, in / groups]
    each = np.repeat(per_group, len(node.weight) // node.groups, axis=0)  # [out, in / groups]
    space = (1,) * (node.weight.ndim - 2)
    return replace(node, weight=sealed(node.weight * each.reshape(*each.shape, *space)))


def shifted_outputs(node: Weighted, shift: Array) -> Weighted:
    """The node with shift[c] added to output channel c."""
    bias = np.zeros(len(node.weight)) if node.bias is None else node.bias
    return replace(node, bias=frozen(bias + shift))


def per_channel(values: Array, channels: int) -> Array | None:
    """Values of shape () or [channels, *space] as one number or one per channel; None if they
    differ within a channel."""
    if values.ndim == 0:
        return values
    flat = values.reshape(values.shape[0], -1)
    if values.shape[0] != channels or (flat != flat[:, :1]).any():
        return None
    return frozen(flat[:, 0])
