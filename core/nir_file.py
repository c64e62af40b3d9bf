"""Network -> .nir file: a graph of the nir package, whose contents are written, so that every tool
can read them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nir
import numpy as np

from . import hdf5_write
from .annotation import annotation, as_fields, digest_of, plain
from .errors import NetworkError
from .files import on_disk, written_whole
from .metadata import KEY
from .network import Network

Contents = dict[str, Any]  # of a graph, as nir's own to_dict() gives them


def to_nir(network: Network) -> nir.NIRGraph:
    """The network as a graph of the nir package, metadata included. Not type-checked: nir's own
    check is wrong for kernels that are not square and for groups."""
    return graph_of(network, lambda value: value)


def graph_of(network: Network, handed: Callable[[Any], Any]) -> nir.NIRGraph:
    """The same; handed: what nir gets for a field's value."""
    # first, since they refuse by name what cannot be written
    told, found, edges = annotation(network), as_fields(network), plain(network).edges
    told = told.model_copy(update={"digest": digest_of(found, edges, told.text())})
    nodes = {
        name: nir_node(kind, {key: handed(value) for key, value in fields.items()})
        for name, (kind, fields) in found.items()
    }
    return nir.NIRGraph(
        nodes=nodes,
        edges=list(edges),
        metadata={KEY: told.text()},
        type_check=False,
    )


def nir_node(kind: str, fields: Mapping[str, Any]) -> Any:
    """An object of the nir package."""
    if kind in ("Input", "Output"):
        return getattr(nir, kind)(fields["shape"])
    return getattr(nir, kind)(**fields)


def contents(network: Network) -> Contents:
    """What a file of the network holds. Not to be changed: its arrays are the network's own."""
    told: Contents = graph_of(network, Shared.of).to_dict()
    return told


class Shared(np.ndarray[Any, Any]):
    """An array that is its own copy: nir makes several of everything on its way to a dictionary."""

    @classmethod
    def of(cls, value: Any) -> Any:
        """The same numbers, not copied."""
        return value.view(cls) if isinstance(value, np.ndarray) else value

    def __deepcopy__(self, memo: dict[int, Any] | None) -> "Shared":
        return self


def write(network: Network, path: str | Path) -> None:
    """Write a .nir file, whole or not at all."""
    write_contents(contents(network), path)


def write_contents(
    told: Contents,
    path: str | Path,
    nir_version: str | None = None,
    proof: Callable[[], object] | None = None,
) -> None:
    """Write contents, whole or not at all. nir_version: '1.0.4' for readers up to that one, which
    know no v_reset; NetworkError if a node needs one. proof: is waited for before the file takes
    its place; if it raises, there is no file."""
    if nir_version is not None:
        told = told | {"nodes": {n: without_v_reset(n, node) for n, node in told["nodes"].items()}}
    with written_whole(path) as part:
        hdf5_write.write(part, nir_version or nir.version, told)
        if proof is not None:
            on_disk(part)  # while the proof goes on
            proof()


def without_v_reset(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """A node as nir up to 1.0.4 reads it: such readers reset to 0."""
    values = np.asarray(node.get("v_reset", 0))
    if values.any():
        raise NetworkError(
            f"node {name!r} resets to {float(values[values != 0][0]):g}, and files of nir 1.0.4 "
            "have no v_reset: its readers would reset to 0; write it for a newer nir"
        )
    return {key: value for key, value in node.items() if key != "v_reset"}


def plainly_readable(path: str | Path) -> str | None:
    """None if nir.read takes the file as it is; else what nir's own type check says."""
    return complaint(lambda: nir.read(path))


def plainly_typed(told: Contents) -> str | None:
    """The same of contents: what nir.read makes of a file once it has them."""
    return complaint(lambda: nir.dict2NIRNode(copied(told)))


def copied(told: Mapping[str, Any]) -> Contents:
    """Dictionaries of their own around the same arrays: nir takes out what it has read."""
    return {k: copied(v) if isinstance(v, Mapping) else v for k, v in told.items()}


def complaint(make: Callable[[], object]) -> str | None:
    """What nir says while it makes a graph."""
    try:
        make()
    except Exception as error:  # nir raises whatever its check meets
        return str(error) or repr(error)
    return None
