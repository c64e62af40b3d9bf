"""Biases move to where an engine has them: from membranes into weights, from loops forward."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from ...core.arrays import frozen
from ...core.interpreter import quiet
from ...core.network import Network
from ...core.nodes import Conv, Linear, Neuron
from ...core.schedule import compile
from .edit import only_into, per_channel, shifted_outputs, with_nodes


@dataclass(frozen=True)
class BiasToSynapse:
    """v = a v + g x + b: the layer before takes b / g. Only without synaptic current, where a
    bias on the synapse and one on the membrane are the same thing."""

    kinds: Collection[str] = ("IF", "LIF", "I", "LI")
    name: str = "bias_to_synapse"

    def apply(self, network: Network) -> Network:
        """Every population of these kinds with a bias and a weighted layer of its own before
        it, outside of any loop."""
        for name in network.named(Neuron):
            node = network.nodes[name]
            assert isinstance(node, Neuron)
            if node.kind not in self.kinds or node.decay_u is not None or not node.bias.any():
                continue
            if not (node.gain_v != 0).all():
                continue
            home = forward_home(network, name)
            if home is None:
                continue
            layer = network.nodes[home]
            assert isinstance(layer, Linear | Conv)
            shift = per_channel(frozen(node.bias / node.gain_v), len(layer.weight))
            if shift is None:
                continue
            changes = {home: shifted_outputs(layer, shift), name: replace(node, bias=frozen(0.0))}
            network = with_nodes(network, changes)
        return network


def forward_home(network: Network, name: str) -> str | None:
    """A Linear or Conv that speaks to `name` alone, in the same step."""
    back = compile(network).back_edges
    for source in network.sources[name]:
        weighted = isinstance(network.nodes[source], Linear | Conv)
        if weighted and only_into(network, source, name) and (source, name) not in back:
            return source
    return None


@dataclass(frozen=True)
class QuietBackEdges:
    """Nothing on back edges at t = 0: a recurrent layer's bias moves into the feed-forward one.

    Then 'bias' and 'nothing' at t = 0 mean the same, and an engine with either can run it. A
    loop whose bias has nowhere to go keeps it, and the engine's own check refuses it.
    """

    name: str = "quiet_back_edges"

    def apply(self, network: Network) -> Network:
        """Only where the network says 'bias'."""
        if network.meaning.back_edge_at_t0 == "nothing":
            return network
        program = compile(network)
        changed = network
        for source, target in sorted(program.back_edges):
            layer = changed.nodes[source]
            if not isinstance(layer, Linear | Conv) or layer.bias is None:
                continue
            home = forward_home(changed, target)
            if home is None or not only_into(changed, source, target):
                continue
            into = changed.nodes[home]
            assert isinstance(into, Linear | Conv)
            if into.weight.shape[0] != layer.weight.shape[0]:
                continue
            moved = {
                home: shifted_outputs(into, layer.bias),
                source: replace(layer, bias=None),
            }
            changed = with_nodes(changed, moved)
        still = quiet(compile(changed), 1)
        if not program.back_edges or any(still[a].any() for a, _ in program.back_edges):
            return changed
        return changed.changed(meaning=replace(changed.meaning, back_edge_at_t0="nothing"))
