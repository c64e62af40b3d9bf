"""Edges that bring the previous step without closing a loop: right, or refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.backends.conformance import Case, make
from spikeport.core import interpreter
from spikeport.core.errors import UnsupportedNode
from spikeport.core.network import Meaning
from spikeport.core.nodes import Linear
from spikeport.core.schedule import compile
from spikeport.verify.prepare import prepare


def late(at_t0: str) -> Case:
    """The short way of a residual network, and its last synapse, a step late. Integers have no
    bias that is absent at t = 0."""
    case = make("skip_over_two")
    nodes = dict(case.network.nodes)
    if at_t0 == "nothing":
        for name in ("skip", "fc3"):
            node = nodes[name]
            assert isinstance(node, Linear)
            nodes[name] = replace(node, bias=None)
    back = (("skip", "three"), ("fc3", "three"), ("one", "fc2"))
    told = Meaning(dt=1e-3, back_edges=back, back_edge_at_t0=at_t0)  # type: ignore[arg-type]
    return Case(case.name, case.network.changed(nodes=nodes, meaning=told), case.inputs)


@pytest.mark.parametrize("at_t0", ["bias", "nothing"])
@pytest.mark.parametrize("engine_name", ["loihi", "lava-fixed"])
def test_chip_engines(engine_name: str, at_t0: str) -> None:
    case, engine = late(at_t0), registry.get(engine_name)
    network = prepare(case.network, engine.capabilities(), case.inputs).network
    wanted = interpreter.run(compile(network), case.inputs, ("all",))
    with engine.open(network) as session:
        got = session.run(case.inputs, ("all",))
    for group in ("spikes", "v", "u"):
        for name, values in getattr(wanted, group).items():
            assert np.array_equal(values, getattr(got, group)[name]), (group, name)
    assert all(s.any() for s in wanted.spikes.values())


def test_norse_refuses() -> None:
    case, engine = late("nothing"), registry.get("norse")
    network = prepare(case.network, engine.capabilities()).network
    with pytest.raises(UnsupportedNode, match="'fc3' -> 'three' .* does not just close a loop"):
        engine.open(network)
