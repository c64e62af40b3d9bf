"""A network opened on Lava: check what comes in, run the parts, put the recording together."""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any, get_args

import numpy as np

from ...core import interpreter
from ...core.arrays import Numbers
from ...core.errors import ConfigError
from ...core.network import Network
from ...core.nodes import Delay, Neuron
from ...core.recording import Recording, checked_inputs, wanted_nodes
from ...core.schedule import Program, compile
from ..protocol import Closing, is_static
from .chip import Chip, Collected, Mode
from .pool import Pool
from .split import split

MODE = "SPIKEPORT_LAVA_MODE"


def mode_for(asked: str | None, states: bool) -> Mode:
    """How to run: as asked, by argument or environment; 'auto' steps where states are kept and
    uses Lava's own runtime elsewhere."""
    mode = asked or os.environ.get(MODE) or "auto"
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    if mode != "auto":
        raise ConfigError(f"Lava's mode is {mode!r}; runtime, stepped or auto is meant ({MODE})")
    return "stepped" if states else "runtime"


class Session(Closing):
    """What both engines share. mode: runtime, stepped, auto, or None for the environment's.
    states: whether v and u of recorded populations are kept, too."""

    def __init__(
        self,
        network: Network,
        header: Mapping[str, Any],
        pool: Pool,
        mode: str | None = None,
        states: bool = True,
    ) -> None:
        mode_for(mode, states)
        self.network = network
        self.header = header
        self.pool = pool
        self.asked = mode
        self.states = states

    def close(self) -> None:
        """End the workers."""
        self.pool.close()

    def on_lava(
        self, chip: Chip, signals: Mapping[str, Numbers], record: Collection[str], static: Any
    ) -> tuple[Collected, Mode]:
        """Run the chip's part."""
        states = self.states and bool(record)
        mode = mode_for(self.asked, states)
        states = states and mode == "stepped"
        return chip.run(signals, record, states, mode, static), mode

    def told(self, ran: Collected, mode: Mode, **more: Any) -> dict[str, Any]:
        """The recording's header: what ran, and how."""
        lava = {
            "mode": mode,
            "seconds": ran.seconds,
            "steps": ran.steps,
            "stand_ins": ran.stand_ins,
            "own_processes": ran.ours,
            "workers": len(self.pool.desks),
            **more,
        }
        return {**self.header, "lava": lava}


class FloatSession(Session):
    """The whole network on Lava."""

    def __init__(self, network: Network, header: Mapping[str, Any], pool: Pool, **how: Any) -> None:
        super().__init__(network, header, pool, **how)
        self.chip = Chip(network, False, pool)

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        static = unchanging(inputs)
        signals = checked_inputs(self.network, inputs)
        wanted = wanted_nodes(self.network, record)
        ran, mode = self.on_lava(self.chip, signals, wanted, static)
        extended = [n for n in self.network.named(Neuron) if is_extended(self.network.nodes[n])]
        header = self.told(ran, mode, extensions=extended)
        return Recording(ran.outputs, ran.spikes, ran.v, ran.u, header)


class FixedSession(Session):
    """The chip's part on Lava, encoder and readout by the reference interpreter."""

    def __init__(self, network: Network, header: Mapping[str, Any], pool: Pool, **how: Any) -> None:
        super().__init__(network, header, pool, **how)
        self.parts = split(compile(network))
        self.before = compile(self.parts.before) if self.parts.before else None
        self.after = compile(self.parts.after)
        self.chip = Chip(self.parts.chip, True, pool)

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        static = unchanging(inputs)
        given = checked_inputs(self.network, inputs)
        wanted = wanted_nodes(self.network, record)
        signals: dict[str, Numbers] = {n: given[n] for n in self.parts.chip.inputs if n in given}
        first = self.encode(given, wanted, static)
        for name, output in self.parts.enters.items():
            signals[name] = whole(first.outputs[output])
        still = static | (unchanging(signals) & set(self.parts.enters))
        on_chip = [n for n in wanted if n in self.parts.chip.nodes]
        ran, mode = self.on_lava(self.chip, signals, on_chip, still)
        last = self.read_out(given, ran, wanted)
        extended = [n for n in on_chip if is_extended(self.parts.chip.nodes[n])]
        header = self.told(ran, mode, host=self.parts.host, extensions=extended)
        return Recording(
            last.outputs,
            {**first.spikes, **ran.spikes, **last.spikes},
            {**first.v, **ran.v, **last.v},
            {**first.u, **ran.u, **last.u},
            header,
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
        self, given: Mapping[str, Numbers], ran: Collected, wanted: Iterable[str]
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
