"""lava-dl's .net files: run as netx runs them, and everything else refused by name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.core import interpreter, netx, store
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse
from spikeport.core.errors import NetworkError, QuantisationError
from spikeport.core.schedule import compile
from spikeport.core.store import Stated

from .lavadl import FOLDER, NAMES, holds, network, recorded


@pytest.mark.parametrize("name", NAMES)
def test_interpreter_is_netx(name: str) -> None:
    x = {"input": recorded(name)["x"]}
    holds(name, interpreter.run(compile(network(name)), x, ("all",)))


@pytest.mark.parametrize("name", NAMES)
def test_emulator_is_netx(name: str) -> None:
    with registry.get("loihi").open(network(name)) as session:
        holds(name, session.run({"input": recorded(name)["x"]}, ("all",)))


def test_there_is_something_of_everything() -> None:
    """What the recorded files exercise between them."""
    assert len(NAMES) == 7
    nodes = [node for name in NAMES for node in network(name).nodes.values()]
    kinds = {node.kind for node in nodes}
    assert kinds >= {"ToChip", "ChipNeuron", "ChipLinear", "ChipConv2d", "Flatten", "Delay"}
    synapses = [node for node in nodes if isinstance(node, ChipSynapse)]
    assert {node.sign_mode.name for node in synapses} == {"MIXED", "EXCITATORY", "INHIBITORY"}
    assert {node.weight_exp for node in synapses} >= {0, -1, -2, -3, -5}
    neurons = [node for node in nodes if isinstance(node, ChipNeuron)]
    assert any(node.simulator_only for node in neurons) and any(n.bias_mant.any() for n in neurons)
    assert network("weights").history[1:] == (
        "layer1: weights that netx and Lava clip: 1",
        "layer3: weights that netx and Lava clip: 9",
    )


@pytest.mark.parametrize("name", ["analogue", "conv", "recurrent", "weights"])
def test_becomes_a_nir_file(tmp_path: Path, name: str) -> None:
    read = store.read(FOLDER / f"{name}.net", Stated(dt=1e-3))
    store.write(read, tmp_path / "n.nir")
    again = store.read(tmp_path / "n.nir")
    assert again.meaning == read.meaning and again.meaning.timing == "pipelined"
    assert store.digest(again) == store.digest(read)
    holds(name, interpreter.run(compile(again), {"input": recorded(name)["x"]}, ("all",)))


def test_digest_of_what_nir_cannot_hold() -> None:
    """A current that never fades: no NIR file, but a digest all the same."""
    one, other = network("integrators"), network("channels")
    assert store.digest(one) == store.digest(network("integrators")) != store.digest(other)
    node = one.nodes["layer0"]
    assert isinstance(node, ChipNeuron)
    changed = {**one.nodes, "layer0": ChipNeuron((7,), node.du, node.dv, node.vth + 1, node.vth)}
    assert store.digest(one.changed(nodes=changed)) != store.digest(one)
    with pytest.raises(NetworkError, match="'layer1': CubaLIF with a current decay of 1"):
        store.to_nir(one.changed(meaning=one.meaning.__class__(dt=1e-3, timing="pipelined")))


# --- refused ---------------------------------------------------------------------------------


def edited(folder: Path, name: str, change: Callable[[Any], None]) -> Path:
    """A copy of a file, changed."""
    path = folder / f"{name}.net"
    shutil.copy(FOLDER / path.name, path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def put(key: str, value: Any) -> Callable[[Any], None]:
    """Write one dataset anew."""

    def change(file: Any) -> None:
        if key in file:
            del file[key]
        file[key] = value

    return change


def half(key: str) -> Callable[[Any], None]:
    """Move the first number of an array by a half."""

    def change(file: Any) -> None:
        values = file[key][()]
        values.flat[0] += 0.5
        put(key, values)(file)

    return change


def kind(number: int, word: bytes) -> Callable[[Any], None]:
    return put(f"layer/{number}/type", np.array([word], "S10"))


def drop(key: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[key]

    return change


def turned(file: Any) -> None:
    put("layer/2/shape", np.array([4, 3, 6]))(file)


def odd(file: Any) -> None:
    values = file["layer/1/weight"][()]
    values.flat[:2] = 3, -1
    put("layer/1/weight", values)(file)


def wide(file: Any) -> None:
    values = file["layer/3/weight"][()]
    values.flat[:2] = 201, -99
    put("layer/3/weight", values)(file)


REFUSED: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "pool": ("conv", kind(3, b"pool"), r"layer 3 \(pool\): netx has no such layer"),
    "unknown type": ("conv", kind(1, b"lstm"), r"layer 1 \(lstm\): unknown to netx"),
    "input later": ("conv", kind(3, b"input"), r"layer 3 \(input\): an input after"),
    "no dense": ("conv", kind(4, b"flatten"), r"layer 4 \(flatten\): follows a flatten"),
    "sigma-delta": ("conv", put("layer/1/neuron/type", "SDNN"), "neurons of type 'SDNN'"),
    "resonators": ("conv", put("layer/4/neuron/type", "RF_PHASE"), "neurons of type 'RF_PHASE'"),
    "graded": ("conv", put("layer/1/neuron/gradedSpike", True), "gradedSpike is True; netx sends"),
    "refractory": ("conv", put("layer/1/neuron/refDelay", 2), "refDelay is 2; netx has no"),
    "exponent": ("conv", put("layer/1/neuron/wgtExp", 2), "wgtExp is 2; netx leaves it out"),
    "message bits": ("conv", put("layer/1/neuron/messageBits", 8), "says 'messageBits'"),
    "unknown field": ("conv", put("layer/1/synapseDelay", 1), "the layer says 'synapseDelay'"),
    "unknown group": ("conv", put("layout/0", 1), "the file says 'layout'"),
    "missing field": ("conv", drop("layer/1/stride"), "the layer has no 'stride'"),
    "missing layer": ("conv", drop("layer/2"), "4 layers, and none is called '2'"),
    "missing shape": ("conv", drop("layer/0"), "4 layers, and none is called '0'"),
    "half a weight": ("conv", half("layer/1/weight"), "weight holds .*5; whole numbers"),
    "half a bias": ("conv", half("layer/1/bias"), "bias holds .*5; whole numbers"),
    "NaN": ("conv", put("layer/1/bias", np.full(4, np.nan)), "bias is empty or holds numbers"),
    "odd kernel": ("conv", odd, "weight 3 is not on the chip's grid: 8 bits, mixed"),
    "odd matrix": ("dense_delays", wide, "would have 9 bits in netx, one more than the chip has"),
    "zeros": ("conv", put("layer/4/weight", np.zeros((5, 72))), "all weights are 0"),
    "shape turned": ("conv", turned, r"shape is \[4, 3, 6\], and \[6, 3, 4\] follows"),
    "kernel turned": ("conv", put("layer/2/kernelSize", [2, 3]), r"kernelSize is \[2, 3\]"),
    "channels": ("conv", put("layer/2/inChannels", 3), "inChannels is 3, the weights say 4"),
    "matrix turned": ("conv", put("layer/4/weight", np.ones((72, 5))), r"\[72, 5\]; \[5, inputs\]"),
    "features": ("conv", put("layer/4/weight", np.ones((5, 70))), r"takes \[70\], .* gives \[72\]"),
    "biases": ("conv", put("layer/1/bias", np.ones(3)), r"bias has shape \[3\]; one number, or"),
    "large bias": ("conv", put("layer/1/bias", 5000), "bias_mant is 5000, .* -4096 to 4095"),
    "decay": ("conv", put("layer/1/neuron/iDecay", 4097), "du is 4096"),
    "threshold": ("conv", put("layer/1/neuron/vThMant", 1 << 18), "vth .* is 262144"),
    "delayed map": ("conv", put("layer/1/delay", np.ones(4)), "netx leaves out of convolutions"),
    "delay early": ("dense_delays", put("layer/0/delay", -1), "delay of -1 steps; netx has 0"),
    "delay late": ("dense_delays", put("layer/0/delay", 63), "delay of 63 steps; netx has 0 to 62"),
    "delay per synapse": ("dense_delays", put("layer/0/delay", np.ones((9, 7))), "delay has shape"),
    "delay in a loop": ("recurrent", put("layer/0/delay", np.ones(8)), "drops the weights' exp"),
    "loop size": ("recurrent", put("layer/1/weight_rec", np.ones((5, 4))), "weight_rec is"),
    "loop shape": ("recurrent", put("layer/1/weight_rec", np.ones((3, 7))), "weight_rec has"),
    "complex": ("recurrent", lambda f: complex_weights(f), "weight is a group of arrays"),
    "simulation": ("weights", put("simulation/dt", 1), "'simulation' says 'dt'"),
    "input bias": ("conv", put("layer/0/bias", 1), "without neurons, says 'bias'"),
}


def complex_weights(file: Any) -> None:
    del file["layer/0/weight"]
    file["layer/0/weight/real"] = np.ones((8, 6))
    file["layer/0/weight/imag"] = np.ones((8, 6))


@pytest.mark.parametrize("what", REFUSED)
def test_refused_by_name(tmp_path: Path, what: str) -> None:
    name, change, word = REFUSED[what]
    path = edited(tmp_path, name, change)
    with pytest.raises(NetworkError, match=word) as caught:
        store.read(path)
    assert str(caught.value).startswith(str(path))


def test_matrices_that_netx_breaks() -> None:
    """All -128: Lava would make them 0. Of one sign and too large: netx shifts them to nothing."""
    with pytest.raises(QuantisationError, match="would have 0 bits .* makes all of them 0"):
        netx.load(np.full((2, 3), -128))
    for weights in (np.full((2, 3), 256), np.full((2, 3), -257), np.array([[0, -300]])):
        with pytest.raises(QuantisationError, match="do not fit into 8 bits"):
            netx.load(weights)


def test_what_the_file_says_is_not_said_again() -> None:
    for stated in (Stated(reset="subtract"), Stated(if_r="ode"), Stated(back_edge_at_t0="bias")):
        with pytest.raises(NetworkError, match="--.* is said of a .net file"):
            store.read(FOLDER / "conv.net", stated)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated(tmp_path: Path, share: float) -> None:
    whole = (FOLDER / "conv.net").read_bytes()
    path = tmp_path / "cut.net"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(NetworkError, match=r"cut.net: not a readable .net"):
        store.read(path)


def test_hostile(tmp_path: Path) -> None:
    """Links out of the file, sizes that no machine has, groups without end."""

    def link(file: Any) -> None:
        del file["layer/4/weight"]
        file["layer/4/weight"] = h5py.ExternalLink("/etc/passwd", "x")

    def huge(file: Any) -> None:
        del file["layer/4/weight"]
        file.create_dataset("layer/4/weight", (1 << 20, 1 << 20), "f8", chunks=(1, 1))

    def vast(file: Any) -> None:
        put("layer/0/shape", np.array([2, 1 << 20, 1 << 20]))(file)

    def deep(file: Any) -> None:
        file["layer/0/" + "/".join("a" * 20) + "/x"] = 1

    def ring(file: Any) -> None:
        file["layer/0/again"] = file["layer"]

    words = {link: "link out of its place", huge: "declares to", vast: "neurons"}
    for change, word in {**words, deep: "nested more than", ring: "under another name"}.items():
        with pytest.raises(NetworkError, match=word):
            store.read(edited(tmp_path, "conv", change))
    with pytest.raises(NetworkError, match="no file"):
        store.read(tmp_path / "none.net")
