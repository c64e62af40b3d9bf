"""Quantised networks in .nir files: the same integers back, a plain graph for everybody else."""

import json
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.backends.conformance import BUILDERS, make
from spikeport.core import interpreter, store
from spikeport.core.arrays import frozen
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse
from spikeport.core.chip_read import chip_synapse, scale_of
from spikeport.core.chip_store import SynapseIntegers, real_synapse
from spikeport.core.errors import NetworkError, SpikeportError
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Linear
from spikeport.core.schedule import compile
from spikeport.verify.prepare import prepare


def quantised(name: str) -> tuple[Network, dict[str, Any]]:
    case = make(name)
    able = registry.get("loihi").capabilities()
    return prepare(case.network, able, case.inputs).network, dict(case.inputs)


REFUSED = {  # tests/conformance holds the refusals
    "reset_to_value",
    "reset_to_value_per_neuron",
    "fires_at_threshold",
    "loop_nothing_at_t0",
    "conv_loop_nothing_at_t0",
    "threshold",
    "leaky_then_threshold",
    "delay_of_sums",
    "subtract_after_decay",
}


@pytest.mark.parametrize("name", sorted(set(BUILDERS) - REFUSED))
def test_reloads_to_identical_bits(tmp_path: Path, name: str) -> None:
    network, inputs = quantised(name)
    path = tmp_path / "int.nir"
    store.write(network, path)
    again = store.read(path)
    assert store.digest(again) == store.digest(network)
    assert again.number_format == "loihi"
    for node_name, node in network.nodes.items():
        other = again.nodes[node_name]
        assert type(node) is type(other)
        if isinstance(node, ChipSynapse) and isinstance(node.synapse, Linear | Conv):
            assert isinstance(other, ChipSynapse) and isinstance(other.synapse, Linear | Conv)
            assert (node.synapse.weight == other.synapse.weight).all()
            assert node.weight_exp == other.weight_exp
        if isinstance(node, ChipNeuron):
            assert isinstance(other, ChipNeuron)
            for register in ("du", "dv", "vth", "bias_mant", "bias_exp"):
                assert np.array_equal(getattr(node, register), getattr(other, register))
    first = interpreter.run(compile(network), inputs, ("all",))
    second = interpreter.run(compile(again), inputs, ("all",))
    for group in ("outputs", "spikes", "v", "u"):
        for key, values in getattr(first, group).items():
            assert (values == getattr(second, group)[key]).all(), (group, key)


def test_others_read_dequantised_numbers(tmp_path: Path) -> None:
    """The plain graph spikes almost like the integers."""
    network, inputs = quantised("conv_padded")
    store.write(network, tmp_path / "int.nir")
    graph = nir.read(tmp_path / "int.nir", type_check=False)
    graph.metadata = {}
    nir.write(tmp_path / "plain.nir", graph)
    plain = store.read(tmp_path / "plain.nir", store.Stated(dt=1e-3))
    assert plain.number_format == "real"
    ints = interpreter.run(compile(network), inputs, ("all",)).spikes
    reals = interpreter.run(compile(plain), inputs, ("all",)).spikes
    for name in ("one", "two"):
        assert (ints[name] != reals[name]).mean() < 0.02


def edit(path: Path, change: Any) -> None:
    """Change a written file by hand, its digest with it where the change is in the metadata."""
    with h5py.File(path, "r+") as file:
        change(file)


def test_weight_edited_by_hand(tmp_path: Path) -> None:
    network, _ = quantised("lif_neurons")
    path = tmp_path / "int.nir"
    store.write(network, path)

    def nudge(file: Any) -> None:
        file["node/nodes/fc2/weight"][0, 0] *= 1.001

    edit(path, nudge)
    with pytest.raises(NetworkError, match="'fc2': weight .* is not whole: the file was changed"):
        store.read(path)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [("vth", 1 << 18, "0 to 131071"), ("dv", -3, "0 to 4095"), ("bias_mant", 9999, "4095")],
)
def test_register_edited_by_hand(tmp_path: Path, key: str, value: int, word: str) -> None:
    network, _ = quantised("lif_neurons")
    path = tmp_path / "int.nir"
    store.write(network, path)

    def set_register(file: Any) -> None:
        told = json.loads(file["node/metadata/spikeport"][()])
        told["chip"]["neurons"]["one"][key] = value
        told["digest"] = None
        del file["node/metadata/spikeport"]
        file["node/metadata/spikeport"] = json.dumps(told)

    edit(path, set_register)
    with pytest.raises(SpikeportError, match=word):
        store.read(path)


def test_small_register_change_is_caught(tmp_path: Path) -> None:
    network, _ = quantised("lif_neurons")
    path = tmp_path / "int.nir"
    store.write(network, path)

    def set_register(file: Any) -> None:
        told = json.loads(file["node/metadata/spikeport"][()])
        told["chip"]["neurons"]["one"]["bias_mant"] = 1
        del file["node/metadata/spikeport"]
        file["node/metadata/spikeport"] = json.dumps(told)

    edit(path, set_register)
    with pytest.raises(NetworkError, match="'one': bias and the integers in the metadata"):
        store.read(path)


def test_weights_of_any_scale_come_back(tmp_path: Path) -> None:
    """Scales that are no powers of two: W / scale * scale is not W, and must be rounded back."""
    random = np.random.default_rng(0)
    moved = 0
    for trial in range(20):
        scale = float(random.uniform(3, 3000))
        weight: Any = random.integers(-128, 128, (40, 40)) * 2.0
        moved += int((weight / scale * scale != weight).any())
        node = ChipSynapse(Linear(weight), int(random.integers(-4, 5)), scale=frozen(scale))
        told = SynapseIntegers(weight_exp=node.weight_exp, scale=scale)
        back = chip_synapse("w", real_synapse(node, None), told).synapse
        assert isinstance(back, Linear)
        assert (back.weight == weight).all(), trial
    assert moved > 5


def test_a_scale_that_is_none() -> None:
    """One positive number, or one for each output channel."""
    with pytest.raises(NetworkError, match=r"'fc'.*one for each of its 3 output channels"):
        scale_of("fc", [1.0, 2.0], (3,), "output channels")
    with pytest.raises(NetworkError, match=r"'lif'.*one for each of its 3 x 4 neurons"):
        scale_of("lif", [[1.0, 2.0]], (3, 4), "neurons")
    for wrong in (
        0.0,
        -1.0,
        float("nan"),
        float("inf"),
        10**400,
        [],
        [1.0, [2.0]],
        [1, 10**400, 1],
    ):
        with pytest.raises(NetworkError, match="one positive number"):
            scale_of("fc", wrong, (3,), "output channels")
