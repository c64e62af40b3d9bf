"""Pipelined timing: a step for every synapse, nothing shifted back. Held against the same
network in aligned timing with a Delay of one step behind every synapse."""

from pathlib import Path

import numpy as np
import pytest

from spikeport.backends.conformance import BUILDERS, make
from spikeport.backends.conformance.chip import PIPELINED
from spikeport.core import interpreter, store
from spikeport.core.arrays import Array
from spikeport.core.chip_nodes import hop
from spikeport.core.errors import NetworkError, QuantisationError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Conv, Delay, Flatten, Input, Linear, Neuron, Node, Output
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile
from spikeport.export.quantise import Quantise

FORWARD = ("pipelined_chain", "pipelined_residual", "pipelined_conv", "skip_over_two", "delay")


def run(network: Network, inputs: dict[str, Array]) -> Recording:
    return interpreter.run(compile(network), inputs, ("all",))


def with_delays(network: Network) -> Network:
    """Aligned, with a step behind every synapse."""
    nodes: dict[str, Node] = dict(network.nodes)
    edges = []
    for source, target in network.edges:
        if hop(nodes[source]):
            nodes[f"{source}.step"] = Delay(1)
            edges += [(source, f"{source}.step"), (f"{source}.step", target)]
        else:
            edges.append((source, target))
    return Network(nodes, tuple(dict.fromkeys(edges)), Meaning(dt=1e-3))


@pytest.mark.parametrize("name", FORWARD)
def test_is_a_delay_behind_every_synapse(name: str) -> None:
    case = make(name)
    network = case.network.changed(meaning=Meaning(dt=1e-3, timing="pipelined"))
    wanted, got = run(with_delays(network), dict(case.inputs)), run(network, dict(case.inputs))
    for group in ("outputs", "spikes", "v", "u"):
        for node, values in getattr(wanted, group).items():
            assert (values == getattr(got, group)[node]).all(), (group, node)
    assert any(s.any() for s in got.spikes.values())


def test_biases_act_from_the_first_step_in_every_layer() -> None:
    """No input: each population still charges at step 0, and what it sends is heard a step on."""
    nodes: dict[str, Node] = {
        "in": Input((1,), "spikes"),
        "f": Linear(np.ones((1, 1))),
        "n": Neuron((1,), np.array(0.0), np.array(0.5), bias=np.array(1.0)),
        "g": Linear(np.full((1, 1), 8.0)),
        "m": Neuron((1,), np.array(0.0), np.array(100.0), bias=np.array(3.0)),
        "out": Output((1,)),
    }
    way = ["in", "f", "n", "g", "m", "out"]
    network = Network(nodes, tuple(zip(way, way[1:], strict=False)), Meaning(timing="pipelined"))
    got = run(network, {"in": np.zeros((3, 1, 1))})
    assert got.spikes["n"].ravel().tolist() == [1, 1, 1]
    assert got.v["m"].ravel().tolist() == [3, 11, 11]


def test_loops_are_cut_at_their_synapses() -> None:
    program = compile(make("pipelined_loops").network)
    assert program.back_edges == {
        ("fc1", "one"),
        ("rec", "one"),
        ("fc2", "two"),
        ("back", "one"),
    }


def test_shapes_of_what_only_hears_synapses() -> None:
    """Sums that are flattened, and sums of sums."""
    nodes: dict[str, Node] = {
        "in": Input((1, 4, 4)),
        "c": Conv(np.ones((2, 1, 3, 3))),
        "a": Flatten(),
        "f": Linear(np.ones((3, 8))),
        "out": Output((3,)),
    }
    way = ["in", "c", "a", "f", "out"]
    network = Network(nodes, tuple(zip(way, way[1:], strict=False)), Meaning(timing="pipelined"))
    assert compile(network).shapes["a"] == (8,)
    got = run(network, {"in": np.ones((4, 1, 1, 4, 4))}).outputs["out"]
    assert got[:, 0, 0].tolist() == [0, 0, 72, 72]


def test_a_loop_without_a_synapse_is_refused() -> None:
    nodes: dict[str, Node] = {
        "in": Input((1,)),
        "n": Neuron((1,), np.array(0.5), np.array(1.0)),
        "late": Delay(1),
        "out": Output((1,)),
    }
    edges = (("in", "n"), ("n", "out"), ("n", "late"), ("late", "n"))
    with pytest.raises(NetworkError, match="late, n, out crosses no synapse.*put one into it"):
        compile(Network(nodes, edges, Meaning(timing="pipelined")))


def test_back_edges_of_ones_own_are_refused() -> None:
    network = make("one_synapse_loop").network
    with pytest.raises(NetworkError, match="take out one of the two"):
        network.changed(meaning=Meaning(timing="pipelined", back_edges=(("rec", "one"),)))


def test_real_numbers_of_a_chips_timing_are_not_quantised() -> None:
    case = make("lif_neurons")
    network = case.network.changed(meaning=Meaning(dt=1e-3, timing="pipelined"))
    with pytest.raises(QuantisationError, match="quantise an aligned one"):
        Quantise(case.inputs).apply(network)


def test_timing_is_kept_in_the_file(tmp_path: Path) -> None:
    assert PIPELINED.keys() < BUILDERS.keys()
    network = make("pipelined_residual").network
    store.write(network, tmp_path / "n.nir")
    again = store.read(tmp_path / "n.nir")
    assert again.meaning.timing == "pipelined"
    assert compile(again).back_edges == compile(network).back_edges
