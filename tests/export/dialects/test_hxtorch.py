"""hxtorch's files. It needs the software of BrainScaleS, so that they are made here, field by
field as its exporter has them (spiking/utils/to_nir.py), and its step (spiking/functional/aelif.py,
the CuBa step's code) is written down beside them."""

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from spikeport.core import interpreter, store
from spikeport.core.errors import NetworkError, UnsupportedNode
from spikeport.core.schedule import compile
from spikeport.export.dialects import load

DT = 1e-6
random = np.random.default_rng(3)


class Population:
    """Parameters of an AELIF, in SI units, one number each."""

    tau_mem, tau_syn, leak, reset, threshold = 6e-6, 10e-6, 0.25, -0.125, 1.0

    def __init__(self, size: int, fire: bool = True) -> None:
        self.size, self.fire = size, fire
        self.c_mem = 4e-6 if fire else self.tau_mem
        if not fire:
            self.leak = 0.0

    def node(self, unit: float = 1e3) -> Any:
        """What the exporter makes of it: unit 1e3, or 1 and no r by its first version."""

        def each(value: float) -> Any:
            return np.array(self.size * [value])

        told = {
            "tau_mem": each(self.tau_mem * unit),
            "tau_syn": each(self.tau_syn * unit),
            "r": each(self.tau_mem / self.c_mem if self.fire and unit != 1 else 1.0),
            "v_leak": each(self.leak),
        }
        if not self.fire:
            return nir.CubaLI(**told)
        return nir.CubaLIF(**told, v_reset=each(self.reset), v_threshold=each(self.threshold))

    def run(self, x: Any) -> tuple[Any, Any]:
        """(spikes, membranes) [T, B, N] of its software model: the membrane first, by the current
        of the step before."""
        i, v = np.zeros(x.shape[1:]), np.full(x.shape[1:], self.leak)
        spikes, membranes = [], []
        for now in x:
            v = v + DT / self.c_mem * (i + self.c_mem / self.tau_mem * (self.leak - v))
            i = i * (1 - DT / self.tau_syn) + now
            z = (v > self.threshold) * float(self.fire)
            v = (1 - z) * v + z * self.reset
            spikes.append(z)
            membranes.append(v)
        return np.array(spikes), np.array(membranes)


def file(path: Path, layers: list[Population], unit: float = 1e3) -> list[Any]:
    """A chain as to_nir names and joins it; returns the weights."""
    sizes = [5, *(layer.size for layer in layers)]
    weights = [random.normal(0.5, 1, (b, a)) for a, b in zip(sizes, sizes[1:], strict=False)]
    nodes: dict[str, Any] = {"0": nir.Input(np.array([5]))}
    for weight, layer in zip(weights, layers, strict=True):
        nodes[str(len(nodes))] = nir.Linear(weight)
        nodes[str(len(nodes))] = layer.node(unit)
    nodes[str(len(nodes))] = nir.Output(np.array([sizes[-1]]))
    nir.write(path, nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False))))
    return weights


@pytest.mark.parametrize("unit", [1e3, 1.0])
def test_spikes_and_membranes(tmp_path: Path, unit: float) -> None:
    layers = [Population(7), Population(4), Population(3, fire=False)]
    if unit == 1:  # r = 1 is written whatever the capacitance
        for layer in layers:
            layer.c_mem = layer.tau_mem
    weights = file(tmp_path / "a.nir", layers, unit)
    said = {"tau": "ms" if unit != 1 else "s"}
    if unit == 1:  # as a plain file has it, too
        with pytest.raises(NetworkError, match="hxtorch and plain both fit"):
            load(tmp_path / "a.nir", "auto", DT, said)
    made = load(tmp_path / "a.nir", "hxtorch" if unit == 1 else "auto", DT, said)
    assert made.dialect.name == "hxtorch"
    store.write(made.network, tmp_path / "ours.nir")
    network = store.read(tmp_path / "ours.nir")
    x = (random.random((80, 3, 5)) < 0.3).astype(float)
    got = interpreter.run(compile(network), {"0": x}, ("all",))
    signal = x
    for number, (weight, layer) in enumerate(zip(weights, layers, strict=True)):
        spikes, v = layer.run(signal @ weight.T)
        signal = spikes if layer.fire else v
        if layer.fire:
            name = str(2 * number + 2)
            assert 0.02 < spikes.mean() < 1 and np.array_equal(got.spikes[name], spikes)
            assert np.allclose(got.v[name] + layer.leak, v, atol=1e-12)
    assert np.allclose(got.outputs["7"], signal, atol=1e-12)


def test_what_is_dropped_must_be_said(tmp_path: Path) -> None:
    file(tmp_path / "a.nir", [Population(7)])
    with pytest.raises(NetworkError, match=r"hxtorch does not export .* --say tau=ms\|s"):
        load(tmp_path / "a.nir", "hxtorch", DT)
    with pytest.raises(NetworkError, match="say --dt"):
        load(tmp_path / "a.nir", "hxtorch", None, {"tau": "ms"})
    with pytest.raises(NetworkError, match="shorter than a step"):
        load(tmp_path / "a.nir", "hxtorch", 1e-3, {"tau": "ms"})


def test_what_no_node_says(tmp_path: Path) -> None:
    read = Population(3, fire=False)
    read.leak = 0.5
    file(tmp_path / "a.nir", [Population(7), read])
    with pytest.raises(UnsupportedNode, match="'4': starts at a v_leak"):
        load(tmp_path / "a.nir", "hxtorch", DT, {"tau": "ms"})
