"""A quantised network whose encoder and readout run on the host: what `lava-fixed` and `loihi`
share. The host's parts are core.interpreter's; only the chip's part is the engine's."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import interpreter
from ..core.arrays import Array, Numbers
from ..core.network import Network
from ..core.nodes import Delay, Neuron
from ..core.recording import Recording, checked_inputs, wanted_nodes
from ..core.schedule import Program, compile
from .protocol import Closing, is_static
from .split import split


@dataclass
class ChipRun:
    """What came back from the chip's part, each [T, B, *shape]; told: how it was run."""

    outputs: Mapping[str, Array] = field(default_factory=dict)
    spikes: Mapping[str, Numbers] = field(default_factory=dict)
    v: Mapping[str, Numbers] = field(default_factory=dict)
    u: Mapping[str, Numbers] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


class HostedSession(Closing):
    """Encoder, chip, readout, one after the other."""

    def __init__(self, network: Network, header: Mapping[str, Any]) -> None:
        self.network = network
        self.header = header
        self.parts = split(compile(network))
        self.before = compile(self.parts.before) if self.parts.before else None
        self.after = compile(self.parts.after)
        chip = self.parts.chip
        self.spikes = [n for n in chip.inputs if getattr(chip.nodes[n], "content", "") == "spikes"]
        self.spikes = [n for n in self.spikes if n in network.inputs]

    def on_chip(
        self, signals: Mapping[str, Numbers], record: Collection[str], static: frozenset[str]
    ) -> ChipRun:
        """Run the chip's part (`self.parts.chip`). static: the inputs that are stored once for
        all steps."""
        raise NotImplementedError

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        static = unchanging(inputs)
        given = checked_inputs(self.network, inputs, self.spikes)
        return self.run_checked(given, wanted_nodes(self.network, record), static)

    def run_checked(
        self, given: Mapping[str, Numbers], wanted: Collection[str], static: frozenset[str]
    ) -> Recording:
        """Run inputs that have been checked. static: those stored once for all steps."""
        signals: dict[str, Numbers] = {n: given[n] for n in self.parts.chip.inputs if n in given}
        first = self.encode(given, wanted, static)
        for name, output in self.parts.enters.items():
            signals[name] = whole(first.outputs[output])
        still = static | (unchanging(signals) & set(self.parts.enters))
        on_chip = [n for n in wanted if n in self.parts.chip.nodes]
        ran = self.on_chip(signals, on_chip, still)
        last = self.read_out(given, ran, wanted)
        return Recording(
            last.outputs,
            {**first.spikes, **ran.spikes, **last.spikes},
            {**first.v, **ran.v, **last.v},
            {**first.u, **ran.u, **last.u},
            {**self.header, "host": self.parts.host, **ran.told},
        )

    def encode(
        self, given: Mapping[str, Numbers], wanted: Iterable[str], static: frozenset[str]
    ) -> Recording:
        """What comes before the chip; computed once where nothing changes over time."""
        if self.before is None:
            return Recording({})
        nodes = self.before.network.nodes
        inputs = {n: given[n] for n in self.before.network.inputs}
        record = [n for n in wanted if n in nodes and isinstance(nodes[n], Neuron)]
        if record or not static >= set(inputs) or has_memory(self.before):
            return interpreter.run(self.before, inputs, record)
        steps = next(iter(inputs.values())).shape[0]
        once = interpreter.run(self.before, {n: x[:1] for n, x in inputs.items()})
        held = {n: np.broadcast_to(x, (steps, *x.shape[1:])) for n, x in once.outputs.items()}
        return Recording(held)

    def read_out(
        self, given: Mapping[str, Numbers], ran: ChipRun, wanted: Iterable[str]
    ) -> Recording:
        """What comes after the chip."""
        nodes = self.after.network.nodes
        inputs: dict[str, Numbers] = {n: given[n] for n in self.after.network.inputs if n in given}
        inputs |= {n: ran.outputs[out] for n, out in self.parts.leaves.items()}
        record = [n for n in wanted if n in nodes and isinstance(nodes[n], Neuron)]
        return interpreter.run(self.after, inputs, record)


def whole(values: Numbers) -> Numbers:
    """The chip's integers, stored once for all steps if the values are."""
    if not is_static(values):
        return values.astype(np.int64)
    return np.broadcast_to(values[:1].astype(np.int64), values.shape)


def unchanging(inputs: Mapping[str, Numbers]) -> frozenset[str]:
    """The inputs that are stored once for all steps."""
    return frozenset(n for n, x in inputs.items() if is_static(np.asarray(x)))


def has_memory(program: Program) -> bool:
    """Whether anything in the program depends on steps before."""
    nodes = program.network.nodes.values()
    return bool(program.back_edges) or any(isinstance(n, Delay | Neuron) for n in nodes)


def is_extended(node: Any) -> bool:
    """Whether a population is one of the models that Lava's library does not ship."""
    return bool(node.reset == "subtract" or node.refractory)
