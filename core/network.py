"""A network: nodes, edges and what the numbers mean. Immutable; whole or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from .chip_nodes import ChipNeuron, ChipSynapse, ToChip
from .errors import NetworkError
from .nodes import BatchNorm, Input, MaxPool2d, Neuron, Node, Output

Edge = tuple[str, str]
Readout = Literal["mean_t", "max_t", "sum_t", "count", "first_spike"]
NumberFormat = Literal["real", "loihi"]


@dataclass(frozen=True)
class Meaning:
    """What a graph by itself does not say (SEMANTICS). dt in seconds, None if unknown."""

    dt: float | None = None
    back_edge_at_t0: Literal["bias", "nothing"] = "bias"
    back_edges: tuple[Edge, ...] | None = None  # None: the depth-first rule finds them
    timing: Literal["aligned", "pipelined"] = "aligned"  # pipelined: a step a synapse, un-shifted
    readout: Readout | None = None
    steps: int | None = None  # T that the network was trained for
    trained_digest: str | None = None  # of the checkpoint's parameters


@dataclass(frozen=True)
class Network:
    """nodes by name; edges (source, target), several into one node are summed.

    origin: node -> the trained network's name for it; None for a node that a pass added. A node
    that is not listed is its own origin. history: the passes that made this network.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    meaning: Meaning = field(default_factory=Meaning)
    origin: Mapping[str, str | None] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        nodes = {str(name): self.nodes[name] for name in sorted(self.nodes)}
        object.__setattr__(self, "nodes", MappingProxyType(nodes))
        edges = tuple(sorted((str(a), str(b)) for a, b in self.edges))
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "origin", MappingProxyType(dict(self.origin)))
        validate(self)

    @cached_property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """Node -> the nodes whose outputs it sums, in name order."""
        return collect(self.nodes, ((b, a) for a, b in self.edges))

    @cached_property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """Node -> the nodes that its output goes to, in name order."""
        return collect(self.nodes, self.edges)

    def named(self, *kinds: type[Node]) -> tuple[str, ...]:
        """Names of the nodes of these classes, in name order."""
        return tuple(name for name, node in self.nodes.items() if isinstance(node, kinds))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self.named(Input)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self.named(Output)

    @property
    def spiking(self) -> tuple[str, ...]:
        """Names of the populations that spike."""
        return tuple(n for n, node in self.nodes.items() if spikes(node))

    @property
    def number_format(self) -> NumberFormat:
        """'loihi' once any node holds the chip's integers."""
        return "loihi" if self.named(ToChip, ChipSynapse, ChipNeuron) else "real"

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of the populations that spike, without those that a pass added."""
        return tuple(n for n in self.spiking if self.original(n) is not None)

    @property
    def scheduled(self) -> int | None:
        """How many steps every run must have, if a population's numbers change with them."""
        found = {node.schedule.steps for node in self.nodes.values() if scheduled(node)}  # type: ignore[attr-defined]
        return found.pop() if found else None

    @property
    def unlowered(self) -> tuple[str, ...]:
        """Names of the nodes that live only before lowering."""
        return self.named(BatchNorm, MaxPool2d)

    def original(self, name: str) -> str | None:
        """The trained network's name of a node; None if a pass added it."""
        return self.origin.get(name, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Network":
        """Nothing in it can change, so that it is its own copy."""
        return self

    def changed(self, **fields: Any) -> "Network":
        """A copy with other fields."""
        return replace(self, **fields)


def scheduled(node: Node) -> bool:
    """Whether the node's numbers change from step to step."""
    return isinstance(node, Neuron) and node.schedule is not None


def spikes(node: Node) -> bool:
    """Whether the node's output is spikes of its own."""
    return isinstance(node, Neuron | ChipNeuron) and node.spiking


def collect(nodes: Iterable[str], pairs: Iterable[Edge]) -> Mapping[str, tuple[str, ...]]:
    """Pairs gathered by their first name."""
    lists: dict[str, list[str]] = {name: [] for name in nodes}
    for first, second in pairs:
        lists[first].append(second)
    return MappingProxyType({name: tuple(sorted(found)) for name, found in lists.items()})


def validate(network: Network) -> None:
    """NetworkError unless the graph is whole: names, edges, numbers, an input and an output."""
    nodes = network.nodes
    for name, node in nodes.items():
        if not name or "/" in name:
            raise NetworkError(
                f"node name {name!r}: a name must not be empty or hold '/', since a .nir file "
                "that holds one cannot be read"
            )
        if node.not_finite is not None:
            key, bad, size = node.not_finite
            raise NetworkError(
                f"node {name!r} ({node.kind}): {key} holds {bad} of {size} "
                "numbers that are NaN or infinite; train again or mend the file"
            )
    for edge in network.edges:
        for end in edge:
            if end not in nodes:
                raise NetworkError(
                    f"edge {edge[0]!r} -> {edge[1]!r} names node {end!r}, which is not there; "
                    f"the nodes are {', '.join(nodes)}"
                )
    pairs = zip(network.edges, network.edges[1:], strict=False)
    twice = next((edge for edge, after in pairs if edge == after), None)  # they are in order
    if twice is not None:
        raise NetworkError(f"edge {twice[0]!r} -> {twice[1]!r} is there twice")
    for what, found in (("Input", network.inputs), ("Output", network.outputs)):
        if not found:
            raise NetworkError(f"the graph has no {what} node")
    if network.meaning.timing == "pipelined" and network.meaning.back_edges is not None:
        raise NetworkError(
            "timing is 'pipelined', where every edge out of a synapse carries the previous step, "
            "and the metadata lists back edges of its own; take out one of the two"
        )
    for edge in network.meaning.back_edges or ():
        if edge not in network.edges:
            raise NetworkError(f"back edge {edge[0]!r} -> {edge[1]!r} is not an edge")
    lengths = {n: node.schedule.steps for n, node in nodes.items() if scheduled(node)}  # type: ignore[attr-defined]
    if len(set(lengths.values())) > 1:
        raise NetworkError(f"schedules of different numbers of steps: {lengths}")
    dt = network.meaning.dt
    if dt is not None and not (np.isfinite(dt) and dt > 0):
        raise NetworkError(f"dt is {dt} s; a time step is a positive number of seconds")
    for name in network.outputs:
        if not network.sources[name]:
            raise NetworkError(f"Output {name!r} gets nothing: no edge leads to it")
    for name in network.inputs:
        if network.sources[name]:
            raise NetworkError(
                f"Input {name!r} has an edge into it, from {network.sources[name][0]!r}"
            )
