"""A file's fields and metadata -> Network."""

from collections.abc import Mapping
from dataclasses import replace

from . import chip_read
from .errors import NetworkError, SpikeportError
from .hdf5 import RawGraph
from .metadata import Metadata, NodeMetadata
from .nested import nodes_of
from .network import Edge, Meaning, Network
from .nir_read import Told, node_from
from .nodes import Delay, Input, Neuron, Node
from .stated import Stated, completed


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
    if (told.number_format == "loihi") != (told.chip is not None):
        raise NetworkError(
            f"metadata says number_format {told.number_format!r} and has "
            f"{'no ' if told.chip is None else ''}'chip', the integers of a loihi network"
        )
    reading = Told(told.dt, told.if_r, stated.reset or "value", told.integrator)
    nodes: dict[str, Node] = {}
    for name, (kind, fields) in nodes_of(raw).items():
        about = told.nodes.get(name)
        try:
            node = node_from(kind, fields, reading, about)
            if about is not None:
                refuse_idle(node, about)
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
    refuse_twins(nodes, origin)
    plain = Network(nodes, tuple(edges), meaning, origin, tuple(told.history))
    if told.chip is None:
        return plain
    chip_read.covers(told.chip, plain.nodes)
    return chip_read.requantised(plain, told.chip)


def refuse_idle(node: Node, about: NodeMetadata) -> None:
    """NetworkError where metadata says something that this node could not mean."""
    said = set(about.model_dump(exclude_defaults=True)) - {"origin", "added"}
    if not isinstance(node, Neuron) or not node.spiking:
        said -= {"decays", "schedule"} if isinstance(node, Neuron) else set()
    elif node.memoryless:
        said -= {"compare"}
    else:
        said &= {"reset_amount"} if node.reset == "value" else set()
    if said:
        raise NetworkError(
            f"metadata speaks of its {', '.join(sorted(said))}, which "
            + (
                "nothing takes off: it resets by value"
                if said == {"reset_amount"}
                else f"a {node.kind} does not have"
            )
        )


def refuse_twins(nodes: Mapping[str, Node], origin: Mapping[str, str | None]) -> None:
    """NetworkError where two populations would be recorded under one name."""
    seen: dict[str, str] = {}
    for name, node in nodes.items():
        known = origin.get(name, name) if isinstance(node, Neuron) else None
        if known is not None and seen.setdefault(known, name) != name:
            raise NetworkError(
                f"nodes {seen[known]!r} and {name!r} both come from {known!r}, by their names and "
                "metadata 'origin': recordings could not tell them apart"
            )


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
