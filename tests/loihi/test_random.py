"""The emulator against the definition: random graphs, crowds of neurons, every way to sum."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.backends.loihi import engine, sums, threads
from spikeport.core.errors import NetworkError, QuantisationError
from spikeport.core.network import Network

from ..lava.cases import definition, same, signals
from ..lava.crowds import driven, drives
from ..lava.grow import Grower

REFUSALS = ("node '", "loop", "quantise", "reaches an Output", "needs torch for a convolution")


def run(network: Network, inputs: Any, kernel: str = "fused") -> Any:
    with engine.Loihi(kernel).open(network) as session:
        return session.run(inputs, ("all",))


def grown(seed: int) -> tuple[Network, Any]:
    """A random integer network and what goes in."""
    random = np.random.default_rng(seed)
    network = Grower(seed, True).network()
    inputs = signals(network, random, int(random.integers(1, 7)), int(random.integers(1, 5)))
    for name, values in inputs.items():
        if random.random() < 0.3:
            inputs[name] = np.broadcast_to(values[:1], values.shape)
    return network, inputs


def hold(seed: int, kernel: str) -> str:
    """What became of a random network."""
    try:
        network, inputs = grown(seed)
    except NetworkError:
        return "no network"
    try:
        got = run(network, inputs, kernel)
    except QuantisationError as error:
        assert "bound" in str(error) or "reach" in str(error), error
        return "unbounded"
    except NetworkError as error:
        assert any(word in str(error) for word in REFUSALS), error
        return "refused"
    same(definition(network, inputs), got)
    return "equal"


@pytest.mark.parametrize("kernel", engine.KERNELS)
def test_random_graphs(kernel: str) -> None:
    count = Counter(hold(seed, kernel) for seed in range(300))
    assert count["equal"] > 180, count


@pytest.mark.parametrize("share", [0.0, 1.1], ids=["dense", "events"])
def test_random_graphs_summed_one_way(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever arrives: only by products, only by events."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, share))
    count = Counter(hold(seed, "fused") for seed in range(300, 450))
    assert count["equal"] > 90, count


@pytest.mark.parametrize(("window", "device"), [(1, None), (3, None), (2, "torch:cpu")])
def test_random_graphs_in_windows(
    window: int, device: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few steps at once: states, delays and late edges go on from window to window."""
    monkeypatch.setattr(engine.LoihiSession, "sample_steps", lambda _: window)
    monkeypatch.setattr(engine, "chosen", lambda _: device and device.removeprefix("torch:"))
    count = Counter(hold(seed, "fused") for seed in range(50))
    assert count["equal"] > 25, count


def test_random_graphs_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sums, threads):
        monkeypatch.setattr(module, "torch_or_none", lambda: None)
    count = Counter(hold(seed, "fused") for seed in range(450, 600))
    assert count["equal"] > 60, count


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 60),
    steps=st.integers(1, 30),
    reach=st.sampled_from([1, 300, 1 << 14, 1 << 17, 1 << 18]),
    kernel=st.sampled_from(engine.KERNELS),
)
def test_any_population(seed: int, size: int, steps: int, reach: int, kernel: str) -> None:
    """Every register from all of its range; drives that wrap the current."""
    random = np.random.default_rng(seed)
    network = driven(random, size, reach, 0)
    inputs = drives(random, steps, 3, size)
    same(definition(network, inputs), run(network, inputs, kernel))


def test_batch_is_single_runs_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one sample on two threads, and all at once."""
    random = np.random.default_rng(5)
    network = driven(random, 20, 300, 0)
    inputs = drives(random, 9, 13, 20)
    whole = run(network, inputs)
    monkeypatch.setattr(engine, "CHUNK_BYTES", 1)
    same(whole, run(network, inputs))
