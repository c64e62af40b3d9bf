"""Nengo as an engine: nengo.LIF in nengo.Simulator, in float64.

Connections without a synapse are heard in the same step, and one with `synapse=0` a step later:
that is a back edge. With tau_ref = 0 and no floor for the voltage nengo.LIF integrates whole steps,
v = a v + (1 - a) J, and resets to 0: ours, with thresholds put at its 1. There is no batch: samples
run one by one.
"""

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from typing import Any

import nengo
import numpy as np

from ..core.arrays import Array, Numbers
from ..core.delays import DelayLine
from ..core.errors import BackendError, UnsupportedNode
from ..core.linear import apply, is_map
from ..core.network import Network
from ..core.nodes import Delay, Input, Linear, Neuron
from ..core.recording import Recording, checked_inputs, wanted_nodes
from ..core.schedule import compile
from .protocol import Capabilities, Closing, check, header

KINDS = frozenset(
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay LIF".split()
)
DT = 1e-3  # seconds; only dt / tau counts, and both are ours


class Nengo:
    """Nengo 4."""

    name = "nengo"

    def capabilities(self) -> Capabilities:
        """Leaky neurons that share one time constant and reset to 0."""
        return Capabilities(
            nodes=KINDS,
            epsilon=float(np.finfo(np.float64).eps),
            gain="leak",
            resets={"LIF": frozenset({"value"})},
            v_reset=False,
            compare=frozenset({">"}),
            refractory=False,
            uniform=frozenset({"decay_v"}),
            back_edge_at_t0=frozenset({"nothing"}),
            agreement="spikes",
        )

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        return {name: version(name) for name in ("nengo", "numpy")}

    def open(self, network: Network) -> "NengoSession":
        """Build the ensembles."""
        check(network, self.capabilities(), self.name)
        for name in network.spiking:
            node = network.nodes[name]
            assert isinstance(node, Neuron) and node.threshold is not None
            if not (node.threshold > 0).all() or not (0 < node.decay_v < 1).all():
                raise UnsupportedNode(
                    f"backend {self.name!r} cannot run this network: node {name!r} (LIF) needs a "
                    "threshold above 0 and a decay between 0 and 1"
                )
        return NengoSession(self, network)


