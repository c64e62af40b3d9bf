"""A quantised network in a .nir file: an ordinary graph in de-quantised numbers for everybody,
and, in our metadata, what turns it back into the same integers.

A weight is written as W 2^exp / scale. Read back, scale / 2^exp times that lies within a few
units of float64's last place of a whole number, so rounding gives W again, to the bit; a number
that does not was changed by hand. Registers stand in the metadata as whole numbers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from . import loihi
from .arrays import Array, Numbers, frozen
from .chip_nodes import ChipNeuron, ChipSynapse, ToChip
from .errors import NetworkError, UnsupportedNode
from .loihi import SignMode
from .network import Edge, Network
from .nodes import Conv, Linear, Neuron, Node, SumPool2d

WHOLE = 1e-6  # how far from a whole number a re-scaled weight may lie
Whole = int | list[Any]


class Part(BaseModel):
    """A part of the metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SynapseIntegers(Part):
    """A ChipSynapse. bias: whether its bias is a bias on the synapse (else the written one
    belongs to the population behind it)."""

    weight_exp: int = 0
    weight_bits: int = 8
    sign_mode: Literal["MIXED", "EXCITATORY", "INHIBITORY"] = "MIXED"
    scale: float | list[float] = 1.0
    bias: bool = False


class NeuronIntegers(Part):
    """A ChipNeuron: its registers."""

    du: Whole
    dv: Whole
    vth: Whole
    bias_mant: Whole = 0
    bias_exp: int = 0
    current: Whole | None = None
    scale: float | list[Any] = 1.0
    simulator_only: bool = False


class Entry(Part):
    """A ToChip node, which the plain graph leaves out: the current on this edge is rounded."""

    name: str
    source: str
    target: str
    scale: float


class ChipMetadata(Part):
    """Everything that the plain graph cannot say of a quantised network."""

    synapses: dict[str, SynapseIntegers] = {}
    neurons: dict[str, NeuronIntegers] = {}
    entries: list[Entry] = []


# --- writing ---------------------------------------------------------------------------------


def annotation(network: Network) -> ChipMetadata:
    """The metadata of a quantised network."""
    synapses, neurons, entries = {}, {}, []
    for name, node in network.nodes.items():
        if isinstance(node, ChipSynapse):
            synapses[name] = SynapseIntegers(
                weight_exp=node.weight_exp,
                weight_bits=node.weight_bits,
                sign_mode=node.sign_mode.name,
                scale=node.scale.tolist(),
                bias=getattr(node.synapse, "bias", None) is not None,
            )
        elif isinstance(node, ChipNeuron):
            neurons[name] = NeuronIntegers(
                du=node.du.tolist(),
                dv=node.dv.tolist(),
                vth=node.vth.tolist(),
                bias_mant=node.bias_mant.tolist(),
                bias_exp=node.bias_exp,
                current=None if node.current is None else node.current.tolist(),
                scale=node.scale.tolist(),
                simulator_only=node.simulator_only,
            )
        elif isinstance(node, ToChip):
            (source,), (target,) = single_edges(network, name)
            entries.append(Entry(name=name, source=source, target=target, scale=node.scale))
    return ChipMetadata(synapses=synapses, neurons=neurons, entries=entries)


