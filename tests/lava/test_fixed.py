"""lava-fixed: bit for bit the definition in the chip's integers; host parts; what is refused."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends.lava import LavaFixed
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from spikeport.core.errors import NetworkError, QuantisationError, UnsupportedNode
from spikeport.core.loihi import SignMode
from spikeport.core.network import Network
from spikeport.core.nodes import (
    AvgPool2d,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    SumPool2d,
)

from .cases import agrees, chain, definition, same, signals
from .conftest import Lava

R: Any = np.random.default_rng(21)


def weights(*shape: int, most: int = 120) -> Any:
    return R.integers(-most // 2, most // 2, shape) * 2


def dense(out: int, into: int, *told: Any, bias: Any = None) -> ChipSynapse:
    return ChipSynapse(Linear(weights(out, into), bias), *told)


def chip(*shape: int, **more: Any) -> ChipNeuron:
    told: dict[str, Any] = {"du": 4095, "dv": 1024, "vth": 100, "bias_mant": 0} | more
    ready: dict[str, Any] = {k: np.array(v) if k in INTEGERS else v for k, v in told.items()}
    return ChipNeuron(shape, **ready)


INTEGERS = ("du", "dv", "vth", "bias_mant", "current")


def layer(neuron: ChipNeuron, synapse: ChipSynapse | None = None) -> Network:
    """Spikes in, spikes out, and a readout on the host."""
    size = neuron.shape[0]
    nodes: list[tuple[str, Node]] = [
        ("in", Input((6,), "spikes")),
        ("w", synapse or dense(size, 6)),
        ("n", neuron),
        ("o", Linear(R.normal(0, 1, (3, size)), R.normal(0, 1, 3))),
        ("out", Output((3,))),
    ]
    return chain(*nodes)


NEURONS: dict[str, ChipNeuron] = {
    "plain": chip(8),
    "no leak": chip(8, dv=0),
    "current": chip(8, du=900),
    "current that hardly decays": chip(8, du=0, dv=0, vth=100_000),
    "a value a neuron": chip(
        8,
        du=R.integers(0, 4096, 8),
        dv=R.integers(0, 4096, 8),
        vth=R.integers(0, 300, 8),
        bias_mant=R.integers(-4096, 4096, 8),
        bias_exp=2,
    ),
    "bias": chip(8, bias_mant=37, bias_exp=5),
    "constant current": chip(8, du=700, current=R.integers(-40, 60, 8)),
    "subtract": chip(8, reset="subtract"),
    "refractory": chip(8, refractory=2, du=2000),
    "refractory, subtract": chip(8, refractory=1, reset="subtract", bias_mant=500),
    "threshold of 0": chip(8, vth=0),
}


@pytest.mark.parametrize("name", NEURONS)
def test_neurons(lava: Lava, name: str) -> None:
    agrees(lava, layer(NEURONS[name]), steps=9)


SYNAPSES: dict[str, ChipSynapse] = {
    "bias": dense(8, 6, bias=R.integers(-90, 90, 8)),
    "exponent 3": dense(8, 6, 3, bias=R.integers(-90, 90, 8)),
    "exponent -3": dense(8, 6, -3, bias=R.integers(-9, 9, 8) * 8),
    "excitatory": ChipSynapse(Linear(R.integers(0, 256, (8, 6))), 0, 8, SignMode.EXCITATORY),
    "inhibitory": ChipSynapse(Linear(-R.integers(0, 256, (8, 6))), 0, 8, SignMode.INHIBITORY),
    "all positive, mixed": ChipSynapse(Linear(R.integers(0, 128, (8, 6)) * 2)),
    "three bits": ChipSynapse(Linear(R.integers(-4, 4, (8, 6)) * 64), 0, 3),
    "three bits, inhibitory": ChipSynapse(
        Linear(-R.integers(0, 8, (8, 6)) * 32), 0, 3, SignMode.INHIBITORY
    ),
    "extreme": ChipSynapse(Linear(R.choice([-256, 254], (8, 6))), 7),
}


@pytest.mark.parametrize("name", SYNAPSES)
def test_synapses(lava: Lava, name: str) -> None:
    agrees(lava, layer(chip(8, du=1000), SYNAPSES[name]))


def test_convolutions(lava: Lava) -> None:
    """The encoder on the host, conv (stride, padding, dilation, groups, rectangular), sum pool,
    flatten and dense on the chip, the readout on the host."""
    nodes: list[tuple[str, Node]] = [
        ("in", Input((2, 9, 8), "analogue")),
        ("e", Conv(R.normal(0, 1, (4, 2, 3, 3)), R.normal(0, 1, 4), (1, 1), (1, 1))),
        ("to", ToChip((4, 9, 8), 40.0)),
        ("na", chip(4, 9, 8)),
        ("c", ChipSynapse(Conv(weights(6, 2, 3, 2), weights(6), (2, 1), (1, 2), (1, 2), 2))),
        ("nc", chip(6, 5, 10, du=3000)),
        ("p", ChipSynapse(SumPool2d((2, 2), (2, 2)))),
        ("q", ChipSynapse(Conv(weights(3, 6, 1, 3)))),
        ("np", chip(3, 2, 3, vth=300)),
        ("f", Flatten()),
        ("d", dense(7, 18)),
        ("nd", chip(7)),
        ("o", Linear(R.normal(0, 1, (3, 7)))),
        ("li", Neuron((3,), np.array(0.9))),
        ("out", Output((3,))),
    ]
    network = chain(*nodes)
    wanted = agrees(lava, network, steps=5)
    assert all(wanted.spikes[n].any() for n in ("na", "nc", "np", "nd"))


def test_host_part_of_a_static_image_is_computed_once(lava: Lava) -> None:
    nodes: list[tuple[str, Node]] = [
        ("in", Input((1, 6, 6), "analogue")),
        ("p", AvgPool2d((2, 2), (2, 2))),
        ("f", Flatten()),
        ("to", ToChip((9,), 300.0)),
        ("n", chip(9)),
        ("out", Output((9,))),
    ]
    network = chain(*nodes)
    x = {"in": np.broadcast_to(R.normal(0, 1, (1, 5, 1, 6, 6)), (7, 5, 1, 6, 6))}
    got = lava.run(network, x)
    same(definition(network, x), got)
    assert got.header["host"] == ["f", "in", "out", "p", "to"]


def test_sums_leave_the_chip(lava: Lava) -> None:
    """A spikeless readout on the chip: its sums come out, its bias is added on the host."""
    nodes: list[tuple[str, Node]] = [
        ("in", Input((6,), "spikes")),
        ("w", dense(8, 6)),
        ("n", chip(8)),
        ("o", dense(3, 8, 1, bias=R.integers(-90, 90, 3))),
        ("out", Output((3,))),
    ]
    agrees(lava, chain(*nodes))


@pytest.mark.parametrize("neuron", ["plain", "current", "subtract", "refractory"])
def test_loops_and_delays(lava: Lava, neuron: str) -> None:
    nodes: dict[str, Node] = {
        "in": Input((6,), "spikes"),
        "w": dense(8, 6),
        "n": NEURONS[neuron],
        "r": dense(8, 8, bias=R.integers(-30, 60, 8)),
        "d": Delay(1),
        "m": dense(8, 8),
        "k": chip(8, du=1500),
        "b": dense(8, 8),
        "out": Output((8,)),
    }
    edges = [("in", "w"), ("w", "n"), ("n", "r"), ("r", "n"), ("n", "m"), ("m", "k")]
    edges += [("k", "d"), ("d", "b"), ("b", "n"), ("k", "out")]
    network = Network(nodes, tuple(edges))
    for steps in (1, 6):
        agrees(lava, network, steps=steps, batch=5)


def test_runtime_is_stepped(lava: Lava) -> None:
    network = layer(NEURONS["refractory, subtract"], SYNAPSES["exponent -3"])
    inputs = signals(network, R, 6, 4)
    runtime = lava.run(network, inputs, "runtime")
    same(lava.run(network, inputs), runtime, states=False)
    same(definition(network, inputs), runtime, states=False)


# --- refused ---------------------------------------------------------------------------------


def refused(network: Network, word: str, error: type[NetworkError] = UnsupportedNode) -> None:
    with pytest.raises(error, match=word):
        with LavaFixed().open(network) as session:
            session.run(signals(network, R, 8, 1))


def test_bias_that_is_shifted_right() -> None:
    refused(layer(chip(8), dense(8, 6, -3, bias=np.arange(8))), "'w': a bias of 1 under weight_exp")


def test_real_numbers_on_the_chip() -> None:
    nodes: list[tuple[str, Node]] = [
        ("in", Input((6,), "analogue")),
        ("w", dense(8, 6)),
        ("n", chip(8)),
        ("out", Output((8,))),
    ]
    refused(chain(*nodes), "'in' .Input. brings real numbers to 'w'")
    real = chain(("in", Input((6,))), ("w", Linear(np.eye(6))), ("out", Output((6,))))
    refused(real, "quantise it first")
    refused(
        layer(chip(8)).changed(
            nodes={**layer(chip(8)).nodes, "n": Neuron((8,), np.array(0.5), np.array(1.0))}
        ),
        "LIF",
    )


def test_host_part_between_two_chip_parts() -> None:
    nodes: list[tuple[str, Node]] = [
        ("in", Input((6,), "spikes")),
        ("w", dense(8, 6)),
        ("n", chip(8)),
        ("o", Linear(np.eye(8))),
        ("to", ToChip((8,), 10.0)),
        ("m", chip(8)),
        ("out", Output((8,))),
    ]
    refused(chain(*nodes), "'n' .ChipNeuron. feeds a host part that enters the chip again")


def test_two_synapse_loop() -> None:
    nodes = dict(layer(chip(8)).nodes) | {"a": dense(8, 8), "b": dense(8, 8)}
    edges = (*layer(chip(8)).edges, ("n", "a"), ("a", "b"), ("b", "n"))
    refused(Network(nodes, edges), "crosses 2 synapses", NetworkError)


def test_sums_that_lava_would_wrap() -> None:
    """A convolution wraps at 24 bits, a drive at 32 bits after its shift by 6."""
    many = [
        ("in", Input((1, 300, 300), "spikes")),
        ("p", ChipSynapse(SumPool2d((200, 200), (1, 1)))),
        ("c", ChipSynapse(Conv(np.full((1, 1, 3, 3), 254)))),
        ("n", chip(1, 99, 99)),
        ("out", Output((1, 99, 99))),
    ]
    refused(chain(*many), "'c' .ChipConv2d.: its sums can reach 91440000", QuantisationError)
    heavy = ChipSynapse(Linear(np.full((8, 6), 254)), 7)
    drive = chip(8, du=0, current=1 << 23)
    refused(layer(drive, heavy), "'n' .ChipNeuron.: its drive can reach", QuantisationError)
    assert isinstance(layer(chip(8, current=1 << 23), heavy), Network)


def test_current_that_never_fades(lava: Lava) -> None:
    """Of the simulator only, as lava-dl's networks have it: it may grow with every step."""
    told: dict[str, Any] = {"du": -1, "dv": 4096, "vth": (1 << 18) - 1, "simulator_only": True}
    agrees(lava, layer(chip(8, **told)))
    refused(layer(chip(8, current=1 << 23, **told)), "its drive can reach", QuantisationError)


def test_weight_that_lava_would_clip() -> None:
    """-256 has no size of 8 bits: core's grid does not hold it."""
    with pytest.raises(QuantisationError, match="-256 is not on the chip's grid.*inhibitory"):
        ChipSynapse(Linear(np.full((8, 6), -256)), 0, 2, SignMode.INHIBITORY)
