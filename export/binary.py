"""Which values of a graph are provably 0 or 1: what an OR or an AND of spikes may stand on."""

from collections.abc import Mapping, Sequence

from ..core.network import spikes
from ..core.nodes import Input, Node

HANDS_ON = ("Flatten", "Delay", "MaxPool2d")  # 0 and 1 in, 0 and 1 out


def binary(nodes: Mapping[str, Node], sources: Mapping[str, Sequence[str]], name: str) -> bool:
    """Whether a node's output is 0 or 1: spikes, also behind nodes that hand them on."""
    node = nodes[name]
    while node.kind in HANDS_ON and len(sources[name]) == 1:
        (name,) = sources[name]
        node = nodes[name]
    return spikes(node) or (isinstance(node, Input) and node.content == "spikes")
