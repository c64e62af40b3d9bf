"""The program as a process: what it prints, writes, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
import typer

from spikeport.verify.cli.base import verb

from . import in_process
from .in_process import is_refusal

SPIKEPORT = [sys.executable, "-m", "spikeport"]

CONFIG = """
[data]
name = "digits"
steps = 3
[model]
channels = [6, 8]
[train]
epochs = 5
batch = 32
lr = 5e-3
[run]
loggers = ["csv"]
"""


def spikeport(
    *words: str | Path, cwd: Path, timeout: float = 300, **how: Any
) -> subprocess.CompletedProcess[str]:
    words = (*SPIKEPORT, *map(str, words))
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=timeout, **how)


def ok(*words: str | Path, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    done = spikeport(*words, cwd=cwd, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done


def refused(*words: str | Path, cwd: Path, says: str) -> None:
    """Exit status 2, one clear line, nothing new in the folder."""
    before = sorted(cwd.rglob("*"))
    done = spikeport(*words, cwd=cwd)
    is_refusal(done.returncode, done.stderr, says)
    assert sorted(cwd.rglob("*")) == before


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained checkpoint, its .nir file, and an input."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "config.toml").write_text(CONFIG)
    done = ok("train", "config.toml", "--out", "run", "--json", cwd=folder)
    assert json.loads(done.stdout)["test_accuracy"] > 0.3
    ok("export", "run/best.ckpt", "--out", "model.nir", cwd=folder)
    x = np.random.default_rng(0).random((3, 5, 1, 8, 8))
    np.save(folder / "x.npy", x)
    return folder


def test_verify_agrees(home: Path) -> None:
    words = "verify model.nir --data digits --samples 40 --against run/best.ckpt".split()
    done = ok(*words, "--backends", "reference,norse:7", "--out", "report", cwd=home)
    assert "agrees with the trained model" in done.stdout
    told = json.loads((home / "report/report.json").read_text())
    assert told["verdict"] == "agrees" and told["samples"] == 40
    reference, norse, single = told["engines"]
    assert [e["name"] for e in told["engines"]] == ["reference", "norse", "float32 model"]
    assert norse["samples"] == 7 and single["in_verdict"] is False
    for engine in (reference, norse):
        assert engine["spikes"]["differing"] == 0
        assert engine["spikes"]["neuron_steps"] > 0
    assert set(reference["layers"]) == {"lif1", "lif2"}
    assert 0 < reference["layers"]["lif1"]["rate"] < 1
    assert reference["accuracy"]["interval"][0] <= reference["accuracy"]["value"]
    assert reference["operations"]["total"]["macs"] > 0
    assert "45 nm" in reference["energy"][0]["model"]
    page = (home / "report/report.html").read_text()
    assert page.count("<svg") == 3 and "http-equiv" not in page and "<script" not in page


def test_verify_json_and_own_baseline(home: Path) -> None:
    words = "verify model.nir --data digits --samples 8 --backends norse --out other --json".split()
    done = ok(*words, cwd=home)
    assert json.loads(done.stdout)["baseline"] == "reference"
    assert "the baseline is this network" in done.stderr


def test_verify_finds_a_fault(home: Path) -> None:
    """A file that claims to be another network's: exit status 1 and the place."""
    with h5py.File(home / "model.nir") as file:
        plain = nir.read(home / "model.nir")
        told = json.loads(file["node/metadata/spikeport"][()])
    plain.nodes["conv2"].weight[3] *= 1.5
    told["digest"] = None
    plain.metadata["spikeport"] = json.dumps(told)
    nir.write(home / "faulty.nir", plain)
    words = "verify faulty.nir --data digits --samples 20 --against run/best.ckpt".split()
    done = spikeport(*words, "--backends", "reference", "--out", "bad", cwd=home)
    assert done.returncode == 1, done.stderr
    told = json.loads((home / "bad/report.json").read_text())
    assert told["verdict"] == "differs"
    first = told["engines"][0]["spikes"]["first_divergence"]
    assert first["layer"] == "lif2" and first["neuron"][0] == 3
    assert "spikes differ, and this engine promises none" in done.stdout


def test_run_writes_what_it_says(home: Path) -> None:
    words = "run model.nir --backend norse --input x.npy --record lif1,lif2 --out rec.npz".split()
    ok(*words, cwd=home)
    with np.load(home / "rec.npz") as held:
        assert held["output"].shape == (3, 5, 10)
        assert (held["output"] == held["output/output"]).all()
        assert held["spikes/lif1"].dtype == np.uint8
        assert held["v/lif2"].shape == (3, 5, 8, 4, 4)
        header = json.loads(str(held["header"]))
    assert header["engine"] == "norse" and header["versions"]["norse"]
    assert header["graph_digest"] and header["file_sha256"]
    ok("inspect", "rec.npz", cwd=home)


