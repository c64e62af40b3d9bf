"""A reset by subtraction as an edge, for engines whose populations do not take off what is meant.

    v[t] = a (v[t-1] - d s[t-1]) + g u[t] + b  =  a v[t-1] + g (u[t] - (a d / g) s[t-1]) + b

A membrane that does not spike (LI) hears what the population heard, a Threshold behind it keeps
the population's name, and a Scale brings its spikes of the step before back as -a d / g. With a
synaptic current that current is an LI of its own, before the membrane: what is taken off must not
decay with it. Exact in real numbers; in floating point a membrane may differ in its last bit.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ...core.arrays import Array, frozen, sealed
from ...core.network import Edge, Network
from ...core.nodes import Neuron, Node, Scale
from .edit import free_name


class Parts(NamedTuple):
    """Of a population that was taken apart: its membrane and its synaptic current, both as they
    are before the reset."""

    membrane: str
    current: str | None


@dataclass(frozen=True)
class SubtractByEdge:
    """Every population that subtracts what the engine cannot, has the same numbers at every step
    and no refractory period; others stay as they are.

    kinds: populations that cannot subtract at all. late: the others take threshold / decay off,
    and nothing else.
    """

    kinds: Collection[str] = ()
    late: bool = True
    name: str = "subtract_by_edge"

    def apply(self, network: Network) -> Network:
        """One by one."""
        for name in network.named(Neuron):
            node = network.nodes[name]
            assert isinstance(node, Neuron)
            if self.wanted(node):
                network = apart(network, name, node)
        return network

    def wanted(self, node: Neuron) -> bool:
        """Whether it must be taken apart, and can be."""
        if not node.spiking or node.reset != "subtract":
            return False
        cannot = node.kind in self.kinds or (self.late and not node.subtracts_after_decay)
        fixed = node.schedule is None and not node.refractory
        return cannot and fixed and bool((into(node) != 0).all())


def into(node: Neuron) -> Array:
    """What the membrane multiplies whatever is added to its drive by."""
    return node.gain_v if node.decay_u is not None else frozen(node.gain_u * node.gain_v)


def apart(network: Network, name: str, node: Neuron) -> Network:
    """The network with one population as current, membrane, threshold and reset."""
    membrane, back = (free_name(network, f"{name}.{part}") for part in ("v", "reset"))
    gain, none = into(node), frozen(0.0)
    taken = np.array(np.broadcast_to(-node.decay_v * node.amount / gain, node.shape))
    made: dict[str, Node] = {
        name: Neuron(node.shape, none, node.threshold, compare=node.compare, memoryless=True),
        membrane: Neuron(node.shape, node.decay_v, gain_v=gain, bias=node.bias),
        back: Scale(sealed(taken)),
    }
    first = membrane
    edges: list[Edge] = [(membrane, name), (name, back), (back, membrane)]
    if node.decay_u is not None:
        first = free_name(network, f"{name}.u")
        made[first] = Neuron(node.shape, node.decay_u, gain_v=node.gain_u)
        edges.append((first, membrane))

    def moved(edge: Edge) -> Edge:
        """Whoever heard the population's drive is now its first part."""
        return (edge[0], first) if edge[1] == name else edge

    meaning = network.meaning
    if meaning.back_edges is not None:
        late = (*(moved(edge) for edge in meaning.back_edges), (back, membrane))
        meaning = replace(meaning, back_edges=late)
    return network.changed(
        nodes={**network.nodes, **made},
        edges=(*(moved(edge) for edge in network.edges), *edges),
        origin={**network.origin, **{part: None for part in made if part != name}},
        meaning=meaning,
    )


def parts_of(given: Node | None, lowered: Network, name: str) -> Parts | None:
    """What a population of the given network was taken apart into; None if it was not."""
    node = lowered.nodes[name]
    if not (isinstance(given, Neuron) and isinstance(node, Neuron)):
        return None
    if given.memoryless or not node.memoryless:
        return None
    (membrane,) = lowered.sources[name]
    heard = [n for n in lowered.sources[membrane] if isinstance(lowered.nodes[n], Neuron)]
    return Parts(membrane, heard[0] if given.decay_u is not None else None)
