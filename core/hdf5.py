"""The raw contents of .nir and .net files, and of NIR data, read with limits: files come from
strangers.

Only plain datasets and groups are followed, each under one name. Nothing is executed, no link
leaves the file, no numbers stand in another one, and nothing is read before its declared size,
unpacked, has been held against the size of the file.

Members are opened and read by h5py's low-level calls: its objects ask the library for the same
things several times, and a network is many small arrays.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from . import hdf5_damage
from .errors import NetworkError

MAX_NODES = 20_000
MAX_ITEMS = 10 * MAX_NODES  # groups and arrays
MAX_DEPTH = 8
MAX_RANK = 6
MAX_EDGES = 100_000
MAX_NAME = 1000  # characters of a name, or of a text that is no metadata
MAX_BYTES = 8 << 30  # of all arrays together, unpacked
FREE_BYTES = 128 << 20  # what the smallest file may unpack to
PACKED = 16  # a larger one: so many times its own size
TEXT = 8  # bytes that a character of text may come to, once it is understood
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
Read = TypeVar("Read")
Tree = dict[str, Any]  # a group: name -> array, number, text, or the Tree of a group in it


@dataclass
class RawGraph:
    """A graph as the file has it: node -> (type, fields) or a graph of its own."""

    nodes: dict[str, "tuple[str, dict[str, Any]] | RawGraph"] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


class Dataset:
    """A dataset by its id, with what is asked of it before it is read."""

    def __init__(self, member: Any) -> None:
        space = member.get_space()
        none = space.get_simple_extent_type() == h5py.h5s.NULL
        self.id = member
        self.dtype: Any = member.dtype
        self.shape: Any = None if none else space.get_simple_extent_dims()
        self.chunks: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Where it stands in the file."""
        return str(h5py.h5i.get_name(self.id).decode("utf8", "replace"))

    def read(self) -> Any:
        """All of it: an array, or its only number or text."""
        values = np.zeros(self.shape, self.dtype)
        if values.size:
            self.id.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        values.flags.writeable = False  # whoever keeps it need not copy it
        return values[()]


