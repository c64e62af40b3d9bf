"""Engines of other libraries beyond the cases: random graphs, and what each refuses by name."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from spikeport.backends.conformance import Case
from spikeport.backends.conformance.building import chain, conv, dense, signal
from spikeport.core.arrays import frozen
from spikeport.core.errors import BackendError, UnsupportedNode
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import (
    AvgPool2d,
    Delay,
    Flatten,
    Input,
    MaxPool2d,
    Neuron,
    Node,
    Output,
    Scale,
    SumPool2d,
)
from spikeport.verify.conformance.subjects import Engine
from spikeport.verify.prepare import prepare

from ..fuzz.graphs import grown
from ..lava.cases import signals
from .engines import got

ENGINES = {
    "snntorch": 60,
    "spikingjelly": 60,
    "sinabs": 60,
    "brian2": 12,
    "nengo": 40,
}  # how many graphs


def population(random: np.random.Generator, leaky: bool, *shape: int) -> Neuron:
    """Any that all of them have: one number for all, a reset to 0 or a subtraction. leaky: a
    plain LIF, which is all that Nengo has."""
    if leaky:
        threshold = frozen(random.uniform(0.5, 1.2, shape))
        bias = frozen(random.uniform(-0.1, 0.1, shape))
        return Neuron(shape, frozen(random.uniform(0.3, 0.95)), threshold, bias=bias)
    kind = random.choice(["IF", "LIF", "CubaLIF"])
    decay = 1.0 if kind == "IF" else random.uniform(0.3, 0.95)
    told: dict[str, Any] = {"reset": "subtract"} if kind == "IF" and random.random() < 0.5 else {}
    if kind == "CubaLIF":
        told["decay_u"] = frozen(random.uniform(0.1, 0.7))
    if random.random() < 0.3:
        told["compare"] = ">="
    gain = frozen(random.uniform(0.5, 1.5))
    return Neuron(shape, frozen(decay), frozen(random.uniform(0.5, 1.2)), gain_v=gain, **told)


def some(seed: int, leaky: bool = False) -> Case:
    """A conv net with a pool, loops and a skip, or some of it."""
    random = np.random.default_rng(seed)
    pool = [AvgPool2d, SumPool2d, AvgPool2d if leaky else MaxPool2d][seed % 3]((2, 2), (2, 2))
    nodes, edges = chain(
        ("in", Input((2, 6, 6), "spikes" if seed % 2 else "analogue")),
        ("conv", conv(random, 3, 2, (3, 3), bool(seed % 4), padding=(1, 1))),
        ("one", population(random, leaky, 3, 6, 6)),
        ("pool", pool),
        ("flat", Flatten()),
        ("fc", dense(random, 8, 27, True)),
        ("two", population(random, leaky, 8)),
        ("fc2", dense(random, 4, 8)),
        ("read", Neuron((4,), frozen(random.choice([1.0, 0.8])))),
        ("out", Output((4,))),
    )
    if leaky:
        del nodes["read"]
        edges = [*edges[:-2], ("fc2", "out")]
    if seed % 3 == 0:
        nodes["rec"] = dense(random, 8, 8, True)
        edges += [("two", "rec"), ("rec", "two")]
    if seed % 5 == 0:
        nodes["skip"] = Scale(frozen(random.uniform(0.2, 0.8, 8)))
        edges += [("fc", "skip"), ("skip", "two")]
    at_t0: Any = "nothing" if seed % 2 else "bias"
    network = Network(nodes, tuple(edges), Meaning(dt=1e-3, back_edge_at_t0=at_t0))
    return Case(f"random {seed}", network, {"in": signal(random, network.nodes["in"])})


@pytest.mark.parametrize("name", ENGINES)
def test_random_graphs(name: str) -> None:
    """Every spike of every graph, whatever it is made of."""
    engine, count = Engine(got(name)), Counter[str]()
    for seed in range(ENGINES[name]):
        case = some(seed, leaky=name == "nengo")
        found = engine.verdict(case)
        assert not found.bad, (seed, found)
        count[found.word] += 1
    assert count["exact"] > 0.9 * ENGINES[name], count


def alone(node: Neuron, drive: float = 1.0) -> Case:
    """spikes -> weights that hand them on -> the population."""
    nodes: dict[str, Node]
    nodes, edges = chain(
        ("in", Input((2,))),
        ("fc", dense(np.random.default_rng(1), 2, 2)),
        ("one", node),
        ("out", Output((2,))),
    )
    network = Network(nodes, tuple(edges), Meaning(dt=1e-3))
    return Case("alone", network, {"in": np.full((6, 2, 2), drive)})


def lif(decay: float = 0.5, threshold: float = 1.0, **told: Any) -> Neuron:
    return Neuron((2,), frozen(decay), frozen(threshold), **told)


@pytest.mark.parametrize(
    ("name", "node", "why"),
    [
        ("snntorch", lif(threshold=-0.5), "threshold below 0"),
        ("snntorch", lif(decay=-0.5), r"membrane decay outside of \[0, 1\]"),
        ("snntorch", lif(decay_u=frozen(1.5)), r"current decay outside of \[0, 1\]"),
        ("snntorch", lif(reset="subtract", refractory=1), "refractory period of 1"),
        ("nengo", lif(threshold=-0.5), "threshold above 0"),
        ("nengo", lif(decay=1.5), "decay between 0 and 1"),
        ("sinabs", lif(decay_u=frozen(0.0)), "would lose what arrives"),
        ("spikingjelly", lif(decay=0.0), "tau must be over 1 step"),
        ("spikingjelly", lif(decay=1.5), "tau must be over 1 step"),
        ("spikingjelly", lif(reset="subtract", reset_amount=frozen(0.3)), "other than its thre"),
    ],
)
def test_refuses_by_name(name: str, node: Neuron, why: str) -> None:
    engine, case = got(name), alone(node)
    with pytest.raises(UnsupportedNode, match=f"{name!r}.*'one'.*{why}"):
        engine.open(prepare(case.network, engine.capabilities()).network)


def test_snntorch_does_not_take_the_threshold_off_twice() -> None:
    """Which its modules do, without delay, where a drive leaves a membrane above it."""
    engine = got("snntorch")
    for drive in (0.9, 2.5):
        case = alone(lif(0.9, reset="subtract"), drive)
        assert engine.capabilities().subtracts != "any"
        assert Engine(engine).verdict(case).word == "exact"


def test_snntorch_takes_nothing_off_a_membrane_at_rest() -> None:
    """Which its modules do before the first step, where the threshold is below 0."""
    case = alone(lif(1.0, -0.25, reset="subtract"), -0.4)
    assert Engine(got("snntorch")).verdict(case).word == "exact"


def test_snntorch_runs_whatever_it_does_not_refuse() -> None:
    """Graphs of every node and parameter that a file can hold."""
    engine, count = Engine(got("snntorch")), Counter[str]()
    for seed in range(150):
        network = grown(seed)
        if network is None:
            continue
        inputs = signals(network, np.random.default_rng(seed), 6, 2)
        found = engine.verdict(Case(f"grown {seed}", network, inputs))
        assert not found.bad, (seed, found)
        count[found.word] += 1
    assert count["exact"] > 20, count


def test_brian_does_not_hold_too_many_synapses(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, case = got("brian2"), some(1)
    network = prepare(case.network, engine.capabilities()).network
    with engine.open(network) as session:
        monkeypatch.setattr("spikeport.backends.brian.MOST", 1000)
        with pytest.raises(BackendError, match="take fewer samples at a time"):
            session.run(case.inputs)


def test_brian_refuses_a_delay_of_numbers() -> None:
    engine = got("brian2")
    nodes, edges = chain(("in", Input((2,))), ("late", Delay(1)), ("out", Output((2,))))
    with pytest.raises(UnsupportedNode, match="'late'.*'in', which does not spike"):
        engine.open(Network(nodes, tuple(edges)))