def test_run_foreign_file(home: Path) -> None:
    ones = np.ones(64)
    lif = nir.LIF(tau=ones * 0.01, r=ones, v_leak=0 * ones, v_threshold=ones * 0.1)
    shape = np.array([64])
    nodes = {"in": nir.Input(shape), "lif": lif, "out": nir.Output(shape)}
    nir.write(home / "foreign.nir", nir.NIRGraph(nodes, [("in", "lif"), ("lif", "out")]))
    np.save(home / "flat.npy", np.ones((30, 2, 64)))
    words = "run foreign.nir --backend reference --input in=flat.npy --record all".split()
    refused(*words, "--out", "f.npz", cwd=home, says="--dt")
    ok(*words, "--dt", "1e-3", "--out", "f.npz", cwd=home)
    with np.load(home / "f.npz") as held:
        assert held["spikes/lif"].sum() > 0


def test_inspect(home: Path) -> None:
    told = json.loads(ok("inspect", "model.nir", "--json", cwd=home).stdout)
    assert [n["name"] for n in told["nodes"]][:3] == ["input", "conv1", "lif1"]
    assert told["plain_nir_read"] == "reads it"
    assert told["meaning"]["steps"] == 3
    assert "lif1" in ok("inspect", "model.nir", cwd=home).stdout
    assert "test_accuracy" in ok("inspect", "run/best.ckpt", cwd=home).stdout


def test_backends_and_doctor(home: Path) -> None:
    told = json.loads(ok("backends", "--json", cwd=home).stdout)
    assert {"reference", "norse", "lava-float", "lava-fixed"} <= {row["name"] for row in told}
    assert json.loads(ok("doctor", "--json", cwd=home).stdout)["packages"]["numpy"]


RUN = "--backend reference --input x.npy --out no.npz".split()
VERIFY = "--data digits --backends reference --out no".split()