class Reader:
    """Walks one file and keeps count of what it has promised so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.bytes = 0
        self.nodes = 0
        self.items = 0
        self.seen: dict[int, tuple[int, str]] = {}  # where an object lies -> its group, its name

    def read(self) -> RawGraph:
        """The graph in a .nir file; NetworkError says what is wrong with it."""
        return self.opened(".nir", self.only_graph)

    def tree(self) -> Tree:
        """Everything in a .net file; NetworkError says what is wrong with it."""
        return self.opened(".net", lambda file: self.members(file, 0))

    def data(self, take: Callable[[Any], Read]) -> Read:
        """What `take` makes of the top group of a file of NIR data."""
        return self.opened("NIR data", take)

    def opened(self, kind: str, take: Callable[[Any], Read]) -> Read:
        """What `take` finds in the file."""
        if not self.path.is_file():
            raise NetworkError(f"no file {self.path}")
        self.size = self.path.stat().st_size
        try:
            hdf5_damage.check(self.path, kind)
            with h5py.File(self.path, "r") as file:
                return take(file)
        except NetworkError as error:
            raise self.fail(str(error)) from None
        except MemoryError:
            raise self.fail("does not fit into memory") from None
        except Exception as error:  # h5py raises whatever a broken file makes it raise
            raise self.fail(
                f"not a readable {kind} (HDF5) file, truncated or damaged: {str(error)[:MAX_NAME]}"
            ) from None

    def fail(self, what: str) -> NetworkError:
        """An error that names the file."""
        return NetworkError(f"{self.path}: {what}")

    # --- groups ------------------------------------------------------------------------------

    def only_graph(self, file: Any) -> RawGraph:
        """The group that every .nir file holds."""
        if "node" not in file:
            raise NetworkError("no group 'node'; this is not a .nir file")
        return self.graph(self.group(file, "node"), 0)

    def members(self, group: Any, depth: int) -> Tree:
        """A group with all that is in it."""
        if depth > MAX_DEPTH:
            raise NetworkError(f"groups are nested more than {MAX_DEPTH} deep")
        found: Tree = {}
        for name in self.names(group):
            member = self.item(group, name)
            inner = isinstance(member, h5py.h5g.GroupID)
            found[name] = (
                self.members(h5py.Group(member), depth + 1)
                if inner
                else self.content(self.dataset(group, name, member))
            )
        return found

    def names(self, group: Any) -> Iterator[str]:
        """The names in a group, counted."""
        self.items += len(group)
        if self.items > MAX_ITEMS:
            raise NetworkError(f"holds over {MAX_ITEMS} groups and arrays")
        for name in group:
            if len(name) > MAX_NAME or not name.isprintable():
                raise NetworkError(
                    f"a name in {group.name[:MAX_NAME]!a} has {len(name)} characters, or some that "
                    f"cannot be printed; up to {MAX_NAME} printable ones can be read: {name[:40]!a}"
                )
            yield name

    def item(self, group: Any, name: str) -> Any:
        """The id of a member, through hard links only, and always by the same name."""
        key = name.encode()
        links = group.id.links
        if not links.exists(key) or links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise NetworkError(f"{group.name}/{name} is missing or a link out of its place")
        found = h5py.h5o.open(group.id, key)
        place = (group.id.id, name)
        other = self.seen.setdefault(h5py.h5o.get_info(found).addr, place)
        if other != place:
            raise NetworkError(
                f"{group.name}/{name} is {other[1]!r} under another name; write it twice"
            )
        return found

    def group(self, group: Any, name: str) -> Any:
        """A member that must be a group."""
        found = self.item(group, name)
        if not isinstance(found, h5py.h5g.GroupID):
            raise NetworkError(f"{group.name}/{name} is not a group")
        return h5py.Group(found)

    def attribute(self, group: Any, name: str) -> Any:
        """A number or a text that stands beside a group, unpacked always."""
        key = name.encode()
        if not h5py.h5a.exists(group.id, key):
            raise NetworkError(f"{group.name} has no attribute {name!r}")
        found = h5py.h5a.open(group.id, key)
        if found.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
            raise NetworkError(f"attribute {name!r} of {group.name} is no single number or text")
        value = group.attrs[name]
        if isinstance(value, str | np.number) and len(str(value)) <= MAX_NAME:
            return value
        raise NetworkError(f"attribute {name!r} of {group.name} is neither a number nor a text")

    # --- datasets ----------------------------------------------------------------------------

    def value(self, group: Any, name: str, longest: int = MAX_NAME) -> Any:
        """A member that must be a dataset of numbers or text: array, number or str. longest:
        characters of a text."""
        return self.content(self.dataset(group, name, self.item(group, name)), longest)

    def content(self, found: "Dataset", longest: int = MAX_NAME) -> Any:
        """All of a dataset, as value() gives it."""
        text = h5py.check_string_dtype(found.dtype)
        if text is None:
            if found.dtype.kind not in "biuf":
                raise NetworkError(f"{found.name} holds {found.dtype}; numbers or text are meant")
            self.promise(found, max(found.dtype.itemsize, 8))  # they become float64
            return found.read()
        if text.length is not None:
            self.promise(found, text.length * TEXT)
            got = found.read()
        elif found.shape:
            got = self.texts(found, longest)
        else:  # it lies in the file as it is, so that it is no longer than the file
            got = found.read()
            self.spend(found, len(got) * TEXT)
        for word in [got] if isinstance(got, bytes) else got.ravel()[:MAX_EDGES]:
            if len(word) > longest:
                raise NetworkError(
                    f"{found.name} holds a text of {len(word)} characters, over {longest}"
                )
        return got.decode("utf8") if isinstance(got, bytes) else got

    def dataset(self, group: Any, name: str, member: Any) -> "Dataset":
        """A member, given its id, that must be a dataset whose numbers stand in this file."""
        if not isinstance(member, h5py.h5d.DatasetID):
            raise NetworkError(f"{group.name}/{name} is not a dataset")
        found = Dataset(member)
        if found.shape is None or len(found.shape) > MAX_RANK:
            raise NetworkError(f"{found.name} has shape {found.shape}; at most {MAX_RANK} axes")
        how = member.get_create_plist()
        layout = how.get_layout()
        if layout == h5py.h5d.VIRTUAL or how.get_external_count():
            raise NetworkError(f"{found.name} has its contents in another file; copy them into it")
        if layout == h5py.h5d.CHUNKED:
            found.chunks = how.get_chunk()
            for i in range(how.get_nfilters()):
                if how.get_filter(i)[0] not in FILTERS:
                    raise NetworkError(
                        f"{found.name} is packed by filter {how.get_filter(i)[0]}; what can be "
                        "read is " + ", ".join(FILTERS.values())
                    )
        return found

    def promise(self, found: "Dataset", each: int) -> None:
        """Count what a dataset unpacks to: all of it, or one of the chunks that it comes in.
        each: bytes of an element."""
        whole, chunk = (math.prod(max(n, 1) for n in s) for s in (found.shape, found.chunks))
        self.spend(found, max(whole, chunk) * each)

    def spend(self, found: "Dataset", size: int) -> None:
        """NetworkError once the file unpacks to more than fits its size."""
        self.bytes += size
        limit = min(MAX_BYTES, max(FREE_BYTES, PACKED * self.size))
        if self.bytes > limit:
            raise NetworkError(
                f"{found.name} brings what it declares to {self.bytes / (1 << 20):.0f} MiB; a file "
                f"of {self.size / (1 << 20):.3g} MiB may hold {limit / (1 << 20):.0f} MiB (up to "
                f"{PACKED} times its size and {MAX_BYTES >> 30} GiB)"
            )

    def texts(self, found: "Dataset", longest: int) -> Any:
        """Texts of any length, read in parts: thousands may be one and the same long one, which
        the file holds once. Each is no longer than the file."""
        count = math.prod(max(n, 1) for n in found.shape)
        if len(found.shape) > 2 or count > 2 * MAX_EDGES:
            raise NetworkError(
                f"{found.name} holds {count} texts in shape {found.shape}; at most {MAX_EDGES} rows"
            )
        self.promise(found, 64)
        length = found.shape[0]
        rows = max(1, FREE_BYTES // 4 // max(self.size, 1) // max(count // max(length, 1), 1))
        whole, parts = h5py.Dataset(found.id), []
        for start in range(0, length, rows):
            part = whole[start : start + rows]
            self.spend(found, sum(len(word) for word in part.ravel()) * TEXT)
            parts.append(part)
        return np.concatenate(parts) if parts else np.zeros(found.shape, object)

    # --- graphs ------------------------------------------------------------------------------

    def graph(self, group: Any, depth: int) -> RawGraph:
        """A group that holds a graph."""
        if depth > MAX_DEPTH:
            raise NetworkError(f"graphs are nested more than {MAX_DEPTH} deep")
        kind = self.type(group)
        if kind != "NIRGraph":
            raise NetworkError(f"{group.name} has type {kind!r}; a NIRGraph is meant")
        raw = RawGraph(edges=self.edges(group))
        members = self.group(group, "nodes")
        self.nodes += len(members)
        if self.nodes > MAX_NODES:
            raise NetworkError(f"holds over {MAX_NODES} nodes")
        for name in self.names(members):
            member = self.group(members, name)
            kind = self.type(member)
            if kind == "NIRGraph":
                raw.nodes[name] = self.graph(member, depth + 1)
            else:
                raw.nodes[name] = kind, self.fields(member)
        if "metadata" in group:
            raw.metadata = self.plain(self.group(group, "metadata"))
        return raw

    def type(self, group: Any) -> str:
        """The type of a node or graph, one word."""
        kind = self.value(group, "type")
        if not isinstance(kind, str) or len(kind) > 40:
            raise NetworkError(f"{group.name}/type is not the name of a type")
        return kind

    def fields(self, group: Any) -> dict[str, Any]:
        """A node's fields; its own metadata is not ours to interpret."""
        names = [n for n in self.names(group) if n not in ("type", "metadata")]
        return {name: self.value(group, name) for name in names}

    def edges(self, group: Any) -> list[tuple[str, str]]:
        """Pairs of names."""
        if "edges" not in group:
            raise NetworkError(f"{group.name} has no 'edges'")
        found = self.dataset(group, "edges", self.item(group, "edges"))
        if found.shape and found.shape[0] > MAX_EDGES:
            raise NetworkError(f"holds {found.shape[0]} edges, over {MAX_EDGES}")
        table = np.asarray(self.content(found))
        if table.size == 0:
            return []
        if table.ndim != 2 or table.shape[1] != 2:
            raise NetworkError(f"edges have shape {list(table.shape)}; [edges, 2] is meant")
        names = [[n.decode("utf8") if isinstance(n, bytes) else str(n) for n in r] for r in table]
        return [(a, b) for a, b in names]

    def plain(self, group: Any) -> dict[str, Any]:
        """Metadata: the text and numbers directly in the group; {} for a group in it."""
        members = {name: self.item(group, name) for name in self.names(group)}
        return {
            name: self.content(self.dataset(group, name, member), self.size)
            if isinstance(member, h5py.h5d.DatasetID)
            else {}
            for name, member in members.items()
        }
