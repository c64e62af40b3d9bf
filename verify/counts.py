"""Counts of a run: spikes, synaptic operations, multiply-accumulates, neuron updates.

Synaptic operation: one spike arriving at one existing synapse (a weight that is not zero, true
borders). MAC: a graded or analogue value times a weight; analogue inputs count every existing
synapse at every step, graded messages only those that are not zero. A layer whose input does not
change in time can be computed once: `macs_once` counts it so. Pools hold no weights and count
nothing; what a pool hands on is graded. Counts are of the graph that the engine ran.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.arrays import Array, Numbers, Shape
from ..core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ..core.linear import apply, is_map
from ..core.network import Network
from ..core.nodes import BatchNorm, Conv, Delay, Input, Linear, Neuron, Node, Output
from ..core.schedule import Program, compile


@dataclass(frozen=True)
class LayerCounts:
    """One weighted layer over a run: totals over all samples and steps. host: the part of a
    quantised network that does not run on the chip."""

    synaptic_operations: float = 0.0
    macs: float = 0.0
    macs_once: float = 0.0
    host: bool = False

    def plus(self, other: "LayerCounts") -> "LayerCounts":
        """The sum of two runs."""
        return LayerCounts(
            self.synaptic_operations + other.synaptic_operations,
            self.macs + other.macs,
            self.macs_once + other.macs_once,
            self.host,
        )


def support(node: Linear | Conv) -> Array:
    """1 where there is a synapse."""
    there: Array = (node.weight != 0).astype(np.float64)
    return there


def fan_out(node: Linear | Conv, shape: Shape) -> Array:
    """How many synapses each input element reaches, [*shape], true borders."""
    there = support(node)
    if isinstance(node, Linear):
        return np.asarray(there.sum(axis=0))
    stride, padding, dilation = tuple(node.stride), tuple(node.padding), tuple(node.dilation)
    if node.weight.ndim == 3:  # one axis as two
        there, shape = there[:, :, None], (shape[0], 1, shape[1])
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    channels, height, width = shape
    per_in, per_out = channels // node.groups, len(there) // node.groups
    grouped = there.reshape(node.groups, per_out, per_in, *there.shape[2:]).sum(axis=1)
    reach = grouped.reshape(channels, *there.shape[2:])  # [C, ky, kx]: outputs per kernel place
    out = node.output_shape(shape if node.weight.ndim == 4 else (shape[0], shape[2]))
    rows, columns = (1, out[1]) if node.weight.ndim == 3 else (out[1], out[2])
    total = np.zeros((channels, height + 2 * padding[0], width + 2 * padding[1]))
    for ky in range(reach.shape[1]):
        for kx in range(reach.shape[2]):
            y, x = ky * dilation[0], kx * dilation[1]
            places = np.s_[
                :,
                y : y + rows * stride[0] : stride[0],
                x : x + columns * stride[1] : stride[1],
            ]
            total[places] += reach[:, ky, kx][:, None, None]
    inner = total[:, padding[0] : padding[0] + height, padding[1] : padding[1] + width]
    return np.asarray(inner.reshape(channels, -1) if node.weight.ndim == 3 else inner)


class Counter:
    """Counts runs of one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.program: Program = compile(network)
        self.kind = self.kinds()
        chip = network.number_format == "loihi"
        self.layers = {
            name: (weighted(node), chip and not isinstance(node, ChipSynapse))
            for name, node in network.nodes.items()
            if isinstance(weighted(node), Linear | Conv)
        }
        self.fan = {
            name: fan_out(layer, self.heard_shape(name))  # type: ignore[arg-type]
            for name, (layer, _) in self.layers.items()
        }

    def heard_shape(self, name: str) -> Shape:
        """Shape of what a node hears."""
        return self.program.shapes[self.network.sources[name][0]]

    def kinds(self) -> dict[str, str]:
        """What each node hands on: 'spikes' (0 or 1), 'graded' or 'analogue'."""
        said: dict[str, str] = {}
        for name in self.program.order:
            node = self.network.nodes[name]
            if isinstance(node, Input):
                said[name] = node.content
            elif isinstance(node, Neuron | ChipNeuron):
                said[name] = "spikes" if node.spiking else "analogue"
            else:
                heard = {said[s] for s in self.program.now[name]}
                if "analogue" in heard or isinstance(weighted(node), Linear | Conv | BatchNorm):
                    said[name] = "analogue"
                else:
                    plain = heard == {"spikes"} and len(self.network.sources[name]) == 1
                    said[name] = "spikes" if plain and carries(node) else "graded"
        return said

    def count(
        self, inputs: Mapping[str, Numbers], spikes: Mapping[str, Numbers]
    ) -> dict[str, LayerCounts]:
        """One run: inputs and every population's spikes, [T, B, *shape]."""
        steps, batch = next(iter(inputs.values())).shape[:2]
        unchanging = self.static(inputs)
        found = {}
        for name, (_, host) in self.layers.items():
            fan = self.fan[name]
            kinds = {self.kind[s] for s in self.network.sources[name]}
            if kinds == {"analogue"}:
                still = all(unchanging[s] for s in self.network.sources[name])
                dense = float(fan.sum()) * batch
                found[name] = LayerCounts(0.0, dense * steps, dense * (1 if still else steps), host)
                continue
            arrived = float((self.arriving(name, inputs, spikes) * fan).sum())
            if kinds == {"spikes"} and len(self.network.sources[name]) == 1:
                found[name] = LayerCounts(arrived, 0.0, 0.0, host)
            else:
                found[name] = LayerCounts(0.0, arrived, arrived, host)
        return found

    def arriving(
        self, name: str, inputs: Mapping[str, Numbers], spikes: Mapping[str, Numbers]
    ) -> Array:
        """How often each input element of a layer was not zero, over steps and samples."""
        (one, *more) = self.network.sources[name]
        said = self.said(one, inputs, spikes)
        for other in more:
            said = said + self.said(other, inputs, spikes)
        return np.asarray((said != 0).sum(axis=(0, 1)), np.float64)

    def said(
        self, name: str, inputs: Mapping[str, Numbers], spikes: Mapping[str, Numbers]
    ) -> Numbers:
        """What a node without weights handed on, [T, B, *shape]; a delay moves no count."""
        if name in inputs:
            return inputs[name]
        if name in spikes:
            return spikes[name]
        node = self.network.nodes[name]
        heard = self.said(self.network.sources[name][0], inputs, spikes)
        for source in self.network.sources[name][1:]:
            heard = heard + self.said(source, inputs, spikes)
        inner = node.synapse if isinstance(node, ChipSynapse) else node
        if not is_map(inner):
            return heard
        flat = np.asarray(heard.reshape(-1, *heard.shape[2:]), np.float64)
        given = apply(inner, flat)
        return given.reshape(*heard.shape[:2], *given.shape[1:])

    def static(self, inputs: Mapping[str, Numbers]) -> dict[str, bool]:
        """Whether what each node hands on comes from inputs that do not change in time."""
        still: dict[str, bool] = {}
        for name in self.program.order:
            node = self.network.nodes[name]
            if isinstance(node, Input):
                x = inputs[name]
                still[name] = len(x) > 1 and (x.strides[0] == 0 or bool((x == x[:1]).all()))
            elif isinstance(node, Neuron | ChipNeuron | Delay) or self.program.before[name]:
                still[name] = False
            else:
                still[name] = all(still[s] for s in self.program.now[name])
        return still


def weighted(node: Node) -> Node:
    """The node that holds the weights."""
    return node.synapse if isinstance(node, ChipSynapse) else node


def carries(node: Node) -> bool:
    """Whether a node hands on each number as it is."""
    return isinstance(node, Delay | Output | ToChip) or node.kind == "Flatten"
