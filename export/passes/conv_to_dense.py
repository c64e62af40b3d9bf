"""Convolutions become dense layers, for engines that have none of their kind: what is a map there
runs flat, in C order. Exact; whoever reads a recording gives it its axes back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ...core import linear
from ...core.arrays import Shape, frozen
from ...core.network import Network
from ...core.nodes import (
    AvgPool2d,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Scale,
    SumPool2d,
)
from ...core.schedule import compile
from .edit import free_name

MOST = 1 << 24  # weights of one layer


@dataclass(frozen=True)
class ConvToDense:
    """Each convolution of these kinds, and every node that maps lead to or from it.

    An Input keeps its axes and a Flatten follows it. Where a node in between cannot be flat, or a
    layer would have over 2^24 weights, all stays as it is and the engine's own check names it.
    """

    kinds: Collection[str]
    name: str = "conv_to_dense"

    def apply(self, network: Network) -> Network:
        """One region after the other."""
        shapes = compile(network).shapes
        done: set[str] = set()
        for name in network.named(Conv):
            if network.nodes[name].kind in self.kinds and name not in done:
                region = joined(network, shapes, name)
                done |= region
                network = flattened(network, shapes, region) or network
        return network


def joined(network: Network, shapes: Mapping[str, Shape], name: str) -> set[str]:
    """The nodes that signals of several axes join to one."""
    found, todo = {name}, [name]
    while todo:
        here = todo.pop()
        near = [s for s in network.sources[here] if len(shapes[s]) > 1]
        near += network.targets[here] if len(shapes[here]) > 1 else ()
        todo += (new := [n for n in near if n not in found])
        found |= set(new)
    return found


def flattened(network: Network, shapes: Mapping[str, Shape], region: set[str]) -> Network | None:
    """The network with a region in which all is flat; None if something there cannot be."""
    nodes, edges, origin = dict(network.nodes), list(network.edges), dict(network.origin)
    for name in sorted(region):
        node = network.nodes[name]
        if isinstance(node, Input):
            flat = free_name(network, f"{name}.flat")
            nodes[flat], origin[flat] = Flatten(), None
            edges = [(flat if a == name else a, b) for a, b in edges] + [(name, flat)]
            continue
        source = network.sources[name][0]
        made = flat_node(node, shapes[source], shapes[name])
        if made is None:
            return None
        nodes[name] = made
    return network.changed(nodes=nodes, edges=tuple(edges), origin=origin)


def flat_node(node: Node, taken: Shape, given: Shape) -> Node | None:
    """The node on flat signals; None if there is none. taken, given: the shapes of its maps."""
    if isinstance(node, Conv | SumPool2d | AvgPool2d):
        return dense(node, taken, given) if prod(taken) * prod(given) <= MOST else None
    if isinstance(node, Flatten):
        return Flatten()
    if isinstance(node, Output):
        return Output((prod(given),))
    if isinstance(node, Scale):
        return Scale(frozen(node.scale.reshape(-1)))
    if isinstance(node, Delay):
        steps = node.steps
        return node if isinstance(steps, int) else Delay(steps.reshape(-1))
    if isinstance(node, Neuron) and node.schedule is None:
        fields: dict[str, Any] = {"shape": (prod(node.shape),)}
        for name in node.arrays:
            values = getattr(node, name)
            if np.ndim(values) > 0:
                fields[name] = frozen(values.reshape(-1))
        return replace(node, **fields)
    return None


def dense(node: Node, taken: Shape, given: Shape) -> Linear:
    """What the map makes of each unit vector, and of nothing."""
    size = prod(taken)
    bias = linear.apply(node, np.zeros((1, *taken))).reshape(-1)
    bare = replace(node, bias=None) if isinstance(node, Conv) else node
    columns = linear.apply(bare, np.eye(size).reshape(size, *taken))
    return Linear(frozen(columns.reshape(size, prod(given)).T), frozen(bias))
