"""Cases in the chip's own integers and timing (`pipelined`): every synapse takes one step,
nothing is shifted back, and biases of neurons act from step 0 in every layer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.arrays import frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.network import Edge
from ...core.nodes import Conv, Delay, Flatten, Input, Linear, Node, Output, SumPool2d

Built = tuple[dict[str, Node], list[Edge], dict[str, Any]]
PIPELINED: dict[str, Callable[[np.random.Generator], Built]] = {}


def case(build: Callable[[np.random.Generator], Built]) -> Callable[[np.random.Generator], Built]:
    """Register a builder under its function's name."""
    PIPELINED[build.__name__] = build
    return build


def built(nodes: dict[str, Node], *ways: str) -> Built:
    """ways: 'a b c' for the edges a -> b -> c."""
    edges = [edge for way in ways for edge in zip(way.split(), way.split()[1:], strict=False)]
    return nodes, edges, {"timing": "pipelined"}


def dense(random: np.random.Generator, out: int, into: int, **how: Any) -> ChipSynapse:
    """Random weights that make neurons fire."""
    return ChipSynapse(Linear(frozen(random.integers(-45, 65, (out, into)) * 2), **how))


def conv(random: np.random.Generator, out: int, into: int, **how: Any) -> ChipSynapse:
    """Random 3 x 3 kernels."""
    return ChipSynapse(Conv(frozen(random.integers(-25, 32, (out, into, 3, 3)) * 2), **how))


def neurons(random: np.random.Generator, *shape: int, **how: Any) -> ChipNeuron:
    """Current-based, with a bias of its own for every neuron."""
    told: dict[str, Any] = {"du": 1400, "dv": 700, "vth": 190}
    told |= {"bias_mant": random.integers(-10, 60, shape), "bias_exp": 6} | how
    for name in ("du", "dv", "vth", "bias_mant"):
        told[name] = np.asarray(told[name])
    return ChipNeuron(shape, **told)


def spikes(*shape: int) -> Input:
    """An input of 0 and 1."""
    return Input(shape, "spikes")


@case
def pipelined_chain(random: np.random.Generator) -> Built:
    """Three layers whose biases all start at step 0; the sums of a fourth are read one step on."""
    nodes: dict[str, Node] = {
        "in": spikes(6),
        "fc1": dense(random, 8, 6),
        "one": neurons(random, 8),
        "fc2": dense(random, 7, 8, bias=random.integers(-20, 40, 7)),
        "two": neurons(random, 7, du=4095),
        "fc3": dense(random, 6, 7),
        "three": neurons(random, 6, reset="subtract", current=random.integers(-9, 30, 6)),
        "read": dense(random, 3, 6, bias=np.array([5.0, 0.0, -7.0])),
        "spikes": Output((6,)),
        "sums": Output((3,)),
    }
    way = "in fc1 one fc2 two fc3 three"
    return built(nodes, f"{way} spikes", "three read sums")


@case
def pipelined_residual(random: np.random.Generator) -> Built:
    """The short way arrives a step before the long one, and is not made to wait."""
    nodes: dict[str, Node] = {
        "in": spikes(6),
        "fc1": dense(random, 8, 6),
        "one": neurons(random, 8),
        "fc2": dense(random, 8, 8),
        "two": neurons(random, 8, du=4095),
        "fc3": dense(random, 5, 8),
        "three": neurons(random, 5),
        "skip": dense(random, 5, 8),
        "out": Output((5,)),
    }
    return built(nodes, "in fc1 one fc2 two fc3 three out", "one skip three")


@case
def pipelined_loops(random: np.random.Generator) -> Built:
    """A loop through one synapse and one through two: any loop can be timed."""
    nodes: dict[str, Node] = {
        "in": spikes(6),
        "fc1": dense(random, 7, 6),
        "one": neurons(random, 7),
        "rec": dense(random, 7, 7, bias=random.integers(-30, 30, 7)),
        "fc2": dense(random, 5, 7),
        "two": neurons(random, 5, refractory=1),
        "back": dense(random, 7, 5),
        "out": Output((5,)),
    }
    return built(nodes, "in fc1 one fc2 two out", "one rec one", "two back one")


@case
def pipelined_delays(random: np.random.Generator) -> Built:
    """Delays of spikes and of sums, on the way and in a loop."""
    nodes: dict[str, Node] = {
        "in": spikes(6),
        "late": Delay(2),
        "fc1": dense(random, 7, 6),
        "one": neurons(random, 7),
        "fc2": dense(random, 5, 7),
        "later": Delay(np.array([0, 3, 1, 3, 2])),
        "two": neurons(random, 5),
        "back": dense(random, 7, 5),
        "last": Delay(1),
        "out": Output((5,)),
    }
    return built(nodes, "in late fc1 one fc2 later two out", "two back last one", "in fc1")


@case
def pipelined_conv(random: np.random.Generator) -> Built:
    """Convolutions, a pool that is a synapse of its own, a flat layer, maps that are flattened
    as sums."""
    nodes: dict[str, Node] = {
        "in": spikes(2, 8, 7),
        "conv1": conv(random, 4, 2, padding=(1, 1)),
        "one": neurons(random, 4, 8, 7),
        "pool": ChipSynapse(SumPool2d((2, 2), (2, 2))),
        "conv2": conv(random, 6, 4, stride=(1, 2), padding=(1, 1)),
        "two": neurons(random, 6, 4, 2, vth=700),
        "flat": Flatten(),
        "fc": dense(random, 5, 48),
        "three": neurons(random, 5),
        "conv3": conv(random, 3, 6, padding=(1, 1)),
        "sums": Flatten(),
        "four": neurons(random, 24),
        "out": Output((5,)),
        "more": Output((24,)),
    }
    way = "in conv1 one pool conv2 two"
    return built(nodes, f"{way} flat fc three out", "two conv3 sums four more")
