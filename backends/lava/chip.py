"""The part of a network that runs on Lava: samples in, what was recorded out.

All samples of a batch follow one another without a gap through one start of Lava; long batches
are cut so that memory stays bounded, and shared among the workers.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...core.arrays import Array, Numbers
from ...core.chip_nodes import ChipNeuron
from ...core.interpreter import has_current
from ...core.network import Network
from ...core.nodes import Input
from ...core.recording import check_binary
from ...core.schedule import compile
from . import limits
from .plan import Plan, piece_of, rows_of, timing_of, with_added
from .planner import plan
from .pool import Desk, Pool, limit_s

Mode = Literal["runtime", "stepped"]
AT_ONCE = 1 << 28  # bytes of inputs and recordings of one start of Lava
START_S, STEP_S, WORK_PER_S = 120.0, 0.05, 2e7  # of the time limit: generous


@dataclass
class Collected:
    """What came back, each [T, B, *shape], and how it was run."""

    outputs: dict[str, Array] = field(default_factory=dict)
    spikes: dict[str, Numbers] = field(default_factory=dict)
    v: dict[str, Numbers] = field(default_factory=dict)
    u: dict[str, Numbers] = field(default_factory=dict)
    seconds: float = 0.0  # of Lava's own running, summed over the workers
    steps: int = 0
    stand_ins: list[str] = field(default_factory=list)  # for functions of Lava's
    ours: list[str] = field(default_factory=list)  # process classes that Lava does not ship


class Chip:
    """A network on Lava. fixed: in the chip's integers. stand_ins: whether faster functions that
    compute the same may stand for Lava's own."""

    def __init__(self, network: Network, fixed: bool, pool: Pool, stand_ins: bool = True) -> None:
        self.stand_ins = stand_ins
        self.program = compile(network)
        self.timing = timing_of(self.program)
        if fixed:
            limits.check_weights_and_loops(self.program)
        self.fixed = fixed
        self.pool = pool
        self.plans: dict[int, Plan] = {}

    def plan(self, steps: int) -> Plan:
        """The plan for samples of that many steps; the last one is kept."""
        if steps not in self.plans:
            self.plans = {steps: plan(self.program, self.timing, steps)}
        return self.plans[steps]

    def run(
        self,
        signals: Mapping[str, Numbers],
        record: Collection[str],
        states: bool,
        mode: Mode,
        static: Collection[str] = (),
    ) -> Collected:
        """signals: Input -> [T, B, *shape]. record: populations whose spikes are kept; states:
        their v and u too. static: inputs that are the same at every step."""
        steps, batch = next(iter(signals.values())).shape[:2]
        planned = self.plan(steps)
        self.check(planned, signals)
        run = Run(self, planned, tuple(record), states, mode, frozenset(static))
        size = run.size(batch, len(self.pool.desks))
        jobs = [
            {name: values[:, at : at + size] for name, values in signals.items()}
            for at in range(0, batch, size)
        ]
        return joined(self.pool.map(run.part, jobs))

    def check(self, planned: Plan, signals: Mapping[str, Numbers]) -> None:
        """Refuse what Lava's numbers cannot hold."""
        for name, values in signals.items():
            node = self.program.network.nodes[name]
            if isinstance(node, Input) and node.content == "spikes":
                check_binary(name, values)
        if self.fixed:
            reach = {name: int(np.abs(values).max()) for name, values in signals.items()}
            limits.check(self.program, reach, planned.currents, planned.interval)


