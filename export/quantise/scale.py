"""Which scale a population gets: the one whose integers spike most like the real numbers on
calibration data, layer by layer, each fed with the real network's own spikes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...core import interpreter, loihi
from ...core.arrays import Array, Numbers, Shape, frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ...core.errors import QuantisationError
from ...core.linear import apply
from ...core.network import Network
from ...core.nodes import Conv, Input, Linear, Neuron, Node, Output
from ...core.schedule import compile
from . import registers
from .partition import Partition
from .registers import Bits

STEPS = 2.0 ** np.arange(-1.0, 2.01, 0.25)  # candidates around the scale that clips no weight
HEADROOM = 4.0  # how far below the current's wrap the largest calibrated drive must stay


@dataclass(frozen=True)
class Layer:
    """A population with all that feeds it, ready to be tried at any scale.

    drive: real current [T, B, *shape] from the host, with nothing of the chip; None if none.
    sources: chip synapse -> what it hears in each step, [T, B, *in], from the real network.
    """

    name: str
    node: Neuron
    synapses: Mapping[str, Node]
    heard: Mapping[str, Numbers]
    drive: Array | None
    spikes: Numbers
    bias: Array


@dataclass(frozen=True)
class Chosen:
    """A population at its scale, and what it cost on the calibration data."""

    scale: float
    neuron: ChipNeuron
    synapses: Mapping[str, ChipSynapse]
    flipped: float  # share of neuron-steps whose spike differs, fed with the real spikes
    clipped_weights: int
    largest_drive: float  # of the current's range, 1 is where it wraps


def choose(layer: Layer, bits: Bits) -> Chosen:
    """Try every candidate and keep the best; the coarser one of equals."""
    registers.refuse_unlike(layer.name, layer.node)
    best: Chosen | None = None
    problem = ""
    for scale in candidates(layer, bits):
        try:
            tried = attempt(layer, scale, bits)
        except QuantisationError as error:
            problem = str(error)
            continue
        if best is None or tried.flipped < best.flipped:
            best = tried
    if best is None:
        raise QuantisationError(
            f"node {layer.name!r}: no scale lets its weights, threshold ({layer.node.threshold}) "
            "and bias fit the chip's registers at once; rescale the layer in training. The last "
            f"one failed because of {problem}"
        )
    return best


def candidates(layer: Layer, bits: Bits) -> list[float]:
    """Scales to try, coarse to fine. The threshold's register and the current's wrap end them
    above; convolutions, whose weights have no exponent, give the middle."""
    assert layer.node.threshold is not None
    top = loihi.RANGES["vth"][1] / max(float(layer.node.threshold.max()), 1e-30)
    reach = largest_sum(layer)
    if reach > 0:
        top = min(top, loihi.LIMIT / (1 << loihi.SHIFT) / reach / HEADROOM)
    convs = [n for n in layer.synapses.values() if isinstance(n, Conv)]
    weights = [float(np.abs(n.weight).max(initial=0.0)) for n in convs]
    if any(weights):
        middle = registers.largest(bits.weight) / max(weights)
        found = sorted({min(float(middle * step), top) for step in STEPS})
        return found
    return [top / 4, top / 2, top]


def largest_sum(layer: Layer) -> float:
    """The largest |current| on the calibration data, in real units, with what the synaptic
    decay lets pile up."""
    total = np.zeros(())
    if layer.drive is not None:
        total = np.abs(layer.drive).max()
    for name, node in layer.synapses.items():
        total = total + np.abs(flat_apply(node, layer.heard[name])).max()
    total = total + np.abs(layer.bias).max()
    if layer.node.decay_u is not None:
        total = total / max(1 - float(layer.node.decay_u.max()), 1 / loihi.ONE)
    return float(total)


def flat_apply(node: Node, heard: Numbers) -> Array:
    """A layer over all steps and samples."""
    return apply(node, frozen(heard.reshape(-1, *heard.shape[2:])))


def attempt(layer: Layer, scale: float, bits: Bits) -> Chosen:
    """The layer in integers at this scale, run on what the real network let it hear."""
    neuron = registers.neuron(layer.name, layer.node, scale, layer.bias)
    synapses = {n: registers.synapse(node, scale, bits) for n, node in layer.synapses.items()}
    got = run_alone(layer, neuron, synapses, scale)
    drive = largest_sum(layer) * scale * (1 << loihi.SHIFT) / loihi.LIMIT
    return Chosen(
        scale,
        neuron,
        synapses,
        float((got != layer.spikes).mean()),
        sum(registers.clipped(n, scale, bits) for n in layer.synapses.values()),
        drive,
    )


def run_alone(
    layer: Layer, neuron: ChipNeuron, synapses: Mapping[str, ChipSynapse], scale: float
) -> Numbers:
    """Spikes [T, B, *shape] of the integer layer by itself."""
    nodes: dict[str, Node] = {"neuron": neuron, "out": Output(neuron.shape)}
    edges = [("neuron", "out")]
    inputs: dict[str, Numbers] = {}
    for name, chip in synapses.items():
        nodes[f"in.{name}"] = Input(tuple(layer.heard[name].shape[2:]), "spikes")
        nodes[f"syn.{name}"] = chip
        edges += [(f"in.{name}", f"syn.{name}"), (f"syn.{name}", "neuron")]
        inputs[f"in.{name}"] = layer.heard[name]
    if layer.drive is not None:
        nodes["host"] = Input(neuron.shape)
        nodes["enter"] = ToChip(neuron.shape, scale)
        edges += [("host", "enter"), ("enter", "neuron")]
        inputs["host"] = layer.drive
    alone = Network(nodes, tuple(edges))
    return interpreter.run(compile(alone), inputs, ("neuron",)).spikes["neuron"]


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
        watched = tapped(network, taps)
        run = interpreter.run(compile(watched), signals, network.spiking)
        self.network = network
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
        back = compile(self.network).back_edges
        sources = self.network.sources[name]
        total = self.output(sources[0], late or (sources[0], name) in back)
        for source in sources[1:]:
            total = total + self.output(source, late or (source, name) in back)
        return total


def tapped(network: Network, names: set[str]) -> Network:
    """The network with an Output at each of these nodes."""
    shapes = compile(network).shapes
    return network.changed(
        nodes={**network.nodes, **{f"tap.{n}": Output(shapes[n]) for n in names}},
        edges=(*network.edges, *((n, f"tap.{n}") for n in names)),
        meaning=network.meaning,
    )
