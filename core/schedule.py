"""Network -> Program: the order of the nodes, the shapes, and who hears whom at which step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .arrays import Shape
from .chip_nodes import ChipNeuron, ToChip, hop
from .errors import NetworkError
from .network import Edge, Network
from .nodes import Input, Neuron, Output


@dataclass(frozen=True)
class Program:
    """A network that can be stepped.

    order: every node after all whose output it uses in the same step. now, before: node -> the
    sources it hears in this step, and those of which it hears the previous step (back edges).
    shapes: node -> shape of its output.
    """

    network: Network
    order: tuple[str, ...]
    shapes: Mapping[str, Shape]
    now: Mapping[str, tuple[str, ...]]
    before: Mapping[str, tuple[str, ...]]
    back_edges: frozenset[Edge]


def compile(network: Network) -> Program:  # noqa: A001  the usual word for it
    """Order the network; NetworkError if its loops or shapes have no clear meaning."""
    back = find_back_edges(network)
    order = sort(network, back)
    forward = {
        name: tuple(s for s in found if (s, name) not in back)
        for name, found in network.sources.items()
    }
    backward = {
        name: tuple(s for s in found if (s, name) in back)
        for name, found in network.sources.items()
    }
    return Program(network, order, infer(network, order, back), forward, backward, back)


def find_back_edges(network: Network) -> frozenset[Edge]:
    """The edges that carry the previous step's values.

    Of a pipelined network every edge out of a synapse: its sum is heard one step later. Else
    those that the metadata lists; else, depth-first from each Input, the edges into a node on the
    current path. If another Input, or another order of walking, would cut the loops elsewhere, the
    graph is ambiguous and is refused: no order does where every way from the Input to such an edge
    leads through the node that the edge ends at (a reducible flow graph: M. S. Hecht and J. D.
    Ullman, 1974). So names decide nothing.
    """
    if network.meaning.timing == "pipelined":
        return frozenset(e for e in network.edges if hop(network.nodes[e[0]]))
    if network.meaning.back_edges is not None:
        return frozenset(network.meaning.back_edges)
    decided: dict[Edge, bool] = {}
    for root in network.inputs:
        seen, cut = walk(network, root)
        past = {target: reached(network, root, around=target) for _, target in cut}
        for edge in network.edges:
            if edge[0] not in seen:
                continue
            late = edge in cut
            if (late and edge[0] in past[edge[1]]) or decided.setdefault(edge, late) != late:
                raise NetworkError(
                    f"edge {edge[0]!r} -> {edge[1]!r} closes a loop that could be cut in "
                    "more than one way, and which edge carries the previous step's spikes "
                    "changes the result; list the back edges in metadata 'back_edges'"
                )
    return frozenset(edge for edge, cut in decided.items() if cut)


def walk(network: Network, root: str) -> tuple[set[str], set[Edge]]:
    """Depth-first from an Input: the nodes seen, and the edges into the path."""
    seen = {root}
    path = {root}
    cut: set[Edge] = set()
    stack: list[tuple[str, Iterator[str]]] = [(root, iter(network.targets[root]))]
    while stack:
        name, ahead = stack[-1]
        child = next(ahead, None)
        if child is None:
            stack.pop()
            path.discard(name)
        elif child in path:
            cut.add((name, child))
        elif child not in seen:
            seen.add(child)
            path.add(child)
            stack.append((child, iter(network.targets[child])))
    return seen, cut


def reached(network: Network, name: str, around: str | None = None) -> set[str]:
    """The nodes that a node's output comes to, by ways around another one."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        for target in network.targets[ahead.pop()]:
            if target not in seen and target != around:
                seen.add(target)
                ahead.append(target)
    return seen


def sort(network: Network, back: frozenset[Edge]) -> tuple[str, ...]:
    """Topological order without the back edges, by name where there is a choice."""
    waiting = {
        name: {s for s in found if (s, name) not in back} for name, found in network.sources.items()
    }
    order: list[str] = []
    ready = [name for name, missing in waiting.items() if not missing]
    for name in ready:
        if not isinstance(network.nodes[name], Input) and not network.sources[name]:
            raise NetworkError(
                f"node {name!r} ({network.nodes[name].kind}) gets nothing: no edge leads to it"
            )
    while ready:
        name = ready.pop(0)
        order.append(name)
        for target in network.targets[name]:
            if (name, target) not in back and name in waiting[target]:
                waiting[target].discard(name)
                if not waiting[target]:
                    ready.append(target)
    left = sorted(set(network.nodes) - set(order))
    if left and network.meaning.timing == "pipelined":
        raise NetworkError(
            f"a loop through {', '.join(left)} crosses no synapse, and where timing is "
            "'pipelined' only a synapse takes a step; put one into it"
        )
    if left:
        raise NetworkError(
            f"a loop through {', '.join(left)} is not cut by any back edge: no Input leads to "
            "it, or the listed back edges miss it"
        )
    return tuple(order)


def infer(network: Network, order: Sequence[str], back: frozenset[Edge]) -> Mapping[str, Shape]:
    """Shape of every node's output, each edge checked. NIR's own inference is not used: it is
    wrong for kernels that are not square and for groups."""
    shapes: dict[str, Shape] = {}

    def checked(name: str, source: str) -> Shape:
        node = network.nodes[name]
        try:
            return node.output_shape(shapes[source])
        except NetworkError as error:
            raise NetworkError(f"node {name!r} ({node.kind}) {error}, from {source!r}") from None

    def known(name: str, sources: Sequence[str]) -> bool:
        """Find the node's shape, if those of its sources say it."""
        node = network.nodes[name]
        found = {checked(name, source) for source in sources if source in shapes}
        if len(found) > 1:
            raise NetworkError(f"node {name!r} sums signals of different shapes: {found}")
        if not found and isinstance(node, Input | Output | Neuron | ChipNeuron | ToChip):
            found = {node.shape}
        if found:
            shapes[name] = found.pop()
        return name in shapes

    late = [
        name
        for name in order
        if not known(name, [s for s in network.sources[name] if (s, name) not in back])
    ]
    while late:  # they hear previous steps only
        left = [name for name in late if not known(name, network.sources[name])]
        if left == late:
            raise NetworkError(
                f"node {left[0]!r} ({network.nodes[left[0]].kind}) hears only previous steps of "
                "nodes that hear it, so its shape is unknown"
            )
        late = left
    for source, name in network.edges:
        if checked(name, source) != shapes[name]:
            raise NetworkError(
                f"node {name!r} sums signals of different shapes: {shapes[name]} and "
                f"{checked(name, source)}, from {source!r}"
            )
    return shapes
