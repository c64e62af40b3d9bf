"""The same integers' scales for other weights: what was trained on a quantised network is written
at the scales, exponents and decays that the training kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ...core.arrays import Array, frozen
from ...core.chip_delays import hold_delays
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import QuantisationError
from ...core.network import Network
from ...core.nodes import Neuron, Node
from . import registers
from .layers import broadcast_bias
from .partition import Partition, partition
from .quantise import rebuilt

N = TypeVar("N", bound=Node)


@dataclass(frozen=True)
class Kept:
    """A population at a scale that was chosen before."""

    scale: Array
    neuron: ChipNeuron
    synapses: Mapping[str, ChipSynapse]


def at_scales(real: Network, chip: Network) -> Network:
    """`real` in the chip's integers, at the scales of `chip`, which holds a population and a
    synapse for each of its own; pools that only one of them has do not matter.

    QuantisationError names a node that `chip` does not have, or a number that does not fit.
    """
    parts = partition(real)
    hold_delays(real, parts.carriers)
    made = {name: population(real, parts, chip, name) for name in parts.populations}
    return rebuilt(real, parts, made)


def population(real: Network, parts: Partition, chip: Network, name: str) -> Kept:
    """One population with its synapses."""
    node = real.nodes[name]
    assert isinstance(node, Neuron)
    before = like(chip, name, ChipNeuron)
    synapses: dict[str, ChipSynapse] = {}
    bias: Array = np.zeros(())
    scale = before.scale
    for source in real.sources[name]:
        if source in parts.synapses:
            synapses[source] = synapse(real.nodes[source], chip, source)
            bias = bias + broadcast_bias(real.nodes[source], node.shape)
            scale = synapses[source].scale if synapses[source].scale.ndim else scale
    neuron = registers.neuron(name, node, scale, frozen(bias))
    return Kept(scale, replace(neuron, du=before.du, dv=before.dv, vth=before.vth), synapses)


def synapse(node: Node, chip: Network, name: str) -> ChipSynapse:
    """One synapse; a pool is its own."""
    if not isinstance(node, registers.Weighted):
        return ChipSynapse(node)
    before = like(chip, name, ChipSynapse)
    return registers.synapse_at(node, before.scale, before.weight_exp, before.weight_bits)


def like(chip: Network, name: str, kind: type[N]) -> N:
    """The node of that name; QuantisationError if there is none of its kind."""
    found = chip.nodes.get(name)
    if not isinstance(found, kind):
        what = "nothing" if found is None else found.kind
        raise QuantisationError(
            f"node {name!r} was not quantised before: the integer network has {what} there; "
            "quantise this network anew"
        )
    return found
