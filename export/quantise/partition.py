"""Which part of a network runs on the chip.

The chip takes every spiking population, and every weighted layer between spikes and a
population. The host keeps what computes with analogue values before the first population (the
encoder) and all that comes after the last one (the readout).
"""

from dataclasses import dataclass

from ...core.errors import QuantisationError
from ...core.network import Network
from ...core.nodes import Conv, Delay, Flatten, Input, Linear, Neuron, SumPool2d

CARRIES = Flatten | Delay  # pass on what they hear, number by number


@dataclass(frozen=True)
class Partition:
    """populations, synapses: nodes that become chip nodes. carriers: Flatten and Delay nodes on
    the chip. entries: (host node, population or carrier on the chip) edges where a current
    enters."""

    populations: tuple[str, ...]
    synapses: tuple[str, ...]
    carriers: tuple[str, ...]
    entries: tuple[tuple[str, str], ...]


def partition(network: Network) -> Partition:
    """Split the network; QuantisationError names a node that belongs to neither side."""
    populations = network.spiking
    leads = leading_to(network, populations)
    signal = contents(network)
    synapses, carriers = [], []
    for name in sorted(leads):
        node = network.nodes[name]
        if isinstance(node, Neuron):
            if not node.spiking:
                raise QuantisationError(
                    f"node {name!r} ({node.kind}) does not spike but feeds spiking neurons; the "
                    "chip has no such neuron"
                )
            continue
        if isinstance(node, Input) or signal[name] == "analogue":
            continue
        if signal[name] == "mixed":
            raise QuantisationError(
                f"node {name!r} ({node.kind}) hears spikes and analogue values; give each a "
                "layer of its own"
            )
        if isinstance(node, Linear | Conv | SumPool2d):
            synapses.append(name)
        elif isinstance(node, CARRIES):
            carriers.append(name)
        else:
            raise QuantisationError(
                f"node {name!r} ({node.kind}) lies between spikes and neurons, and the chip has "
                "no such node; lower it first"
            )
    on_chip = {*populations, *synapses, *carriers}
    entries = tuple(
        (a, b)
        for a, b in network.edges
        if b in on_chip and a not in on_chip and not spikes_enter(network, a)
    )
    for source, target in entries:
        if target not in populations:
            raise QuantisationError(
                f"{source!r} sends analogue values into {target!r}, which is on the chip"
            )
    return Partition(populations, tuple(synapses), tuple(carriers), entries)


def spikes_enter(network: Network, name: str) -> bool:
    """Whether a node outside of the chip hands over plain spikes."""
    node = network.nodes[name]
    return isinstance(node, Input) and node.content == "spikes"


def leading_to(network: Network, populations: tuple[str, ...]) -> set[str]:
    """The nodes from which a population can be reached."""
    found: set[str] = set()
    waiting = list(populations)
    while waiting:
        for source in network.sources[waiting.pop()]:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found | set(populations)


def contents(network: Network) -> dict[str, str]:
    """What each node hears at bottom: 'spikes', 'analogue', 'mixed', or '' for nothing.
    Spikes and sums of spikes count as spikes."""
    said: dict[str, set[str]] = {name: own_content(network, name) for name in network.nodes}
    heard: dict[str, set[str]] = {name: set() for name in network.nodes}
    grown = True
    while grown:  # sets only grow, so this ends; once a loop has been gone round
        grown = False
        for name, sources in network.sources.items():
            found = set().union(*(said[s] for s in sources))
            grown |= found != heard[name]
            heard[name] = found
            if not own_content(network, name):
                said[name] = found
    named = {n: kinds or own_content(network, n) for n, kinds in heard.items()}
    return {n: "mixed" if len(k) > 1 else "".join(k) for n, k in named.items()}


def own_content(network: Network, name: str) -> set[str]:
    """What a node says whatever it hears; empty if that depends."""
    node = network.nodes[name]
    if isinstance(node, Input):
        return {node.content}
    if isinstance(node, Neuron):
        return {"spikes" if node.spiking else "analogue"}
    return set()
