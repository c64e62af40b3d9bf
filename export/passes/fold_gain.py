"""A neuron's input gain goes into the weights before it, for engines whose gain is fixed."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...core.arrays import Array, frozen
from ...core.network import Network
from ...core.nodes import Neuron, Node, Scale
from .edit import free_name, per_channel, scaled_outputs, weighted_sources, with_nodes


@dataclass(frozen=True)
class FoldGain:
    """v = a v + g x: weights take g / wanted, and the gain becomes what the engine has.

    plain: wanted gain of neurons without synaptic current, 'one' or 'leak' (one minus the
    decay; one where nothing leaks). cuba: 'one' also folds gain_u * gain_v of current-based
    neurons; u is then in units of the folded gain. Where a neuron hears something without
    weights, a Scale node goes in between if `scale` allows it; else the gain stays, and the
    engine's own check names it.
    """

    plain: Literal["any", "one", "leak"] = "any"
    cuba: Literal["any", "one"] = "any"
    scale: bool = False
    name: str = "fold_gain"

    def apply(self, network: Network) -> Network:
        """Every population whose gain differs."""
        for name in network.named(Neuron):
            node = network.nodes[name]
            assert isinstance(node, Neuron)
            wanted = self.wanted(node)
            if wanted is not None:
                network = self.folded(network, name, node, wanted)
        return network

    def wanted(self, node: Neuron) -> Neuron | None:
        """The neuron with the gain that the engine has; None if it has it already."""
        if node.memoryless:
            return None
        one = frozen(1.0)
        if node.decay_u is not None:
            if self.cuba == "any" or ((node.gain_u == 1).all() and (node.gain_v == 1).all()):
                return None
            return replace(node, gain_u=one, gain_v=one)
        if self.plain == "any":
            return None
        leaks = self.plain == "leak" and node.kind not in ("IF", "I")
        gain = frozen(1 - node.decay_v) if leaks else one
        if (node.gain_v == gain).all() or (gain == 0).any():
            return None
        return replace(node, gain_v=gain)

    def folded(self, network: Network, name: str, node: Neuron, wanted: Neuron) -> Network:
        """Weights times old gain over new gain."""
        ratio = frozen(node.gain_u * node.gain_v / (wanted.gain_u * wanted.gain_v))
        sources = weighted_sources(network, name)
        factors: dict[str, Array | None] = {}
        for source in sources or ():
            channels = len(network.nodes[source].weight)  # type: ignore[attr-defined]
            factors[source] = per_channel(ratio, channels)
        if sources and all(f is not None for f in factors.values()):
            changes: dict[str, Node] = {
                s: scaled_outputs(network.nodes[s], f)  # type: ignore[arg-type]
                for s, f in factors.items()
            }
            return with_nodes(network, {**changes, name: wanted})
        return self.behind_scale(network, name, wanted, ratio) if self.scale else network

    def behind_scale(self, network: Network, name: str, wanted: Neuron, ratio: Array) -> Network:
        """A Scale node takes over what the population hears."""
        new = free_name(network, f"{name}.gain")
        spread = frozen(np.broadcast_to(ratio, wanted.shape))
        edges = [(a, new if b == name else b) for a, b in network.edges] + [(new, name)]
        return network.changed(
            nodes={**network.nodes, name: wanted, new: Scale(spread)},
            edges=tuple(edges),
            origin={**network.origin, new: None},
        )
