"""Files that mean harm, one by one; tests/fuzz makes them by the thousand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from spikeport.core import store
from spikeport.core.errors import NetworkError
from spikeport.core.hdf5 import RawGraph
from spikeport.core.nested import bypassed, flattened

WEIGHT = "node/nodes/fc/weight"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is read."""
    shape = np.array([2])
    nodes = {"in": nir.Input(shape), "fc": nir.Linear(np.ones((2, 2))), "out": nir.Output(shape)}
    nir.write(tmp_path / "a.nir", nir.NIRGraph(nodes, [("in", "fc"), ("fc", "out")]))
    store.read(tmp_path / "a.nir")
    return tmp_path / "a.nir"


def refused(path: Path, change: Callable[[Any], None], match: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(NetworkError, match=match):
        store.read(path)


def put(name: str, **how: Any) -> Callable[[Any], None]:
    """Another dataset in the place of one."""

    def change(file: Any) -> None:
        del file[name]
        file.create_dataset(name, **how)

    return change


def test_a_heap_that_would_be_walked_for_ever(path: Path) -> None:
    """An entry of the room that is left, which takes no room."""
    data = bytearray(path.read_bytes())
    start = data.index(b"GCOL\x01")
    data[start + 16 : start + 32] = bytes(16)
    path.write_bytes(data)
    with pytest.raises(NetworkError, match=rf"heap of texts at byte {start} is damaged"):
        store.read(path)


@pytest.mark.parametrize(
    "how",
    [
        {"shape": (1 << 14, 1 << 11), "dtype": "f8"},
        {"shape": (1 << 14, 1 << 11), "dtype": "i1"},  # they become float64
        {"shape": (1, 1), "dtype": "f8", "maxshape": (1, None), "chunks": (1, 1 << 25)},
        {"data": np.ones((1 << 12, 1 << 13)), "compression": "gzip"},
        {"shape": (1 << 40, 0), "dtype": "f8"},
        {"shape": (4,), "dtype": f"S{1 << 25}"},
    ],
    ids=["declared", "bytes", "chunk", "packed", "none", "text"],
)
def test_a_small_file_unpacks_to_little(path: Path, how: dict[str, Any]) -> None:
    refused(path, put(WEIGHT, **how), r"a file of 0\.\d+ MiB may hold 128 MiB")


def test_a_name_that_is_many(path: Path) -> None:
    how: Any = {"compression": "gzip", "chunks": (1000, 2), "fillvalue": "n" * 900}
    how |= {"shape": (100_000, 2), "dtype": h5py.string_dtype()}
    refused(path, put("node/edges", **how), "may hold 128 MiB")


@pytest.mark.parametrize("where", ["elsewhere", "virtual"])
def test_numbers_of_another_file(path: Path, where: str) -> None:
    def change(file: Any) -> None:
        del file[WEIGHT]
        if where == "elsewhere":
            secret = path.with_name("secret")
            secret.write_bytes(np.ones((2, 2)).tobytes())
            external = [(str(secret), 0, 32)]
            file.create_dataset(WEIGHT, shape=(2, 2), dtype="f8", external=external)
        else:
            layout = h5py.VirtualLayout(shape=(2, 2), dtype="f8")
            layout[:] = h5py.VirtualSource("other.nir", "x", shape=(2, 2))
            file.create_virtual_dataset(WEIGHT, layout)

    refused(path, change, "weight has its contents in another file")


def test_one_object_of_two_names(path: Path) -> None:
    def change(file: Any) -> None:
        file["node/nodes/again"] = file["node/nodes/fc"]

    refused(path, change, "/node/nodes/fc is 'again' under another name")


def test_a_group_within_itself(path: Path) -> None:
    def change(file: Any) -> None:
        file["node/nodes/deeper"] = file["node"]

    refused(path, change, "under another name")


def test_links_in_a_circle(path: Path) -> None:
    def change(file: Any) -> None:
        del file["node/nodes/fc"]
        file["node/nodes/fc"] = h5py.SoftLink("/node/nodes/other")
        file["node/nodes/other"] = h5py.SoftLink("/node/nodes/fc")

    refused(path, change, "missing or a link out of its place")


def test_a_rare_filter(path: Path) -> None:
    how: Any = {"data": np.ones((2, 2), int), "chunks": (2, 2), "scaleoffset": 3}
    refused(path, put(WEIGHT, **how), "packed by filter 6; what can be read is gzip")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.array([np.inf]), "not of whole numbers from 1 to 2"),
        (np.array([-2]), "not of whole numbers from 1 to 2"),
        (np.ones((2, 1)), r"shape is an array \[2, 1\]"),
        (np.ones(100_000), r"shape is an array \[100000\]"),
    ],
)
def test_shapes(path: Path, values: Any, match: str) -> None:
    refused(path, put("node/nodes/in/shape", data=values), match)


# --- graphs within graphs --------------------------------------------------------------------


def test_ports_in_a_row() -> None:
    """Two ports side by side give way to one edge, and sums to all of theirs."""
    edges = [("a", "p"), ("b", "p"), ("p", "q"), ("q", "c"), ("q", "d"), ("a", "c")]
    wanted = [("a", "c"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]
    for hidden in (("p", "q"), ("q", "p")):
        assert sorted(bypassed(edges, hidden)) == wanted


def test_a_port_that_leads_to_itself() -> None:
    with pytest.raises(NetworkError, match="'q' of a nested graph leads to itself"):
        bypassed([("a", "p"), ("p", "q"), ("q", "p"), ("q", "b")], ("p", "q"))


def test_ports_that_multiply_edges() -> None:
    """A chain of graphs that are nothing but ports: their edges grow as a power."""
    raw = RawGraph()
    for i in range(6):
        for j in range(40):
            ports: Any = {"in": ("Input", {}), "out": ("Output", {})}
            raw.nodes[f"{i}-{j}"] = RawGraph(ports, [("in", "out")])
            raw.edges += [(f"{i - 1}-{k}", f"{i}-{j}") for k in range(40 if i else 0)]
    raw.nodes |= {"a": ("Input", {}), "b": ("Output", {})}
    raw.edges += [("a", f"0-{k}") for k in range(40)] + [(f"5-{k}", "b") for k in range(40)]
    with pytest.raises(NetworkError, match="gives over 100000 edges"):
        flattened(raw)
