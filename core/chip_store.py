"""A quantised network in a .nir file: an ordinary graph in de-quantised numbers for everybody,
and, in our metadata, what turns it back into the same integers.

A weight is written as W 2^exp / scale. Read back, scale / 2^exp times that lies within a few
units of float64's last place of a whole number, so rounding gives W again, to the bit; a number
that does not was changed by hand. Registers stand in the metadata as whole numbers.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from . import loihi
from .arrays import Array, frozen
from .chip_nodes import ChipNeuron, ChipSynapse, ToChip
from .errors import UnsupportedNode
from .network import Edge, Network
from .nodes import Conv, Linear, Neuron, Node, SumPool2d

Whole = int | list[Any]
Scale = Annotated[FiniteFloat, Field(gt=0)]  # chip units per unit of the real network


class Part(BaseModel):
    """A part of the metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SynapseIntegers(Part):
    """A ChipSynapse. bias: whether its bias is a bias on the synapse (else the written one
    belongs to the population behind it)."""

    weight_exp: Annotated[int, Field(ge=-8, le=7)] = 0
    weight_bits: Annotated[int, Field(ge=1, le=8)] = 8
    sign_mode: Literal["MIXED", "EXCITATORY", "INHIBITORY"] = "MIXED"
    scale: Scale | list[Scale] = 1.0
    bias: bool = False


class NeuronIntegers(Part):
    """A ChipNeuron: its registers."""

    du: Whole
    dv: Whole
    vth: Whole
    bias_mant: Whole = 0
    bias_exp: Annotated[int, Field(ge=0, le=7)] = 0
    current: Whole | None = None
    scale: Scale | list[Any] = 1.0
    simulator_only: bool = False


class Entry(Part):
    """A ToChip node, which the plain graph leaves out: the current on this edge is rounded."""

    name: str
    source: str
    target: str
    scale: Scale


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
            if not isinstance(network.nodes[target], ChipNeuron):
                raise UnsupportedNode(
                    f"node {name!r} (ToChip) leads to {target!r} ({network.nodes[target].kind}); "
                    "where it leads to a chip's population it can be written"
                )
            if not 0 < node.scale < float("inf"):
                raise UnsupportedNode(
                    f"node {name!r} (ToChip) has a scale of {node.scale:g}; positive ones can be "
                    "written"
                )
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


def along(unit: Array, weight: Array) -> Array:
    """One number per output channel, laid along a weight's first axis."""
    return unit.reshape(-1, *(1,) * (weight.ndim - 1)) if np.ndim(unit) else unit
