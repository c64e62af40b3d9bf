"""A network under other names for its nodes, such as the trained network's own."""

from collections.abc import Mapping
from dataclasses import replace

from ..core.errors import NetworkError
from ..core.network import Network


def renamed(network: Network, new: Mapping[str, str]) -> Network:
    """The network with other names for its nodes."""
    listed = network.meaning.back_edges
    back = None if listed is None else tuple((new[a], new[b]) for a, b in listed)
    return network.changed(
        nodes={new[name]: node for name, node in network.nodes.items()},
        edges=tuple((new[a], new[b]) for a, b in network.edges),
        origin={new[name]: network.original(name) for name in network.nodes},
        meaning=replace(network.meaning, back_edges=back),
    )


def under_original_names(network: Network) -> Network:
    """The network with the trained network's names; itself if it has them. A node that a pass
    added gives way. NetworkError where two are said to be the same one."""
    if all(network.original(name) in (None, name) for name in network.nodes):
        return network
    new: dict[str, str] = {}
    taken: set[str] = set()
    for name in network.nodes:
        original = network.original(name)
        if original is None:
            continue
        if original in taken:
            raise NetworkError(
                f"two nodes are both said to have been {original!r} of the trained network, "
                f"{name!r} among them; take 'origin' out of the metadata of one"
            )
        new[name] = original
        taken.add(original)
    for name in network.nodes:
        if name not in new:
            free = name
            while free in taken:
                free += "'"
            new[name] = free
            taken.add(free)
    return renamed(network, new)
