"""Every case on every engine: equal to core.interpreter with ==, or refused by name."""

from collections.abc import Mapping

import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.backends.conformance import BUILDERS, Case, make
from spikeport.backends.conformance_chip import PIPELINED
from spikeport.backends.protocol import Backend, complaints
from spikeport.core import interpreter
from spikeport.core.errors import NetworkError
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile
from spikeport.verify.prepare import Prepared, prepare
from spikeport.verify.rename import as_original

ENGINES = ("reference", "norse", "loihi", "lava-float", "lava-fixed")

# What an engine may refuse, and a word that its refusal must hold. Nothing else may be refused,
# and all of this must be: an engine that learns to run one of these is taken off the list.
CHIP = dict.fromkeys(PIPELINED, "Chip")
REFUSED: Mapping[str, Mapping[str, str]] = {
    "reference": {},
    "norse": {
        "subtract_if": "subtract",
        "refractory": "refractory",
        "delay": "Delay",
        "delay_per_neuron": "Delay",
        "two_synapse_loop_delayed": "Delay",
        "several_ports": "ports",
        "conv1d": "Conv1d",
        **CHIP,
    },
    "loihi": {
        "loop_nothing_at_t0": "bias on a back edge",
        "reset_to_value": "value other than 0",
        "fires_at_threshold": ">=",
    },
    "lava-float": {
        "reset_to_value": "value other than 0",
        "two_synapse_loop": "loop",
        **CHIP,
    },
    "lava-fixed": {
        "loop_nothing_at_t0": "bias on a back edge",
        "reset_to_value": "value other than 0",
        "two_synapse_loop": "loop",
        "fires_at_threshold": ">=",
    },
}


def expected(case: Case) -> Recording:
    """The definition."""
    return interpreter.run(compile(case.network), case.inputs, ("all",))


def prepared_for(case: Case, engine: Backend) -> Prepared:
    return prepare(case.network, engine.capabilities(), case.inputs)


@pytest.mark.parametrize("name", BUILDERS)
def test_case_is_worth_running(name: str) -> None:
    """Neither silent nor saturated."""
    for layer, spikes in expected(make(name)).spikes.items():
        assert 0.01 < spikes.mean() < 0.9, (layer, spikes.mean())


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("name", BUILDERS)
def test_case(name: str, engine_name: str) -> None:
    case, engine = make(name), registry.get(engine_name)
    word = REFUSED[engine_name].get(name)
    if word is not None:
        with pytest.raises(NetworkError, match=word):
            with engine.open(prepared_for(case, engine).network):
                pass
        return
    prepared = prepared_for(case, engine)
    network = prepared.network
    assert not list(complaints(network, engine.capabilities()))
    with engine.open(network) as session:
        got = as_original(session.run(case.inputs, ("all",)), network, case.network, {})
    if network.number_format == "loihi":
        wanted = interpreter.run(compile(network), case.inputs, ("all",))
    else:
        wanted = expected(case)
    hold(wanted, got, network.number_format == "loihi")
    assert got.header["engine"] == engine_name
    assert got.header["versions"]


def hold(wanted: Recording, got: Recording, integers: bool) -> None:
    """Spikes with ==; integer states too; outputs to 1e-9."""
    for layer, spikes in wanted.spikes.items():
        assert got.spikes[layer].dtype == np.uint8
        assert (got.spikes[layer] == spikes).all(), layer
    for output, values in wanted.outputs.items():
        apart = np.abs(values - got.outputs[output])
        assert (apart <= 1e-9 * np.maximum(1, np.abs(values))).all(), output
    for kind in ("v", "u"):
        for layer, values in getattr(got, kind).items():
            there = getattr(wanted, kind)
            if layer not in there:
                continue
            if integers:
                assert values.dtype == np.int32
                assert (values == there[layer]).all(), (kind, layer)
            else:
                assert np.allclose(values, there[layer], atol=1e-9), (kind, layer)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_batch_is_single_runs(engine_name: str) -> None:
    """A batch gives what its samples give one by one, in any order; nothing leaks."""
    case, engine = make("one_synapse_loop_cuba"), registry.get(engine_name)
    network = prepared_for(case, engine).network
    with engine.open(network) as session:
        together = session.run(case.inputs, ("one",)).spikes["one"]
        for sample in (2, 0, 1):
            alone = {n: x[:, sample : sample + 1] for n, x in case.inputs.items()}
            spikes = session.run(alone, ("one",)).spikes["one"]
            assert (spikes[:, 0] == together[:, sample]).all(), sample
