"""When each layer runs on an engine that takes one step for every synapse crossed.

A value of time t of node n is there at chip step t + shift[n]. An edge may be made to wait for
extra steps; a back edge wins one step, a Delay node as many as it holds at least. Whether shifts
exist at all is a question about loops: one through m synapses must be cut by m steps of back
edges and delays, else the network cannot be timed and is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import NetworkError
from .network import Edge
from .nodes import Delay, Node
from .schedule import Program


@dataclass(frozen=True)
class Pipeline:
    """shift: node -> steps by which its output is late. wait: edge -> extra steps on it.
    depth: the largest shift of all; an engine runs T + depth steps."""

    shift: Mapping[str, int]
    wait: Mapping[Edge, int]
    depth: int


def pipeline(program: Program, hop: Callable[[Node], int]) -> Pipeline:
    """The smallest shifts. hop(node): the steps that the engine takes to cross the node."""
    network = program.network
    cost: dict[Edge, int] = {}
    for source, target in network.edges:
        node = network.nodes[target]
        won = node.least if isinstance(node, Delay) else 0
        cost[source, target] = hop(node) - won - ((source, target) in program.back_edges)
    shift = dict.fromkeys(network.nodes, 0)
    parent: dict[str, str] = {}
    for _ in range(len(network.nodes) + 1):
        late = {
            edge: shift[edge[0]] + steps
            for edge, steps in cost.items()
            if shift[edge[0]] + steps > shift[edge[1]]
        }
        if not late:
            wait = {(a, b): shift[b] - shift[a] - steps for (a, b), steps in cost.items()}
            return Pipeline(shift, wait, max(shift.values()))
        for (source, target), steps in late.items():
            shift[target] = max(shift[target], steps)
            parent[target] = source
    last = next(iter(late))[1]  # still moving after as many rounds as nodes: a loop feeds it
    raise NetworkError(describe(program, parent, last, hop))


def describe(
    program: Program, parent: Mapping[str, str], name: str, hop: Callable[[Node], int]
) -> str:
    """The loop that cannot be timed, in words."""
    for _ in parent:  # walk back until certainly inside the loop
        name = parent[name]
    loop = [name]
    while (before := parent[loop[-1]]) != name:
        loop.append(before)
    loop.reverse()
    nodes = program.network.nodes
    crossed = sum(hop(nodes[n]) for n in loop)
    edges = zip(loop, loop[1:] + loop[:1], strict=True)
    held = sum(node.least for n in loop if isinstance(node := nodes[n], Delay))
    held += sum(edge in program.back_edges for edge in edges)
    return (
        f"the loop {' -> '.join([*loop, loop[0]])} crosses {crossed} synapses, each of which takes "
        f"a step on this engine, but its back edges and delays hold {held}; it cannot be timed "
        f"exactly. Give the loop {crossed - held} more steps of delay in training, or run it on "
        "an engine that is not pipelined"
    )
