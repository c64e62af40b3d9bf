"""Mutations of what a file says: well-formed HDF5 that means nothing, or harm."""

import json
import math
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import h5py
import numpy as np

Change = Callable[[Any, Any], None]  # (random generator, open file) -> changed in place
NAMES = ("x", "type", "weight", "lif", "input", "é", "..", " ", "a" * 300, "a.b", "metadata")
KINDS = (
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay Threshold "
    "I LI IF LIF CubaLI CubaLIF NIRGraph Softmax"
).split()
ODD = (np.nan, np.inf, -np.inf, -1, 0, 1e308, -1e308, 5e-324, 2**31, 2**63, 0.5, 1e18, 7)
DTYPES = (
    "?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", "g", "c16", "S4", "V8", ">f8", ">i2",
    [("a", "f8"), ("b", "i4")], ("f8", (3,)), h5py.string_dtype(), h5py.vlen_dtype(np.float64),
    h5py.ref_dtype, h5py.regionref_dtype, h5py.enum_dtype({"A": 0, "B": 1}),
)  # fmt: skip
MOST = 1 << 20  # numbers
LARGE = ((1 << 20, 1 << 20), (1 << 62,), (1 << 31, 2), (300, 1000, 1000), (1 << 27,), (1 << 40, 0))


def members(file: Any) -> list[str]:
    """Paths of everything in the file."""
    names: list[str] = []
    file.visit(names.append)
    return names


def some(random: Any, file: Any, kind: Any = object) -> str:
    """A member of a kind."""
    names = [n for n in members(file) if isinstance(file[n], kind)]
    return names[int(random.integers(len(names)))]


def dataset(random: Any, file: Any) -> str:
    return some(random, file, h5py.Dataset)


def content(file: Any, name: str) -> Any:
    """All of a dataset; ValueError for one that a change before made huge."""
    if (file[name].size or 0) > MOST:
        raise ValueError(f"{name} is too large to be changed")
    return file[name][()]


def put(file: Any, name: str, **how: Any) -> None:
    """Another dataset in the place of a member."""
    del file[name]
    file.create_dataset(name, **how)


# --- names and links -------------------------------------------------------------------------


def rename(random: Any, file: Any) -> None:
    name = some(random, file)
    folder = name.rpartition("/")[0]
    file.move(name, f"{folder}/{NAMES[random.integers(len(NAMES))]}")


def remove(random: Any, file: Any) -> None:
    del file[some(random, file)]


def swap(random: Any, file: Any) -> None:
    one, other = some(random, file), some(random, file)
    file.move(one, "aside")
    file.move(other, one)
    file.move("aside", other)


def soft_link(random: Any, file: Any) -> None:
    """To another member, to itself, or to nothing."""
    name, other = some(random, file), some(random, file)
    del file[name]
    file[name] = h5py.SoftLink([f"/{other}", f"/{name}", "/nowhere"][random.integers(3)])


def soft_cycle(random: Any, file: Any) -> None:
    one, other = some(random, file), some(random, file)
    del file[one]
    if other in file:
        del file[other]
    file[one], file[other] = h5py.SoftLink(f"/{other}"), h5py.SoftLink(f"/{one}")


def hard_link(random: Any, file: Any) -> None:
    """A second name, which may be inside the group itself."""
    group = file[some(random, file, h5py.Group)]
    group[f"again{random.integers(5)}"] = file[some(random, file)]


def many_names(random: Any, file: Any) -> None:
    """A graph of thousands of nodes that are one."""
    nodes = file.require_group("node/nodes")
    node = file[some(random, file, h5py.Group)]
    for i in range(1000):
        nodes[f"again{i}"] = node


def external_link(random: Any, file: Any) -> None:
    name = some(random, file)
    del file[name]
    file[name] = h5py.ExternalLink(["nowhere.nir", "/etc/passwd", "."][random.integers(3)], "node")


def deep(random: Any, file: Any) -> None:
    """Graphs within graphs within graphs."""
    group = file.require_group("node/nodes")
    for _ in range(int(random.choice([5, 9, 200]))):
        group = group.create_group("deeper")
        group["type"] = "NIRGraph"
        group.create_dataset("edges", shape=(0, 2), dtype=h5py.string_dtype())
        group = group.create_group("nodes")


def group_for_dataset(random: Any, file: Any) -> None:
    name = dataset(random, file)
    del file[name]
    file.create_group(name)


def dataset_for_group(random: Any, file: Any) -> None:
    put(file, some(random, file, h5py.Group), data=1.0)


# --- what a dataset is -----------------------------------------------------------------------


def dtype(random: Any, file: Any) -> None:
    """The same shape in another type."""
    name = dataset(random, file)
    put(file, name, shape=file[name].shape, dtype=DTYPES[random.integers(len(DTYPES))])