@dataclass(frozen=True)
class Run:
    """One run of a batch, in parts."""

    chip: Chip
    plan: Plan
    record: tuple[str, ...]
    states: bool
    mode: Mode
    static: frozenset[str]

    def part(self, desk: Desk, signals: Mapping[str, Numbers]) -> Collected:
        """Run some samples on one worker."""
        steps, batch = next(iter(signals.values())).shape[:2]
        arrays: dict[str, Numbers] = {}
        for name, values in signals.items():
            rows, index = self.stream(name, values)
            arrays |= {f"{piece_of(name)}/values": rows, f"{piece_of(name)}/index": index}
        for name, values in self.plan.currents.items():
            index = np.tile(rows_of(len(values), steps), batch)
            arrays[f"constant/{name}/index"] = index
        head = self.plan.described(steps * batch, self.record, self.wanted())
        head |= {"fixed": self.chip.fixed, "mode": self.mode, "stand_ins": self.chip.stand_ins}
        told, got = desk.run(self.plan, head, arrays, limit_s(self.estimate(head["steps"])))
        return self.collected(told, got, steps, batch)

    def stream(self, name: str, values: Numbers) -> tuple[Numbers, Numbers]:
        """An input [T, B, *shape] as rows and their order, sample after sample."""
        steps, batch = values.shape[:2]
        node = self.chip.program.network.nodes[name]
        binary = isinstance(node, Input) and node.content == "spikes"
        real = np.int32 if self.chip.fixed else np.float64
        kind = np.uint8 if binary else real
        shape = values.shape[2:] or (1,)
        if name in self.static:
            rows = values[0].astype(kind).reshape(batch, *shape)
            return rows, np.repeat(np.arange(batch, dtype=np.int32), steps)
        rows = values.swapaxes(0, 1).astype(kind).reshape(steps * batch, *shape)
        return rows, np.arange(steps * batch, dtype=np.int32)

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Population -> which of v and u is recorded."""
        nodes = self.chip.program.network.nodes
        if not self.states:
            return {}
        return {n: ("v", "u") if has_current(nodes[n]) else ("v",) for n in self.record}

    def collected(
        self, told: Mapping[str, Any], got: Mapping[str, Numbers], steps: int, batch: int
    ) -> Collected:
        """What the worker sent, un-shifted already, as [T, B, *shape]."""
        found = Collected(**{k: told[k] for k in ("seconds", "steps", "stand_ins", "ours")})
        shapes, nodes = self.chip.program.shapes, self.chip.program.network.nodes
        for key, values in got.items():
            group, _, name = key.partition("/")
            ordered = values.reshape(batch, steps, *shapes[name]).swapaxes(0, 1)
            if group == "output":
                found.outputs[name] = with_added(self.plan, name, ordered)
            elif group == "spikes":
                found.spikes[name] = ordered
            else:
                whole = isinstance(nodes[name], ChipNeuron)
                getattr(found, group)[name] = ordered.astype(np.int32) if whole else ordered
        return found

    def size(self, batch: int, workers: int) -> int:
        """Samples of one start of Lava: bounded memory, and something for every worker."""
        shapes = self.chip.program.shapes
        nodes = self.chip.program.network.nodes
        numbers = [n for n, node in nodes.items() if isinstance(node, Input)]
        numbers += self.chip.program.network.outputs
        numbers += [n for n, which in self.wanted().items() for _ in which]
        each = sum(8 * math.prod(shapes[n]) for n in numbers)
        each += sum(math.prod(shapes[n]) for n in self.record)
        fitting = AT_ONCE // max(1, each * self.plan.interval)
        return max(1, min(fitting, math.ceil(batch / workers)))

    def estimate(self, steps: int) -> float:
        """Seconds after which something is certainly wrong."""
        work = sum(math.prod(v.shape) for v in self.plan.arrays.values())
        for piece in self.plan.pieces.values():
            if piece.kind == "conv":
                work += piece.arrays["weight"].size * math.prod(piece.takes[1:])
        speed = WORK_PER_S if self.chip.stand_ins else WORK_PER_S / 10
        return START_S + steps * (STEP_S * (len(self.plan.pieces) + 1) + work / speed)


def joined(parts: list[Collected]) -> Collected:
    """The parts of a batch, one after the other."""
    whole = Collected(
        seconds=sum(p.seconds for p in parts),
        steps=sum(p.steps for p in parts),
        stand_ins=parts[0].stand_ins,
        ours=parts[0].ours,
    )
    for group in ("outputs", "spikes", "v", "u"):
        for name in getattr(parts[0], group):
            found = [getattr(p, group)[name] for p in parts]
            getattr(whole, group)[name] = np.ascontiguousarray(np.concatenate(found, axis=1))
    return whole
