"""Brian 2 as an engine: NeuronGroups, Synapses, thresholds and resets, in float64.

Brian lets synapses act after all thresholds, so that a layer would hear the layer before it a step
late. A schedule of our own gives each node its turn within the step, in the network's order: clear
the drive, let synapses act, update, compare, reset. Then a back edge is a synapse whose source has
not had its turn yet, and brings the step before. Spikes travel as events; numbers are read off.
Every sample of a batch has neurons and synapses of its own in the same groups.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from ..core.arrays import Array, Numbers
from ..core.errors import BackendError, BackendUnavailable, UnsupportedNode
from ..core.interpreter import quiet
from ..core.linear import apply, is_map
from ..core.network import Network
from ..core.nodes import Conv, Delay, Input, Linear, Neuron, Node
from ..core.recording import Recording, checked_inputs, wanted_nodes
from ..core.schedule import Program, compile
from .protocol import Capabilities, Closing, check, header

try:
    import brian2
    from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
except AttributeError as error:  # Brian 2.9 names what numpy 2.4 took out
    raise BackendUnavailable(
        f"backend 'brian2': Brian is installed but does not work with numpy {np.__version__} "
        f"({error}): pip install 'spikeport[brian2]'"
    ) from error

KINDS = frozenset(
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay Threshold "
    "I LI IF LIF CubaLI CubaLIF".split()
)
DT = 1e-3  # seconds; nothing depends on it: groups hold the numbers of a step
MOST = 50_000_000  # synapses in all, over the batch: about 2 GB
CLEAR, HEAR, UPDATE, COMPARE, RESET = range(5)  # the order of events in a node's turn
NUMPY: dict[str, Any] = {"codeobj_class": NumpyCodeObject}
PER_NEURON = ("decay_u", "decay_v", "gain_u", "gain_v", "bias", "threshold", "v_reset")


class Brian:
    """Brian 2."""

    name = "brian2"

    def capabilities(self) -> Capabilities:
        """What code on groups can say; a refractory period there holds back other things."""
        return Capabilities(
            nodes=KINDS,
            epsilon=float(np.finfo(np.float64).eps),
            refractory=False,
            agreement="spikes",
        )

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        return {name: version(name) for name in ("brian2", "numpy")}

    def open(self, network: Network) -> "BrianSession":
        """Take the maps apart into synapses."""
        check(network, self.capabilities(), self.name)
        for name in network.named(Delay):
            for source in network.sources[name]:
                if source not in network.spiking:
                    raise UnsupportedNode(
                        f"backend {self.name!r} cannot run this network: node {name!r} (Delay) "
                        f"hears {source!r}, which does not spike; its synapses delay spikes only"
                    )
        return BrianSession(self, network)


class BrianSession(Closing):
    """A network whose groups are made anew for each batch."""

    def __init__(self, backend: Brian, network: Network) -> None:
        self.network = network
        self.program = compile(network)
        self.maps = {name: taken_apart(self.program, name) for name in self.program.order}
        self.header = header(backend, network, dtype="float64")

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        signals = checked_inputs(self.network, inputs)
        kept = wanted_nodes(self.network, record)
        steps, batch = next(iter(signals.values())).shape[:2]
        self.fits(batch)
        groups = {
            name: group(self.network.nodes[name], self.program.shapes[name], batch)
            for name in self.program.order
        }
        parts: list[Any] = list(groups.values())
        for place, name in enumerate(self.program.order):
            parts += self.turn(f"turn{place}", name, groups, batch, signals.get(name))
        if self.program.back_edges:
            for name, values in quiet(self.program, batch).items():
                groups[name].y = np.asarray(values, np.float64).ravel()
        dt = DT * brian2.second
        shown = {n: list(states(self.network.nodes[n])) for n in kept}
        shown |= {name: ["y"] for name in self.network.outputs}
        seen = {
            name: brian2.StateMonitor(groups[name], what, record=True, when="end", dt=dt, **NUMPY)
            for name, what in shown.items()
        }
        net = brian2.Network(*parts, *seen.values())
        turns = [f"turn{place}" for place in range(len(groups))]
        net.schedule = ["start", "groups", *turns, "end"]  # "groups": equations, which none has
        net.run(steps * dt, namespace={})

        def found(name: str, what: str) -> Array:
            values = np.asarray(getattr(seen[name], what)).T
            return values.reshape(steps, batch, *self.program.shapes[name])

        return Recording(
            {name: found(name, "y") for name in self.network.outputs},
            {n: found(n, "y").astype(np.uint8) for n in kept if n in self.network.spiking},
            {name: found(name, "v") for name in kept},
            {name: found(name, "u") for name in kept if "u" in shown[name]},
            self.header,
        )

    def fits(self, batch: int) -> None:
        """BackendError where the synapses would not."""
        count = sum(len(weights) * len(self.network.sources[n])
                    for n, ((_, _, weights), _) in self.maps.items())  # fmt: skip
        if count * batch > MOST:
            raise BackendError(
                f"backend 'brian2': {count * batch} synapses for {batch} samples, over {MOST}; "
                "take fewer samples at a time"
            )

    def turn(
        self, slot: str, name: str, groups: Mapping[str, Any], batch: int, signal: Array | None
    ) -> list[Any]:
        """What a node does in its turn; the objects that Brian has to hold."""
        node, here = self.network.nodes[name], groups[name]
        (rows, columns, weights), bias = self.maps[name]
        plain: dict[str, Any] = {"dt": DT * brian2.second, **NUMPY}
        when: dict[str, Any] = {"when": slot, **plain}
        if signal is not None:
            drive = brian2.TimedArray(signal.reshape(len(signal), -1), dt=DT * brian2.second)
            here.namespace["drive"] = drive
            return [here.run_regularly("y = drive(t, i)", order=UPDATE, **when)]
        here.b = np.tile(bias, batch)
        made = [here.run_regularly("x = b", order=CLEAR, **when)]
        for source in self.network.sources[name]:
            there = groups[source]
            if source in self.network.spiking:
                joined = brian2.Synapses(there, here, "w : 1", on_pre="x_post += w", **plain)
                joined.pre.when, joined.pre.order = slot, HEAR
            else:
                joined = brian2.Synapses(there, here, "w : 1", **plain)
                joined.run_regularly("x_post += w * y_pre", order=HEAR, **when)
            here_of, there_of = (
                (np.arange(batch)[:, None] * size + part).ravel()
                for part, size in ((rows, len(here) // batch), (columns, len(there) // batch))
            )
            joined.connect(i=there_of, j=here_of)
            joined.w = np.tile(weights, batch)
            if isinstance(node, Delay):
                steps = np.broadcast_to(node.steps, self.program.shapes[name]).ravel()
                joined.pre.delay = np.tile(steps, batch) * DT * brian2.second
            made.append(joined)
        code = update(node) if isinstance(node, Neuron) else "y = x"
        made.append(here.run_regularly(code, order=UPDATE, **when))
        if isinstance(node, Neuron) and node.spiking:
            here.thresholder["spike"].when, here.thresholder["spike"].order = slot, COMPARE
            here.resetter["spike"].when, here.resetter["spike"].order = slot, RESET
        return made


Synapses = tuple[Numbers, Numbers, Array]  # targets, sources, weights


def taken_apart(program: Program, name: str) -> tuple[Synapses, Array]:
    """A node's map as synapses and a bias; what is no map hands on what it hears."""
    node, network = program.network.nodes[name], program.network
    if not is_map(node):
        size = int(np.prod(program.shapes[name]))
        return (np.arange(size), np.arange(size), np.ones(size)), np.zeros(size)
    shape = program.shapes[network.sources[name][0]]
    size = int(np.prod(shape))
    bias = apply(node, np.zeros((1, *shape))).ravel()
    targets, sources, weights = [], [], []
    for first in range(0, size, 256):  # so many unit vectors at a time
        units = np.zeros((min(256, size - first), size))
        units[np.arange(len(units)), first + np.arange(len(units))] = 1
        column = weightless(node, units.reshape(-1, *shape)).reshape(len(units), -1)
        at, to = np.nonzero(column)
        targets.append(to)
        sources.append(first + at)
        weights.append(column[at, to])
    joined = (np.concatenate(targets), np.concatenate(sources), np.concatenate(weights))
    return joined, np.array(bias)


