"""What other libraries' own NIR importers read right, and a network written so that one does.

An importer that finds something else runs another network and seldom says so. So each stands here
with what it was measured to read right, as if it were an engine; a network is brought within that
by exact passes, and what is left is an error that says what the importer would change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import nir
import numpy as np

from ..backends.protocol import Capabilities, complaints
from ..core import store
from ..core.arrays import Array, frozen
from ..core.errors import ConfigError, UnsupportedNode
from ..core.network import Edge, Network
from ..core.nodes import Neuron, Node
from ..core.schedule import compile
from .prepare import prepare
from .reader_order import edges_depth_first, late_in_queue, named_in_order, safely_named

FLOAT32 = float(np.finfo(np.float32).eps)
ports_and = partial(frozenset[str].union, frozenset({"Input", "Output"}))
BARE = Capabilities(
    nodes=frozenset(),
    epsilon=FLOAT32,
    resets={kind: frozenset({"value"}) for kind in ("IF", "LIF", "CubaLIF")},
    v_reset=False,
    compare=frozenset({">"}),
    refractory=False,
    membrane_bias=frozenset(),
    groups=False,
    pool_padding=False,
    back_edge_at_t0=frozenset(),
    several_ports=False,
    agreement="spikes",
)


@dataclass(frozen=True)
class Importer:
    """able: what it reads right. dt: the step that it takes every file to have, in seconds; None:
    it is told. call: how to call it. changes: what it does to whatever is not in `able`."""

    name: str
    title: str
    able: Capabilities
    call: str
    changes: str
    dt: float | None = None
    walks: Literal["depth first", "queue"] = "queue"  # how it orders nodes: see reader_order


IMPORTERS: Mapping[str, Importer] = {
    found.name: found
    for found in (
        Importer(
            "norse",
            "Norse 1.1",
            replace(
                BARE,
                nodes=ports_and("Linear Affine Conv2d SumPool2d Flatten IF LIF CubaLIF".split()),
                gain="leak",
                back_edge_at_t0=frozenset({"nothing"}),
                late_edges="closing",
            ),
            "norse.torch.from_nir(graph, dt={dt:g}), without a batch axis where there is a Flatten",
            "ignores r of IF and LIF, v_reset and padding of pools, starts at v_leak, and has no "
            "module for other nodes",
            walks="depth first",
        ),
        Importer(
            "snntorch",
            "snnTorch 1.0",
            replace(
                BARE,
                nodes=ports_and("Linear Affine Conv2d AvgPool2d Flatten LIF CubaLIF".split()),
                gain="one",
                cuba_gain="one",
                uniform=frozenset({"threshold"}),
            ),
            "snntorch.import_nir.import_from_nir(graph), without a batch axis where there is a "
            "Flatten",
            "takes every step for 1e-4 s, makes an IF a leaky population that subtracts, ignores "
            "v_reset, and cannot run loops",
            dt=1e-4,
        ),
        Importer(
            "spikingjelly",
            "SpikingJelly 2.0",
            replace(
                BARE,
                nodes=ports_and("Linear Affine Conv1d Conv2d AvgPool2d Flatten".split())
                | {"IF", "LIF", "CubaLIF"},
                gain="one",
                cuba_gain="one",
                compare=frozenset({">="}),
                uniform=frozenset(Neuron.arrays),
                back_edge_at_t0=frozenset({"nothing"}),
                late_edges="closing",
            ),
            "spikingjelly.activation_based.nir_exchange.import_from_nir(graph, dt={dt:g})",
            "fires at the threshold, too, starts at v_reset, runs some loops in an order of its "
            "own, and refuses what it cannot represent",
        ),
        Importer(
            "sinabs",
            "Sinabs 2.0",
            replace(BARE, nodes=ports_and("Affine Conv2d SumPool2d Flatten".split())),
            "sinabs.from_nir(graph, batch_size=...)",
            "cannot read a Linear, counts time constants in steps, fires several times a step, "
            "subtracts, and floors the membrane",
        ),
    )
}


def importer(name: str) -> Importer:
    """One by name."""
    if name not in IMPORTERS:
        raise ConfigError(f"--for {name}: choose from {', '.join(IMPORTERS)}")
    return IMPORTERS[name]


def written_for(network: Network, reader: Importer) -> Network:
    """The same network within what the importer reads right; UnsupportedNode says what it would
    change."""
    made = network
    if reader.dt is not None:  # no spike depends on the seconds of a step
        made = made.changed(meaning=replace(made.meaning, dt=reader.dt))
    made = prepare(compared(made, reader.able.compare), reader.able).network
    for complaint in complaints(made, reader.able):
        raise UnsupportedNode(
            f"--for {reader.name}: {reader.title}'s importer would run another network: "
            f"{complaint.replace('this engine', 'what it reads right')}. It {reader.changes}"
        )
    for name in network.outputs:
        old, new = (n.nodes[name].described()["shape"] for n in (network, made))
        if old != new:
            lacks = " or ".join(sorted({"Conv1d", "Conv2d"} - reader.able.nodes))
            raise UnsupportedNode(
                f"--for {reader.name}: {reader.title}'s importer reads no {lacks}, and as dense "
                f"layers they would give Output {name!r} as {list(new)}, not {list(old)}; put a "
                "Flatten before it"
            )
    made = in_order(made, reader)
    edges_for(made, reader)
    return made


def graph_for(network: Network, reader: Importer) -> nir.NIRGraph:
    """What is written of a network of written_for's."""
    graph = store.to_nir(network)
    graph.edges = edges_for(network, reader)
    return graph


