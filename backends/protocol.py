"""What an engine is to the rest: it declares what it runs, opens a network, runs batches.

A backend never rewrites a graph. It declares `Capabilities`; whoever calls it picks passes by
them, and what is still not there is refused by name before the engine sees anything.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import numpy as np

from ..core.arrays import Numbers
from ..core.chip_nodes import hop
from ..core.errors import NetworkError, UnsupportedNode
from ..core.network import Network, NumberFormat
from ..core.nodes import Conv, Input, Neuron, Node, Pool
from ..core.pipeline import pipeline
from ..core.recording import Recording
from ..core.schedule import Program, compile

Agreement = Literal["bit_exact", "spikes", "rates"]
Gain = Literal["any", "one", "leak"]
Subtracts = Literal["any", "threshold / decay"]


@dataclass(frozen=True)
class Capabilities:
    """What an engine runs exactly as core.interpreter defines it.

    nodes: the kinds of nodes. gain: what the drive of a LIF or IF may be multiplied by: any
    number, one, or one minus the membrane's decay; cuba_gain the same of current-based ones.
    resets: kind of neuron -> how it may reset. subtracts: what a reset by subtraction may take off,
    anything or what the next decay makes the threshold. back_edge_at_t0: what back edges may carry
    at t = 0. agreement: how the engine's spikes are held against the reference's: 'bit_exact',
    'spikes' (differences only within float rounding), 'rates'.
    """

    nodes: frozenset[str]
    number_format: NumberFormat = "real"
    epsilon: float = 0.0  # of the engine's floating point; 0: exact integers
    gain: Gain = "any"
    cuba_gain: Literal["any", "one"] = "any"
    resets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    subtracts: Subtracts = "any"
    v_reset: bool = True  # other than 0
    compare: frozenset[str] = frozenset({">", ">="})
    refractory: bool = True
    schedules: bool = False  # numbers of a population that change from step to step
    membrane_bias: frozenset[str] = frozenset({"LI", "LIF", "IF", "CubaLI", "CubaLIF", "I"})
    uniform: frozenset[str] = frozenset()  # numbers that must be one for a whole population
    groups: bool = True
    pool_padding: bool = True
    back_edge_at_t0: frozenset[str] = frozenset({"bias", "nothing"})
    late_edges: Literal["any", "closing"] = "any"  # which may bring the previous step
    step_per_synapse: bool = False  # a chip's own timing, from which recordings are shifted back
    pipelined: bool = False  # networks whose meaning is a chip's own timing, not shifted back
    merges_pools: bool = False  # runs pools best merged into the weights that read them
    several_ports: bool = True  # more than one Input or Output
    records: frozenset[str] = frozenset({"spikes", "v", "u"})
    agreement: Agreement = "bit_exact"

    def resets_of(self, kind: str) -> frozenset[str]:
        """How a kind of neuron may reset: either way where nothing is said."""
        return self.resets.get(kind, frozenset({"value", "subtract"}))


class Session(Protocol):
    """A network opened on an engine."""

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """Run a batch from rest. inputs: Input node -> [T, B, *shape]; record: populations
        whose spikes (and v, u where the engine has them) are kept; 'all' for every one."""
        ...

    def close(self) -> None:
        """Give back what the engine holds. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Backend(Protocol):
    """An engine."""

    @property
    def name(self) -> str:
        """What the registry and reports call it."""
        ...

    def capabilities(self) -> Capabilities:
        """What it runs."""
        ...

    def versions(self) -> dict[str, str]:
        """The packages that do the work, with their versions."""
        ...

    def open(self, network: Network) -> Session:
        """Take a network whose every part is within the capabilities."""
        ...


class Closing:
    """A session as a context manager."""

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def header(backend: Backend, network: Network, **more: Any) -> dict[str, Any]:
    """What a recording says of its origin."""
    meaning = network.meaning
    return {
        "engine": backend.name,
        "versions": backend.versions(),
        "semantics": {
            "timing": meaning.timing,
            "dt": meaning.dt,
            "back_edge_at_t0": meaning.back_edge_at_t0,
            "number_format": network.number_format,
        },
        "history": list(network.history),
        **more,
    }


def check(network: Network, able: Capabilities, engine: str) -> None:
    """UnsupportedNode naming the first thing that the engine does not have."""
    for complaint in complaints(network, able):
        raise UnsupportedNode(f"backend {engine!r} cannot run this network: {complaint}")