def weightless(node: Node, x: Array) -> Array:
    """The map without its bias: exact weights, where a difference would round them."""
    return apply(replace(node, bias=None) if isinstance(node, Linear | Conv) else node, x)


def group(node: Node, shape: tuple[int, ...], batch: int) -> Any:
    """A node's neurons, all samples behind one another, at rest."""
    size = int(np.prod(shape)) * batch
    told: dict[str, Any] = {"dt": DT * brian2.second, "namespace": {}, **NUMPY}
    lines = ["x : 1", "y : 1", "b : 1"]
    if isinstance(node, Input):
        return brian2.NeuronGroup(size, "y : 1", **told)
    if not isinstance(node, Neuron):
        return brian2.NeuronGroup(size, "\n".join(lines), **told)
    given = {name: getattr(node, name) for name in PER_NEURON}
    if node.spiking:
        given["amount"] = node.amount
        told["threshold"] = f"v {node.compare} threshold_"
        told["reset"] = "v = v_reset_\ny = 1" if node.reset == "value" else "v -= amount_\ny = 1"
    lines += ["u : 1", "v : 1", *(f"{n}_ : 1" for n, v in given.items() if v is not None)]
    made = brian2.NeuronGroup(size, "\n".join(lines), **told)
    for name, values in given.items():
        if values is not None:
            spread = np.broadcast_to(values, (batch, *node.shape))
            setattr(made, f"{name}_", spread.ravel())
    return made


def update(node: Neuron) -> str:
    """Charge: u, then v with the new u."""
    current = "gain_u_ * x" if node.decay_u is None else "decay_u_ * u + gain_u_ * x"
    says = "y = 0" if node.spiking else "y = v"
    return f"u = {current}\nv = decay_v_ * v + gain_v_ * u + bias_\n{says}"


def states(node: Node) -> Collection[str]:
    """What of a population is kept."""
    assert isinstance(node, Neuron)
    return ("y", "v") if node.decay_u is None else ("y", "v", "u")
