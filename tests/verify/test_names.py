"""Networks whose nodes have other names than the trained one's: verified all the same."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends.conformance import make
from spikeport.core import interpreter, store
from spikeport.core.errors import NetworkError
from spikeport.core.network import Network
from spikeport.core.schedule import compile
from spikeport.verify.names import renamed, under_original_names
from spikeport.verify.reader_order import named_in_order
from spikeport.verify.run import Request, verify

from ..fuzz.graphs import grown
from ..lava.cases import signals


def shuffled(network: Network, seed: int) -> Network:
    """The network with names that sort in any order."""
    places = np.random.default_rng(seed).permutation(len(network.nodes))
    return renamed(network, {n: f"x{places[i]:03d}" for i, n in enumerate(network.nodes)})


def test_names_change_no_spike() -> None:
    """Loops are cut where they were, whatever order the new names have."""
    loops = 0
    for seed in range(200):
        network = grown(seed)
        if network is None:
            continue
        other = shuffled(network, seed)
        names = {other.original(n): n for n in other.nodes}
        back = compile(network).back_edges
        assert compile(other).back_edges == {(names[a], names[b]) for a, b in back}
        assert under_original_names(other).nodes == dict(network.nodes)
        loops += bool(back)
        inputs = signals(network, np.random.default_rng(seed), 5, 2)
        wanted = interpreter.run(compile(network), inputs, ("all",)).spikes
        given = {names[n]: x for n, x in inputs.items()}
        got = interpreter.run(compile(other), given, ("all",)).spikes
        for name, spikes in wanted.items():
            np.testing.assert_array_equal(got[names[name]], spikes)
    assert loops > 20


@pytest.mark.parametrize("name", ["two_synapse_loop", "conv_skip", "subtract_lif"])
def test_verify(name: str, tmp_path: Any) -> None:
    """A file written with other names, on engines that rename and rewrite once more."""
    case = make(name)
    store.write(named_in_order(case.network), tmp_path / "a.nir")
    network = store.read(tmp_path / "a.nir")
    (x,) = case.inputs.values()
    engines = [Request(n) for n in ("reference", "norse")]
    found = verify(network, [(x, None)], engines)
    assert found.agrees and found.network is network
    assert set(found.sample) == set(case.network.spiking)
    assert all(o.run.tally.differing == 0 for o in found.outcomes)


def test_a_node_of_ours_gives_way_to_a_trained_name() -> None:
    network = make("lif_neurons").network
    told = network.changed(origin={"one": "trained", "two": "one", "fc1": None})
    made = under_original_names(told)
    assert {"trained", "one"} <= set(made.nodes)
    assert made.nodes["one"] is network.nodes["two"]
    ours = told.changed(origin={"one": "fc1", "fc1": None})
    assert {"fc1", "fc1'"} <= set(under_original_names(ours).nodes)


def test_two_nodes_of_one_name_are_refused() -> None:
    network = make("lif_neurons").network
    with pytest.raises(NetworkError, match="both said to have been 'x'.*'two'"):
        under_original_names(network.changed(origin={"one": "x", "two": "x"}))
