"""The quantiser: what is written fits the chip, and what does not fit is named."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends.conformance import Case, make
from spikeport.backends.split import split
from spikeport.core import interpreter, loihi
from spikeport.core.arrays import frozen
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from spikeport.core.errors import DataError, QuantisationError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Delay, Input, Linear, Neuron, Node, Output
from spikeport.core.schedule import Program, compile
from spikeport.export.passes.base import run_passes
from spikeport.export.passes.lower_pooling import AvgToSum, MaxPoolToSpikes, MergePools
from spikeport.export.quantise import Options, Quantise
from spikeport.verify.quantisation import cost


def quantised(case: Case) -> Network:
    lowered = run_passes(case.network, (MergePools(), AvgToSum())).network
    return Quantise(case.inputs).apply(lowered).network


@pytest.mark.parametrize(
    "name",
    [
        "lif_neurons",
        "if_neurons",
        "cuba_biases",
        "conv_padded",
        "avg_pool",
        "one_synapse_loop_bias",
    ],
)
def test_integers_spike_like_the_real_numbers(name: str) -> None:
    case = make(name)
    network = quantised(case)
    real = interpreter.run(compile(case.network), case.inputs, ("all",))
    chip = interpreter.run(compile(network), case.inputs, ("all",))
    for layer, spikes in real.spikes.items():
        assert abs(spikes.mean() - chip.spikes[layer].mean()) < 0.05, layer
        if "loop" not in name:  # recurrent nets are chaotic: spikes move, rates do not
            assert (spikes != chip.spikes[layer]).mean() < 0.15, layer
        assert chip.v[layer].dtype == np.int32


def test_every_number_fits_its_register() -> None:
    network = quantised(make("conv_padded"))
    for node in network.nodes.values():
        if isinstance(node, ChipSynapse) and isinstance(node.synapse, Linear):
            weight = node.synapse.weight
            assert (weight % 2 == 0).all() and weight.min() >= -256 and weight.max() <= 254
            assert np.abs(weight).max() > 120, "the range is used"
        if isinstance(node, ChipNeuron):
            for register in ("du", "dv", "vth", "bias_mant", "bias_exp"):
                loihi.in_range("test", register, getattr(node, register))


def test_analogue_currents_enter_in_chip_units() -> None:
    case = make("analogue_input")
    network = quantised(case)
    (enter,) = network.named(ToChip)
    assert network.sources[enter] == ("conv1",)
    assert network.nodes["conv1"] is case.network.nodes["conv1"], "the host keeps its numbers"
    assert network.original(enter) is None


def with_neuron(case: Case, **changes: Any) -> Case:
    from dataclasses import replace

    node = case.network.nodes["one"]
    assert isinstance(node, Neuron)
    nodes = {**case.network.nodes, "one": replace(node, **changes)}
    return Case(case.name, case.network.changed(nodes=nodes), case.inputs)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"compare": ">="}, ">="),
        ({"v_reset": frozen(0.5)}, "value other than 0"),
        ({"gain_v": frozen(0.5)}, "gain"),
        ({"bias": frozen(1e4)}, "needs 24 bits"),
        ({"reset": "subtract", "reset_amount": frozen(0.3)}, "subtracts something other"),
    ],
)
def test_what_does_not_fit_is_named(changes: Any, word: str) -> None:
    with pytest.raises(QuantisationError, match=word) as caught:
        quantised(with_neuron(make("lif_neurons"), **changes))
    assert "'one'" in str(caught.value)


@pytest.mark.parametrize(
    ("register", "value", "word"),
    [("dv", 4097, "dv is 4097"), ("vth", 1 << 17, "0 to 131071"), ("bias_mant", -5000, "-5000")],
)
def test_registers_out_of_range(register: str, value: int, word: str) -> None:
    numbers: dict[str, Any] = {"du": 4095, "dv": 0, "vth": 10, "bias_mant": 0, register: value}
    with pytest.raises(QuantisationError, match=word):
        ChipNeuron((2,), **numbers)


@pytest.mark.parametrize("weight", [3.0, 255.0, 0.5, -300.0])
def test_weights_off_the_grid(weight: float) -> None:
    with pytest.raises(QuantisationError, match="grid|whole"):
        ChipSynapse(Linear(np.array([[weight]])))


def dense_layer(weight: Any, reset: str = "value", bias: Any = None) -> Network:
    """Spikes into one dense layer and its population."""
    out, into = weight.shape
    nodes: dict[str, Node] = {
        "in": Input((into,), "spikes"),
        "fc": Linear(weight, bias),
        "lif": Neuron((out,), frozen(0.9), frozen(1.0), reset=reset),  # type: ignore[arg-type]
        "out": Output((out,)),
    }
    names = list(nodes)
    return Network(nodes, tuple(zip(names, names[1:], strict=False)), Meaning(dt=1e-3))


def spikes(steps: int, batch: int, size: int, share: float = 0.3) -> Any:
    random = np.random.default_rng(3)
    return {"in": (random.random((steps, batch, size)) < share).astype(float)}


def test_a_percentile_of_a_sparse_layer() -> None:
    """Weights that are absent do not push the present ones out of the range."""
    random = np.random.default_rng(0)
    weight = np.zeros((20, 300))
    weight.flat[random.choice(weight.size, 40, replace=False)] = random.uniform(0.5, 1.5, 40)
    made = Quantise(spikes(10, 8, 300), Options("percentile", percentile=99)).apply(
        dense_layer(weight)
    )
    assert made.chosen["lif"].clipped_weights <= 1 and made.chosen["lif"].flipped < 0.01


@pytest.mark.parametrize(("steps", "fits"), [(63, True), (64, False), (np.arange(60, 66), False)])
def test_a_delay_that_the_chip_does_not_hold(steps: Any, fits: bool) -> None:
    """Six bits, whoever asks; but the host may hold an input back as long as it likes."""
    size = 6
    synapse = ChipSynapse(Linear(np.full((size, size), 2)))
    population = ChipNeuron((size,), np.array(4095), np.array(0), np.array(5), np.array(0))
    late = {"late": Delay(steps), "w": synapse, "other": population, "out": Output((size,))}

    def chain(nodes: dict[str, Node]) -> Program:
        names = list(nodes)
        return compile(Network(nodes, tuple(zip(names, names[1:], strict=False))))

    enters: dict[str, Node] = {"in": Input((size,), "spikes")}
    split(chain({**enters, **late}))
    program = chain({**enters, "v": synapse, "one": population, **late})
    if fits:
        split(program)
        return
    with pytest.raises(QuantisationError, match="'late': delay is 6[45], which needs 7 bits"):
        split(program)


def test_a_network_without_neurons() -> None:
    nodes: dict[str, Node] = {"in": Input((6,)), "fc": Linear(np.ones((3, 6))), "out": Output((3,))}
    real = Network(nodes, (("in", "fc"), ("fc", "out")), Meaning(dt=1e-3))
    with pytest.raises(QuantisationError, match="nothing in this network spikes"):
        Quantise(spikes(4, 3, 6)).apply(real)


def test_a_layer_of_zeros() -> None:
    for equalise in (False, True):
        options = Options("max", equalise=equalise)
        made = Quantise(spikes(4, 3, 6), options).apply(dense_layer(np.zeros((3, 6))))
        assert not made.network.nodes["fc"].synapse.weight.any()  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["spikes", "mse", "percentile", "max"])
def test_calibration_data_that_say_nothing(method: Any) -> None:
    real = dense_layer(np.full((3, 6), 0.4))
    zeros = {"in": np.zeros((4, 3, 6))}
    with pytest.raises(DataError, match="calibration data are 0 everywhere"):
        Quantise(zeros, Options(method)).apply(real)


def test_calibration_data_that_say_little() -> None:
    def odd(x: Any, weight: float = 0.4) -> tuple[str, ...]:
        return (
            Quantise({"in": x}, Options("max")).apply(dense_layer(np.full((3, 6), weight))).doubts
        )

    various = spikes(8, 4, 6)["in"]
    assert odd(various) == ()
    assert odd(various, 1e-3) == (
        "'lif' never fires on the calibration data, which say nothing of its scale",
    )
    assert odd(various[:, :1].repeat(4, axis=1)) == (
        "input 'in': all 4 samples of the calibration data are the same",
    )
    assert odd(np.ones((8, 4, 6)), 0.9) == (
        "input 'in' is 1 everywhere in the calibration data",
        "'lif' never rests on the calibration data, which say little of its scale",
    )


@pytest.mark.parametrize("method", ["spikes", "mse", "percentile", "max"])
def test_a_bias_near_the_threshold(method: Any) -> None:
    """The scale is as large as the bias's register lets it be."""
    weight, bias = np.full((3, 6), 0.01), np.full(3, 0.9)
    made = Quantise(spikes(8, 4, 6), Options(method)).apply(dense_layer(weight, bias=bias))
    assert made.chosen["lif"].flipped < 0.05


