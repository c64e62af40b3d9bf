"""A recording says in a line what it holds, and holds what was asked for."""

import numpy as np

from spikeport.core import interpreter
from spikeport.core.arrays import frozen
from spikeport.core.network import Network
from spikeport.core.nodes import Input, Neuron, Output
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile


def test_shown_are_names_and_shapes_and_no_numbers() -> None:
    recording = Recording(
        {"out": np.full((4, 2, 10), 0.123)},
        {"lif": np.zeros((4, 2, 3), np.uint8)},
        v={"lif": np.zeros((4, 2, 3), np.int32)},
    )
    shown = repr(recording)
    assert "spikes/lif: uint8 [4, 2, 3], v/lif: int32 [4, 2, 3]" in shown
    assert "output: float64 [4, 2, 10]" in shown and "0.123" not in shown


def test_spikes_without_states() -> None:
    neuron = Neuron((3,), frozen(0.9), frozen(1.0), decay_u=frozen(0.5))
    nodes = {"in": Input((3,)), "lif": neuron, "out": Output((3,))}
    program = compile(Network(nodes, (("in", "lif"), ("lif", "out"))))
    x = {"in": np.random.default_rng(0).random((5, 2, 3))}
    whole = interpreter.run(program, x, ("all",))
    spikes = interpreter.run(program, x, ("all",), states=False)
    assert whole.v["lif"].any() and whole.u["lif"].any() and not spikes.v and not spikes.u
    assert np.array_equal(whole.spikes["lif"], spikes.spikes["lif"]) and whole.spikes["lif"].any()
    assert np.array_equal(whole.outputs["out"], spikes.outputs["out"])
