"""Random networks for the tests: any graph that the nodes allow, by a hypothesis draw."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from spikeport.core.arrays import frozen
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import (
    AvgPool2d,
    Conv,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    SumPool2d,
)


def numbers(random: np.random.Generator, *shape: int) -> Any:
    return frozen(random.normal(0, 1, shape))


def neuron(random: np.random.Generator, shape: tuple[int, ...], spiking: bool = True) -> Neuron:
    """Any population, every parameter one number or one per neuron."""

    def value(low: float, high: float) -> Any:
        return frozen(random.uniform(low, high, shape if random.random() < 0.5 else ()))

    cuba = random.random() < 0.4
    how: dict[str, Any] = {"gain_v": value(0.2, 1.5), "bias": value(-0.1, 0.2)}
    if cuba:
        how |= {"decay_u": value(0, 0.95), "gain_u": value(0.2, 1.5)}
    if spiking:
        subtract = random.random() < 0.5
        how |= {"threshold": value(0.5, 1.5), "refractory": int(random.integers(0, 3))}
        how |= {"reset": "subtract"} if subtract else {"v_reset": value(-0.5, 0.3)}
        if subtract and random.random() < 0.5:
            how["reset_amount"] = value(0.3, 1.0)
        how["compare"] = ">=" if random.random() < 0.3 else ">"
    perfect = not cuba and random.random() < 0.3
    if perfect:
        how["bias"] = frozen(0.0)  # NIR's IF cannot carry one
    return Neuron(shape, frozen(1.0) if perfect else value(-0.2, 0.97), **how)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A few layers, maps or flat, with skips and loops."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    flat = draw(st.booleans())
    shape: tuple[int, ...] = (4,) if flat else (2, 6, 5)
    content: Any = draw(st.sampled_from(["spikes", "analogue"]))
    nodes["in"] = Input(shape, content)
    last = "in"
    for i in range(draw(st.integers(1, 3))):
        layer, shape = weighted(random, shape, draw(st.booleans()))
        nodes[f"w{i}"] = layer
        edges.append((last, f"w{i}"))
        nodes[f"n{i}"] = neuron(random, shape)
        edges.append((f"w{i}", f"n{i}"))
        last = f"n{i}"
        if draw(st.booleans()):
            loop, after = weighted(random, shape, True, same=True)
            assert after == shape
            nodes[f"r{i}"] = loop
            edges += [(f"n{i}", f"r{i}"), (f"r{i}", f"n{i}")]
        if len(shape) == 3 and min(shape[1:]) >= 2 and draw(st.booleans()):
            kind = draw(st.sampled_from([SumPool2d, AvgPool2d]))
            pool = kind((2, 2), (int(random.integers(1, 3)), 2))
            nodes[f"p{i}"] = pool
            edges.append((last, f"p{i}"))
            shape, last = pool.output_shape(shape), f"p{i}"
    if len(shape) == 3:
        nodes["flat"] = Flatten()
        edges.append((last, "flat"))
        last, shape = "flat", (int(np.prod(shape)),)
    nodes["read"] = Linear(numbers(random, 3, shape[0]), numbers(random, 3))
    nodes["out"] = Output((3,))
    edges += [(last, "read"), ("read", "out")]
    at_t0: Any = draw(st.sampled_from(["bias", "nothing"]))
    meaning = Meaning(dt=draw(st.sampled_from([1e-3, 1e-4, 0.25])), back_edge_at_t0=at_t0)
    return Network(nodes, tuple(edges), meaning)


def weighted(
    random: np.random.Generator, shape: tuple[int, ...], bias: bool, same: bool = False
) -> tuple[Node, tuple[int, ...]]:
    """A dense layer or a convolution that fits; same: it keeps the shape."""
    if len(shape) == 1:
        out = shape[0] if same else int(random.integers(2, 6))
        return Linear(numbers(random, out, shape[0]), numbers(random, out) if bias else None), (
            out,
        )
    out = shape[0] if same else int(random.integers(1, 4)) * shape[0]
    groups = shape[0] if random.random() < 0.3 else 1
    kernel = (3, 3) if same else tuple(int(k) for k in random.integers(1, 4, 2))
    conv = Conv(
        numbers(random, out, shape[0] // groups, *kernel),
        numbers(random, out) if bias else None,
        padding=(1, 1) if same else tuple(int(p) for p in random.integers(0, 2, 2)),
        groups=groups,
    )
    try:
        return conv, conv.output_shape(shape)
    except Exception:
        return weighted(random, shape, bias, True)


def signal(network: Network, steps: int = 5, batch: int = 2) -> dict[str, Any]:
    """Inputs that fit."""
    random = np.random.default_rng(3)
    found = {}
    for name in network.inputs:
        node = network.nodes[name]
        assert isinstance(node, Input)
        x = random.random((steps, batch, *node.shape))
        found[name] = (x < 0.4).astype(float) if node.content == "spikes" else 2 * x
    return found
