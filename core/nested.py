"""Graphs within graphs, as a file has them, made one graph."""

from collections.abc import Mapping
from typing import Any

from .errors import NetworkError
from .hdf5 import MAX_EDGES, RawGraph

Node = tuple[str, dict[str, Any]]
Edges = list[tuple[str, str]]


def flattened(raw: RawGraph) -> RawGraph:
    """The graph without nested graphs: `inner` of `outer` becomes 'outer.inner', and the inner
    Input and Output nodes give way to direct edges."""
    flat = RawGraph(metadata=raw.metadata)
    entry: dict[str, str] = {}
    leave: dict[str, str] = {}
    for name, node in raw.nodes.items():
        if not isinstance(node, RawGraph):
            flat.nodes[name] = node
            continue
        inner = flattened(node)
        for ports, kind in ((entry, "Input"), (leave, "Output")):
            found = [n for n, made in inner.nodes.items() if port(made, kind)]
            if len(found) != 1:
                raise NetworkError(
                    f"nested graph {name!r} has {len(found)} {kind} nodes; one can be joined to "
                    "the graph around it"
                )
            ports[name] = f"{name}.{found[0]}"
        for inner_name, made in inner.nodes.items():
            joined = f"{name}.{inner_name}"
            if joined in flat.nodes or joined in raw.nodes:
                raise NetworkError(f"two nodes would be called {joined!r}")
            flat.nodes[joined] = made
        flat.edges += [(f"{name}.{a}", f"{name}.{b}") for a, b in inner.edges]
    flat.edges += [(leave.get(a, a), entry.get(b, b)) for a, b in raw.edges]
    hidden = (*entry.values(), *leave.values())
    flat.edges = bypassed(flat.edges, hidden)
    for name in hidden:
        del flat.nodes[name]
    return flat


def port(made: Any, kind: str) -> bool:
    """Whether a raw node is an Input or Output."""
    return isinstance(made, tuple) and made[0] == kind


def bypassed(edges: Edges, hidden: tuple[str, ...]) -> Edges:
    """The edges without these nodes: what came into one goes on to where it went. An edge that
    is there several times stays so."""
    into: dict[str, list[str]] = {name: [] for name in hidden}
    out: dict[str, list[str]] = {name: [] for name in hidden}
    plain: Edges = []
    for source, target in edges:
        if target in into:
            into[target].append(source)
        if source in out:
            out[source].append(target)
        if target not in into and source not in out:
            plain.append((source, target))
    made = len(edges)
    for name in hidden:
        sources, targets = into[name], out[name]
        made += len(sources) * len(targets)
        if name in sources:
            raise NetworkError(f"port {name!r} of a nested graph leads to itself, past any node")
        if made > MAX_EDGES:
            raise NetworkError(f"joining the nested graphs gives over {MAX_EDGES} edges")
        for target in targets:
            if target in into:
                into[target] = [s for s in into[target] if s != name] + sources
        for source in sources:
            if source in out:
                out[source] = [t for t in out[source] if t != name] + targets
        plain += [(s, t) for s in sources for t in targets if s not in out and t not in into]
    return plain


def nodes_of(flat: RawGraph) -> Mapping[str, Node]:
    """The nodes of a graph without nested graphs."""
    return {n: made for n, made in flat.nodes.items() if not isinstance(made, RawGraph)}
