"""Post-training quantisation to Loihi's integers: one scale a population, chosen on data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...core.arrays import Array, Numbers
from ...core.chip_delays import hold_delays
from ...core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ...core.errors import QuantisationError
from ...core.network import Edge, Network
from ...core.nodes import Node, SumPool2d
from ..passes.edit import free_name
from .doubts import doubts, refuse_silence
from .layers import Layer, layers_of
from .options import Options, Runner, by_interpreter
from .partition import Partition, partition
from .scale import Chosen, choose


@dataclass(frozen=True)
class Quantised:
    """A network in the chip's integers, what each population's choice cost, and the populations
    with what they heard on the calibration data. doubts: what is odd of those, in words."""

    network: Network
    chosen: Mapping[str, Chosen]
    layers: Mapping[str, Layer]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quantise:
    """calibration: Input node -> [T, B, *shape], real inputs of the kind the network will see.
    run: an engine that gives the interpreter's bits, faster.

    Weights get `options.bits` bits (mixed signs), decays 12, thresholds and biases the same
    scale as the weights of their population.
    """

    calibration: Mapping[str, Numbers]
    options: Options = field(default_factory=Options)
    run: Runner = by_interpreter
    name: str = "quantise"

    def apply(self, network: Network) -> Quantised:
        """QuantisationError names the node and the register that cannot hold its number;
        DataError if the calibration data are 0."""
        if network.number_format != "real":
            raise QuantisationError("the network is in the chip's integers already")
        if network.meaning.timing == "pipelined":
            raise QuantisationError(
                "timing is 'pipelined', a chip's own, of a network in real numbers; quantise an "
                "aligned one"
            )
        if left := network.unlowered:
            raise QuantisationError(f"node {left[0]!r} must be lowered before quantisation")
        parts = partition(network)
        if not parts.populations:
            raise QuantisationError(
                "nothing in this network spikes: no part of it runs on a chip, and it has no "
                "integers to choose"
            )
        hold_delays(network, parts.carriers)
        refuse_silence(self.calibration)
        layers = layers_of(network, parts, self.calibration)
        chosen = {n: choose(layer, self.options, self.run) for n, layer in layers.items()}
        made = rebuilt(network, parts, chosen)
        history = (*network.history, f"{self.name}:{self.options.method}:{self.options.bits}")
        odd = tuple(doubts(self.calibration, layers))
        return Quantised(made.changed(history=history), chosen, layers, odd)


class Made(Protocol):
    """A population in integers, with its synapses."""

    @property
    def scale(self) -> Array: ...
    @property
    def neuron(self) -> ChipNeuron: ...
    @property
    def synapses(self) -> Mapping[str, ChipSynapse]: ...


def rebuilt(network: Network, parts: Partition, chosen: Mapping[str, Made]) -> Network:
    """The graph with chip nodes in their places, and a ToChip where a current enters."""
    nodes: dict[str, Node] = dict(network.nodes)
    edges: list[Edge] = list(network.edges)
    origin = dict(network.origin)
    for name, choice in chosen.items():
        nodes[name] = choice.neuron
        for synapse, made in choice.synapses.items():
            other = nodes[synapse]
            if other is not network.nodes[synapse] and other is not made:
                raise QuantisationError(
                    f"node {synapse!r} feeds two populations, which need weights of their own "
                    "at each scale; give each a layer of its own"
                )
            nodes[synapse] = made
    for name in parts.synapses:
        node = nodes[name]
        if isinstance(node, SumPool2d):
            nodes[name] = ChipSynapse(node)
        elif not isinstance(node, ChipSynapse):
            raise QuantisationError(
                f"node {name!r} ({node.kind}) feeds another layer, not neurons; merge the two"
            )
    grown = network
    for source, target in parts.entries:
        name = free_name(grown, f"{target}.enter")
        nodes[name] = ToChip(chosen[target].neuron.shape, float(chosen[target].scale))
        edges.remove((source, target))
        edges += [(source, name), (name, target)]
        origin[name] = None
        grown = network.changed(nodes=dict(nodes), edges=tuple(edges), origin=origin)
    return network.changed(nodes=nodes, edges=tuple(edges), origin=origin)