def cast(random: Any, file: Any) -> None:
    """The same numbers in another type of numbers."""
    name = dataset(random, file)
    values = content(file, name)
    put(
        file,
        name,
        data=np.asarray(values, "S" if random.random() < 0.2 else random.choice(list("?bBhIfd"))),
    )


def shape(random: Any, file: Any) -> None:
    """Another shape of the same numbers, or of more, or of none."""
    name = dataset(random, file)
    values = np.asarray(content(file, name))
    numbers = values if values.dtype.kind in "biuf" else np.arange(6.0)
    changed = (
        numbers.ravel(), numbers[None], numbers[..., None], numbers.T, numbers.ravel()[:1],
        numbers.ravel()[:0], np.float64(1.5), np.resize(numbers, (2, 3, 1, 2)),
        np.resize(numbers, (1,) * 9), np.resize(numbers, 40), np.resize(numbers, (0, 3)),
    )  # fmt: skip
    put(file, name, data=changed[random.integers(len(changed))])


def empty(random: Any, file: Any) -> None:
    put(file, dataset(random, file), data=h5py.Empty("f8"))


def values(random: Any, file: Any) -> None:
    """Numbers that no one meant."""
    name = dataset(random, file)
    there = np.asarray(content(file, name))
    if there.dtype.kind not in "biuf":
        there = np.zeros(3)
    changed = np.array(there, np.float64)
    odd = ODD[random.integers(len(ODD))]
    if random.random() < 0.5 or not changed.ndim or not changed.size:
        changed[...] = odd
    else:
        changed.flat[random.integers(changed.size)] = odd
    whole = np.isfinite(odd) and abs(odd) < 2**62 and random.random() < 0.5
    put(file, name, data=changed.astype(np.int64) if whole else changed)


def text(random: Any, file: Any) -> None:
    """A text where something else is, or other text."""
    words = (b"\xff\xfe", b"", b"same", b"NIRGraph", b"1e5", b"0" * 100_000, "é".encode())
    name = dataset(random, file)
    word = words[random.integers(len(words))]
    put(file, name, data=word if random.random() < 0.5 else np.array([word] * 3, "S"))


def kind(random: Any, file: Any) -> None:
    """A node of another type."""
    names = [n for n in members(file) if n.endswith("/type")]
    put(file, names[random.integers(len(names))], data=KINDS[random.integers(len(KINDS))])


# --- sizes -----------------------------------------------------------------------------------


def huge(random: Any, file: Any) -> None:
    """Declared, and nothing stored."""
    how = {"chunks": True} if random.random() < 0.5 else {}
    dtypes = ("f8", "i1", "S16", h5py.string_dtype())
    what = dtypes[random.integers(len(dtypes))]
    put(file, dataset(random, file), shape=LARGE[random.integers(len(LARGE))], dtype=what, **how)


def long_texts(random: Any, file: Any) -> None:
    put(file, dataset(random, file), shape=(4,), dtype=f"S{(1 << 31) - 1}")


