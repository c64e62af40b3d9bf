"""When things happen: loops, delays, streamed samples. Exact, or refused by name."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends.lava import LavaFloat
from spikeport.backends.lava.constants import constants
from spikeport.backends.lava.plan import timing_of
from spikeport.core.errors import NetworkError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Delay, Input, Linear, Node, Output, Scale
from spikeport.core.schedule import compile

from .cases import agrees, chain, definition, linear, plain, same, signals
from .conftest import Lava

R = np.random.default_rng(11)


def loop(neuron: Node, at_t0: Any = "bias", *between: tuple[str, Node]) -> Network:
    """in -> w -> n -> out, and n -> between... -> r -> n."""
    nodes: dict[str, Node] = {
        "in": Input((6,), "spikes"),
        "w": linear(np.random.default_rng(2), 6, 6),
        "n": neuron,
        "r": linear(np.random.default_rng(3), 6, 6),
        "out": Output((6,)),
        **dict(between),
    }
    way = ["n", *(name for name, _ in between), "r", "n"]
    edges = [("in", "w"), ("w", "n"), ("n", "out"), *zip(way, way[1:], strict=False)]
    return Network(nodes, tuple(edges), Meaning(back_edge_at_t0=at_t0))


NEURONS = {
    "plain": plain(6),
    "current": plain(6, decay_u=0.5),
    "subtract": plain(6, reset="subtract", bias=0.125),
    "refractory": plain(6, refractory=1),
}


@pytest.mark.parametrize("at_t0", ["bias", "nothing"])
@pytest.mark.parametrize("name", NEURONS)
def test_one_synapse_loop(lava: Lava, name: str, at_t0: str) -> None:
    wanted = agrees(lava, loop(NEURONS[name], at_t0), steps=7, batch=4)
    assert 0 < wanted.spikes["n"].mean() < 1


@pytest.mark.parametrize("held", [1, 2, 5])
def test_two_synapse_loop_with_a_delay(lava: Lava, held: int) -> None:
    """The back edge holds one step, the delay the rest: exact, in samples shorter than it too."""
    between: list[tuple[str, Node]] = [("d", Delay(held)), ("m", linear(R, 6, 6))]
    for steps in (1, 3, 8):
        agrees(lava, loop(plain(6), "bias", *between), steps=steps, batch=4)


def test_two_synapse_loop_is_refused() -> None:
    between: list[tuple[str, Node]] = [("m", linear(R, 6, 6))]
    with pytest.raises(NetworkError, match="(m -> r -> n -> m|n -> m -> r -> n|r -> n -> m -> r)"):
        LavaFloat().open(loop(plain(6), "bias", *between))


def test_loop_without_a_synapse(lava: Lava) -> None:
    """Lava's runtime would wait for ever; the edge becomes a process that holds a step."""
    network = loop(plain(6, threshold=1.0))
    network = network.changed(edges=(*network.edges, ("n", "n")))
    agrees(lava, network)
    inputs = signals(network, R, 4, 2)
    got = lava.run(network, inputs, "runtime")
    same(definition(network, inputs), got, states=False)


def test_loop_of_linear_nodes(lava: Lava) -> None:
    """A leaky sum made of nodes: its bias grows from step to step, anew in every sample."""
    nodes: dict[str, Node] = {
        "in": Input((4,), "analogue"),
        "w": linear(R, 4, 4),
        "sum": Scale(np.full(4, 0.5)),
        "n": plain(4, decay_u=0.5),
        "out": Output((4,)),
    }
    edges = [("in", "w"), ("w", "sum"), ("sum", "sum"), ("sum", "n"), ("sum", "out")]
    agrees(lava, Network(nodes, tuple(edges)))


@pytest.mark.parametrize("steps", [1, 2, 6])
@pytest.mark.parametrize("held", [0, 1, 3, 7])
def test_delays(lava: Lava, steps: int, held: int) -> None:
    """Forward, past a current with a bias (silent for the first steps), and beside a delay."""
    nodes: dict[str, Node] = {
        "in": Input((4,), "spikes"),
        "w": linear(R, 4, 4),
        "d": Delay(held),
        "n": plain(4, decay_u=0.5),
        "e": Delay(2),
        "o": linear(R, 3, 4),
        "out": Output((3,)),
        "late": Output((4,)),
    }
    edges = [("in", "w"), ("w", "d"), ("d", "n"), ("in", "n"), ("n", "o"), ("o", "out")]
    edges += [("n", "e"), ("in", "e"), ("e", "o"), ("d", "late")]
    agrees(lava, Network(nodes, tuple(edges)), steps=steps, batch=4)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_no_sample_leaks_into_the_next(lava: Lava, steps: int) -> None:
    """A loud sample before a silent one, in loops and delays: a batch is its single runs."""
    network = loop(plain(6, decay_u=0.75, threshold=0.25), "bias", ("d", Delay(1)), ("m", eye()))
    x = np.zeros((steps, 6, 6), np.uint8)
    x[:, ::2] = 1
    together = lava.run(network, {"in": x})
    assert together.spikes["n"][:, ::2].any()
    for sample in range(6):
        alone = lava.run(network, {"in": x[:, sample : sample + 1]})
        for group in ("spikes", "v", "u"):
            one, all_of_them = getattr(alone, group)["n"], getattr(together, group)["n"]
            assert np.array_equal(one[:, 0], all_of_them[:, sample])


def eye() -> Linear:
    return Linear(np.eye(6))


@pytest.mark.parametrize("name", ["plain", "current", "subtract", "refractory"])
def test_runtime_is_stepped(lava: Lava, name: str) -> None:
    """Lava's own runtime gives the same bits."""
    between: list[tuple[str, Node]] = [("d", Delay(1)), ("m", linear(R, 6, 6))]
    network = loop(NEURONS[name], "nothing", *between)
    network = network.changed(edges=(*network.edges, ("in", "n")))
    inputs = signals(network, R, 5, 4)
    runtime = lava.run(network, inputs, "runtime")
    stepped = lava.run(network, inputs, "stepped")
    same(stepped, runtime, states=False)
    same(definition(network, inputs), runtime, states=False)
    assert not runtime.v and not runtime.u


def test_depth_is_what_the_header_counts(lava: Lava) -> None:
    network = loop(plain(6))
    timing = timing_of(compile(network))
    assert timing.shift == {"in": 0, "w": 1, "n": 1, "r": 2, "out": 1}
    got = lava.run(network, signals(network, R, 5, 4))
    assert got.header["lava"]["steps"] == 5 * 4 + timing.depth


def test_constants_are_short() -> None:
    """A bias behind a delay is silent at first; then one row holds for all steps."""
    nodes: list[tuple[str, Node]] = [
        ("in", Input((4,), "spikes")),
        ("w", linear(R, 4, 4)),
        ("d", Delay(3)),
        ("n", plain(4)),
        ("o", linear(R, 2, 4)),
        ("out", Output((2,))),
    ]
    found = constants(compile(chain(*nodes)), 1000)
    assert found["n"].shape == (4, 4) and not found["n"][:3].any()
    assert found["out"].shape == (1, 2)
