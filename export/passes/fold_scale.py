"""A Scale goes into its neighbours, for engines that have none: into the weights behind it, those
before it, or the gains of the populations that hear it. Exact."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import Array, frozen
from ...core.network import Network
from ...core.nodes import Conv, Linear, Neuron, Node, Scale
from ...core.schedule import compile
from .edit import (
    per_channel,
    readers,
    scaled_inputs,
    scaled_outputs,
    weighted_sources,
    with_nodes,
    without,
)


@dataclass(frozen=True)
class FoldScale:
    """y = s x: whoever hears y alone can hear x with weights, or a gain, times s; or who speaks to
    it alone can say s x. A Scale for which neither holds stays, and the engine's own check names
    it; so does one with a listed back edge, which must keep its name."""

    name: str = "fold_scale"

    def apply(self, network: Network) -> Network:
        """Every Scale whose neighbours can take it."""
        for name in network.named(Scale):
            scale = network.nodes[name]
            assert isinstance(scale, Scale)
            if any(name in edge for edge in network.meaning.back_edges or ()):
                continue
            changes = behind(network, name, scale) or before(network, name, scale)
            if changes:
                network = without(with_nodes(network, changes), name)
        return network


def behind(network: Network, name: str, scale: Scale) -> dict[str, Node] | None:
    """Those that hear the Scale, through Flattens, with its factor in them."""
    found = readers(network, name)
    if not found:
        return None
    shapes = compile(network).shapes
    changes: dict[str, Node] = {}
    for reader, way in found:
        if len(network.sources[reader]) > 1 or reader in changes:
            return None  # what else it hears has no such factor
        shape = shapes[way[-1]] if way else shapes[name]
        taken = taking(network.nodes[reader], scale.scale.reshape(shape))
        if taken is None:
            return None
        changes[reader] = taken
    return changes


def taking(node: Node, factor: Array) -> Node | None:
    """The node with its input multiplied by factor [*shape], or None."""
    if isinstance(node, Linear):
        return replace(node, weight=frozen(node.weight * factor))
    if isinstance(node, Conv):
        each = per_channel(factor, len(factor))
        return None if each is None else scaled_inputs(node, each)
    if isinstance(node, Neuron) and not node.memoryless:
        what = "gain_v" if node.decay_u is None else "gain_u"
        return replace(node, **{what: frozen(getattr(node, what) * factor)})  # type: ignore[arg-type]
    return None


def before(network: Network, name: str, scale: Scale) -> dict[str, Node] | None:
    """The weights that speak to the Scale alone, with its factor in them."""
    sources: Sequence[str] = weighted_sources(network, name) or ()
    changes: dict[str, Node] = {}
    for source in sources:
        node = network.nodes[source]
        assert isinstance(node, Linear | Conv)
        each = per_channel(np.asarray(scale.scale), len(node.weight))
        if each is None:
            return None
        changes[source] = scaled_outputs(node, each)
    return changes or None
