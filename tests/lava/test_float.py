"""lava-float: the spikes of the definition, for every kind of node. The networks' numbers are
eighths, so that float64 sums are exact in any order and equal means equal."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends.lava import LavaFloat, chip
from spikeport.core.errors import ConfigError, DataError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.nodes import (
    AvgPool2d,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    MaxPool2d,
    Neuron,
    Node,
    Output,
    Scale,
    SumPool2d,
)

from .cases import agrees, chain, definition, eighths, linear, plain, same, signals
from .conftest import Lava

R: Any = np.random.default_rng(5)


def layer(neuron: Neuron) -> Network:
    size = neuron.shape[0]
    nodes: list[tuple[str, Node]] = [
        ("in", Input((6,), "spikes")),
        ("w", linear(np.random.default_rng(2), size, 6)),
        ("n", neuron),
        ("o", linear(np.random.default_rng(3), 3, size)),
        ("out", Output((3,))),
    ]
    return chain(*nodes)


NEURONS: dict[str, Neuron] = {
    "if": plain(8, decay_v=1.0),
    "lif": plain(8),
    "lif, a value a neuron": plain(8, decay_v=eighths(R, 0, 1, 8), threshold=eighths(R, 0, 2, 8)),
    "membrane bias": plain(8, bias=eighths(R, 0, 1, 8)),
    "current": plain(8, decay_u=0.5),
    "current, a value a neuron, membrane bias": plain(
        8, decay_u=R.choice([0.25, 0.5], 8), bias=0.25
    ),
    "fires at the threshold": plain(8, compare=">=", threshold=0.5),
    "subtract": plain(8, reset="subtract"),
    "subtract another amount": plain(8, reset="subtract", reset_amount=0.375),
    "subtract, current": plain(8, reset="subtract", decay_u=0.25, compare=">="),
    "refractory": plain(8, refractory=2),
    "refractory, subtract, current": plain(8, refractory=1, reset="subtract", decay_u=0.5),
    "threshold": Neuron((8,), np.array(0.0), np.array(0.5), memoryless=True),
    "threshold below zero": plain(8, threshold=-0.5),
}


@pytest.mark.parametrize("name", NEURONS)
def test_neurons(lava: Lava, name: str) -> None:
    wanted = agrees(lava, layer(NEURONS[name]))
    assert 0 < wanted.spikes["n"].mean() < 1


def picture(*nodes: tuple[str, Node], shape: tuple[int, ...], content: str = "spikes") -> Network:
    made: list[tuple[str, Node]] = [("in", Input(shape, content)), *nodes]  # type: ignore[arg-type]
    for name, node in nodes:
        shape = node.output_shape(shape)
        del name
    return chain(*made, ("n", plain(*shape)), ("out", Output(shape)))


def kernel(*shape: int) -> Any:
    return eighths(np.random.default_rng(4), -1, 1, *shape)


MAPS: dict[str, Any] = {
    "conv": ((2, 5, 7), Conv(kernel(3, 2, 3, 3), kernel(3))),
    "conv, stride and padding": ((2, 6, 7), Conv(kernel(3, 2, 3, 3), None, (2, 1), (1, 2))),
    "conv, dilation": ((2, 7, 6), Conv(kernel(3, 2, 2, 3), None, (1, 1), (0, 1), (3, 2))),
    "conv, rectangular": ((2, 5, 7), Conv(kernel(4, 2, 1, 4), kernel(4))),
    "conv, groups": ((4, 5, 4), Conv(kernel(6, 2, 3, 2), kernel(6), (1, 2), (1, 0), (1, 1), 2)),
    "conv, all of it": ((4, 9, 8), Conv(kernel(4, 1, 3, 2), kernel(4), (2, 3), (2, 1), (2, 1), 4)),
    "conv over one axis": ((3, 9), Conv(kernel(4, 3, 3), kernel(4), (2,), (1,))),
    "conv over one axis, groups": ((4, 9), Conv(kernel(4, 2, 2), None, (1,), (0,), (3,), 2)),
    "conv, 130 groups": (
        (130, 3, 2),
        Conv(kernel(130, 1, 2, 2), None, (1, 1), (0, 0), (1, 1), 130),
    ),
    "sum pool": ((2, 6, 5), SumPool2d((2, 3), (2, 1), (1, 1))),
    "average pool": ((2, 6, 4), AvgPool2d((2, 2), (2, 2))),
    "sum pool, 130 channels": ((130, 2, 2), SumPool2d((2, 2), (2, 2))),
    "scale": ((2, 3, 2), Scale(kernel(2, 3, 2))),
    "flatten": ((2, 3, 2), Flatten()),
    "delay": ((2, 3, 2), Delay(2)),
    "no axes": ((), Scale(kernel())),
}


@pytest.mark.parametrize("content", ["spikes", "analogue"])
@pytest.mark.parametrize("name", MAPS)
def test_maps(lava: Lava, name: str, content: str) -> None:
    shape, node = MAPS[name]
    agrees(lava, picture(("m", node), shape=shape, content=content))


def test_linear_chain_with_biases(lava: Lava) -> None:
    """conv -> pool -> flatten -> linear -> linear: graded messages, biases in the middle."""
    nodes = [
        ("c", Conv(kernel(3, 2, 3, 3), kernel(3))),
        ("p", AvgPool2d((2, 2), (2, 2))),
        ("f", Flatten()),
        ("a", linear(R, 5, 12)),
        ("b", linear(R, 4, 5)),
    ]
    agrees(lava, picture(*nodes, shape=(2, 6, 6)))


def test_skip_over_two_layers(lava: Lava) -> None:
    """The short way waits; every reader of several edges hears the same step of all."""
    nodes: list[tuple[str, Node]] = [
        ("in", Input((6,), "spikes")),
        ("a", linear(R, 6, 6)),
        ("na", plain(6)),
        ("b", linear(R, 6, 6)),
        ("nb", plain(6)),
        ("c", linear(R, 6, 6)),
        ("nc", plain(6, decay_u=0.5)),
        ("o", linear(R, 3, 6)),
        ("out", Output((3,))),
    ]
    skips = [("na", "nc"), ("in", "b"), ("in", "nc"), ("na", "o"), ("b", "nc")]
    agrees(lava, chain(*nodes, more=skips))


def test_several_ports_and_silence(lava: Lava) -> None:
    """Two inputs, three outputs (one hears an input), and a part that leads nowhere."""
    nodes: dict[str, Node] = {
        "x": Input((4,), "spikes"),
        "y": Input((3,), "analogue"),
        "wx": linear(R, 5, 4),
        "wy": linear(R, 5, 3),
        "n": plain(5),
        "o": linear(R, 2, 5),
        "lost": linear(R, 2, 5),
        "first": Output((2,)),
        "second": Output((5,)),
        "third": Output((3,)),
    }
    edges = [("x", "wx"), ("y", "wy"), ("wx", "n"), ("wy", "n"), ("n", "o"), ("n", "lost")]
    edges += [("o", "first"), ("n", "second"), ("y", "third")]
    agrees(lava, Network(nodes, tuple(edges)))


def test_one_signal_by_two_ways(lava: Lava) -> None:
    """Two flattens are no processes: the reader would be connected to one port twice."""
    nodes: dict[str, Node] = {
        "in": Input((2, 3), "spikes"),
        "f": Flatten(),
        "g": Flatten(),
        "w": linear(R, 4, 6),
        "n": plain(4),
        "out": Output((4,)),
        "both": Output((6,)),
    }
    edges = [("in", "f"), ("in", "g"), ("f", "w"), ("g", "w"), ("w", "n"), ("n", "out")]
    agrees(lava, Network(nodes, (*edges, ("f", "both"), ("g", "both"))))


def test_rounding_moves_no_spike(lava: Lava) -> None:
    """Numbers with all 53 bits, decays below one half too."""
    random = np.random.default_rng(8)
    decays = random.uniform(0, 1, 30)
    nodes: list[tuple[str, Node]] = [
        ("in", Input((20,), "analogue")),
        ("w", Linear(random.normal(0, 0.4, (30, 20)), random.normal(0, 0.2, 30))),
        ("n", plain(30, threshold=0.7, decay_v=random.uniform(0, 1, 30), decay_u=decays)),
        ("o", Linear(random.normal(0, 0.4, (4, 30)), random.normal(0, 0.2, 4))),
        ("out", Output((4,))),
    ]
    network = chain(*nodes, more=[])
    x = {"in": random.normal(0, 1, (25, 8, 20))}
    wanted, got = definition(network, x), lava.run(network, x)
    assert 500 < wanted.spikes["n"].sum()
    assert np.array_equal(wanted.spikes["n"], got.spikes["n"])
    assert np.allclose(wanted.outputs["out"], got.outputs["out"], rtol=0, atol=1e-12)
    assert np.allclose(wanted.v["n"], got.v["n"], rtol=0, atol=1e-12)


def test_static_image_travels_once(lava: Lava) -> None:
    network = picture(
        ("c", Conv(kernel(3, 1, 3, 3), kernel(3))), shape=(1, 5, 5), content="analogue"
    )
    image = eighths(R, -2, 2, 1, 4, 1, 5, 5)
    x = {"in": np.broadcast_to(image, (5, 4, 1, 5, 5))}
    same(definition(network, x), lava.run(network, x))


def test_long_batches_are_cut(lava: Lava, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory stays bounded; the samples are the same."""
    network = layer(NEURONS["current"])
    x = signals(network, np.random.default_rng(1), 4, 11)
    monkeypatch.setattr(chip, "AT_ONCE", 4 * 3 * 8 * (6 + 3 + 8 + 8 + 1))
    got = lava.run(network, x)
    same(definition(network, x), got)
    assert got.header["lava"]["steps"] == 4 * 11 + 2 * 4  # four starts, two steps late each


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_a_batch(workers: int) -> None:
    network = layer(NEURONS["subtract"])
    x = signals(network, np.random.default_rng(1), 5, 7)
    with LavaFloat("stepped", workers=workers).open(network) as session:
        got = session.run(x, ("n",))
    same(definition(network, x), got)
    assert got.header["lava"]["workers"] == workers


