"""Networks in files: .nir read and written, lava-dl's .net read; digests.

Reading is our own (core.hdf5), so that a stranger's file has limits and every fault is one
clear NetworkError. What is written is what nir makes of a graph of its own, so that every tool can
read it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import nir
import numpy as np

from . import chip_read, chip_store, hdf5_write, lavadl_read
from .errors import NetworkError, SpikeportError
from .files import written_whole
from .hdf5 import RawGraph, Reader
from .metadata import KEY, Metadata, NodeMetadata, parse
from .nested import flattened, nodes_of
from .network import Edge, Meaning, Network
from .nir_read import Told, node_from
from .nir_write import fields_of, metadata_of
from .nodes import Delay, Input, Neuron, Node
from .schedule import compile


@dataclass(frozen=True)
class Stated:
    """What the user says of a file that the file cannot say itself. None: nothing said."""

    dt: float | None = None  # seconds
    reset: Literal["value", "subtract"] | None = None
    back_edge_at_t0: Literal["bias", "nothing"] | None = None
    if_r: Literal["step", "ode"] | None = None
    cuba_current: Literal["new", "old"] | None = None
    input_content: Literal["analogue", "spikes"] | None = None  # of every Input
    integrator: Literal["forward_euler", "exponential"] | None = None

    def items(self) -> dict[str, Any]:
        """What is said."""
        return {key: value for key, value in vars(self).items() if value is not None}


CHANGES = {  # of a file, if it were read otherwise
    "dt": "every decay and delay",
    "reset": "the membrane after every spike",
    "back_edge_at_t0": "the first step of every loop",
    "if_r": "what every IF adds for its input",
    "cuba_current": "the step at which every current arrives",
    "input_content": "which part runs on a chip",
    "integrator": "every decay and gain that comes from a time constant",
}


# --- reading ---------------------------------------------------------------------------------


def read(path: str | Path, stated: Stated | None = None) -> Network:
    """The network in a .nir file, ours or foreign, or in a .net file of lava-dl's.

    NetworkError if the file is damaged, its meaning is unclear, it contradicts `stated`, or it
    was changed after we wrote it.
    """
    stated = stated or Stated()
    if Path(path).suffix == ".net":
        return read_net(path, stated)
    raw = Reader(Path(path)).read()
    where = str(path)
    told = parse(raw.metadata, where)
    try:
        raw = flattened(raw)
        network = build(raw, told or foreign(stated), told is None, stated)
        if told is not None and told.digest not in (None, digest(network)):
            raise NetworkError(
                f"its digest is {digest(network)[:12]}..., the file says {told.digest[:12]}...: "
                "it was changed after it was written; export it again, or take out "
                f"metadata['{KEY}'] to have it read as a foreign file"
            )
    except SpikeportError as error:
        raise type(error)(f"{where}: {error}") from None
    return network


def read_net(path: str | Path, stated: Stated) -> Network:
    """lava-dl's file says all but the seconds of a step."""
    for key, value in stated.items().items():
        if key != "dt":
            raise NetworkError(
                f"{path}: --{flag(key)} {value} is said of a .net file, whose "
                "neurons are Loihi's; leave it out"
            )
    return lavadl_read.read(path, stated.dt)


def foreign(stated: Stated) -> Metadata:
    """A foreign file means what the user says of it, and SEMANTICS' defaults else."""
    return Metadata(
        dt=stated.dt,
        back_edge_at_t0=stated.back_edge_at_t0 or "bias",
        if_r=stated.if_r,
        cuba_current=stated.cuba_current or "new",
        integrator=stated.integrator or "forward_euler",
    )


def build(raw: RawGraph, told: Metadata, is_foreign: bool, stated: Stated) -> Network:
    """Nodes from fields, meaning from metadata."""
    if not is_foreign:
        told = completed(told, stated)
    if told.spike_amplitude != 1:
        raise NetworkError(
            f"its spikes are worth {told.spike_amplitude:g}, ours are worth 1: whatever hears a "
            "spike would hear another number; multiply the weights that hear spikes by it and say "
            "spike_amplitude 1"
        )
    reset = (stated.reset if is_foreign else None) or "value"
    reading = Told(told.dt, told.if_r, reset, told.integrator)
    nodes: dict[str, Node] = {}
    for name, (kind, fields) in nodes_of(raw).items():
        try:
            node = node_from(kind, fields, reading, told.nodes.get(name))
        except SpikeportError as error:
            raise type(error)(f"node {name!r}: {error}") from None
        if isinstance(node, Input):
            content = told.input.get(name, "analogue")
            if stated.input_content not in (None, content) and not is_foreign:
                raise NetworkError(
                    f"--input-content {stated.input_content} contradicts the file: input {name!r} "
                    f"brings {content}; leave it out"
                )
            node = replace(node, content=stated.input_content or content)
        nodes[name] = node
    strangers = (set(told.nodes) | set(told.input)) - set(nodes)
    if strangers:
        raise NetworkError(f"metadata speaks of {sorted(strangers)}, which are not in the graph")
    edges = raw.edges
    if told.cuba_current == "old":
        nodes, edges = with_old_current(nodes, edges)
    meaning = Meaning(
        dt=told.dt,
        back_edge_at_t0=told.back_edge_at_t0,
        back_edges=None if told.back_edges is None else tuple(told.back_edges),
        timing=told.timing,
        readout=told.readout,
        steps=told.steps,
        trained_digest=told.trained_digest,
    )
    origin = {
        name: None if about.added else about.origin
        for name, about in told.nodes.items()
        if about.added or about.origin is not None
    }
    plain = Network(nodes, tuple(edges), meaning, origin, tuple(told.history))
    if told.chip is None:
        return plain
    chip_read.covers(told.chip, plain.nodes)
    return chip_read.requantised(plain, told.chip)


