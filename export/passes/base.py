"""What a pass is, and the runner that holds each one to its word.

A pass is a frozen dataclass with `apply(network) -> Network`: pure, whole, and exact in real
numbers. It returns the very same network where it finds nothing to do. What it cannot do
exactly it refuses with a PassError. After each change the runner compares the two networks on a
short probe with the float64 interpreter, every spike of every neuron they share; verification
over data is what proves it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...core import interpreter
from ...core.arrays import Array, Numbers
from ...core.errors import PassError, SpikeportError
from ...core.network import Network
from ...core.nodes import Input
from ...core.recording import Recording
from ...core.schedule import compile

PROBE_STEPS = 3
PROBE_BATCH = 2


class Pass(Protocol):
    """A rewrite. `name` stands in the network's history."""

    @property
    def name(self) -> str: ...

    def apply(self, network: Network) -> Network:
        """The rewritten network, or the same object if there is nothing to do."""
        ...


Hold = Callable[[Network, Network], int | None]  # before, after -> spikes kept; else an error


@dataclass(frozen=True)
class PassRecord:
    """What one pass did: the nodes it changed, added or took out, and the probe's spikes, all
    of which it kept; None if it was not probed alone."""

    name: str
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    probe_spikes: int | None


@dataclass(frozen=True)
class Lowered:
    """A rewritten network, and how it came about."""

    network: Network
    records: tuple[PassRecord, ...]


def run_passes(network: Network, passes: Sequence[Pass]) -> Lowered:
    """Apply the passes in order; PassError names the one that failed and those before it."""
    return in_turn(network, passes, Probed())


def unproven(network: Network, passes: Sequence[Pass]) -> Lowered:
    """The same without a probe, for callers who hold the last network to the first themselves."""
    return in_turn(network, passes, lambda before, after: None)


def in_turn(network: Network, passes: Sequence[Pass], hold: Hold) -> Lowered:
    """Apply the passes, each change held to its word by `hold`."""
    records: list[PassRecord] = []
    for each in passes:
        try:
            after = each.apply(network)
            if after is network:
                continue
            kept = hold(network, after)
        except SpikeportError as error:
            done = ", ".join(r.name for r in records) or "none"
            raise type(error)(f"pass {each.name} (after: {done}): {error}") from None
        records.append(record(each.name, network, after, kept))
        network = after.changed(history=(*network.history, each.name))
    return Lowered(network, tuple(records))


class Probed:
    """Holds two networks to the same spikes; what the last one gave is not run again."""

    seen: Recording | None = None

    def __call__(self, before: Network, after: Network) -> int:
        first = probe(before) if self.seen is None else self.seen
        self.seen = probe(after)
        return same_spikes(before, first, self.seen)


def record(name: str, before: Network, after: Network, spikes: int | None) -> PassRecord:
    """What changed between two networks."""
    old, new = before.nodes, after.nodes
    return PassRecord(
        name,
        tuple(n for n in new if n in old and new[n] is not old[n]),
        tuple(n for n in new if n not in old),
        tuple(n for n in old if n not in new),
        spikes,
    )


def probe_input(node: Input, steps: int, batch: int = PROBE_BATCH) -> Array:
    """Numbers in [0, 1), or spikes at 30 %: the same ones each time."""
    made = np.random.default_rng(7).random((steps, batch, *node.shape))
    return (made < 0.3).astype(np.float64) if node.content == "spikes" else made


def probe(network: Network) -> Recording:
    """A short run with every spike."""
    steps = network.scheduled or PROBE_STEPS
    inputs = {n: probe_input(network.nodes[n], steps) for n in network.inputs}  # type: ignore[arg-type]
    return interpreter.run(compile(network), inputs, ("all",), states=False)


def in_shape(values: Numbers, wanted: Numbers) -> Numbers:
    """The values in the axes of others, where a pass made what they came from flat."""
    return values.reshape(wanted.shape) if values.size == wanted.size else values


def same_spikes(network: Network, before: Recording, after: Recording) -> int:
    """How many spikes the probe had; PassError where one moved or an output changed."""
    for name, spikes in before.spikes.items():
        if name not in after.spikes:
            raise PassError(f"neuron layer {name!r} is gone")
        wrong = np.argwhere(spikes != in_shape(after.spikes[name], spikes))
        if len(wrong):
            t, sample, *where = wrong[0].tolist()
            raise PassError(
                f"{len(wrong)} spikes of {name!r} changed on the probe, first at step {t}, "
                f"sample {sample}, neuron {where}"
            )
    for name, values in before.outputs.items():
        apart = np.abs(values - in_shape(after.outputs[name], values))
        apart = apart > 1e-9 * np.maximum(1, np.abs(values))
        if apart.any():
            raise PassError(f"output {name!r} changed on the probe")
    return sum(int(spikes.sum()) for spikes in before.spikes.values())
