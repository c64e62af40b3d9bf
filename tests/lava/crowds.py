"""Many neurons at once, every register drawn from all of its range."""

from typing import Any

import numpy as np

from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from spikeport.core.network import Network
from spikeport.core.nodes import Input, Linear, Node, Output


def population(random: np.random.Generator, size: int, least_du: int) -> ChipNeuron:
    """Every register of every neuron drawn from all of its range, its ends often."""

    def register(least: int, most: int) -> Any:
        values = random.integers(least, most + 1, size)
        return np.where(random.random(size) < 0.1, random.choice([least, most], size), values)

    return ChipNeuron(
        (size,),
        du=register(least_du, 4095),
        dv=register(0, 4095),
        vth=np.where(random.random(size) < 0.5, register(0, 131071), register(0, 2000)),
        bias_mant=register(-4096, 4095),
        bias_exp=int(random.integers(0, 8)),
        current=register(-3000, 3000) if random.random() < 0.5 else None,
        reset=str(random.choice(["value", "subtract"])),
        refractory=int(random.integers(0, 3)),
    )


def driven(random: np.random.Generator, size: int, reach: int, least_du: int) -> Network:
    """Random drives up to `reach` straight into one population, its spikes through a synapse of
    extreme weights into another, recurrent one."""
    ends = random.choice([-256, 254, 0, 2], (size, size), p=[0.1, 0.1, 0.7, 0.1])
    sparse = np.where(random.random((size, size)) < 0.2, ends, 0)
    nodes: list[tuple[str, Node]] = [
        ("in", Input((size,), "analogue")),
        ("to", ToChip((size,), float(reach))),
        ("a", population(random, size, least_du)),
        ("w", ChipSynapse(Linear(ends), int(random.integers(-2, 1)))),
        ("b", population(random, size, least_du)),
        ("r", ChipSynapse(Linear(sparse))),
    ]
    edges = [
        ("in", "to"),
        ("to", "a"),
        ("a", "w"),
        ("w", "b"),
        ("b", "r"),
        ("r", "b"),
        ("b", "out"),
    ]
    return Network(dict(nodes) | {"out": Output((size,))}, tuple(edges))


def drives(random: np.random.Generator, steps: int, batch: int, size: int) -> Any:
    """Between -1 and 1; a third of them at the ends."""
    values = random.uniform(-1, 1, (steps, batch, size))
    return {"in": np.where(random.random(values.shape) < 0.3, np.sign(values), values)}