def complaints(network: Network, able: Capabilities) -> Iterator[str]:
    """Everything in the network that is not within the capabilities."""
    compiled = compile(network)
    for name, node in network.nodes.items():
        if node.kind not in able.nodes:
            yield (
                f"node {name!r} is a {node.kind}; this engine has "
                f"{', '.join(sorted(able.nodes - {'Input', 'Output'}))}"
            )
            continue
        for what in node_complaints(node, able):
            yield f"node {name!r} ({node.kind}) {what}"
    at_t0 = network.meaning.back_edge_at_t0
    aligned = network.meaning.timing == "aligned"
    if aligned and compiled.back_edges and at_t0 not in able.back_edge_at_t0:
        yield f"back edges carry {at_t0!r} at t = 0; this engine: {sorted(able.back_edge_at_t0)}"
    if able.late_edges == "closing":
        yield from odd_late_edges(compiled)
    for ports in (network.inputs, network.outputs):
        if len(ports) > 1 and not able.several_ports:
            yield f"{len(ports)} ports {', '.join(ports)}; this engine takes one"
    if able.step_per_synapse:
        yield from untimed(compiled)
    if not aligned and not able.pipelined:
        yield "its timing is 'pipelined', a step for every synapse; this engine has no such steps"


def odd_late_edges(program: Program) -> Iterator[str]:
    """The late edges that are not simply the last one of a loop."""
    place = {name: i for i, name in enumerate(program.order)}
    for source, target in sorted(program.back_edges):
        if place[source] < place[target] or not program.now[target]:
            yield (
                f"edge {source!r} -> {target!r} brings the previous step and does not just close "
                "a loop; this engine has no other such edges"
            )


def untimed(program: Program) -> Iterator[str]:
    """The loop that an engine with one step a synapse cannot time, if there is one."""
    try:
        pipeline(program, hop)
    except NetworkError as error:
        yield str(error)


def node_complaints(node: Node, able: Capabilities) -> Iterator[str]:
    """What of one node is not within the capabilities."""
    if isinstance(node, Conv) and node.groups > 1 and not able.groups:
        yield f"has {node.groups} groups; this engine has no groups"
    if isinstance(node, Pool) and any(node.padding) and not able.pool_padding:
        yield f"has padding {node.padding}; this engine pools without padding"
    if isinstance(node, Neuron):
        yield from neuron_complaints(node, able)


def neuron_complaints(node: Neuron, able: Capabilities) -> Iterator[str]:
    """What of one population is not within the capabilities."""
    if node.spiking and node.reset not in able.resets_of(node.kind):
        yield f"resets by {node.reset!r}; this engine cannot"
    if node.reset == "value" and node.v_reset.any() and not able.v_reset:
        yield "resets to a value other than 0; this engine resets to 0"
    if node.spiking and node.compare not in able.compare:
        yield f"fires at v {node.compare} threshold; this engine cannot"
    if node.refractory and not able.refractory:
        yield f"has a refractory period of {node.refractory} steps; this engine has none"
    if node.schedule is not None and not able.schedules:
        yield (
            f"has numbers of its own for each of {node.schedule.steps} steps (a BNTT's); this "
            "engine's are the same at every step: collapse the norm with "
            "spikeport.trainer.approximate, which says what that costs"
        )
    plainly = able.subtracts == "any" or node.subtracts_after_decay
    if node.spiking and node.reset == "subtract" and not plainly:
        yield "subtracts something other than threshold / decay; this engine subtracts that"
    if node.bias.any() and node.kind not in able.membrane_bias:
        yield "has a bias (or leak potential) on the membrane; this engine has none there"
    for name in node.arrays:
        if name in able.uniform and np.ndim(getattr(node, name)) > 0:
            yield (
                f"has a {name} of its own for each neuron; this engine has one number for a "
                "whole population"
            )
    if not node.memoryless and not gain_fits(node, able):
        yield "multiplies its input by a gain that this engine does not have"


def gain_fits(node: Neuron, able: Capabilities) -> bool:
    """Whether the neuron's gains are within the capabilities."""
    if node.decay_u is not None:
        units = bool((node.gain_u == 1).all() and (node.gain_v == 1).all())
        return able.cuba_gain == "any" or units
    return able.gain == "any" or has_gain(node, able.gain)


def has_gain(node: Neuron, gain: Gain) -> bool:
    """Whether a neuron without synaptic current has this gain exactly. A neuron without leak
    has a gain of one under either rule."""
    wanted = 1.0 if gain == "one" else 1 - node.decay_v
    if gain == "leak" and node.kind in ("IF", "I"):
        wanted = 1.0
    return bool((node.gain_v == wanted).all())


def is_static(values: Numbers) -> bool:
    """Whether a signal [T, B, *shape] is the same at every step, by how it is stored."""
    return values.shape[0] > 1 and values.strides[0] == 0


def input_contents(network: Network) -> dict[str, str]:
    """Input node -> 'analogue' or 'spikes'."""
    return {n: node.content for n, node in network.nodes.items() if isinstance(node, Input)}
