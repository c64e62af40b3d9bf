"""What enters a population without weights gets a layer of ones: for chips where every spike
crosses a synapse, and for engines whose fixed gain only weights can make up for. Exact."""

from dataclasses import dataclass

import numpy as np

from ...core.arrays import Shape, frozen
from ...core.network import Network
from ...core.nodes import Conv, Linear, Neuron
from ...core.schedule import compile
from ..binary import binary
from .edit import free_name
from .fold_gain import FoldGain


@dataclass(frozen=True)
class IdentitySynapses:
    """An identity layer on every edge that enters a population without weights.

    analogue: also where analogue values enter. unless: a fold whose gain the population has
    already; then no weights are needed to take the gain up, and the edge stays.
    """

    analogue: bool = False
    unless: FoldGain | None = None
    name: str = "identity_synapses"

    def apply(self, network: Network) -> Network:
        """One new node an edge."""
        shapes = compile(network).shapes
        for source, target in network.edges:
            if not self.wanted(network, source, target):
                continue
            name = free_name(network, f"{source}.to.{target}")
            edges = [e for e in network.edges if e != (source, target)]
            network = network.changed(
                nodes={**network.nodes, name: identity(shapes[source])},
                edges=(*edges, (source, name), (name, target)),
                origin={**network.origin, name: None},
            )
        return network

    def wanted(self, network: Network, source: str, target: str) -> bool:
        """Whether this edge gets a layer."""
        node = network.nodes[target]
        if not (isinstance(node, Neuron) and node.spiking) or node.memoryless:
            return False
        if isinstance(network.nodes[source], Linear | Conv):
            return False
        if (source, target) in (network.meaning.back_edges or ()):
            return False  # a listed back edge must keep its name
        if self.unless is not None and self.unless.wanted(node) is None:
            return False
        return self.analogue or binary(network.nodes, network.sources, source)


def identity(shape: Shape) -> Linear | Conv:
    """Weights that hand each number on: one a channel for maps, the unit matrix else."""
    if len(shape) == 1:
        return Linear(frozen(np.eye(shape[0])))
    kernel = (1,) * (len(shape) - 1)
    return Conv(frozen(np.ones((shape[0], 1, *kernel))), groups=shape[0])
