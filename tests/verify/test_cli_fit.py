"""`spikeport fit` as a process: verdicts, exit status, JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.core import store
from spikeport.core.arrays import frozen
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import AvgPool2d, Conv, Input, Linear, Neuron, Node, Output
from spikeport.export.quantise import Options, Quantise

from .test_cli import spikeport


def told(*words: str | Path, cwd: Path, status: int) -> Any:
    """What it says with --json."""
    done = spikeport(*words, "--json", cwd=cwd)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def refused(*words: str | Path, cwd: Path, says: str) -> None:
    """Exit status 2, one clear line, nothing written."""
    before = sorted(cwd.iterdir())
    done = spikeport(*words, cwd=cwd)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("spikeport: "), done.stderr
    assert says in lines[0], lines[0]
    assert sorted(cwd.iterdir()) == before


def lif(*shape: int) -> Neuron:
    return Neuron(shape, frozen(0.5), frozen(1.0))


def write(path: Path, nodes: dict[str, Node]) -> None:
    names = list(nodes)
    edges = tuple(zip(names, names[1:], strict=False))
    store.write(Network(nodes, edges, Meaning(dt=1e-3)), path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that fit and that do not."""
    folder = tmp_path_factory.mktemp("fit")
    random = np.random.default_rng(0)

    def dense(name: str, inputs: int, outputs: int) -> None:
        nodes: dict[str, Node] = {"input": Input((inputs,), "spikes")}
        nodes["fc"] = Linear(frozen(random.normal(size=(outputs, inputs))))
        write(folder / name, nodes | {"lif": lif(outputs), "output": Output((outputs,))})

    dense("small.nir", 30, 20)
    dense("fan_in.nir", 5000, 3)
    dense("memory.nir", 200_000, 2)
    conv = Conv(frozen(random.normal(size=(132, 1, 1, 1))))
    nodes: dict[str, Node] = {"input": Input((1, 32, 32), "spikes"), "conv": conv}
    nodes |= {"lif": lif(132, 32, 32), "output": Output((132, 32, 32))}
    write(folder / "many.nir", nodes)
    nodes = {"input": Input((1, 9, 9), "spikes"), "conv": Conv(frozen(np.ones((2, 1, 1, 1))))}
    nodes |= {"lif": lif(2, 9, 9), "pool": AvgPool2d((3, 3), (2, 2))}
    nodes |= {"conv2": Conv(frozen(np.ones((2, 2, 3, 3)))), "lif2": lif(2, 2, 2)}
    write(folder / "pool.nir", nodes | {"output": Output((2, 2, 2))})
    return folder


def test_fits(home: Path) -> None:
    done = spikeport("fit", "small.nir", "--chip", "loihi1", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "fits 1 chip of Loihi 1: 1 of 128 cores" in done.stdout
    found = told("fit", "small.nir", "--chip", "loihi1", "--out", "f.json", cwd=home, status=0)
    assert found == json.loads((home / "f.json").read_text())
    assert found["verdict"] == "fits" and found["exceeded"] == [] and found["not_judged"] == []
    (core,) = found["allocation"]
    assert (core["chip"], core["core"], core["layer"]) == (0, 0, "lif")
    assert core["channels"] == [0, 20] and core["input_axons"] == 30
    assert core["synapse_bits"] == 30 * 192  # 10 + 20 x 8 in three words
    assert "Davies" in found["limits"]["synapse_bits"]["source"]


def test_fan_in_of_one_neuron_is_too_large(home: Path) -> None:
    done = spikeport("fit", "fan_in.nir", "--chip", "loihi1", cwd=home)
    assert done.returncode == 1, done.stderr
    assert "a neuron of 'lif' alone takes 5,000 input axons" in done.stdout
    assert "a core of Loihi 1 has 4,096: 904 too many (22.1 % over)" in done.stdout
    assert "What would help: fewer inputs to each neuron" in done.stdout
    assert "does not fit 1 chip of Loihi 1" in done.stdout
    (excess,) = told("fit", "fan_in.nir", "--chip", "loihi1", cwd=home, status=1)["exceeded"]
    assert {k: excess[k] for k in ("layer", "resource", "need", "limit", "over")} == {
        "layer": "lif",
        "resource": "input_axons",
        "need": 5000,
        "limit": 4096,
        "over": 904,
    }


def test_synapse_memory_of_one_neuron_is_too_large(home: Path) -> None:
    done = spikeport("fit", "memory.nir", "--chip", "loihi2", cwd=home)
    assert done.returncode == 1, done.stderr
    assert "1,600,000 bits of synapse memory" in done.stdout
    assert "a core of Loihi 2 has 1,572,864: 27,136 too many (1.7 % over)" in done.stdout
    assert "with 7 bits a weight it would fit" in done.stdout
    done = spikeport("fit", "memory.nir", "--chip", "loihi2", "--bits", "7", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "exceeds no published limit of 1 chip of Loihi 2" in done.stdout
    assert "nobody has published their limits: input axons, output axons" in done.stdout


def test_network_takes_more_than_one_chip(home: Path) -> None:
    found = told("fit", "many.nir", "--chip", "loihi1", cwd=home, status=1)
    (excess,) = found["exceeded"]
    assert (excess["resource"], excess["need"], excess["limit"]) == ("cores", 132, 128)
    assert excess["over"] == 4 and "--chips 2" in excess["help"]
    found = told("fit", "many.nir", "--chip", "loihi1", "--chips", "2", cwd=home, status=0)
    assert found["cores"]["chips_needed"] == 2
    assert {core["chip"] for core in found["allocation"]} == {0, 1}


def test_integers_say_their_own_bits(home: Path) -> None:
    x = (np.random.default_rng(1).random((6, 3, 30)) < 0.5).astype(float)
    real = store.read(home / "small.nir")
    store.write(Quantise({"input": x}, Options("max", 4)).apply(real).network, home / "chip.nir")
    found = told("fit", "chip.nir", "--chip", "loihi1", cwd=home, status=0)
    (layer,) = found["layers"]
    assert layer["kind"] == "ChipNeuron"
    assert [p["weight_bits"] for p in layer["projections"]] == [4]
    refused("fit", "chip.nir", "--chip", "loihi1", "--bits", "8", cwd=home, says="holds integers")


def test_bad_usage(home: Path) -> None:
    at = ["--chip", "loihi1"]
    refused("fit", "none.nir", *at, cwd=home, says="no file none.nir")
    refused("fit", "small.nir", *at, "--chips", "0", cwd=home, says="--chips 0")
    refused(
        "fit", "small.nir", *at, "--bits", "9", cwd=home, says="a synapse of Loihi 1 has 8 bits"
    )
    refused("fit", "pool.nir", *at, "--out", "no.json", cwd=home, says="no neurons between")
    done = spikeport("fit", "small.nir", "--chip", "loihi3", cwd=home)
    assert done.returncode == 2 and "loihi1" in done.stderr
