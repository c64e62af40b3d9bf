"""Each population with all that it heard in a run of the real network, ready to be tried alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import Array, Numbers, Shape, frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ...core.errors import QuantisationError
from ...core.linear import apply
from ...core.network import Network
from ...core.nodes import Conv, Input, Linear, Neuron, Node, Output
from ...core.recording import Recording
from ...core.schedule import compile
from .options import Runner, by_interpreter
from .partition import Partition


@dataclass(frozen=True)
class Layer:
    """A population with its synapses.

    heard: chip synapse -> what it hears in each step, [T, B, *in], from the real network.
    drive: real current [T, B, *shape] from the host, with nothing of the chip; None if none.
    spikes: what the real population did. bias: sum of its synapses' biases, shape () or the
    population's.
    """

    name: str
    node: Neuron
    synapses: Mapping[str, Node]
    heard: Mapping[str, Numbers]
    drive: Array | None
    spikes: Numbers
    bias: Array

    @property
    def steps(self) -> int:
        """T of the calibration data."""
        return len(self.spikes)

    def sums(self, name: str) -> Array:
        """A synapse's real sums without its bias, [T, B, *shape]."""
        node, heard = self.synapses[name], self.heard[name]
        flat = apply(unbiased(node), frozen(heard.reshape(-1, *heard.shape[2:])))
        return flat.reshape(*heard.shape[:2], *flat.shape[1:])

    def largest_sum(self) -> float:
        """The largest |current| on the calibration data, in real units, with what the synaptic
        decay lets pile up."""
        total = float(np.abs(self.bias).max())
        if self.drive is not None:
            total += float(np.abs(self.drive).max())
        total += sum(float(np.abs(self.sums(name)).max()) for name in self.synapses)
        if self.node.decay_u is not None:
            total /= max(1 - float(self.node.decay_u.max()), 1 / 4096)
        return total


def unbiased(node: Node) -> Node:
    """The node without its bias."""
    return replace(node, bias=None) if isinstance(node, Linear | Conv) else node


def run_alone(
    layer: Layer,
    neuron: ChipNeuron,
    synapses: Mapping[str, ChipSynapse],
    scale: Array,
    run: Runner = by_interpreter,
) -> Recording:
    """The integer layer by itself, fed with what the real network let it hear; its population
    is called 'neuron'."""
    nodes: dict[str, Node] = {"neuron": neuron, "out": Output(neuron.shape)}
    edges = [("neuron", "out")]
    inputs: dict[str, Numbers] = {}
    for name, chip in synapses.items():
        heard = layer.heard[name]
        plain = bool(((heard == 0) | (heard == 1)).all())
        shape = tuple(heard.shape[2:])
        if plain:
            nodes[f"in.{name}"] = Input(shape, "spikes")
            edges.append((f"in.{name}", f"syn.{name}"))
        else:  # graded sums enter as whole numbers
            nodes[f"in.{name}"] = Input(shape)
            nodes[f"whole.{name}"] = ToChip(shape, 1.0)
            edges += [(f"in.{name}", f"whole.{name}"), (f"whole.{name}", f"syn.{name}")]
        nodes[f"syn.{name}"] = chip
        edges.append((f"syn.{name}", "neuron"))
        inputs[f"in.{name}"] = heard
    if layer.drive is not None:
        if scale.ndim:
            raise QuantisationError(f"node {layer.name!r}: a host current needs one scale")
        nodes["host"] = Input(neuron.shape)
        nodes["enter"] = ToChip(neuron.shape, float(scale))
        edges += [("host", "enter"), ("enter", "neuron")]
        inputs["host"] = layer.drive
    return run(Network(nodes, tuple(edges)), inputs, ("neuron",))


def layers_of(
    network: Network, parts: Partition, signals: Mapping[str, Numbers]
) -> Mapping[str, Layer]:
    """Every population with what it heard in a run of the real network on `signals`."""
    program = compile(network)
    heard = Heard(network, parts, signals)
    found: dict[str, Layer] = {}
    for name in (n for n in program.order if n in parts.populations):
        node = network.nodes[name]
        assert isinstance(node, Neuron)
        synapses: dict[str, Node] = {}
        drive: Array | None = None
        bias: Array = np.zeros(())
        for source in network.sources[name]:
            late = (source, name) in program.back_edges
            if source in parts.synapses:
                synapses[source] = network.nodes[source]
                refuse_late_bias(network, source, late)
                bias = bias + broadcast_bias(network.nodes[source], node.shape)
                continue
            if (source, name) not in parts.entries:
                raise QuantisationError(
                    f"node {name!r} hears {source!r} ({network.nodes[source].kind}) without a "
                    "weighted layer between them; put one there"
                )
            entering = heard.output(source, late)
            drive = entering if drive is None else drive + entering
        listened = {s: heard.into(s, (s, name) in program.back_edges) for s in synapses}
        found[name] = Layer(name, node, synapses, listened, drive, heard.spikes[name], frozen(bias))
    return found


def refuse_late_bias(network: Network, source: str, late: bool) -> None:
    """QuantisationError for a bias that must not act in the first step: on the chip it becomes
    the population's, which acts in every step."""
    bias = getattr(network.nodes[source], "bias", None)
    if late and bias is not None and bias.any() and network.meaning.back_edge_at_t0 == "nothing":
        raise QuantisationError(
            f"node {source!r} has a bias on a back edge, and back edges carry nothing at t = 0; "
            "the chip's bias acts from the first step: take it out, or train with it there "
            "(--back-edge bias)"
        )


def broadcast_bias(node: Node, shape: Shape) -> Array:
    """A layer's bias for every neuron of a population behind it."""
    bias = node.bias if isinstance(node, Linear | Conv) else None
    if bias is None:
        return np.zeros(())
    return frozen(np.broadcast_to(bias.reshape(-1, *(1,) * (len(shape) - 1)), shape))


class Heard:
    """Every signal of a run of the real network, layer by layer."""

    def __init__(self, network: Network, parts: Partition, signals: Mapping[str, Numbers]) -> None:
        taps = {*parts.synapses, *(a for a, _ in parts.entries), *parts.carriers}
        run = by_interpreter(tapped(network, taps), signals, network.spiking)
        self.network = network
        self.back = compile(network).back_edges
        self.spikes = run.spikes
        self.tapped = {n: run.outputs[f"tap.{n}"] for n in taps}
        self.signals = signals

    def output(self, name: str, late: bool) -> Array:
        """What a node said, [T, B, *shape]; late: a step before, nothing at first."""
        if name in self.spikes:
            said = self.spikes[name].astype(np.float64)
        elif name in self.signals:
            said = np.asarray(self.signals[name], np.float64)
        else:
            said = self.tapped[name]
        if not late:
            return said
        return np.concatenate([np.zeros_like(said[:1]), said[:-1]])

    def into(self, name: str, late: bool) -> Array:
        """What a node heard, all its sources summed."""
        sources = self.network.sources[name]
        total = self.output(sources[0], late or (sources[0], name) in self.back)
        for source in sources[1:]:
            total = total + self.output(source, late or (source, name) in self.back)
        return total


def tapped(network: Network, names: set[str]) -> Network:
    """The network with an Output at each of these nodes."""
    shapes = compile(network).shapes
    return network.changed(
        nodes={**network.nodes, **{f"tap.{n}": Output(shapes[n]) for n in names}},
        edges=(*network.edges, *((n, f"tap.{n}") for n in names)),
    )