def test_header_says_what_ran() -> None:
    network = layer(NEURONS["refractory"])
    x = signals(network, np.random.default_rng(1), 3, 2)
    with LavaFloat().open(network) as session:
        told = session.run(x, ("n",)).header
        spikes_only = session.run(x).header
    assert told["engine"] == "lava-float" and told["versions"]["lava-nc"] == "0.10.0"
    assert told["lava"]["mode"] == "stepped" and spikes_only["lava"]["mode"] == "runtime"
    assert told["lava"]["extensions"] == ["n"]
    assert told["lava"]["own_processes"] == ["ExtendedLIF", "Sink", "Stream"]
    assert "im2col" in told["lava"]["stand_ins"][0]
    assert told["lava"]["steps"] == 3 * 2 + 2


def refused(network: Network, word: str, error: type[Exception] = UnsupportedNode) -> None:
    with pytest.raises(error, match=word):
        LavaFloat().open(network)


def test_refused_by_name() -> None:
    refused(layer(plain(8, v_reset=0.5)), "'n'.*value other than 0")
    refused(layer(plain(8, gain_v=0.5)), "'n'.*gain")
    refused(picture(("m", MaxPool2d((2, 2), (2, 2))), shape=(1, 4, 4)), "'m' is a MaxPool2d")
    leaky = layer(Neuron((8,), np.array(0.5)))
    refused(leaky, "'n' is a LI")


def test_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="quick"):
        LavaFloat("quick")
    with pytest.raises(ConfigError, match="0 Lava workers"):
        LavaFloat(workers=0)
    monkeypatch.setenv("SPIKEPORT_LAVA_MODE", "slow")
    with pytest.raises(ConfigError, match="slow"):
        LavaFloat()


def test_bad_input(lava: Lava) -> None:
    network = layer(plain(8))
    with pytest.raises(DataError, match="'in' takes spikes, 0 or 1, and is given 0.5"):
        lava.run(network, {"in": np.full((2, 1, 6), 0.5)})
    with pytest.raises(DataError, match="T = 0"):
        lava.run(network, {"in": np.zeros((0, 1, 6))})
