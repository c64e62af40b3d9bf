"""A quantised network out of a .nir file: the integers that the metadata and the plain graph tell,
and nothing that contradicts the graph which every other tool reads."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from .arrays import Array, Numbers, Shape, frozen
from .chip_nodes import ChipNeuron, ChipSynapse, ToChip
from .chip_store import (
    ChipMetadata,
    NeuronIntegers,
    SynapseIntegers,
    Whole,
    along,
    dequantised,
)
from .errors import NetworkError, SpikeportError
from .loihi import SignMode
from .network import Network
from .nodes import Conv, Delay, Flatten, Input, Linear, Neuron, Node, SumPool2d

WHOLE = 1e-6  # how far from a whole number a re-scaled weight may lie
SAME = 1e-9  # relative; time constants in the file move a decay by its last places


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
        if target.scale.ndim == 0 and target.scale not in (1.0, entry.scale):  # 1: none was told
            raise NetworkError(
                f"node {entry.target!r}: the current from {entry.source!r} enters at a scale of "
                f"{entry.scale!r}, and the population's is {float(target.scale)!r}: the file was "
                "changed after it was quantised"
            )
        nodes[entry.name] = ToChip(target.shape, entry.scale)
        edges.remove((entry.source, entry.target))
        edges += [(entry.source, entry.name), (entry.name, entry.target)]
    made = plain.changed(nodes=nodes, edges=tuple(edges))
    check_edges(made)
    check_graph(plain, made)
    return made


def check_edges(network: Network) -> None:
    """NetworkError where real numbers reach the chip without being rounded, or a real population
    hears the chip's sums."""
    for source, target in network.edges:
        for start in carried_from(network, source):
            check_way(network, start, target)


def check_way(network: Network, start: str, target: str) -> None:
    """The same of one signal and one node that hears it."""
    node, hears = network.nodes[start], network.nodes[target]
    plain = isinstance(node, Input) and node.content == "spikes"
    chip = isinstance(node, ChipNeuron | ChipSynapse | ToChip)
    if isinstance(hears, ChipNeuron | ChipSynapse) and not (chip or plain):
        raise NetworkError(
            f"node {target!r} is on the chip and hears {start!r} ({node.kind}), whose numbers "
            "the metadata does not let enter: the file was changed after it was quantised"
        )
    if isinstance(hears, Neuron) and hears.spiking and isinstance(node, ChipSynapse):
        raise NetworkError(
            f"node {target!r} hears the chip's {start!r}, and the metadata holds no registers "
            "for it: the file was changed after it was quantised"
        )


def carried_from(network: Network, name: str) -> list[str]:
    """All that a signal comes from, before Flatten and Delay nodes, which hear sums and may be in
    a loop."""
    found: list[str] = []
    seen, waiting = {name}, [name]
    while waiting:
        name = waiting.pop()
        if not isinstance(network.nodes[name], Flatten | Delay):
            found.append(name)
            continue
        for source in network.sources[name]:
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return found


def check_graph(plain: Network, made: Network) -> None:
    """NetworkError where the graph in real numbers, which other tools run, is not what these
    integers give."""
    try:
        expected = dequantised(made)
    except SpikeportError as error:
        raise NetworkError(f"{error}: the file was changed after it was quantised") from None
    for name, node in plain.nodes.items():
        key = unlike(node, expected.nodes[name])
        if key:
            raise NetworkError(
                f"node {name!r}: {key} and the integers in the metadata disagree: the file was "
                "changed after it was quantised"
            )


def unlike(ours: Node, theirs: Node) -> str | None:
    """The first field in which two nodes differ by more than a file moves it."""
    for field in fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name, None)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            if a.ndim and b.ndim and a.shape != b.shape:
                return field.name
            if not np.allclose(a, b, rtol=SAME, atol=0):
                return field.name
        elif a is not b and (a is None or b is None or a != b):
            return field.name
    return None


def chip_synapse(name: str, node: Node | None, told: SynapseIntegers) -> ChipSynapse:
    """Whole weights from de-quantised ones."""
    if isinstance(node, SumPool2d):
        inner: Node = node
    elif isinstance(node, Linear | Conv):
        unit = scale_of(name, told.scale, (len(node.weight),), "output channels")
        unit = unit / 2.0**told.weight_exp
        bias = None
        if told.bias and node.bias is not None:
            bias = whole(name, "bias", node.bias * unit)
        units = node.weight * along(unit, node.weight)
        inner = replace(node, weight=frozen(whole(name, "weight", units)), bias=bias)
    else:
        raise NetworkError(f"metadata says that {name!r} is a chip synapse; the graph has none")
    mode = SignMode[told.sign_mode]
    try:
        return ChipSynapse(inner, told.weight_exp, told.weight_bits, mode, frozen(told.scale))
    except SpikeportError as error:
        raise type(error)(f"node {name!r}: {error}") from None


def scale_of(name: str, scale: float | list[Any], shape: Shape, what: str) -> Array:
    """A scale in the metadata; NetworkError unless it is positive, one number or one for each of
    `shape`, which are called `what`."""
    try:
        values = frozen(scale)
    except (ValueError, TypeError, OverflowError):
        values = np.zeros(0)
    if values.shape not in ((), shape) or not ((values > 0) & (values < np.inf)).all():
        raise NetworkError(
            f"node {name!r}: its scale in the metadata must be one positive number, or one for "
            f"each of its {' x '.join(map(str, shape))} {what}"
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


def chip_neuron(name: str, node: Node | None, told: NeuronIntegers) -> ChipNeuron:
    """Registers from the metadata; the graph's neuron gives shape and reset."""
    if not isinstance(node, Neuron):
        raise NetworkError(f"metadata says that {name!r} is a chip population; the graph has none")
    scale = scale_of(name, told.scale, node.shape, "neurons")
    try:
        return ChipNeuron(
            node.shape,
            registers(told.du),
            registers(told.dv),
            registers(told.vth),
            registers(told.bias_mant),
            told.bias_exp,
            None if told.current is None else registers(told.current),
            node.reset,
            node.refractory,
            scale,
            told.simulator_only,
        )
    except SpikeportError as error:
        raise type(error)(f"node {name!r}: {error}") from None


def registers(values: Whole) -> Numbers:
    """Whole numbers, as the file has them."""
    try:
        found = np.asarray(values)
    except ValueError:
        found = np.zeros(0, object)
    if found.dtype.kind != "i":
        raise NetworkError("a register in the metadata holds something other than whole numbers")
    return found.astype(np.int64)


def covers(told: ChipMetadata, names: Mapping[str, Any]) -> None:
    """NetworkError if the metadata speaks of nodes that are not there."""
    strangers = (set(told.synapses) | set(told.neurons)) - set(names)
    if strangers:
        raise NetworkError(f"metadata speaks of {sorted(strangers)}, which are not in the graph")
