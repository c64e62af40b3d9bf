"""A network as a graph of the nir package whose nodes 'inner.node' live in a graph within it."""

from typing import Any

import nir
import numpy as np

from ...core import store
from ...core.network import Edge, Network
from ...core.schedule import compile


def as_graph(network: Network, nested: bool = False) -> nir.NIRGraph:
    """The network with its metadata, as core.store writes it. nested: what has a dot in its name
    is in a graph of its own, which core.store's reader takes apart again."""
    flat = store.to_nir(network)
    if not nested:
        return flat
    shapes = compile(network).shapes
    return grouped(dict(flat.nodes), list(network.edges), "", shapes, flat.metadata)


def grouped(
    nodes: dict[str, Any], edges: list[Edge], prefix: str, shapes: Any, metadata: Any
) -> nir.NIRGraph:
    """A graph of these nodes, whose names go on behind `prefix`."""
    inner: dict[str, dict[str, Any]] = {}
    outer: dict[str, Any] = {}
    for name, node in nodes.items():
        head, dot, _ = name.removeprefix(prefix).partition(".")
        if dot:
            inner.setdefault(head, {})[name] = node
        else:
            outer[head] = node

    def short(name: str) -> str:
        return name.removeprefix(prefix).partition(".")[0]

    for head, members in inner.items():
        within = [(a, b) for a, b in edges if a in members and b in members]
        below = f"{prefix}{head}."
        entries = sorted({(a, b) for a, b in edges if a not in members and b in members})
        leaves = sorted({(a, b) for a, b in edges if a in members and b not in members})
        ports = {
            below + "input": nir.Input(np.array(shapes[entries[0][0]], np.int64)),
            below + "output": nir.Output(np.array(shapes[leaves[0][0]], np.int64)),
        }
        within += [(below + "input", b) for b in sorted({b for _, b in entries})]
        within += [(a, below + "output") for a in sorted({a for a, _ in leaves})]
        known = {**shapes, below + "input": shapes[entries[0][0]]}
        outer[head] = grouped({**members, **ports}, within, below, known, {})
    ends = {(short(a), short(b)) for a, b in edges}
    kept = sorted((a, b) for a, b in ends if not (a == b and a in inner))
    return nir.NIRGraph(nodes=outer, edges=kept, metadata=metadata, type_check=False)
