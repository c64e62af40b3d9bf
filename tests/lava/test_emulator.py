"""The emulator against Lava itself: u, v and spikes, with ==."""

import numpy as np
import pytest

from spikeport.backends import conformance
from spikeport.verify.emulated import chip_capabilities
from spikeport.verify.prepare import prepare

from ..loihi.test_random import run
from .cases import same
from .conftest import Lava
from .crowds import driven, drives

ENOUGH = 10_000_000


@pytest.mark.parametrize("name", conformance.BUILDERS)
def test_conformance_case(lava: Lava, name: str) -> None:
    """Every case that both run, once more against one another."""
    case = conformance.make(name)
    if name in ("reset_to_value", "fires_at_threshold", "two_synapse_loop"):
        pytest.skip("Lava has no such thing; tests/conformance holds both refusals")
    network = prepare(case.network, chip_capabilities(), case.inputs).network
    same(lava.run(network, case.inputs), run(network, case.inputs))


@pytest.mark.slow
def test_ten_million_random_neuron_steps(lava: Lava) -> None:
    """Registers from all of their range; drives of one wrap a step and past it."""
    steps = 0
    for seed in range(100):
        reach, least_du = [(1 << 17, 0), (900, 0), (1 << 20, 2048), (1 << 14, 0)][seed % 4]
        random = np.random.default_rng(seed)
        network = driven(random, 400, reach, least_du)
        inputs = drives(random, 40, 16, 400)
        got = run(network, inputs)
        same(lava.run(network, inputs), got)
        steps += sum(v.size for v in got.v.values())
        if steps >= ENOUGH:
            break
    assert steps >= ENOUGH
