"""Every case on every engine: equal to core.interpreter with ==, or refused by name."""

import re
from collections.abc import Mapping

import pytest

from spikeport.backends import registry
from spikeport.backends.conformance import BUILDERS, PIPELINED, make
from spikeport.verify.conformance.subjects import Engine, expected
from spikeport.verify.prepare import prepare

from .engines import got

ENGINES = tuple(registry.BUILT_IN)

# What an engine may refuse, and a word that its refusal must hold. Nothing else may be refused,
# and all of this must be: an engine that learns to run one of these is taken off the list.
CHIP = dict.fromkeys(PIPELINED, "Chip")
CHIP_LACKS = {
    "loop_nothing_at_t0": "bias on a back edge",
    "conv_loop_nothing_at_t0": "bias on a back edge",
    "reset_to_value": "value other than 0",
    "reset_to_value_per_neuron": "value other than 0",
    "fires_at_threshold": ">=",
    "subtract_after_decay": "other than its threshold",
    "threshold": "Threshold",
    "leaky_then_threshold": "LI",
    "delay_of_sums": "without a weighted layer",
}
REFUSED: Mapping[str, Mapping[str, str]] = {
    "reference": {},
    "norse": {
        "subtract_if": "subtract",
        "refractory": "refractory",
        "delay": "Delay",
        "delay_per_neuron": "Delay",
        "two_synapse_loop_delayed": "Delay",
        "several_ports": "ports",
        "threshold": "Threshold",
        "integrator": "is a I;",
        "leaky_readout": "is a LI;",
        "leaky_readout_bias": "is a LI;",
        "leaky_then_threshold": "is a LI;",
        "cuba_readout": "CubaLI",
        "delay_of_sums": "Delay",
        "listed_back_edges": "ports",
        "one_population_two_outputs": "ports",
        **CHIP,
    },
    "snntorch": {
        "membrane_bias": "bias",
        "reset_to_value": "value other than 0",
        "reset_to_value_per_neuron": "value other than 0",
        "refractory": "refractory",
        **CHIP,
    },
    "spikingjelly": {
        "membrane_bias": "bias",
        "lif_per_neuron": "of its own for each neuron",
        "leaky_readout": "of its own for each neuron",
        "cuba_per_neuron": "of its own for each neuron",
        "threshold_per_neuron": "of its own for each neuron",
        "subtract_after_decay": "other than its threshold",
        "reset_to_value": "value other than 0",
        "reset_to_value_per_neuron": "value other than 0",
        "refractory": "refractory",
        "threshold": "is a Threshold",
        "leaky_then_threshold": "is a Threshold",
        **CHIP,
    },
    "sinabs": {
        "membrane_bias": "bias",
        "reset_to_value": "value other than 0",
        "reset_to_value_per_neuron": "value other than 0",
        "refractory": "refractory",
        "threshold": "is a Threshold",
        "leaky_then_threshold": "is a Threshold",
        **CHIP,
    },
    "nengo": {
        **dict.fromkeys(("if_neurons", "biases", "fires_at_threshold", "subtract_if"), "is a IF"),
        **dict.fromkeys(("cuba_neurons", "cuba_biases", "membrane_bias", "gain"), "is a CubaLIF"),
        **dict.fromkeys(("cuba_per_neuron", "subtract_cuba", "nested_loop"), "is a CubaLIF"),
        **dict.fromkeys(("one_synapse_loop_cuba", "delay_per_neuron"), "is a CubaLIF"),
        **dict.fromkeys(("leaky_readout", "leaky_readout_bias"), "is a LI"),
        **dict.fromkeys(("subtract_lif", "subtract_gently", "subtract_after_decay"), "subtract"),
        **dict.fromkeys(("reset_to_value", "reset_to_value_per_neuron"), "value other than 0"),
        "max_pool": "is a IF",
        "lif_per_neuron": "of its own for each neuron",
        "refractory": "refractory",
        "threshold": "is a Threshold",
        "leaky_then_threshold": "is a LI",
        "integrator": "is a I",
        "cuba_readout": "is a CubaLI",
        **CHIP,
    },
    "brian2": {"refractory": "refractory", "delay_of_sums": "does not spike", **CHIP},
    "loihi": CHIP_LACKS,
    "lava-float": {
        "integrator": "is a I;",
        "leaky_readout": "is a LI;",
        "leaky_readout_bias": "is a LI;",
        "leaky_then_threshold": "is a LI;",
        "cuba_readout": "is a CubaLI;",
        "reset_to_value": "value other than 0",
        "reset_to_value_per_neuron": "value other than 0",
        "two_synapse_loop": "loop",
        "listed_back_edges": "loop",
        **CHIP,
    },
    "lava-fixed": {**CHIP_LACKS, "two_synapse_loop": "loop", "listed_back_edges": "loop"},
}


@pytest.mark.parametrize("name", BUILDERS)
def test_case_is_worth_running(name: str) -> None:
    """Neither silent nor saturated."""
    case = make(name)
    for layer, spikes in expected(case.network, case.inputs).spikes.items():
        assert 0.01 < spikes.mean() < 0.9, (layer, spikes.mean())


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", BUILDERS)
def test_case(name: str, engine_name: str) -> None:
    """What `spikeport conformance` says: exact, or a refusal that is on the list."""
    found = Engine(got(engine_name)).verdict(make(name))
    word = REFUSED[engine_name].get(name)
    assert found.word == ("exact" if word is None else "refuses"), found
    assert word is None or re.search(word, found.why), found


@pytest.mark.parametrize("engine_name", ENGINES)
def test_batch_is_single_runs(engine_name: str) -> None:
    """A batch gives what its samples give one by one, in any order; nothing leaks."""
    loop = "one_synapse_loop_cuba"
    if loop in REFUSED[engine_name]:
        loop = "one_synapse_loop_bias"
    case, engine = make(loop), got(engine_name)
    network = prepare(case.network, engine.capabilities(), case.inputs).network
    with engine.open(network) as session:
        together = session.run(case.inputs, ("one",)).spikes["one"]
        for sample in (2, 0, 1):
            alone = {n: x[:, sample : sample + 1] for n, x in case.inputs.items()}
            spikes = session.run(alone, ("one",)).spikes["one"]
            assert (spikes[:, 0] == together[:, sample]).all(), sample
