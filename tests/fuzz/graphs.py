"""Random graphs of every node that a file can hold, each always the same for its number."""

from dataclasses import replace
from typing import Any

import numpy as np

from spikeport.core.errors import NetworkError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Flatten, Input, Linear, Neuron, Node
from spikeport.core.schedule import compile

from ..lava.grow import Grower

KINDS = ("I", "LI", "IF", "LIF", "CubaLI", "CubaLIF", "Threshold")


class AnyGrower(Grower):
    """Numbers of every length, and populations of every kind with every parameter."""

    most = 4

    def __init__(self, seed: int, kinds: tuple[str, ...] = KINDS) -> None:
        super().__init__(seed, False)
        self.kinds = kinds

    def eighths(self, low: float, high: float, *shape: int) -> Any:
        return self.random.uniform(low, high, shape)

    def synapse(self, shape: tuple[int, ...]) -> Node:
        if len(shape) > 1:
            return self.convolution(shape)
        out = self.pick([shape[0], self.whole(2, 5)])
        bias = self.eighths(-1, 1, out) if self.chance(0.6) else None
        return Linear(self.eighths(-1, 1.5, out, shape[0]), bias)

    def neuron(self, shape: tuple[int, ...]) -> Neuron:
        kind = self.pick(self.kinds)

        def value(low: float, high: float) -> Any:
            return self.maybe_one(self.random.uniform(low, high, shape))

        if kind == "Threshold":
            return Neuron(shape, np.zeros(()), value(0, 1), memoryless=True)
        how: dict[str, Any] = {}
        perfect = kind in ("I", "IF")
        if not perfect and self.chance(0.5):
            how["bias"] = value(-0.2, 0.3)
        if self.chance(0.6):
            how["gain_v"] = value(0.3, 1.5)
        if kind.startswith("Cuba"):
            how |= {"decay_u": value(0, 0.95), "gain_u": value(0.3, 1.5)}
        if kind.endswith("F"):
            subtract = self.chance(0.5)
            how |= {"threshold": value(0.2, 1.5), "refractory": self.pick([0, 0, 0, 1, 2])}
            how |= {"reset": "subtract"} if subtract else {"v_reset": value(-0.5, 0.3)}
            how["compare"] = self.pick([">", ">", ">="])
            if subtract and self.chance(0.5):
                how["reset_amount"] = value(0.3, 1)
        return Neuron(shape, np.ones(()) if perfect else value(-0.2, 0.97), **how)


class ChainGrower(AnyGrower):
    """What Norse has modules for: one way in and out, no delays, with skips and loops."""

    most = 6

    def add_input(self, name: str) -> None:
        if not self.nodes:
            shape = self.pick([(5,), (2, 4, 5)])
            self.nodes[name] = Input(shape, self.pick(["analogue", "spikes"]))
            self.shapes[name] = shape

    def add_node(self, name: str) -> None:
        source = list(self.shapes)[-1]
        shape = self.shapes[source]
        bare = isinstance(self.nodes[source], Neuron | Input)
        flat = len(shape) == 3 and self.chance(0.2)
        if flat:
            node: Node = Flatten()
        elif bare:
            node = self.pool() if len(shape) == 3 and self.chance(0.3) else self.synapse(shape)
        else:
            node = self.neuron(shape)
        self.nodes[name], self.shapes[name] = node, node.output_shape(shape)
        self.edges.append((source, name))

    def neuron(self, shape: tuple[int, ...]) -> Neuron:
        made = replace(super().neuron(shape), refractory=0)
        return replace(made, reset="value", reset_amount=None) if made.kind == "IF" else made


class PlainGrower(ChainGrower):
    """What other libraries' importers read: one number for a population, and resets to 0."""

    def neuron(self, shape: tuple[int, ...]) -> Neuron:
        kind = self.pick(self.kinds)
        how: dict[str, Any] = {"compare": self.pick([">", ">="])}
        if kind == "CubaLIF":
            how["decay_u"] = self.random.uniform(0.1, 0.9)
        if self.chance(0.6):
            how["gain_v"] = self.random.uniform(0.3, 1.5)
        decay: Any = 1.0 if kind == "IF" else self.random.uniform(0.2, 0.95)
        return Neuron(shape, decay, self.random.uniform(0.3, 1.5), **how)


class ZeroGrower(AnyGrower):
    """What Lava has: populations that spike, with resets to 0."""

    def neuron(self, shape: tuple[int, ...]) -> Neuron:
        made = super().neuron(shape)
        return made if made.reset == "subtract" else replace(made, v_reset=np.zeros(()))


def grown(seed: int) -> Network | None:
    """A network in real numbers, or None where the draw has no meaning."""
    return finished(AnyGrower(seed), seed)


def grown_for_norse(seed: int) -> Network | None:
    """One that Norse could hold."""
    return finished(ChainGrower(seed, ("IF", "LIF", "CubaLIF")), seed)


def grown_for_importers(seed: int) -> Network | None:
    """One that importers of other libraries could read."""
    return finished(PlainGrower(seed, ("IF", "LIF", "LIF", "CubaLIF")), seed)


def grown_for_lava(seed: int) -> Network | None:
    """One that Lava could hold, but for its timing."""
    return finished(ZeroGrower(seed, ("IF", "LIF", "CubaLIF", "Threshold")), seed)


def finished(grower: AnyGrower, seed: int) -> Network | None:
    """With a dt, or None where it has no meaning."""
    try:
        network = grower.network()
        meaning = Meaning(
            dt=[1e-3, 1e-4, 0.25][seed % 3], back_edge_at_t0=network.meaning.back_edge_at_t0
        )
        network = network.changed(meaning=meaning)
        compile(network)
    except NetworkError:
        return None
    return network


def grown_on_chip(seed: int) -> Network | None:
    """The same in the chip's integers, of either timing."""
    try:
        network = Grower(seed, True, ["aligned", "pipelined"][seed % 2]).network()
        network = network.changed(
            meaning=Meaning(
                dt=1e-3,
                timing=network.meaning.timing,
                back_edge_at_t0=network.meaning.back_edge_at_t0,
            )
        )
        compile(network)
    except NetworkError:
        return None
    return network
