"""Operations are counted at true borders, synapse by synapse."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends.conformance import make
from spikeport.core import interpreter
from spikeport.core.arrays import frozen
from spikeport.core.linear import apply
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Input, Linear, Neuron, Output, SumPool2d
from spikeport.core.schedule import compile
from spikeport.verify.counts import Counter, fan_out, support


@pytest.mark.parametrize(
    ("shape", "weights", "how"),
    [
        ((2, 6, 5), (4, 2, 3, 3), {"padding": (1, 1)}),
        ((2, 6, 5), (4, 2, 3, 2), {"stride": (2, 1), "padding": (0, 1)}),
        ((2, 7, 7), (4, 1, 2, 3), {"dilation": (2, 2), "groups": 2, "padding": (2, 1)}),
        ((3, 9), (4, 3, 3), {"stride": (2,), "padding": (1,)}),
    ],
)
def test_fan_out_is_what_an_impulse_reaches(shape: Any, weights: Any, how: Any) -> None:
    random = np.random.default_rng(0)
    weight = random.normal(size=weights) * (random.random(weights) < 0.7)
    conv = Conv(frozen(weight), **how)
    counting = Conv(frozen(support(conv)), **how)
    impulses = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    reached = apply(counting, impulses).reshape(len(impulses), -1).sum(axis=1)
    assert (fan_out(conv, shape).ravel() == reached).all()


def chain(*named: tuple[str, Any]) -> Network:
    names = [name for name, _ in named]
    return Network(dict(named), tuple(zip(names, names[1:], strict=False)))


def lif(*shape: int) -> Neuron:
    return Neuron(shape, frozen(0.5), frozen(0.5))


def test_spikes_cost_additions_and_analogue_values_macs() -> None:
    random = np.random.default_rng(1)
    weight = random.normal(size=(5, 4))
    weight[0] = 0  # no synapse
    network = chain(
        ("in", Input((3,))),
        ("first", Linear(random.normal(1, 1, (4, 3)))),
        ("lif", lif(4)),
        ("second", Linear(weight)),
        ("out", Output((5,))),
    )
    x = np.broadcast_to(random.random((2, 3)), (6, 2, 3))
    run = interpreter.run(compile(network), {"in": x}, ("all",))
    counts = Counter(network).count({"in": x}, run.spikes)
    fired = int(run.spikes["lif"].sum())
    assert fired > 0
    assert counts["second"].synaptic_operations == 4 * fired
    assert counts["second"].macs == 0
    assert counts["first"].synaptic_operations == 0
    assert counts["first"].macs == 12 * 6 * 2
    assert counts["first"].macs_once == 12 * 2, "a still image needs its first layer once"


def test_pooled_spikes_are_graded() -> None:
    network = chain(
        ("in", Input((1, 4, 4), "spikes")),
        ("pool", SumPool2d((2, 2), (2, 2))),
        ("conv", Conv(frozen(np.ones((2, 1, 1, 1))))),
        ("out", Output((2, 2, 2))),
    )
    x = np.zeros((3, 1, 1, 4, 4))
    x[0, 0, 0, :2, :2] = 1  # one window, full: one graded value of 4
    counts = Counter(network).count({"in": x}, {})
    assert counts["conv"].macs == 2 and counts["conv"].synaptic_operations == 0


def test_recurrent_layers_count_their_own_spikes() -> None:
    case = make("one_synapse_loop")
    run = interpreter.run(compile(case.network), case.inputs, ("all",))
    counts = Counter(case.network).count(case.inputs, run.spikes)
    assert counts["rec"].synaptic_operations == 7 * run.spikes["one"].sum()
    assert counts["fc"].synaptic_operations == 7 * case.inputs["in"].sum()
