"""Network -> NIR's types and fields, our metadata, and the digest over both."""

import hashlib
import json
from typing import Any

import numpy as np

from . import chip_store
from .errors import NetworkError, SpikeportError
from .metadata import Metadata, NodeMetadata
from .network import Edge, Network
from .nir_write import fields_of, metadata_of
from .nodes import Node
from .schedule import compile


def annotation(network: Network) -> Metadata:
    """The metadata of a network, without the digest."""
    meaning = network.meaning
    chip = None
    if network.number_format == "loihi":
        chip = chip_store.annotation(network)
        network = plain(network)
    nodes: dict[str, NodeMetadata] = {}
    for name, node in network.nodes.items():
        about = metadata_of(node)
        origin = network.original(name)
        if origin != name:
            about = about.model_copy(update={"origin": origin, "added": origin is None})
        if about != NodeMetadata():
            nodes[name] = about
    return Metadata(
        dt=meaning.dt,
        if_r="step" if meaning.dt is None else "ode",
        timing=meaning.timing,
        back_edge_at_t0=meaning.back_edge_at_t0,
        back_edges=None if meaning.back_edges is None else list(meaning.back_edges),
        readout=meaning.readout,
        steps=meaning.steps,
        input={n: network.nodes[n].content for n in network.inputs},  # type: ignore[attr-defined]
        history=list(network.history),
        trained_digest=meaning.trained_digest,
        number_format="real" if chip is None else "loihi",
        chip=chip,
        nodes=nodes,
    )


def plain(network: Network) -> Network:
    """What is written of a network: itself, or a quantised one in de-quantised numbers."""
    return network if network.number_format == "real" else chip_store.dequantised(network)


def as_fields(network: Network) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every node as NIR's type and fields; UnsupportedNode names one that NIR does not have."""
    network = plain(network)
    shapes = input_shapes(network)
    found = {}
    for name, node in network.nodes.items():
        try:
            found[name] = fields_of(node, shapes[name], network.meaning.dt)
        except SpikeportError as error:
            raise type(error)(f"node {name!r}: {error}") from None
    return found


def input_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Node -> shape of what it takes."""
    shapes = compile(network).shapes
    return {
        name: shapes[found[0]] if found else shapes[name] for name, found in network.sources.items()
    }


def digest(network: Network) -> str:
    """sha256 over the nodes by name (type, fields, numbers), the edges and the metadata. A chip
    network that NIR has no numbers for is taken with its own."""
    try:
        return digest_of(as_fields(network), plain(network).edges, annotation(network).text())
    except NetworkError:
        if network.number_format == "real":
            raise
        return digest_of(own_fields(network), network.edges, repr(network.meaning))


def digest_of(
    nodes: dict[str, tuple[str, dict[str, Any]]], edges: tuple[Edge, ...], told: str
) -> str:
    """The same of a network's parts; told: the metadata without a digest."""
    seen = hashlib.sha256()
    for name, (kind, fields) in nodes.items():
        for key in sorted(fields):
            array = np.ascontiguousarray(fields[key])
            if array.dtype.kind in "bi":
                array = array.astype("<i8")
            head = [name, kind, key, array.dtype.str, list(array.shape)]
            seen.update(json.dumps(head).encode())
            seen.update(array.reshape(-1).view(np.uint8).data)
    seen.update(json.dumps(list(edges)).encode())
    seen.update(told.encode())
    return seen.hexdigest()


def own_fields(network: Network) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every node as its kind and its own numbers; a synapse's within."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, node in network.nodes.items():
        fields: dict[str, Any] = {}
        for part in (node, getattr(node, "synapse", None)):
            told = part.described() if isinstance(part, Node) else {}
            fields |= {
                key: value if isinstance(value, np.ndarray) else np.array(str(value))
                for key, value in told.items()
                if not isinstance(value, Node)
            }
        found[name] = node.kind, fields
    return found
