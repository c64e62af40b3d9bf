"""Delays that the chip's 6-bit field holds."""

from collections.abc import Iterable

from . import loihi
from .chip_read import carried_from
from .network import Network
from .nodes import Delay, Input


def hold_delays(network: Network, names: Iterable[str]) -> None:
    """QuantisationError names a Delay of these nodes that no synapse can wait for. Inputs are the
    host's, which sends their spikes when they are due."""
    for name in names:
        node = network.nodes[name]
        if not isinstance(node, Delay):
            continue
        if not all(isinstance(network.nodes[n], Input) for n in carried_from(network, name)):
            loihi.in_range(f"node {name!r}", "delay", node.steps)
