"""What of a network lies on the chip: populations, and the projections into them.

An integer network says it by its nodes; of a network in real numbers the quantiser's partition
does. Delays are those that a chip needs which takes one step for every synapse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ...core.errors import UnsupportedNode
from ...core.network import Network
from ...core.nodes import Conv, Delay, Flatten, Input, Linear, Neuron, Node, SumPool2d
from ...core.pipeline import Pipeline, pipeline
from ...core.schedule import Program, compile
from ...export.quantise.partition import partition
from .cut import View, view_of
from .dense import Dense
from .need import Map
from .window import Window, one_to_one, window


@dataclass(frozen=True)
class Projection:
    """Synapses from one source into one population. synapse: the node that holds the weights,
    '' where spikes go straight in; from_chip: the source is a population, not an input;
    delay: extra steps that its spikes wait."""

    synapse: str
    source: str
    target: str
    from_chip: bool
    map: Map
    weight_bits: int
    delay: int


@dataclass(frozen=True)
class Layer:
    """A population on the chip, as channels, rows, columns. decays: which combination of decays
    and refractory period each neuron has, thresholds: which threshold; [view], or [1, 1, 1] if
    all have one. notes: what enters it that the chip's limits do not count."""

    name: str
    kind: str
    shape: Shape
    view: View
    soft_reset: bool
    decays: Numbers
    thresholds: Numbers
    projections: tuple[Projection, ...]
    notes: tuple[str, ...] = ()

    @property
    def neurons(self) -> int:
        """How many there are."""
        return prod(self.view)

    @property
    def delay(self) -> int:
        """The longest that spikes wait on the way in."""
        return max((p.delay for p in self.projections), default=0)


def layers_of(network: Network, bits: int) -> tuple[Layer, ...]:
    """The chip's populations in network order. bits: of a weight, where the network does not
    say. UnsupportedNode or QuantisationError names what cannot lie on a chip."""
    return Finder(network, bits).layers()


