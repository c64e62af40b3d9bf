"""Random graphs of every kind of node, in numbers of every length: the definition's spikes, or a
refusal by name. test_random.py's are of eighths, so that states are equal, too."""

from collections import Counter

import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.core.errors import NetworkError
from spikeport.verify.prepare import prepare
from spikeport.verify.rename import as_original

from ..fuzz.graphs import grown_for_lava
from .cases import definition, signals
from .conftest import Lava

NAMED = ("node '", "loop", "ports", "edge", "back edges")


def hold(lava: Lava, seed: int) -> str:
    """One graph on Lava's floats; what became of it. Outputs to rounding."""
    network = grown_for_lava(seed)
    if network is None:
        return "no network"
    inputs = signals(network, np.random.default_rng(seed), 4, 2)
    wanted = definition(network, inputs)
    engine = registry.get("lava-float")
    try:
        made = prepare(network, engine.capabilities(), inputs).network
        engine.open(made).close()
        got = as_original(lava.run(made, inputs), made, network, {})
    except NetworkError as error:
        assert any(word in str(error) for word in NAMED), error
        return "refused"
    for name, spikes in wanted.spikes.items():
        assert (got.spikes[name] == spikes).all(), (seed, name)
    for name, values in wanted.outputs.items():
        apart = np.abs(values - got.outputs[name])
        assert (apart <= 1e-9 * np.maximum(1, np.abs(values))).all(), (seed, name)
    return "same"


def test_graphs(lava: Lava) -> None:
    ends = Counter(hold(lava, seed) for seed in range(40))
    assert ends["same"] > 20, ends


@pytest.mark.slow
def test_more_graphs(lava: Lava) -> None:
    ends = Counter(hold(lava, seed) for seed in range(40, 340))
    assert ends["same"] > 170, ends
