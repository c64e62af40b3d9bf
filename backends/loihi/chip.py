"""The chip's part of a network: layer after layer, each over all steps at once.

What an edge brings one step late (all that leaves a synapse of a pipelined network) is shifted
as a whole. Only where populations hear each other in a loop, the nodes of the loop go step by
step, with the same sums and kernels on one step. Many steps go window after window, so that
memory does not grow with them but by what is recorded.
"""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.delays import DelayLine, delayed
from ...core.interpreter import quiet
from ...core.loihi import hold_current, outgrows
from ...core.network import Network
from ...core.nodes import Delay, Flatten, Input, Node, Output
from ...core.recording import stored_once
from ...core.schedule import compile
from .arrays import Array, cast, concatenated, copied, emptied, fetched, repeated, summed
from .bounds import fan_in, largest, own_current
from .layout import inside, outside
from .loops import parts
from .neurons import Population, Ran
from .sums import Synapse


class Chip:
    """A chip network, ready to run. given: Input -> bound of what it brings. device: torch's name
    of one; None: the processor's own path."""

    def __init__(
        self,
        network: Network,
        given: Mapping[str, int],
        kernel: str = "fused",
        device: str | None = None,
    ) -> None:
        self.device = device
        self.program = compile(network)
        self.nodes = network.nodes
        bound = largest(self.program, given)
        self.stages = parts(self.program)
        self.synapses: dict[str, Any] = {}
        self.populations: dict[str, Any] = {}
        self.drives: dict[str, int] = {}  # population -> bound of what arrives in a step
        synapse, population = makers(kernel, device)
        for name, node in self.nodes.items():
            heard = sum(bound[s] for s in network.sources[name])
            if isinstance(node, ChipSynapse):
                shape = self.program.shapes[network.sources[name][0]]
                self.synapses[name] = synapse(node, shape, heard, bound_before(node, heard))
            elif isinstance(node, ChipNeuron):
                self.populations[name] = population(node, heard)
                self.drives[name] = heard + own_current(node)

    def run(
        self,
        signals: Mapping[str, Numbers],
        steps: int,
        batch: int,
        record: Collection[str],
        window: int | None = None,
    ) -> tuple[dict[str, Numbers], dict[str, Ran]]:
        """(node -> values [T, B, *shape] for Outputs, population -> what it did) from rest.

        signals: Input -> [T or 1, B, *shape] whole numbers, channels first. window: steps that
        are gone over at once; None: all of them.
        """
        run = Run(self, steps, batch, set(record))
        size = window or steps
        for start in range(0, steps, size):
            length = min(size, steps - start)
            part = {n: x if len(x) == 1 else x[start : start + length] for n, x in signals.items()}
            run.go(part, start, length)
        return run.outputs, run.kept

    @cached_property
    def still(self) -> dict[str, Any]:
        """What back edges carry at t = 0, of one sample."""
        return quiet(self.program, 1)

    def ways(self) -> dict[str, str]:
        """How each synapse was summed, the last time."""
        return {name: synapse.way for name, synapse in self.synapses.items()}


