"""Random networks: equal to the definition in every number, or refused by name."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeport.backends.loihi.engine import Loihi
from spikeport.core.errors import NetworkError
from spikeport.core.schedule import compile

from .cases import definition, same, signals
from .conftest import Lava
from .crowds import driven, drives
from .grow import Grower


def hold(lava: Lava, seed: int, fixed: bool, mode: str, timing: str = "aligned") -> str:
    """One random network; what became of it."""
    random = np.random.default_rng(seed)
    try:
        network = Grower(seed, fixed, timing).network()
        back = compile(network).back_edges
    except NetworkError:
        return "no network"
    inputs = signals(network, random, int(random.integers(1, 7)), int(random.integers(1, 5)))
    for name, values in inputs.items():
        if random.random() < 0.3:
            inputs[name] = np.broadcast_to(values[:1], values.shape)
    try:
        got = lava.run(network, inputs, mode)
    except NetworkError as error:
        assert any(word in str(error) for word in ("node '", "loop", "quantise")), error
        return "refused"
    wanted = definition(network, inputs)
    same(wanted, got, states=mode == "stepped")
    if fixed and seed < 80:
        same(wanted, Loihi().open(network).run(inputs, ("all",)))
    return "loop" if back else "equal"


@pytest.mark.parametrize("fixed", [False, True], ids=["float", "fixed"])
def test_random_graphs(lava: Lava, fixed: bool) -> None:
    count = Counter(hold(lava, seed, fixed, "stepped") for seed in range(200))
    assert count["equal"] + count["loop"] > 120 and count["loop"] > 20, count


@pytest.mark.parametrize("fixed", [False, True], ids=["float", "fixed"])
def test_random_graphs_by_the_runtime(lava: Lava, fixed: bool) -> None:
    count = Counter(hold(lava, seed, fixed, "runtime") for seed in range(1000, 1016))
    assert count["equal"] + count["loop"] > 8, count


@pytest.mark.parametrize("fixed", [False, True], ids=["float", "fixed"])
def test_random_pipelined_graphs(lava: Lava, fixed: bool) -> None:
    """A step for every synapse, nothing shifted back."""
    count = Counter(hold(lava, seed, fixed, "stepped", "pipelined") for seed in range(80))
    assert count["loop"] > 35, count


# --- many neurons ----------------------------------------------------------------------------


def test_a_million_random_neuron_steps(lava: Lava) -> None:
    """u, v and spikes. Drives of one wrap a step with any decay, and past it with fast ones."""
    steps = 0
    for seed, (reach, least_du) in enumerate([(1 << 17, 0), (900, 0), (1 << 20, 2048)]):
        random = np.random.default_rng(seed)
        network = driven(random, 400, reach, least_du)
        inputs = drives(random, 40, 12, 400)
        wanted = definition(network, inputs)
        same(wanted, lava.run(network, inputs))
        steps += sum(v.size for v in wanted.v.values())
        assert all(0.01 < s.mean() < 0.99 for s in wanted.spikes.values())
        if reach > 1 << 16:  # the current's register has been wrapped
            assert np.abs(wanted.u["a"]).max() > 1 << 22
    assert steps >= 1_000_000


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 60),
    steps=st.integers(1, 30),
    reach=st.sampled_from([1, 300, 1 << 14, 1 << 17]),
)
def test_any_population(lava: Lava, seed: int, size: int, steps: int, reach: int) -> None:
    random = np.random.default_rng(seed)
    network = driven(random, size, reach, 0)
    inputs = drives(random, steps, 3, size)
    same(definition(network, inputs), lava.run(network, inputs))
