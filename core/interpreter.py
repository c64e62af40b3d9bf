"""Runs a Program step by step: the definition that every engine is held against.

Vectorised over the batch and nothing more, in float64; a quantised network's chip part runs in
exact integers. Plain on purpose: speed lives in the engines.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from . import loihi
from .arrays import Array, Numbers, Shape
from .chip_nodes import ChipNeuron, ChipSynapse, ToChip
from .delays import DelayLine
from .errors import NetworkError, QuantisationError
from .linear import apply
from .neuron import Law, State, real, step
from .nodes import Delay, Input, Neuron, Node, Output
from .recording import Recording, checked_inputs, wanted_nodes
from .schedule import Program

Values = Any  # [B, *shape]: float64, or int64 on the chip


Runner = Callable[[Values], Values]  # what a node does with this step's summed input


def run(
    program: Program,
    inputs: Mapping[str, Numbers],
    record: Collection[str] = (),
    *,
    states: bool = True,
) -> Recording:
    """Run a batch from rest. inputs: Input node -> [T, B, *shape]; record: nodes whose spikes,
    v and u are kept ('all': every population). states: False keeps their spikes alone, a
    ninth of the memory or less."""
    network = program.network
    signals = checked_inputs(network, inputs)
    steps, batch = next(iter(signals.values())).shape[:2]
    if network.scheduled not in (None, steps):
        raise NetworkError(
            f"the network has neurons with numbers for each of {network.scheduled} steps and is "
            f"run for {steps}; run it for {network.scheduled}, or train with a norm that does not "
            "count steps (bn)"
        )
    runners = {name: runner(node, batch) for name, node in network.nodes.items()}
    kept = Kept(program, wanted_nodes(network, record), steps, batch, states)
    last: dict[str, Values] = quiet(program, batch)
    for t in range(steps):
        values: dict[str, Values] = {}
        for name in program.order:
            if isinstance(network.nodes[name], Input):
                values[name] = signals[name][t]
                continue
            heard = [values[s] for s in program.now[name]]
            heard += [last[s] for s in program.before[name]]
            try:
                values[name] = runners[name](summed(heard))
            except QuantisationError as error:
                raise QuantisationError(f"node {name!r}: {error}") from None
        kept.keep(t, values, runners)
        last = values
    return kept.recording()


def summed(heard: list[Values]) -> Values:
    """Several edges into one node are summed."""
    total = heard[0]
    for more in heard[1:]:
        total = total + more
    return total


def quiet(program: Program, batch: int) -> dict[str, Values]:
    """What back edges carry at t = 0: a step before the first, in which no input arrives and
    nothing spikes. Linear nodes still give their bias there, unless the metadata says that
    back edges then carry nothing, or the network is pipelined: its synapses start empty."""
    network = program.network
    values: dict[str, Values] = {}
    pipelined = network.meaning.timing == "pipelined"
    nothing = pipelined or network.meaning.back_edge_at_t0 == "nothing"
    for name in program.order if program.back_edges else ():
        node = network.nodes[name]
        whole = isinstance(node, ChipNeuron | ChipSynapse | ToChip)
        zero = np.zeros((batch, *program.shapes[name]), np.int64 if whole else np.float64)
        if nothing or not program.now[name] or isinstance(node, Neuron | ChipNeuron | Delay):
            values[name] = zero
        else:
            values[name] = runner(node, batch)(summed([values[s] for s in program.now[name]]))
    return values


# --- one runner a node ----------------------------------------------------------------------


class Population:
    """A population with its state; `[batch, *shape]`."""

    def __init__(self, law: Law, shape: Shape, kind: type[np.generic]) -> None:
        zero = np.zeros(shape, kind)
        self.law = law
        self.state = State(zero, zero, np.zeros(shape, np.int64))

    def __call__(self, x: Values) -> Values:
        out, self.state = step(self.state, x, self.law)
        return out


class ChipPopulation(Population):
    """A population in the chip's integers. QuantisationError where a current leaves its 32 bits."""

    def __call__(self, x: Values) -> Values:
        out = super().__call__(x)
        if np.abs(self.state.u).max(initial=0) >= loihi.SUM_LIMIT:
            raise QuantisationError(
                f"a current has grown to {np.abs(self.state.u).max()}, past the chip's 32 bits; "
                "smaller weights, fewer inputs or a faster decay are needed"
            )
        return out