def test_missing_and_truncated_files(home: Path) -> None:
    whole = (home / "model.nir").read_bytes()
    (home / "half.nir").write_bytes(whole[: len(whole) // 2])
    refused("run", "none.nir", *RUN, cwd=home, says="no file none.nir")
    refused("run", "half.nir", *RUN, cwd=home, says="truncated or damaged")
    refused("verify", "half.nir", *VERIFY, cwd=home, says="truncated or damaged")
    refused("inspect", "none.ckpt", cwd=home, says="no checkpoint")


def test_checkpoint_of_another_model(home: Path) -> None:
    other = ["--set", "seed=5", "--set", "train.epochs=1"]
    in_process.ok("train", "config.toml", "--out", "run2", *other, cwd=home)
    words = ["--against", "run2/best.ckpt"]
    refused("verify", "model.nir", *VERIFY, *words, cwd=home, says="is not what this file was")


def test_data(home: Path) -> None:
    (home / "empty").mkdir()
    at = ["verify", "model.nir", "--backends", "reference", "--out", "no", "--data"]
    refused(*at, "empty", cwd=home, says="empty")
    refused(*at, "fashion", cwd=home, says="fashion-mnist")
    np.savez(home / "wide.npz", x=np.zeros((8, 1, 9, 9)), y=np.arange(8) % 2)
    refused(*at, "wide.npz", cwd=home, says="[1, 8, 8]")


def edited(home: Path, name: str, edit: Any) -> str:
    """A copy of the graph as a foreign file, changed."""
    graph = nir.read(home / "model.nir")
    graph.metadata = {}
    edit(graph)
    nir.write(home / name, graph)
    return name


def test_graphs_that_cannot_be_run(home: Path) -> None:
    def nan(graph: Any) -> None:
        graph.nodes["conv1"].weight[0, 0, 0, 0] = np.nan

    name = edited(home, "nan.nir", nan)
    refused("run", name, *RUN, "--dt", "1e-3", cwd=home, says="'conv1' (Conv2d): weight holds 1")
    name = edited(home, "odd.nir", lambda graph: None)
    with h5py.File(home / name, "r+") as file:
        del file["node/nodes/pool1/type"]
        file["node/nodes/pool1/type"] = "MedianPool2d"
    refused("run", name, *RUN, "--dt", "1e-3", cwd=home, says="MedianPool2d")


def test_inputs_that_do_not_fit(home: Path) -> None:
    np.save(home / "none.npy", np.zeros((0, 5, 1, 8, 8)))
    np.save(home / "flat.npy", np.zeros((3, 5, 64)))
    np.save(home / "words.npy", np.array(["a"]))
    at = ["run", "model.nir", "--backend", "reference", "--out", "no.npz", "--input"]
    refused(*at, "none.npy", cwd=home, says="T = 0")
    refused(*at, "flat.npy", cwd=home, says="[T, B, 1, 8, 8]")
    refused(*at, "words.npy", cwd=home, says="not numbers")
    refused(*at, "nothere.npy", cwd=home, says="no file nothere.npy")
    refused(*at, "image=x.npy", cwd=home, says="the network's inputs are input")
    refused(*at, "x.npy", "--record", "lif9", cwd=home, says="lif1, lif2")


def test_names_that_are_not_there(home: Path) -> None:
    words = ["run", "model.nir", "--input", "x.npy", "--out", "no.npz"]
    refused(*words, "--backend", "brian", cwd=home, says="there are reference, norse")
    setting = ["--set", "train.epoch=3"]
    refused("train", "config.toml", "--out", "no", *setting, cwd=home, says="train.epochs")


def test_integers_need_calibration(home: Path) -> None:
    words = ["run", "model.nir", "--input", "x.npy", "--out", "no.npz", "--backend", "lava-fixed"]
    refused(*words, cwd=home, says="--calibrate")


def test_portable_refuses_what_plain_readers_change(home: Path) -> None:
    neuron = ["--set", 'model.neuron={kind="lif",reset="subtract"}', "--set", "train.epochs=1"]
    in_process.ok("train", "config.toml", "--out", "soft", *neuron, cwd=home)
    done = in_process.ok("export", "soft/best.ckpt", "--out", "soft.nir", cwd=home)
    assert "'lif1' resets by subtraction; plain readers reset it to 0" in done.stderr
    words = ["export", "soft/best.ckpt", "--out", "no.nir", "--portable"]
    in_process.refused(*words, cwd=home, says="--portable")


@pytest.mark.parametrize(
    ("how", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")]
)
def test_interrupt_leaves_nothing(how: str, code: int, word: str, home: Path) -> None:
    before = sorted(home.rglob("*"))
    words = "verify model.nir --data digits --split train --backends reference --out late".split()
    program = subprocess.Popen(
        [*SPIKEPORT, *words], cwd=home, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stderr is not None
    program.stderr.readline()  # it has begun: the baseline has been named
    time.sleep(0.3)
    os.kill(program.pid, getattr(signal, how))
    _, said = program.communicate(timeout=600)
    assert program.returncode == code, said
    assert said.strip() == f"spikeport: {word}"
    assert sorted(home.rglob("*")) == before


LAVADL = Path(__file__).parents[1] / "data" / "lavadl"


def test_lavadl_files(tmp_path: Path) -> None:
    """A .net file runs, is looked at, becomes a .nir file; it is in integers already."""
    with np.load(LAVADL / "conv.npz") as held:
        wanted = dict(held)
    np.save(tmp_path / "x.npy", wanted["x"])
    shutil.copy(LAVADL / "conv.net", tmp_path)
    ok("export", "conv.net", "--out", "conv.nir", cwd=tmp_path)
    words = "--backend reference --input x.npy --record all --out rec.npz".split()
    for model in ("conv.net", "conv.nir"):
        ok("run", model, *words, cwd=tmp_path)
        with np.load(tmp_path / "rec.npz") as held:
            for layer in ("layer1", "layer2", "layer4"):
                for group in ("u", "v", "spikes"):
                    assert (held[f"{group}/{layer}"] == wanted[f"{layer}.{group}"]).all()
    told = json.loads(ok("inspect", "conv.net", "--json", cwd=tmp_path).stdout)
    assert told["meaning"]["timing"] == "pipelined"
    words = "quantise conv.net --calibrate x.npy --out q.nir".split()
    refused(*words, cwd=tmp_path, says="in the chip's integers already")
    refused("export", "conv.net", "--portable", "--out", "p.nir", cwd=tmp_path, says="a step")


def test_memory_that_torch_cannot_have() -> None:
    """Its own error is told like anybody's; any other one is a fault of ours and stays whole."""

    def asks() -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    def fails() -> None:
        raise RuntimeError("something else")

    with pytest.raises(typer.Exit) as told:
        verb(asks)()
    assert told.value.exit_code == 2
    with pytest.raises(RuntimeError, match="something else"):
        verb(fails)()