def completed(told: Metadata, stated: Stated) -> Metadata:
    """Our metadata; what the user says may fill a gap but not contradict it."""
    for key in ("dt", "back_edge_at_t0", "if_r", "cuba_current", "integrator"):
        said, written = getattr(stated, key), getattr(told, key)
        if said is None:
            continue
        if written is None:
            told = told.model_copy(update={key: said})
        elif said != written:
            raise NetworkError(
                f"--{flag(key)} {said} contradicts the file, which says {written}: "
                f"{CHANGES[key]} would change; leave it out"
            )
    if stated.reset is not None:
        resets = {name: about.reset for name, about in told.nodes.items() if about.reset}
        for name, reset in resets.items():
            if reset != stated.reset:
                raise NetworkError(
                    f"--reset {stated.reset} contradicts the file: node {name!r} has reset "
                    f"{reset}: {CHANGES['reset']} would change; leave it out"
                )
    return told


def flag(key: str) -> str:
    """The command-line option of a key."""
    return {"back_edge_at_t0": "back-edge"}.get(key, key.replace("_", "-"))


def with_old_current(
    nodes: Mapping[str, Node], edges: list[Edge]
) -> tuple[dict[str, Node], list[Edge]]:
    """NIR's own CubaLIF reference lets v use the current of the step before. Since u is linear
    in its input, that is our step behind a delay of one step."""
    changed = dict(nodes)
    for name, node in nodes.items():
        if isinstance(node, Neuron) and node.decay_u is not None:
            late = f"{name}.old_current"
            if late in nodes:
                raise NetworkError(f"a node is already called {late!r}")
            edges = [(a, late if b == name else b) for a, b in edges] + [(late, name)]
            changed[late] = Delay(1)
    return changed, edges


# --- writing ---------------------------------------------------------------------------------


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
    seen = hashlib.sha256()
    try:
        nodes, edges = as_fields(network), plain(network).edges
        told = annotation(network).model_copy(update={"digest": None})
    except NetworkError:
        if network.number_format == "real":
            raise
        nodes, edges, told = own_fields(network), network.edges, None
    for name, (kind, fields) in nodes.items():
        for key in sorted(fields):
            array = np.ascontiguousarray(fields[key])
            if array.dtype.kind in "bi":
                array = array.astype("<i8")
            head = [name, kind, key, array.dtype.str, list(array.shape)]
            seen.update(json.dumps(head).encode())
            seen.update(array.reshape(-1).view(np.uint8).data)
    seen.update(json.dumps(list(edges)).encode())
    seen.update((told.text() if told else repr(network.meaning)).encode())
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


def to_nir(network: Network) -> nir.NIRGraph:
    """The network as a graph of the nir package, metadata included. Not type-checked: nir's own
    check is wrong for kernels that are not square and for groups."""
    told = annotation(network).model_copy(update={"digest": digest(network)})
    nodes = {name: nir_node(kind, fields) for name, (kind, fields) in as_fields(network).items()}
    return nir.NIRGraph(
        nodes=nodes,
        edges=list(plain(network).edges),
        metadata={KEY: told.text()},
        type_check=False,
    )


def nir_node(kind: str, fields: Mapping[str, Any]) -> Any:
    """An object of the nir package."""
    if kind in ("Input", "Output"):
        return getattr(nir, kind)(fields["shape"])
    return getattr(nir, kind)(**fields)


def write(network: Network, path: str | Path) -> None:
    """Write a .nir file, whole or not at all."""
    write_graph(to_nir(network), path)


def write_graph(graph: nir.NIRGraph, path: str | Path, nir_version: str | None = None) -> None:
    """Write a graph of to_nir's, whole or not at all. nir_version: '1.0.4' for readers up to that
    one, which know no v_reset; NetworkError if a node needs one."""
    told = graph.to_dict()
    if nir_version is not None:
        told |= {"nodes": {n: without_v_reset(n, node) for n, node in told["nodes"].items()}}
    with written_whole(path) as part:
        hdf5_write.write(part, nir_version or nir.version, told)


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


def plainly_typed(graph: nir.NIRGraph) -> str | None:
    """The same of a graph of to_nir's: what nir.read makes of a file once it has its contents."""
    return complaint(lambda: nir.dict2NIRNode(graph.to_dict()))


def complaint(make: Callable[[], object]) -> str | None:
    """What nir says while it makes a graph."""
    try:
        make()
    except Exception as error:  # nir raises whatever its check meets
        return str(error) or repr(error)
    return None