class Scheduled(Population):
    """A population with a law for every step."""

    def __init__(self, laws: Sequence[Law], shape: Shape) -> None:
        super().__init__(laws[0], shape, np.float64)
        self.ahead = iter(laws)

    def __call__(self, x: Values) -> Values:
        self.law = next(self.ahead)
        return super().__call__(x)


def chip_population(node: ChipNeuron, batch: int) -> Runner:
    """A population in the chip's integers; a bias on the synapse joins the drive. The drive is
    whole, though spikes that came straight from an Input are still held as float64."""
    population = ChipPopulation(loihi.law(node.registers()), (batch, *node.shape), np.int64)
    current = 0 if node.current is None else node.current
    return Chain(population, lambda x: np.rint(x).astype(np.int64) + current)


class Chain:
    """A population behind a map; its state is the population's."""

    def __init__(self, population: Population, first: Callable[[Values], Values]) -> None:
        self.population = population
        self.first = first

    @property
    def state(self) -> State:
        """The population's."""
        return self.population.state

    def __call__(self, x: Values) -> Values:
        return self.population(self.first(x))


def runner(node: Node, batch: int) -> Runner:
    """What runs the node for a batch, from rest."""
    match node:
        case Neuron():
            size = (batch, *node.shape)
            if node.schedule is not None:
                laws = [real_law(node.at(t)) for t in range(node.schedule.steps)]
                return Scheduled(laws, size)
            return Population(real_law(node), size, np.float64)
        case ChipNeuron():
            return chip_population(node, batch)
        case ChipSynapse():
            return node.total
        case ToChip():
            return node.enter
        case Delay():
            return DelayLine(node.steps)
        case Output():
            return lambda x: x
        case _:
            return partial(apply, node)


def real_law(node: Neuron) -> Law:
    """The neuron's step in float64."""
    threshold = node.threshold

    def fire(v: Array) -> Array:
        spikes = v > threshold if node.compare == ">" else v >= threshold  # type: ignore[operator]
        return spikes.astype(np.float64)

    return real(
        fire=fire if node.spiking else None,
        decay_v=unless(node.decay_v, 1.0),
        decay_u=node.decay_u,
        gain_u=unless(node.gain_u, 1.0),
        gain_v=unless(node.gain_v, 1.0),
        bias=unless(node.bias, 0.0),
        v_reset=node.v_reset if node.v_reset.any() else 0.0,
        amount=node.amount if node.reset == "subtract" and node.spiking else None,
        refractory=node.refractory or None,
    )


def unless(values: Array, idle: float) -> Array | None:
    """The values, or None where all of them are `idle` and change nothing."""
    return None if bool((values == idle).all()) else values


# --- what is kept ---------------------------------------------------------------------------


class Kept:
    """Arrays for what is recorded, filled step by step."""

    def __init__(
        self, program: Program, record: Collection[str], steps: int, batch: int, states: bool
    ) -> None:
        nodes = program.network.nodes
        size = {name: (steps, batch, *program.shapes[name]) for name in program.order}
        held = record if states else ()
        state = {n: np.int32 if isinstance(nodes[n], ChipNeuron) else np.float64 for n in held}
        self.outputs = {n: np.zeros(size[n]) for n in program.network.outputs}
        self.spikes = {
            n: np.zeros(size[n], np.uint8) for n in record if n in program.network.spiking
        }
        self.v: dict[str, Numbers] = {n: np.zeros(size[n], state[n]) for n in held}
        self.u: dict[str, Numbers] = {
            n: np.zeros(size[n], state[n]) for n in held if has_current(nodes[n])
        }

    def keep(self, t: int, values: Mapping[str, Values], runners: Mapping[str, Any]) -> None:
        """Keep this step."""
        for name, out in self.outputs.items():
            out[t] = values[name]
        for name, spikes in self.spikes.items():
            spikes[t] = values[name]
        for name, array in self.v.items():
            array[t] = runners[name].state.v
        for name, array in self.u.items():
            array[t] = runners[name].state.u

    def recording(self) -> Recording:
        """All of it."""
        return Recording(self.outputs, self.spikes, self.v, self.u)


def has_current(node: Node) -> bool:
    """Whether the node has a synaptic current to record."""
    return isinstance(node, ChipNeuron) or (isinstance(node, Neuron) and node.decay_u is not None)
