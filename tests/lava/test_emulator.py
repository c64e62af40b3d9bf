"""The emulator against Lava itself: u, v and spikes, with ==."""

from pathlib import Path

import numpy as np
import pytest

from spikeport.backends import conformance
from spikeport.core import store
from spikeport.core.errors import DataError
from spikeport.core.recording import Recording
from spikeport.trainer import data
from spikeport.verify.emulated import chip_capabilities
from spikeport.verify.prepare import prepare

from ..conformance.test_conformance import REFUSED
from ..loihi.test_random import run
from ..verify.test_cli import ok
from .conftest import Lava
from .crowds import driven, drives

ENOUGH = 10_000_000


def same(lava: Recording, ours: Recording) -> None:
    """Every bit of the chip; the host's readout, in float64, to the order of its sums."""
    for group in ("spikes", "v", "u"):
        there, here = getattr(lava, group), getattr(ours, group)
        assert set(there) == set(here)
        for name, values in there.items():
            assert values.dtype == here[name].dtype
            if values.dtype.kind == "f":  # held by the host
                assert np.allclose(values, here[name], rtol=0, atol=1e-9), (group, name)
            else:
                assert (values == here[name]).all(), (group, name)
    for name, output in lava.outputs.items():
        assert np.allclose(output, ours.outputs[name], rtol=1e-9, atol=1e-9), name


@pytest.mark.parametrize("name", conformance.BUILDERS)
def test_conformance_case(lava: Lava, name: str) -> None:
    """Every case that both run, once more against one another."""
    case = conformance.make(name)
    if name in REFUSED["lava-fixed"]:
        pytest.skip("tests/conformance holds the refusal")
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


@pytest.mark.slow
def test_fashion_mnist(lava: Lava, tmp_path: Path) -> None:
    """u, v and spikes of 500 test images on the net of examples/, trained for one epoch."""
    try:
        found = data.load("fashion-mnist")
    except DataError as error:
        pytest.skip(str(error))
    config = Path(__file__).resolve().parents[2] / "examples/fashion_mnist.toml"
    ok("train", config, "--out", "run", "--set", "train.epochs=1", cwd=tmp_path, timeout=1800)
    ok("export", "run/best.ckpt", "--out", "model.nir", cwd=tmp_path)
    net = store.read(tmp_path / "model.nir")
    (enters,) = net.inputs
    images = found.x[found.splits["test"][:500]]
    held = np.broadcast_to(images, (4, *images.shape))
    calibration = np.broadcast_to(found.x[found.splits["train"][:64]], (4, 64, *images.shape[1:]))
    network = prepare(net, chip_capabilities(), {enters: calibration}).network
    for start in range(0, 500, 100):
        part = {enters: held[:, start : start + 100]}
        same(lava.run(network, part), run(network, part))