class NengoSession(Closing):
    """A network as a nengo.Network, built once."""

    def __init__(self, backend: Nengo, network: Network) -> None:
        self.network = network
        self.program = compile(network)
        self.signals: dict[str, Array] = {}  # Input -> [T, elements] of the running sample
        self.lines: list[Callable[[], None]] = []
        self.header = header(backend, network, dtype="float64")
        self.probes: dict[tuple[str, str], Any] = {}
        with nengo.Network(seed=0, add_to_container=False) as self.model:
            self.build()
        with np.errstate(divide="ignore"):  # Nengo works out rates of neurons, which none needs
            self.simulator = nengo.Simulator(self.model, dt=DT, progress_bar=False)

    def close(self) -> None:
        """Give the simulator back."""
        self.simulator.close()

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        signals = checked_inputs(self.network, inputs)
        kept = wanted_nodes(self.network, record)
        steps, batch = next(iter(signals.values())).shape[:2]
        shown: dict[tuple[str, str], list[Array]] = {key: [] for key in self.probes}
        for sample in range(batch):
            self.signals = {n: x[:, sample].reshape(steps, -1) for n, x in signals.items()}
            for forget in self.lines:
                forget()
            self.simulator.reset()
            self.simulator.run_steps(steps, progress_bar=False)
            for (name, what), probe in self.probes.items():
                values = np.array(self.simulator.data[probe], np.float64)
                if not np.isfinite(values).all():
                    raise BackendError(
                        f"backend 'nengo': {what} of node {name!r} is no number; a drive that only "
                        "just holds a neuron at its threshold is divided by 0 there"
                    )
                shown[name, what].append(values.reshape(steps, *self.program.shapes[name]))
            self.simulator.clear_probes()
        found: dict[tuple[str, str], Array] = {}
        found |= {key: np.stack(arrays, axis=1) for key, arrays in shown.items()}
        return Recording(
            {name: found[name, "output"] for name in self.network.outputs},
            {name: np.rint(found[name, "output"]).astype(np.uint8) for name in kept},
            {name: found[name, "voltage"] * self.threshold(name) for name in kept},
            {},
            self.header,
        )

    def threshold(self, name: str) -> Array:
        """What Nengo's threshold of 1 stands for."""
        node = self.network.nodes[name]
        assert isinstance(node, Neuron) and node.threshold is not None
        return node.threshold

    def build(self) -> None:
        """Nodes, ensembles, connections, probes."""
        entries: dict[str, Any] = {}
        exits: dict[str, Any] = {}
        for name in self.program.order:
            node = self.network.nodes[name]
            size = int(np.prod(self.program.shapes[name]))
            if isinstance(node, Input):
                exits[name] = nengo.Node(self.source(name), size_in=0, size_out=size)
                continue
            into = size
            if is_map(node) and not isinstance(node, Linear):
                into = int(np.prod(self.program.shapes[self.network.sources[name][0]]))
            entries[name] = nengo.Node(self.turn(name), size_in=into, size_out=size)
            exits[name] = entries[name]
            if isinstance(node, Neuron):
                exits[name] = self.population(node, size, entries[name])
                self.probes[name, "voltage"] = nengo.Probe(exits[name], "voltage")
            if isinstance(node, Neuron) or name in self.network.outputs:
                self.probes[name, "output"] = nengo.Probe(exits[name])
        for source, name in self.network.edges:
            node = self.network.nodes[name]
            how: dict[str, Any] = {"transform": node.weight} if isinstance(node, Linear) else {}
            how["synapse"] = 0 if (source, name) in self.program.back_edges else None
            nengo.Connection(exits[source], entries[name], **how)

    def population(self, node: Neuron, size: int, drive: Any) -> Any:
        """The neurons of an ensemble, driven by a Node."""
        kind = nengo.LIF(
            tau_rc=-DT / np.log(float(node.decay_v)),
            tau_ref=0,
            min_voltage=-np.inf,
            amplitude=DT,  # a spike is a 1, not a 1 / dt
            initial_state={"voltage": nengo.dists.Choice([0])},  # Nengo would draw them
        )
        made = nengo.Ensemble(
            size, 1, neuron_type=kind, gain=np.ones(size), bias=np.zeros(size), seed=0
        )
        nengo.Connection(drive, made.neurons, synapse=None)
        return made.neurons

    def source(self, name: str) -> Callable[[float], Array]:
        """An Input."""

        def say(seconds: float) -> Array:
            signal = self.signals.get(name)
            if signal is None:  # Nengo tries every function once as it builds
                return np.zeros(int(np.prod(self.program.shapes[name])))
            now: Array = signal[max(round(seconds / DT) - 1, 0)]  # its first step is at dt
            return now

        return say

    def turn(self, name: str) -> Callable[[float, Array], Array]:
        """What a node makes of its summed input."""
        node = self.network.nodes[name]
        if isinstance(node, Neuron):
            assert node.threshold is not None
            level = np.broadcast_to(node.threshold, node.shape).ravel()
            leak = np.broadcast_to(node.bias / (1 - node.decay_v), node.shape).ravel()
            return lambda _, x: (x + leak) / level
        if isinstance(node, Linear):  # the weights are the connection's
            bias = np.zeros(len(node.weight)) if node.bias is None else node.bias
            return lambda _, x: x + bias
        if isinstance(node, Delay):
            return self.line(node.steps, self.program.shapes[name])
        if is_map(node):
            shape = self.program.shapes[self.network.sources[name][0]]
            return lambda _, x: apply(node, x.reshape(1, *shape)).ravel()
        return lambda _, x: np.array(x)

    def line(self, steps: Any, shape: tuple[int, ...]) -> Callable[[float, Array], Array]:
        """A delay that forgets between samples."""
        held = [DelayLine(steps)]
        self.lines.append(lambda: held.__setitem__(0, DelayLine(steps)))

        def say(_: float, x: Array) -> Array:
            late: Array = held[0](np.array(x).reshape(shape))
            return late.ravel()

        return say
