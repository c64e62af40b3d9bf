"""Random graphs: the same network after a file, and on engines."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.backends.loihi.engine import Loihi
from spikeport.core import interpreter, store
from spikeport.core.errors import NetworkError, QuantisationError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.schedule import compile
from spikeport.verify.prepare import prepare
from spikeport.verify.rename import as_original

from ..lava.cases import definition, same, signals
from .graphs import grown, grown_for_norse, grown_on_chip

Grow = Callable[[int], Network | None]


def hold(grow: Grow, first: int, count: int, path: Path) -> tuple[Counter[str], set[str]]:
    """Write, read, compare digest and every number; what became of the graphs, and the kinds of
    nodes that were in them."""
    ends: Counter[str] = Counter()
    kinds: set[str] = set()
    for seed in range(first, first + count):
        network = grow(seed)
        if network is None:
            ends["no network"] += 1
            continue
        try:
            store.write(network, path)
        except NetworkError as error:  # what NIR has no node for, by name
            assert "node '" in str(error), error
            ends["no file"] += 1
            continue
        again = store.read(path)
        assert store.digest(again) == store.digest(network), seed
        assert (again.edges, again.meaning) == (network.edges, network.meaning), seed
        inputs = signals(network, np.random.default_rng(seed), 4, 2)
        try:
            wanted = definition(network, inputs)
        except QuantisationError as error:  # a current past 32 bits: then of the file's, too
            with pytest.raises(QuantisationError) as found:
                definition(again, inputs)
            assert str(found.value) == str(error), seed
            ends["refused by both"] += 1
            continue
        same(wanted, definition(again, inputs))
        ends["same"] += 1
        kinds |= {node.kind for node in network.nodes.values()}
    return ends, kinds


REAL = set(
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay Threshold "
    "I LI IF LIF CubaLI CubaLIF".split()
)
CHIP = {"ChipLinear", "ChipAffine", "ChipConv1d", "ChipConv2d", "ChipSumPool2d", "ChipNeuron"}


def test_a_file_keeps_real_networks(tmp_path: Path) -> None:
    ends, kinds = hold(grown, 0, 500, tmp_path / "a.nir")
    assert ends["same"] > 375 and kinds == REAL, (ends, REAL - kinds)


def test_a_file_keeps_the_chips_networks(tmp_path: Path) -> None:
    ends, kinds = hold(grown_on_chip, 0, 200, tmp_path / "a.nir")
    assert ends["same"] > 25 and kinds > CHIP, (ends, CHIP - kinds)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 11_000, 1000))
@pytest.mark.parametrize("grow", [grown, grown_on_chip])
def test_ten_thousand_files(grow: Grow, first: int, tmp_path: Path) -> None:
    hold(grow, first, 1000, tmp_path / "a.nir")


def norse(seed: int) -> str:
    """The reference's spikes on Norse, or a refusal by name. Outputs to 1e-9."""
    network = grown_for_norse(seed)
    if network is None:
        return "no network"
    engine = registry.get("norse")
    inputs = signals(network, np.random.default_rng(seed), 4, 2)
    wanted = definition(network, inputs)
    try:
        prepared = prepare(network, engine.capabilities(), inputs)
        session = engine.open(prepared.network)
    except NetworkError as error:
        assert any(word in str(error) for word in ("node '", "ports", "back edge", "edge '")), error
        return "refused"
    with session:
        got = as_original(session.run(inputs, ("all",)), prepared.network, network, {})
    for name, spikes in wanted.spikes.items():
        assert (got.spikes[name] == spikes).all(), (seed, name)
    for name, values in wanted.outputs.items():
        apart = np.abs(values - got.outputs[name])
        assert (apart <= 1e-9 * np.maximum(1, np.abs(values))).all(), (seed, name)
    return "same"


def test_norse() -> None:
    ends = Counter(norse(seed) for seed in range(100))
    assert ends["same"] > 25, ends


@pytest.mark.slow
def test_norse_on_many() -> None:
    ends = Counter(norse(seed) for seed in range(100, 4100))
    assert ends["same"] > 300, ends


def test_the_emulator_after_a_file(tmp_path: Path) -> None:
    """What is read back is quantised already, and gives the definition's bits."""
    ends: Counter[str] = Counter()
    for seed in range(200, 260):
        network = grown_on_chip(seed)
        if network is None:
            continue
        inputs = signals(network, np.random.default_rng(seed), 4, 2)
        try:
            store.write(network, tmp_path / "a.nir")
            got = Loihi().open(store.read(tmp_path / "a.nir")).run(inputs, ("all",))
        except NetworkError:
            ends["refused"] += 1
            continue
        same(interpreter.run(compile(network), inputs, ("all",)), got)
        ends["same"] += 1
    assert ends["same"] > 10, ends


def test_what_cannot_be_written_is_named_first(tmp_path: Path) -> None:
    """One current that two hear, one of them in a loop that has no way in without it."""
    network = grown_on_chip(1324)
    assert network is not None
    with pytest.raises(UnsupportedNode, match="'in0-entry'.*2 targets"):
        store.write(network, tmp_path / "a.nir")


def test_a_delay_that_hears_itself_comes_back(tmp_path: Path) -> None:
    """What it hears beside itself is what enters."""
    network = grown_on_chip(1216)
    assert network is not None and ("b", "b") in network.edges
    store.write(network, tmp_path / "a.nir")
    assert store.digest(store.read(tmp_path / "a.nir")) == store.digest(network)