def makers(kernel: str, device: str | None) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What makes a synapse (node, shape, heard, bound), and a population (node, largest)."""
    if device is None:
        return Synapse, lambda node, largest: Population(node, largest, kernel)
    from .gpu.neurons import DevicePopulation  # brings torch
    from .gpu.sums import DeviceSynapse

    return (
        lambda node, shape, heard, bound: DeviceSynapse(node, shape, heard, bound, device, kernel),
        lambda node, largest: DevicePopulation(node, largest, device, kernel),
    )


def bound_before(node: ChipSynapse, heard: int) -> int:
    """Bound of a sum before its exponent."""
    return fan_in(node) * max(heard, 1)


class Run:
    """One run of a chip network, a window of steps after the other."""

    def __init__(self, chip: Chip, steps: int, batch: int, record: set[str]) -> None:
        self.chip = chip
        self.total = steps
        self.steps = 0  # of the window
        self.start = 0
        self.batch = batch
        self.record = record
        self.outputs: dict[str, Numbers] = {}
        self.kept: dict[str, Ran] = {}
        self.values: dict[str, Array] = {}  # channels last, [T or 1, B, *shape]
        self.states = {name: p.rest(batch) for name, p in chip.populations.items()}
        before = chip.program.before
        self.last = self.before_the_first(tuple({s for late in before.values() for s in late}))
        self.tails: dict[str, Array] = {}  # delay -> what it has not said yet
        self.lines: dict[str, DelayLine] = {}  # those within loops

    def go(self, signals: Mapping[str, Numbers], start: int, length: int) -> None:
        """The steps from `start` on; signals: of these steps."""
        self.start, self.steps = start, length
        shapes = self.chip.program.shapes
        for name, x in signals.items():
            self.values[name] = inside(self.enter(name, x), shapes[name])
        for stage in self.chip.stages:
            self.stage(stage)
        if start + length < self.total:
            self.last = {name: copied(self.values[name][-1:]) for name in self.last}

    def put(self, values: Numbers) -> Array:
        """Where the run takes place."""
        if self.chip.device is None:
            return values
        from .gpu.bring import brought

        return brought(values, self.chip.device)

    def enter(self, name: str, values: Numbers) -> Array:
        """An input's values of these steps, where the run takes place."""
        node = self.chip.nodes[name]
        values = narrow(values, node)
        if self.chip.device is None or values.dtype != np.uint8:
            return self.put(values)
        from .gpu.bring import spikes_brought

        return spikes_brought(values, self.chip.device)

    # --- a layer at a time -----------------------------------------------------------------

    def stage(self, names: tuple[str, ...]) -> None:
        """One node over all steps, or a loop of nodes step by step."""
        (first, *more) = names
        if not more and first not in self.chip.program.before[first]:
            self.whole(first)
        else:
            self.stepped(names)
        for name in names:
            if isinstance(self.chip.nodes[name], Output):
                self.tell(name, fetched(outside(self.full(name), self.chip.program.shapes[name])))

    def tell(self, name: str, values: Numbers) -> None:
        """What an Output says in this window."""
        if self.steps == self.total:
            self.outputs[name] = values
            return
        if name not in self.outputs:
            self.outputs[name] = np.empty((self.total, *values.shape[1:]), values.dtype)
        self.outputs[name][self.start : self.start + self.steps] = values

    def whole(self, name: str) -> None:
        """One node over all steps."""
        node = self.chip.nodes[name]
        if isinstance(node, Input):
            return
        program = self.chip.program
        arrived = [self.values[s] for s in program.now[name]]
        arrived += [self.late(s) for s in program.before[name]]
        self.values[name] = self.through(name, node, self.heard(arrived), self.steps)

    def late(self, name: str) -> Array:
        """What a node said one step ago, over all steps."""
        x = self.full(name)
        first = cast(self.last[name], x)
        return concatenated([first, x[:-1]])

    def heard(self, arrived: list[Array]) -> Array:
        """Several edges into one node are summed, exactly."""
        return arrived[0] if len(arrived) == 1 else summed(arrived)

    def through(self, name: str, node: Node, x: Array, steps: int, at: int = 0) -> Array:
        """What a node makes of what it hears, [T or 1, B, *shape], from step `at` of the window."""
        shapes, network = self.chip.program.shapes, self.chip.program.network
        if isinstance(node, ChipSynapse):
            return self.chip.synapses[name].run(x)
        if isinstance(node, ChipNeuron):
            return self.fire(name, node, x, steps, at)
        if isinstance(node, Flatten):
            before = shapes[network.sources[name][0]]
            return inside(outside(x, before).reshape(*x.shape[:2], *shapes[name]), shapes[name])
        if isinstance(node, Delay):
            return self.wait(name, node, repeated(x, self.steps))
        return x

    def wait(self, name: str, node: Delay, x: Array) -> Array:
        """A window's signal, late; what is still to come is kept for the next window."""
        held = self.laid(node, self.chip.program.shapes[name])
        if name in self.tails:
            x = concatenated([self.tails[name], x])
        if self.start + self.steps < self.total:
            self.tails[name] = copied(x[max(len(x) - node.most, 0) :])
        return delayed(x, held)[len(x) - self.steps :]

    def fire(self, name: str, node: ChipNeuron, x: Array, steps: int, at: int) -> Array:
        """A population over some steps; what it did is kept if that is wanted."""
        drive = x.reshape(*x.shape[:2], -1)
        if outgrows(self.chip.drives[name], node.du, self.total):
            most = int(abs(drive).max()) + own_current(node)
            hold_current(f"node {name!r} ({node.kind})", most, node.du, self.total)
        ran = self.chip.populations[name].run(drive, steps, self.states[name], name in self.record)
        if name in self.record:
            self.keep(name, ran, at)
        return ran.spikes.reshape(steps, *x.shape[1:])

    def keep(self, name: str, ran: Ran, at: int) -> None:
        """Keep what a population did from step `at` of the window on."""
        if len(ran.spikes) == self.total:
            self.kept[name] = ran
            return
        parts = (ran.spikes, ran.u, ran.v)
        if name not in self.kept:
            self.kept[name] = Ran(*(emptied(part, self.total) for part in parts))
        kept = self.kept[name]
        at += self.start
        for whole, part in zip((kept.spikes, kept.u, kept.v), parts, strict=True):
            assert whole is not None
            whole[at : at + len(ran.spikes)] = part

    def full(self, name: str) -> Array:
        """A value at every step."""
        x = self.values[name]
        return repeated(x, self.steps)

    # --- a loop, step by step --------------------------------------------------------------

    def stepped(self, names: tuple[str, ...]) -> None:
        """The nodes of a loop, in program order within each step."""
        program = self.chip.program
        inner = set(names)
        last = self.last
        shapes, nodes = program.shapes, self.chip.nodes
        for n in names:
            if isinstance(node := nodes[n], Delay) and n not in self.lines:
                self.lines[n] = DelayLine(self.laid(node, shapes[n]))
        found: dict[str, list[Array]] = {n: [] for n in names}
        for t in range(self.steps):
            now: dict[str, Array] = {}
            for name in names:
                arrived = [now[s] if s in inner else self.at(s, t) for s in program.now[name]]
                arrived += [
                    last[s] if s in last else self.at(s, t - 1) for s in program.before[name]
                ]
                x = self.heard(arrived)
                line = self.lines.get(name)
                said = line(summed([x])) if line else self.through(name, nodes[name], x, 1, t)
                now[name] = said
                found[name].append(now[name])
            last = now
        for name in names:
            self.values[name] = concatenated(found[name])

    def at(self, name: str, t: int) -> Array:
        """A value outside of the loop at one step."""
        x = self.values[name]
        return x[:1] if len(x) == 1 else x[t : t + 1]

    def laid(self, node: Delay, shape: Shape) -> Any:
        """A delay's steps, in the order inside."""
        steps = node.steps
        return steps if isinstance(steps, int) else inside(self.put(steps), shape)

    def before_the_first(self, names: tuple[str, ...]) -> dict[str, Array]:
        """What back edges carry at t = 0 (core.interpreter.quiet)."""
        shapes = self.chip.program.shapes
        found = {}
        for name in names:
            whole = np.rint(self.chip.still[name]).astype(np.int32)
            spread = np.broadcast_to(whole, (self.batch, *shapes[name]))[None]
            found[name] = inside(self.put(spread), shapes[name])
        return found


def narrow(x: Numbers, node: Any) -> Numbers:
    """The smallest type that the kernels take: spikes as uint8, currents as int32; one step
    where every step is the same."""
    kind = np.uint8 if node.content == "spikes" else np.int32
    return stored_once(x).astype(kind, copy=False)