def test_saturation_is_counted_at_both_ends() -> None:
    """Membranes that are driven up or down without end; a spike hides the upper one."""
    weight = np.repeat([[60.0], [-60.0]], 4, axis=1)
    real = dense_layer(weight, reset="subtract")
    inputs = {"in": np.ones((400, 2, 4))}
    nodes = {**real.nodes, "lif": Neuron((2,), frozen(1.0), frozen(1.0), reset="subtract")}
    real = real.changed(nodes=nodes)
    made = Quantise(spikes(6, 2, 4, 0.01), Options("max")).apply(real)
    (layer,) = cost(real, made, inputs).layers
    run = interpreter.run(compile(made.network), inputs, ("lif",))
    stuck = np.abs(run.v["lif"].astype(np.int64)) > loihi.LIMIT - 2 - (
        made.chosen["lif"].neuron.vth << loihi.SHIFT
    )
    assert 0.4 < stuck[..., 0].mean() and 0.4 < stuck[..., 1].mean()
    assert abs(layer.saturated - stuck.mean()) < 0.02


def test_a_pool_of_spikes_has_weights_of_one() -> None:
    """An OR of spikes, which is what a max-pool becomes, is exact: its scale is 1."""
    case = make("max_pool")
    lowered = run_passes(case.network, (MaxPoolToSpikes(), MergePools())).network
    made = Quantise(case.inputs).apply(lowered)
    (name,) = (n for n in made.chosen if n.endswith(".or"))
    assert made.chosen[name].flipped == 0 and float(made.chosen[name].scale) == 1
    spikes = interpreter.run(compile(made.network), case.inputs, ("all",)).spikes[name]
    assert 0 < spikes.mean() < 1