def single_edges(network: Network, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A ToChip's one source and one target; UnsupportedNode if it has more."""
    sources, targets = network.sources[name], network.targets[name]
    if len(sources) != 1 or len(targets) != 1:
        raise UnsupportedNode(
            f"node {name!r} (ToChip) has {len(sources)} sources and {len(targets)} targets; one "
            "each can be written"
        )
    return sources, targets


def dequantised(network: Network) -> Network:
    """The network in real numbers: what other tools read."""
    nodes: dict[str, Node] = {}
    homes = bias_homes(network)
    for name, node in network.nodes.items():
        if isinstance(node, ChipSynapse):
            nodes[name] = real_synapse(node, homes.get(name))
        elif isinstance(node, ChipNeuron):
            nodes[name] = real_neuron(node, name in homes.moved)
        elif not isinstance(node, ToChip):
            nodes[name] = node
    edges: list[Edge] = []
    for source, target in network.edges:
        if isinstance(network.nodes[target], ToChip):
            edges.append((source, network.targets[target][0]))
        elif not isinstance(network.nodes[source], ToChip):
            edges.append((source, target))
    meaning = network.meaning
    return Network(nodes, tuple(edges), meaning, network.origin, network.history)


class Homes(dict[str, Array]):
    """Synapse -> the bias that is written on it; moved: the populations that it belongs to."""

    moved: frozenset[str] = frozenset()


def bias_homes(network: Network) -> Homes:
    """Where constant currents, and the biases of populations without leak, are written: on a
    synapse before the population, since NIR's IF has no leak potential and its CubaLIF's would
    bypass the current. UnsupportedNode if there is none that fits."""
    homes = Homes()
    found: set[str] = set()
    for name, node in network.nodes.items():
        if not isinstance(node, ChipNeuron):
            continue
        constant = np.zeros(node.shape)
        if node.current is not None:
            constant = constant + node.current
        if no_leak(node):
            constant = constant + (node.bias_mant << node.bias_exp) / (1 << loihi.SHIFT)
        if not constant.any():
            continue
        found.add(name)
        source, values = fitting_home(network, name, constant / node.scale)
        homes[source] = values
    homes.moved = frozenset(found)
    return homes


def no_leak(node: ChipNeuron) -> bool:
    """Whether the membrane keeps everything and there is no current."""
    return bool((node.dv == 0).all() and (node.du == loihi.ONE - 1).all())


def fitting_home(network: Network, name: str, constant: Array) -> tuple[str, Array]:
    """A synapse of its own before a population, and the constant per output channel."""
    for source in network.sources[name]:
        node = network.nodes[source]
        if not (isinstance(node, ChipSynapse) and isinstance(node.synapse, Linear | Conv)):
            continue
        channels = len(node.synapse.weight)
        flat = constant.reshape(channels, -1) if constant.shape[0] == channels else None
        own = network.targets[source] == (name,) and node.synapse.bias is None
        if own and flat is not None and (flat == flat[:, :1]).all():
            return source, flat[:, 0]
    raise UnsupportedNode(
        f"node {name!r} (ChipNeuron): its constant current has no synapse of its own before it, "
        "one value a channel, whose bias could carry it in a NIR file"
    )


def real_synapse(node: ChipSynapse, added: Array | None) -> Node:
    """W 2^exp / scale."""
    inner = node.synapse
    if isinstance(inner, SumPool2d):
        return inner
    assert isinstance(inner, Linear | Conv)
    unit = 2.0**node.weight_exp / node.scale
    bias = None if inner.bias is None else frozen(inner.bias * unit)
    return replace(
        inner,
        weight=frozen(inner.weight * along(unit, inner.weight)),
        bias=bias if added is None else frozen(added),
    )


def real_neuron(node: ChipNeuron, bias_elsewhere: bool) -> Neuron:
    """Decays, threshold and bias as real numbers."""
    states = node.scale * (1 << loihi.SHIFT)
    bias = (node.bias_mant << node.bias_exp) / states
    du = np.asarray(node.du)
    return Neuron(
        node.shape,
        frozen(1 - node.dv / loihi.ONE),
        frozen(node.vth / node.scale),
        decay_u=None if (du == loihi.ONE - 1).all() else frozen(1 - (du + 1) / loihi.ONE),
        bias=frozen(0.0 if bias_elsewhere and no_leak(node) else bias),
        reset="subtract" if node.reset == "subtract" else "value",
        refractory=node.refractory,
    )


# --- reading ---------------------------------------------------------------------------------


def requantised(plain: Network, told: ChipMetadata) -> Network:
    """The same integers again; NetworkError names a number that is none of the chip's."""
    nodes = dict(plain.nodes)
    edges = list(plain.edges)
    for name, synapse in told.synapses.items():
        nodes[name] = chip_synapse(name, nodes.get(name), synapse)
    for name, neuron in told.neurons.items():
        nodes[name] = chip_neuron(name, nodes.get(name), neuron)
    for entry in told.entries:
        target = nodes.get(entry.target)
        if (entry.source, entry.target) not in edges or not isinstance(target, ChipNeuron):
            raise NetworkError(
                f"metadata says that a current enters from {entry.source!r} at {entry.target!r}, "
                "and the graph has no such edge"
            )
        nodes[entry.name] = ToChip(target.shape, entry.scale)
        edges.remove((entry.source, entry.target))
        edges += [(entry.source, entry.name), (entry.name, entry.target)]
    return plain.changed(nodes=nodes, edges=tuple(edges))


def chip_synapse(name: str, node: Node | None, told: SynapseIntegers) -> ChipSynapse:
    """Whole weights from de-quantised ones."""
    if isinstance(node, SumPool2d):
        inner: Node = node
    elif isinstance(node, Linear | Conv):
        unit = scale_of(name, told.scale, len(node.weight)) / 2.0**told.weight_exp
        bias = None
        if told.bias and node.bias is not None:
            bias = whole(name, "bias", node.bias * unit)
        units = node.weight * along(unit, node.weight)
        inner = replace(node, weight=frozen(whole(name, "weight", units)), bias=bias)
    else:
        raise NetworkError(f"metadata says that {name!r} is a chip synapse; the graph has none")
    mode = SignMode[told.sign_mode]
    return ChipSynapse(inner, told.weight_exp, told.weight_bits, mode, frozen(told.scale))


def scale_of(name: str, scale: float | list[float], outputs: int) -> Array:
    """A synapse's scale; NetworkError unless it is positive, one number or one an output."""
    values = frozen(scale)
    if values.shape not in ((), (outputs,)) or not (values > 0).all() or np.isinf(values).any():
        raise NetworkError(
            f"node {name!r}: its scale in the metadata must be one positive number, or one for "
            f"each of its {outputs} output channels"
        )
    return values


def whole(name: str, what: str, values: Array) -> Array:
    """Rounded, if that moves nothing but float64's last places."""
    rounded = np.rint(values)
    apart = np.abs(values - rounded) > WHOLE * np.maximum(1, np.abs(rounded))
    if apart.any():
        worst = float(values.ravel()[np.argmax(apart)])
        raise NetworkError(
            f"node {name!r}: {what} {worst:.9g} (in chip units) is not whole: the file was "
            "changed after it was quantised"
        )
    return frozen(rounded)


def along(unit: Array, weight: Array) -> Array:
    """One number per output channel, laid along a weight's first axis."""
    return unit.reshape(-1, *(1,) * (weight.ndim - 1)) if np.ndim(unit) else unit


def chip_neuron(name: str, node: Node | None, told: NeuronIntegers) -> ChipNeuron:
    """Registers from the metadata; the graph's neuron gives shape and reset."""
    if not isinstance(node, Neuron):
        raise NetworkError(f"metadata says that {name!r} is a chip population; the graph has none")
    made = ChipNeuron(
        node.shape,
        registers(told.du),
        registers(told.dv),
        registers(told.vth),
        registers(told.bias_mant),
        told.bias_exp,
        None if told.current is None else registers(told.current),
        node.reset,
        node.refractory,
        frozen(told.scale),
        told.simulator_only,
    )
    expected = real_neuron(made, False)
    for key in ("decay_v", "threshold"):
        theirs, ours = getattr(node, key), getattr(expected, key)
        if theirs is None or not np.allclose(theirs, ours, rtol=1e-9, atol=0):
            raise NetworkError(
                f"node {name!r}: {key} and the registers in the metadata disagree: the file was "
                "changed after it was quantised"
            )
    return made


def registers(values: Whole) -> Numbers:
    """Whole numbers."""
    return np.asarray(values, np.int64)


def covers(told: ChipMetadata, names: Mapping[str, Any]) -> None:
    """NetworkError if the metadata speaks of nodes that are not there."""
    strangers = (set(told.synapses) | set(told.neurons)) - set(names)
    if strangers:
        raise NetworkError(f"metadata speaks of {sorted(strangers)}, which are not in the graph")