class Finder:
    """Walks one network backwards from its populations."""

    def __init__(self, network: Network, bits: int) -> None:
        self.network, self.bits = network, bits
        self.nodes = network.nodes
        self.populations, self.synapses = on_chip(network)
        if not self.populations:
            raise UnsupportedNode("nothing in this network spikes: no part of it runs on a chip")
        self.program: Program = compile(network)
        crossed = {id(self.nodes[name]) for name in self.synapses}
        self.timing: Pipeline = pipeline(self.program, lambda node: int(id(node) in crossed))

    def layers(self) -> tuple[Layer, ...]:
        """All of them."""
        return tuple(self.layer(n) for n in self.program.order if n in self.populations)

    def layer(self, name: str) -> Layer:
        """One population with all that reaches it."""
        found: list[Projection] = []
        notes: list[str] = []
        for before, wait in self.before(name):
            if before in self.synapses:
                found += self.through(before, name, wait)
            elif before in self.populations or self.spikes_in(before):
                found.append(self.straight(before, name, wait))
            else:
                notes.append(f"a current enters from {self.entry(before)!r}, on the host")
        node = self.nodes[name]
        assert isinstance(node, Neuron | ChipNeuron)
        if self.constant(node, found):
            notes.append("a constant current is added at every step")
        view = self.view(name, found)
        decays, thresholds = profiles(node, view)
        soft = node.reset == "subtract"
        return Layer(
            name, node.kind, node.shape, view, soft, decays, thresholds, tuple(found), tuple(notes)
        )

    def constant(self, node: Neuron | ChipNeuron, found: list[Projection]) -> bool:
        """Whether a bias enters a synaptic current, for which a core has no register."""
        if isinstance(node, ChipNeuron):
            return node.current is not None
        biases = (getattr(self.nodes[p.synapse], "bias", None) for p in found if p.synapse)
        return node.decay_u is not None and any(bias is not None for bias in biases)

    def before(self, name: str, *passed: str) -> Iterator[tuple[str, int]]:
        """(node, extra steps) of all that a node hears, through Flatten and Delay nodes."""
        for source in self.network.sources[name]:
            wait = self.timing.wait[source, name]
            if source in passed:
                raise UnsupportedNode(
                    f"the loop through {source!r} ({self.nodes[source].kind}) holds no neurons: "
                    "a chip has no place for what goes round in it"
                )
            if isinstance(self.nodes[source], Flatten | Delay):
                for further, more in self.before(source, name, *passed):
                    yield further, wait + more
            else:
                yield source, wait

    def through(self, synapse: str, target: str, wait: int) -> Iterator[Projection]:
        """One projection for each source of a synapse."""
        heard = self.program.shapes[self.network.sources[synapse][0]]
        node = self.nodes[synapse]
        bits = node.weight_bits if isinstance(node, ChipSynapse) else self.bits
        made = map_of(node.synapse if isinstance(node, ChipSynapse) else node, heard)
        for source, more in self.before(synapse):
            if source in self.synapses:
                raise UnsupportedNode(
                    f"node {source!r} ({self.nodes[source].kind}) feeds {synapse!r} "
                    f"({node.kind}) with no neurons between them: a chip has no place for its "
                    "sums. Merge it into the weights that read it (a pool whose stride is its "
                    "kernel, without padding), or put neurons after it"
                )
            if source not in self.populations and not self.spikes_in(source):
                raise UnsupportedNode(
                    f"node {source!r} ({self.nodes[source].kind}) brings real numbers to "
                    f"{synapse!r} ({node.kind}) on the chip; only spikes cross its synapses"
                )
            yield self.projection(synapse, source, target, made, bits, wait + more)

    def straight(self, source: str, target: str, wait: int) -> Projection:
        """Spikes that go in with no weights between: a synapse for each."""
        shape = self.program.shapes[source]
        return self.projection("", source, target, one_to_one(view_of(shape)), self.bits, wait)

    def projection(
        self, synapse: str, source: str, target: str, made: Map, bits: int, wait: int
    ) -> Projection:
        """The host sends an input's spikes when they are due, so only populations wait."""
        chip = source in self.populations
        return Projection(synapse, source, target, chip, made, bits, wait if chip else 0)

    def spikes_in(self, name: str) -> bool:
        """Whether the host sends spikes from here."""
        node = self.nodes[name]
        return isinstance(node, Input) and node.content == "spikes"

    def entry(self, name: str) -> str:
        """The host's node behind a ToChip node."""
        node = self.nodes[name]
        return self.network.sources[name][0] if isinstance(node, ToChip) else name

    def view(self, name: str, found: list[Projection]) -> View:
        """A population's channels, rows and columns; those of the convolution before it, even
        where a Flatten lies between."""
        wanted = {p.map.out_view: p for p in found if p.map.out_view is not None}
        if len(wanted) > 1:
            names = " and ".join(repr(p.synapse or p.source) for p in wanted.values())
            raise UnsupportedNode(
                f"population {name!r} hears {names}, whose outputs have different shapes: it "
                "cannot be cut for both; give them one shape before they are flattened"
            )
        shape = self.program.shapes[name]
        return next((v for v in wanted if v is not None), view_of(shape))


def on_chip(network: Network) -> tuple[frozenset[str], frozenset[str]]:
    """(populations, synapses) that lie on the chip."""
    if network.number_format == "loihi":
        return frozenset(network.named(ChipNeuron)), frozenset(network.named(ChipSynapse))
    parts = partition(network)
    return frozenset(parts.populations), frozenset(parts.synapses)


def map_of(node: Node, heard: Shape) -> Map:
    """Who reaches whom through a weighted node that hears this shape."""
    if isinstance(node, Conv | SumPool2d):
        made: Window = window(node, heard)
        return made
    assert isinstance(node, Linear)
    return Dense(node.weight != 0)


def profiles(node: Neuron | ChipNeuron, view: View) -> tuple[Numbers, Numbers]:
    """(decays, thresholds) of every neuron as whole numbers that differ where they do. Decays
    in real numbers are compared as the chip's 12-bit registers hold them."""
    if isinstance(node, ChipNeuron):
        return kinds([node.du, node.dv], view), kinds([node.vth], view)
    decays = [np.rint(d * 4096) for d in (node.decay_u, node.decay_v) if d is not None]
    return kinds(decays, view), kinds([node.threshold], view)


def kinds(values: Sequence[Numbers | None], view: View) -> Numbers:
    """Which of the different combinations each neuron has [view]; [1, 1, 1] if all have one."""
    each = [v for v in values if v is not None and np.ndim(v)]
    if not each:
        return np.zeros((1, 1, 1), np.int64)
    table = np.stack([np.ravel(v) for v in each], axis=1)
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(view)
