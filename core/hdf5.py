"""The raw contents of .nir and .net files, read with limits: files come from strangers.

Only plain datasets and groups are followed. Nothing is executed, no link leaves the file, and
no array is read before its declared size has been seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from .errors import NetworkError

MAX_NODES = 20_000
MAX_DEPTH = 8
MAX_RANK = 6
MAX_BYTES = 8 << 30  # of all arrays together, unpacked
MAX_EDGES = 1_000_000
Read = TypeVar("Read")
Tree = dict[str, Any]  # a group: name -> array, number, text, or the Tree of a group in it


@dataclass
class RawGraph:
    """A graph as the file has it: node -> (type, fields) or a graph of its own."""

    nodes: dict[str, "tuple[str, dict[str, Any]] | RawGraph"] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


class Reader:
    """Walks one file and keeps count of what it has promised so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.nodes = 0

    def read(self) -> RawGraph:
        """The graph in a .nir file; NetworkError says what is wrong with it."""
        return self.opened(".nir", self.only_graph)

    def tree(self) -> Tree:
        """Everything in a .net file; NetworkError says what is wrong with it."""
        return self.opened(".net", lambda file: self.members(file, 0))

    def opened(self, kind: str, take: Callable[[Any], Read]) -> Read:
        """What `take` finds in the file."""
        if not self.path.is_file():
            raise NetworkError(f"no file {self.path}")
        try:
            with h5py.File(self.path, "r") as file:
                return take(file)
        except NetworkError:
            raise
        except MemoryError:
            raise NetworkError(f"{self.path}: does not fit into memory") from None
        except Exception as error:  # h5py raises whatever a broken file makes it raise
            raise NetworkError(
                f"{self.path}: not a readable {kind} (HDF5) file, truncated or damaged: {error}"
            ) from None

    def only_graph(self, file: Any) -> RawGraph:
        """The group that every .nir file holds."""
        if "node" not in file:
            raise NetworkError(f"{self.path}: no group 'node'; this is not a .nir file")
        return self.graph(self.group(file, "node"), 0)

    def members(self, group: Any, depth: int) -> Tree:
        """A group with all that is in it."""
        if depth > MAX_DEPTH:
            raise self.fail(f"groups are nested more than {MAX_DEPTH} deep")
        self.nodes += len(group)
        if self.nodes > MAX_NODES:
            raise self.fail(f"holds over {MAX_NODES} groups and arrays")
        found: Tree = {}
        for name in group:
            member = self.item(group, name)
            inner = isinstance(member, h5py.Group)
            found[name] = self.members(member, depth + 1) if inner else self.value(group, name)
        return found

    def fail(self, what: str) -> NetworkError:
        """An error that names the file."""
        return NetworkError(f"{self.path}: {what}")

    def item(self, group: Any, name: str) -> Any:
        """A member of the group, through hard links only."""
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise self.fail(f"{group.name}/{name} is missing or a link out of its place")
        return group[name]

    def group(self, group: Any, name: str) -> Any:
        """A member that must be a group."""
        found = self.item(group, name)
        if not isinstance(found, h5py.Group):
            raise self.fail(f"{group.name}/{name} is not a group")
        return found

    def value(self, group: Any, name: str) -> Any:
        """A member that must be a dataset of numbers or text: array, number or str."""
        found = self.item(group, name)
        if not isinstance(found, h5py.Dataset):
            raise self.fail(f"{group.name}/{name} is not a dataset")
        if found.shape is None or len(found.shape) > MAX_RANK:
            raise self.fail(f"{found.name} has shape {found.shape}; at most {MAX_RANK} axes")
        size = int(np.prod(found.shape, dtype=object)) * max(found.dtype.itemsize, 1)
        self.bytes += size
        if self.bytes > MAX_BYTES:
            raise self.fail(f"declares over {MAX_BYTES >> 30} GiB of numbers")
        text = h5py.check_string_dtype(found.dtype)
        if text is None and found.dtype.kind not in "biuf":
            raise self.fail(f"{found.name} holds {found.dtype}; numbers or text are meant")
        got = found[()]
        return got.decode("utf8") if isinstance(got, bytes) else got

    def graph(self, group: Any, depth: int) -> RawGraph:
        """A group that holds a graph."""
        if depth > MAX_DEPTH:
            raise self.fail(f"graphs are nested more than {MAX_DEPTH} deep")
        kind = self.value(group, "type")
        if kind != "NIRGraph":
            raise self.fail(f"{group.name} has type {kind!r}; a NIRGraph is meant")
        raw = RawGraph(edges=self.edges(group))
        members = self.group(group, "nodes")
        self.nodes += len(members)
        if self.nodes > MAX_NODES:
            raise self.fail(f"holds over {MAX_NODES} nodes")
        for name in members:
            member = self.group(members, name)
            if self.value(member, "type") == "NIRGraph":
                raw.nodes[name] = self.graph(member, depth + 1)
            else:
                raw.nodes[name] = self.node(member)
        if "metadata" in group:
            raw.metadata = self.plain(self.group(group, "metadata"))
        return raw

    def node(self, group: Any) -> tuple[str, dict[str, Any]]:
        """A node's type and fields; its own metadata is not ours to interpret."""
        fields = {n: self.value(group, n) for n in group if n not in ("type", "metadata")}
        return str(self.value(group, "type")), fields

    def edges(self, group: Any) -> list[tuple[str, str]]:
        """Pairs of names."""
        if "edges" not in group:
            raise self.fail(f"{group.name} has no 'edges'")
        found = self.item(group, "edges")
        count = found.shape[0] if isinstance(found, h5py.Dataset) and found.shape else 0
        if count > MAX_EDGES:
            raise self.fail(f"holds {count} edges, over {MAX_EDGES}")
        table = np.asarray(self.value(group, "edges"))
        if table.size == 0:
            return []
        if table.ndim != 2 or table.shape[1] != 2:
            raise self.fail(f"edges have shape {list(table.shape)}; [edges, 2] is meant")
        names = [[n.decode("utf8") if isinstance(n, bytes) else str(n) for n in r] for r in table]
        return [(a, b) for a, b in names]

    def plain(self, group: Any) -> dict[str, Any]:
        """Metadata: the text and numbers directly in the group."""
        return {
            name: self.value(group, name)
            for name in group
            if isinstance(self.item(group, name), h5py.Dataset)
        }


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
    for hidden in (*entry.values(), *leave.values()):
        bypass(flat, hidden)
    return flat


def port(made: Any, kind: str) -> bool:
    """Whether a raw node is an Input or Output."""
    return isinstance(made, tuple) and made[0] == kind


def bypass(flat: RawGraph, name: str) -> None:
    """Take a node out; what came in goes on to where it went."""
    before = [a for a, b in flat.edges if b == name]
    after = [b for a, b in flat.edges if a == name]
    flat.edges = [edge for edge in flat.edges if name not in edge]
    flat.edges += [(a, b) for a in before for b in after]
    del flat.nodes[name]


def nodes_of(flat: RawGraph) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """The nodes of a graph without nested graphs."""
    return {n: made for n, made in flat.nodes.items() if not isinstance(made, RawGraph)}