@cache
def packed(unit: bytes, size: int) -> bytes:
    """So many bytes of a unit in turns, packed once for all mutants."""
    return zlib.compress(unit * (size // len(unit)), 1)


def bomb(random: Any, file: Any) -> None:
    """Much that is packed well: of one number, or of two in turns, within what may be declared
    or over it; in a hundred chunks, or in one, of which a single number may be wanted."""
    chunk = int(random.choice([1 << 17, 1 << 20, 1 << 24]))  # numbers
    count = int(random.choice([1, chunk, 15 << 20, 33 << 20]))
    count = max(count // chunk, 1) * chunk if count > 1 else 1
    name, code = dataset(random, file), str(random.choice(["i1", "f8"]))
    numbers = np.array([[1, 1], [0, 1]][random.integers(2)], code)
    old = file[name].shape or ()
    rest = old[1:] if random.random() < 0.7 and count % max(math.prod(old[1:]), 1) == 0 else ()
    rest = rest if 0 not in rest and chunk % max(math.prod(rest), 1) == 0 else ()
    each = math.prod(rest)
    shape, chunks = (max(count // each, 1), *rest), (chunk // each, *rest)
    size = {"maxshape": (None, *rest), "chunks": chunks, "compression": "gzip"}
    put(file, name, shape=shape, dtype=code, **size)
    data = packed(numbers.tobytes(), chunk * numbers.itemsize)
    for start in range(0, shape[0], chunks[0]):
        file[name].id.write_direct_chunk((start, *(0 for _ in rest)), data)


def packed_text(random: Any, file: Any) -> None:
    """A text of millions of brackets, within what may be declared or over it."""
    units = (b"[", b"[1,", b'{"a":', b"[],", b"[1],", b'"",', b"0.5,")
    unit = units[random.integers(len(units))]
    size = int(random.choice([10 << 20, 24 << 20])) // len(unit) * len(unit)
    name = "node/metadata/spikeport" if random.random() < 0.5 else dataset(random, file)
    if name in file:
        del file[name]
    how = {"chunks": (1,), "compression": "gzip"}
    made = file.create_dataset(name, (1,), h5py.string_dtype(length=size), **how)
    made.id.write_direct_chunk((0,), packed(unit, size))


def same_text(random: Any, file: Any) -> None:
    """Millions of names that are one, packed well."""
    names = [n for n in members(file) if n.endswith("edges")] or [dataset(random, file)]
    name = names[random.integers(len(names))]
    rows = int(random.choice([1000, 100_000]))
    put(
        file, name, shape=(rows, 2), dtype=h5py.string_dtype(), compression="gzip",
        chunks=(min(rows, 10_000), 2), fillvalue="n" * int(random.choice([3, 3000])),
    )  # fmt: skip


def edges(random: Any, file: Any) -> None:
    """Other edges: doubled, turned, to strangers, all to all."""
    names = [n for n in members(file) if n.endswith("edges")]
    name = names[random.integers(len(names))]
    there = [tuple(str(w, "utf8", "replace") for w in row) for row in file[name][()]]
    known = [*file[name.replace("edges", "nodes")], "stranger", ""]
    what = random.integers(5)
    if what == 0:
        there += there[:1]
    elif what == 1:
        there = [(b, a) for a, b in there]
    elif what == 2:
        there = [(a, b) for a in known for b in known]
    else:
        there += [tuple(known[i] for i in random.integers(len(known), size=2)) for _ in range(what)]
    random.shuffle(there)
    put(file, name, data=np.array(there, dtype=object), dtype=h5py.string_dtype())


def elsewhere(random: Any, file: Any) -> None:
    """Numbers that stand in another file."""
    name = dataset(random, file)
    places = ("/etc/passwd", "/proc/self/environ", "nowhere")
    place = places[random.integers(3)]
    if random.random() < 0.5:
        return put(file, name, shape=(64,), dtype="i1", external=[(place, 0, 64)])
    del file[name]
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource("." if place == "nowhere" else place, "node/w", shape=(4,))
    file.create_virtual_dataset(name, layout)


def filtered(random: Any, file: Any) -> None:
    """Packed by something rare."""
    name = dataset(random, file)
    how: Any = [{"scaleoffset": 3}, {"compression": "lzf"}, {"fletcher32": True}][
        random.integers(3)
    ]
    put(file, name, data=np.arange(64), chunks=(64,), **how)


# --- our metadata ----------------------------------------------------------------------------

JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**400, float("nan"), float("inf"), 1e308, "", "subtract", "x" * 5000,
    [], {}, [[]], [1, [2]], [[1, 2], [3]], ["a"], [None], {"a": 1}, [[[[[[[[1]]]]]]]], [0.5] * 4,
    [["in", "in"]], [["in"]], [1e308] * 5, [2**63] * 4, {"lif": {}}, [0] * 8, 4095, [10**30] * 8,
)  # fmt: skip


def places(told: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a JSON value."""
    keys = told if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ()
    here = [(told, key) for key in keys]
    return here + [place for key in keys for place in places(told[key])]


def metadata(random: Any, file: Any) -> None:
    """Our annotation says something else. Half of the time the digest is taken out, so that
    nothing but the meaning can be refused."""
    name = "node/metadata/spikeport"
    told = json.loads(file[name][()])
    if random.random() < 0.5:
        told["digest"] = None
    for _ in range(int(random.integers(1, 3))):
        all_places = places(told)
        where, key = all_places[random.integers(len(all_places))]
        junk = JUNK[random.integers(len(JUNK))]
        what = random.random()
        if what < 0.2:
            del where[key]
        elif what < 0.3 and isinstance(where, dict):
            where["surprise" if random.random() < 0.5 else "dt"] = junk
        else:
            where[key] = junk
    put(file, name, data=json.dumps(told))


def without_digest(random: Any, file: Any) -> None:
    """Whatever else is changed can be refused for its meaning only."""
    name = "node/metadata/spikeport"
    told = json.loads(file[name][()])
    told["digest"] = None
    put(file, name, data=json.dumps(told))


def without_metadata(random: Any, file: Any) -> None:
    del file["node/metadata"]


CHANGES: tuple[Change, ...] = (
    rename, remove, swap, soft_link, soft_cycle, hard_link, many_names, external_link, deep,
    group_for_dataset, dataset_for_group, dtype, cast, shape, empty, values, text, kind, huge,
    long_texts, bomb, packed_text, same_text, edges, elsewhere, filtered, metadata,
    metadata, metadata, values, values, shape, edges,
)  # fmt: skip
FIRST: tuple[Change, ...] = (without_digest, without_metadata)
