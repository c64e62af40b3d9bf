"""`spikeport analyse` as a process, and accuracy against energy by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.core.arrays import frozen
from spikeport.core.errors import DataError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Input, Linear, Neuron, Output
from spikeport.verify.analyses import against_energy
from spikeport.verify.counts import LayerCounts
from spikeport.verify.energy import arithmetic, models

from .in_process import ok, refused
from .test_cli import spikeport

CONFIG = """
[data]
name = "digits"
steps = 3
[model]
channels = [4, 6]
[train]
epochs = 2
batch = 32
lr = 1e-2
[run]
loggers = []
"""
EVERY = "per-step,extension,rates,landscape,energy"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained checkpoint."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "config.toml").write_text(CONFIG)
    done = ok("train", "config.toml", "--out", "run", "--json", cwd=folder)
    (folder / "accuracy").write_text(str(json.loads(done.stdout)["test_accuracy"]))
    return folder


@pytest.fixture(scope="module")
def told(home: Path) -> Any:
    """Every analysis, as JSON, with pictures."""
    words = ["--points", "3", "--samples", "360", "--steps", "6", "--out", "out", "--json"]
    done = spikeport("analyse", "run/best.ckpt", "--what", EVERY, *words, cwd=home)
    assert done.returncode == 0, done.stderr
    assert json.loads((home / "out/analyses.json").read_text()) == json.loads(done.stdout)
    return json.loads(done.stdout)


def test_all_analyses_speak_of_the_same_model(home: Path, told: Any) -> None:
    accuracy = pytest.approx(float((home / "accuracy").read_text()))
    assert told["per-step"]["so_far"][2] == accuracy and len(told["per-step"]["own"]) == 6
    assert told["extension"]["steps"] == [3, 6]
    assert told["extension"]["accuracy"] == [accuracy, told["per-step"]["so_far"][5]]
    assert told["rates"]["accuracy"] == accuracy
    assert list(told["rates"]["layers"]) == ["lif1", "lif2"] and told["rates"]["pooled"] > 0
    points = told["energy"]["points"]
    assert [p["steps"] for p in points] == [1, 2, 3] and points[2]["accuracy"] == accuracy
    joules = [p["energy"][0]["picojoules"] for p in points]
    assert joules == sorted(joules) and joules[0] > 0
    landscape = told["landscape"]
    assert landscape["line"]["loss"][1] == landscape["plane"]["loss"][1][1]
    assert landscape["sharpness"]["most_rise"] >= landscape["sharpness"]["mean_rise"]


def test_pictures(home: Path, told: Any) -> None:
    for name in EVERY.split(","):
        svg, png = (home / f"out/{name}.{kind}" for kind in ("svg", "png"))
        assert "<svg" in svg.read_text() and png.read_bytes().startswith(b"\x89PNG")
    assert len(list((home / "out").iterdir())) == 11


def test_the_table(home: Path, told: Any) -> None:
    what = ["--what", "rates, energy", "--data", "digits", "--samples", "20"]
    done = ok("analyse", "run/best.ckpt", *what, "--split", "validation", cwd=home)
    assert "all, pooled" in done.stdout and "synaptic ops" in done.stdout
    assert "20 samples of 3 steps" in done.stdout


def test_what_cannot_be_analysed(home: Path) -> None:
    at = ["analyse", "run/best.ckpt", "--what"]
    refused(*at, "rates,rate", cwd=home, says="no such analysis; there are per-step, extension")
    refused(*at, ",", cwd=home, says="names no analysis")
    refused("analyse", "no.ckpt", "--what", "rates", cwd=home, says="there is no checkpoint no")
    refused(*at, "per-step", "--steps", "5000", cwd=home, says="steps is 5000; give 1 to 4096")
    refused(*at, "extension", "--steps", "2", cwd=home, says="an extension to 2 is none")
    refused(*at, "rates", "--split", "all", cwd=home, says="no split 'all'")
    refused(*at, "rates", "--data", "mnist", cwd=home, says="no data set 'mnist'")
    refused(*at, "rates", "--out", "config.toml", cwd=home, says="is a file; name a folder")


def small() -> Network:
    """Two inputs, three neurons, two outputs; one synapse is missing."""
    first = Linear(frozen([[2.0, 0.0], [2.0, 2.0], [0.5, 0.25]]))
    neuron = Neuron((3,), frozen(1.0), threshold=frozen(1.0))
    nodes = {
        "input": Input((2,), "spikes"),
        "first": first,
        "if": neuron,
        "last": Linear(frozen([[1.0, 1.0, 1.0], [2.0, -1.0, 0.0]])),
        "output": Output((2,)),
    }
    names = list(nodes)
    return Network(nodes, tuple(zip(names, names[1:], strict=False)), Meaning(readout="mean_t"))


def test_operations_by_hand() -> None:
    x = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    one, two = against_energy(small(), [(x, np.array([1]))])
    # step 1: input 0 reaches 3 synapses; neurons 0 and 1 fire, with 2 synapses each
    assert (one.synaptic_operations, one.macs, one.accuracy) == (3 + 4, 0, 0)
    # step 2: input 1 reaches 2 synapses; neuron 1 fires
    assert (two.synaptic_operations, two.macs, two.accuracy) == (7 + 2 + 2, 0, 0)
    assert two.energy[0].picojoules == pytest.approx(11 * 0.9)
    alone = against_energy(small(), [(x[:1], np.array([1]))])
    assert alone == [one]
    with pytest.raises(DataError, match="no samples"):
        against_energy(small(), [])


def test_energy_at_45_nm(vector: Callable[[str], tuple[dict[str, Any], dict[str, Any]]]) -> None:
    inputs, expected = vector("energy_45nm")
    first, steps = inputs["first_layer_macs"], inputs["T"]
    counts = {
        f"layer{i}": LayerCounts(synaptic_operations=macs * rate * steps)
        for i, (macs, rate) in enumerate(zip(inputs["macs"], inputs["rates"], strict=True))
    }
    for key, times in (("E_pJ_first_once", 1), ("E_pJ_first_every_step", steps)):
        encoder = LayerCounts(macs=first * steps, macs_once=first * times)
        found = arithmetic(models()["float_45nm"], {"encoder": encoder, **counts}, samples=1)
        assert found.picojoules == pytest.approx(expected[key], rel=1e-9)