def in_order(network: Network, reader: Importer) -> Network:
    """The network with names by which the importer tells its nodes apart and runs them in order;
    UnsupportedNode where none do."""
    made = safely_named(network)
    if reader.walks == "queue":
        for name in network.outputs:
            if len(network.sources[name]) > 1:
                raise UnsupportedNode(
                    f"--for {reader.name}: {reader.title}'s importer would hand on what Output "
                    f"{name!r} hears, {', '.join(network.sources[name])}, one by one and not as a "
                    "sum; put a layer with weights before it"
                )
        back = compile(made).back_edges
        if late_in_queue(made) != back:
            made = named_in_order(made)
            back = compile(made).back_edges
        odd = sorted(late_in_queue(made) ^ back)
        if odd:
            raise UnsupportedNode(
                f"--for {reader.name}: {reader.title}'s importer would take edge {odd[0][0]!r} -> "
                f"{odd[0][1]!r} for {'this' if odd[0] in back else 'the previous'} step's"
            )
    return made


def edges_for(network: Network, reader: Importer) -> list[Edge]:
    """The edges, in an order that has the importer run every node after those that it hears."""
    if reader.walks != "depth first":
        return list(network.edges)
    edges, late = edges_depth_first(network)
    if late:
        raise UnsupportedNode(
            f"--for {reader.name}: {reader.title}'s importer would run {late[0]}: it walks the "
            "graph depth-first, and there is no order of edges by which that is right"
        )
    return edges


def compared(network: Network, known: frozenset[str]) -> Network:
    """Thresholds for the comparison that the importer's float32 neurons make: one number of
    theirs up or down."""
    nodes: dict[str, Node] = dict(network.nodes)
    for name in network.spiking:
        node = network.nodes[name]
        if isinstance(node, Neuron) and node.compare not in known and not node.memoryless:
            assert node.threshold is not None
            nodes[name] = replace(
                node,
                threshold=beside(node.threshold, up=node.compare == ">"),
                reset_amount=node.reset_amount if node.reset == "value" else node.amount,
                compare=">=" if node.compare == ">" else ">",
            )
    return network.changed(nodes=nodes)


def beside(values: Array, up: bool) -> Array:
    """The next numbers of float32."""
    told = values.astype(np.float32)
    return frozen(np.nextafter(told, np.float32(np.inf if up else -np.inf)).astype(np.float64))
