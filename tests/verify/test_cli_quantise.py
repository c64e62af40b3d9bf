"""spikeport quantise as a process: integers that reload and run, what they cost, refusals."""

import json
import os
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from . import test_cli
from .in_process import ok, refused

MEANS = ["--dt", "1e-3", "--reset", "value"]
R = np.random.default_rng(4)
FIRST, SECOND = R.normal(0.1, 0.4, (6, 8)), R.normal(0.1, 0.5, (5, 6))


def lif(size: int, tau: float = 0.01, threshold: float = 1.0) -> nir.LIF:
    ones = np.ones(size)
    return nir.LIF(ones * tau, ones * tau / 1e-3, 0 * ones, ones * threshold)


def foreign(path: Path, second: nir.NIRNode, last: nir.NIRNode) -> None:
    """A stranger's file: dense, LIF, dense, neurons."""
    nodes = {
        "in": nir.Input(np.array([8])),
        "fc1": nir.Linear(FIRST),
        "lif1": lif(6),
        "fc2": second,
        "lif2": last,
        "out": nir.Output(np.array([5])),
    }
    names = list(nodes)
    nir.write(path, nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False))))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantise")
    foreign(folder / "real.nir", nir.Linear(SECOND), lif(5))
    np.save(folder / "x.npy", (R.random((20, 30, 8)) < 0.4).astype(float))
    np.save(folder / "other.npy", (R.random((12, 9, 8)) < 0.5).astype(float))
    words = "quantise real.nir --calibrate x.npy --out int.nir --report cost --test other.npy"
    done = test_cli.ok(*words.split(), *MEANS, cwd=folder)
    assert "lif2" in done.stdout and "on the host, in real numbers: fc1" in done.stderr
    return folder


def test_report(home: Path) -> None:
    told = json.loads((home / "cost/quantisation.json").read_text())
    assert told["host"] == ["fc1", "lif1.enter"]
    assert told["history"][-1] == "quantise:spikes:8"
    assert told["cost"]["samples"] == 9 and told["cost"]["steps"] == 12
    for layer in told["cost"]["layers"]:
        assert 0 <= layer["single"]["flipped"] <= layer["cumulative"]["flipped"] + 0.05
        assert 0 < layer["rate"] < 1 and 0 <= layer["single"]["smape"] <= 1
        assert 0 <= layer["unused_weights"] < 1 and layer["clipped_weights"] == 0
    assert (home / "cost/quantisation.svg").read_text().count("<svg") == 1


def test_engines_give_the_same_bits(home: Path) -> None:
    """Integers of u and v, from a file, on three engines."""
    runs = []
    for engine in ("reference", "loihi", "lava-fixed"):
        words = f"run int.nir --backend {engine} --input x.npy --record all --out {engine}.npz"
        test_cli.ok(*words.split(), cwd=home)
        with np.load(home / f"{engine}.npz") as held:
            runs.append({k: held[k] for k in held if k != "header"})
    assert {"u/lif1", "v/lif1", "spikes/lif2"} <= set(runs[0])
    for key, values in runs[0].items():
        if key.startswith(("u/", "v/")):
            assert values.dtype == np.int32
        for other in runs[1:]:
            assert (other[key] == values).all(), key
    assert runs[0]["spikes/lif2"].any()


def test_others_read_an_ordinary_graph(home: Path) -> None:
    """De-quantised numbers, close to the real ones."""
    graph = nir.read(home / "int.nir")
    assert set(graph.nodes) == {"in", "fc1", "lif1", "fc2", "lif2", "out"}
    apart = np.abs(graph.nodes["fc2"].weight - SECOND)
    assert 0 < apart.max() <= np.abs(SECOND).max() / 127


@pytest.mark.parametrize(
    ("method", "more"),
    [("mse", []), ("percentile", ["--equalise"]), ("max", ["--correct-bias", "--bits", "5"])],
)
def test_methods(home: Path, method: str, more: list[str]) -> None:
    out = f"{method}.nir"
    words = f"quantise real.nir --calibrate x.npy --out {out} --method {method} --json".split()
    told = json.loads(ok(*words, *more, *MEANS, cwd=home).stdout)
    assert told["cost"]["layers"][1]["single"]["flipped"] < 0.1
    equalised = isinstance(told["chosen"]["lif2"]["scale"], list)
    assert equalised == ("--equalise" in more)
    ok(*f"run {out} --backend loihi --input x.npy --out {out}.npz".split(), cwd=home)


def test_spikes_go_straight_to_the_chip(home: Path) -> None:
    """A stranger's file does not say what its inputs bring; the user may, but not of ours."""
    words = "quantise real.nir --calibrate x.npy --out all.nir --json --input-content spikes"
    assert json.loads(ok(*words.split(), *MEANS, cwd=home).stdout)["host"] == []
    run = "run all.nir --backend loihi --input x.npy --out all.npz".split()
    ok(*run, cwd=home)
    refused(*run, "--input-content", "analogue", cwd=home, says="input 'in' brings spikes")
    np.save(home / "graded.npy", np.full((2, 1, 8), 0.5))
    run = "run all.nir --backend loihi --input graded.npy --out no.npz".split()
    refused(*run, cwd=home, says="takes spikes, 0 or 1, and is given 0.5")


QUANTISE = ["--calibrate", "x.npy", "--out", "no.nir", *MEANS]
SYNAPTIC = np.ones(5) * 20.0  # a time constant of 20,000 steps


@pytest.mark.parametrize(
    ("second", "last", "says"),
    [
        (nir.Affine(SECOND, np.array([0, 0, 0, 0, 1e5])), lif(5), "27 bits, and the register has"),
        (nir.Linear(SECOND * 1e-12), lif(5), "all weights would be 0"),
        (nir.Linear(SECOND), lif(5, tau=1e-3), "dv = 4096; the chip's register has 12 bits"),
        (
            nir.Linear(SECOND),
            nir.CubaLIF(
                SYNAPTIC, np.ones(5) * 0.01, np.ones(5) * 10, np.zeros(5), np.ones(5),
                w_in=SYNAPTIC / 1e-3,
            ),
            "du = -1; the chip's register has 12 bits",
        ),
    ],
    ids=["bias", "weights", "membrane decay", "synaptic decay"],
)  # fmt: skip
def test_numbers_that_no_register_holds(
    home: Path, second: nir.NIRNode, last: nir.NIRNode, says: str
) -> None:
    foreign(home / "bad.nir", second, last)
    refused("quantise", "bad.nir", *QUANTISE, cwd=home, says=("node 'lif2'", says))


def test_a_convolutions_bias(home: Path) -> None:
    """Convolutions have no exponent, so the scale follows their weights, and the bias its own."""
    shape, ones = np.array([2, 4, 4]), np.ones((3, 4, 4))
    neuron = nir.LIF(ones * 0.01, ones * 10, 0 * ones, ones)
    weight = R.normal(0, 0.4, (3, 2, 1, 1))
    nodes = {
        "in": nir.Input(shape),
        "first": nir.LIF(ones[:2] * 0.01, ones[:2] * 10, 0 * ones[:2], ones[:2]),
        "conv": nir.Conv2d((4, 4), weight, 1, 0, 1, 1, np.array([0, 0, 1e5])),
        "lif": neuron,
        "out": nir.Output(np.array([3, 4, 4])),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(zip(names, names[1:], strict=False)))
    nir.write(home / "conv.nir", graph)
    np.save(home / "maps.npy", R.random((5, 2, 2, 4, 4)))
    words = ["--calibrate", "maps.npy", "--out", "no.nir", *MEANS]
    refused("quantise", "conv.nir", *words, cwd=home, says="node 'lif'")
    refused("quantise", "conv.nir", *words, cwd=home, says="27 bits, and the register has 20")


def test_where_it_writes(home: Path) -> None:
    """Not over what it reads, nor over a device."""
    words = ["quantise", "real.nir", "--calibrate", "x.npy", *MEANS]
    refused(*words, "--out", "real.nir", cwd=home, says="real.nir is what is read")
    refused(*words, "--out", "x.npy", cwd=home, says="x.npy is what is read")
    refused(*words, "--test", "other.npy", "--out", "other.npy", cwd=home, says="is what is read")
    refused(*words, "--out", "x.npy/int.nir", cwd=home, says="x.npy is a file; name a folder")
    refused(*words, "--out", "no.nir", "--report", "x.npy", cwd=home, says="x.npy is a file")
    os.mkfifo(home / "pipe")
    refused(*words, "--out", "pipe", cwd=home, says="pipe is no ordinary file")


def test_where_other_verbs_write(home: Path) -> None:
    """A run, and a fit, leave what they read as it was."""
    words = ["run", "int.nir", "--backend", "reference", "--input"]
    refused(*words, "x.npy", "--out", "x.npy", cwd=home, says="x.npy is what is read")
    refused(*words, "in=x.npy", "--out", "x.npy", cwd=home, says="x.npy is what is read")
    refused(*words, "x.npy", "--out", "int.nir", cwd=home, says="int.nir is what is read")
    words = ["fit", "int.nir", "--chip", "loihi1", "--out", "int.nir"]
    refused(*words, cwd=home, says="int.nir is what is read")


def test_options(home: Path) -> None:
    at = ["quantise", "real.nir", *QUANTISE]
    refused(*at, "--bits", "9", cwd=home, says="bits is 9; mixed-sign weights take 2 to 8")
    refused(*at, "--percentile", "10", cwd=home, says="percentile is 10")
    refused("quantise", "int.nir", *QUANTISE[:4], cwd=home, says="in the chip's integers already")
    words = "run real.nir --backend loihi --input x.npy --out no.npz".split()
    refused(*words, *MEANS, cwd=home, says="--calibrate")
    words = "run int.nir --backend loihi --input x.npy --calibrate x.npy --out no.npz".split()
    refused(*words, cwd=home, says="int.nir holds integers")
    words[1] = "real.nir"
    refused(*words, "--device", "gpu", cwd=home, says="cpu, cuda, cuda:N, auto or torch:cpu")


def test_real_file_on_an_integer_engine_with_calibration(home: Path) -> None:
    """The integers are those of `quantise`."""
    words = "run real.nir --backend loihi --input x.npy --calibrate x.npy --record all".split()
    ok(*words, *MEANS, "--out", "direct.npz", cwd=home)
    ok(*"quantise real.nir --calibrate x.npy --out same.nir".split(), *MEANS, cwd=home)
    words = "run same.nir --backend loihi --input x.npy --record all --out same.npz".split()
    ok(*words, cwd=home)
    ok(*words[:-1], "torch.npz", "--device", "torch:cpu", cwd=home)
    with np.load(home / "direct.npz") as a, np.load(home / "same.npz") as b:
        assert (a["v/lif2"] == b["v/lif2"]).all()
        with np.load(home / "torch.npz") as c:
            assert all((b[name] == c[name]).all() for name in b if name != "header")


def edited(home: Path, name: str, edit: Any) -> str:
    """A copy of the integer file with our metadata changed, its digest taken out."""
    (home / name).write_bytes((home / "int.nir").read_bytes())
    with h5py.File(home / name, "r+") as file:
        told = json.loads(file["node/metadata/spikeport"][()])
        told["digest"] = None
        edit(file, told)
        del file["node/metadata/spikeport"]
        file["node/metadata/spikeport"] = json.dumps(told)
    return name


def test_integer_files_changed_by_hand(home: Path) -> None:
    """Each is one clear error that names the node and what is wrong with it."""

    def off_grid(file: Any, told: Any) -> None:
        weight = file["node/nodes/fc2/weight"]
        weight[0, 0] = weight[0, 0] * 1.001 + 1e-4

    def odd(file: Any, told: Any) -> None:
        synapse = told["chip"]["synapses"]["fc2"]
        unit = 2.0 ** synapse["weight_exp"] / synapse["scale"]
        file["node/nodes/fc2/weight"][0, 0] = 3 * unit

    def beyond(key: str, value: Any) -> Any:
        def edit(file: Any, told: Any) -> None:
            told["chip"]["neurons"]["lif2"][key] = value

        return edit

    def field(path: str, value: float) -> Any:
        def edit(file: Any, told: Any) -> None:
            file[f"node/nodes/{path}"][0] = value

        return edit

    def no_entry(file: Any, told: Any) -> None:
        told["chip"]["entries"] = []

    def gone(file: Any, told: Any) -> None:
        del told["chip"]["neurons"]["lif2"]

    def scaled_current(file: Any, told: Any) -> None:
        told["chip"]["entries"][0]["scale"] *= 2

    def endless(file: Any, told: Any) -> None:
        told["dt"] = float("inf")

    cases = {
        "off.nir": (off_grid, "'fc2'"),
        "odd.nir": (odd, "weight 3 is not on the chip's grid: 8 bits"),
        "decay.nir": (beyond("du", 4096), "du is 4096, which needs 13 bits"),
        "threshold.nir": (beyond("vth", 1 << 17), "vth is 131072, which needs 18 bits"),
        "bias.nir": (beyond("bias_mant", 4096), "bias_mant is 4096, which needs 14 bits"),
        "sign.nir": (beyond("dv", -3), "dv is -3, which needs a sign and 2 bits"),
        "word.nir": (beyond("du", "fast"), "metadata key"),
        "more.nir": (beyond("dw", 3), "metadata key"),
        "gone.nir": (gone, "lif2"),
        "reset.nir": (field("lif2/v_reset", 0.01), "node 'lif2': v_reset and the integers"),
        "leak.nir": (field("lif2/v_leak", 0.3), "node 'lif2'"),
        "entry.nir": (no_entry, "node 'lif1' is on the chip and hears 'fc1'"),
        "part.nir": (beyond("bias_mant", [1.5] * 5), "other than whole numbers"),
        "ragged.nir": (beyond("du", [[1], [2, 3]]), "other than whole numbers"),
        "large.nir": (beyond("du", 10**30), "other than whole numbers"),
        "drift.nir": (beyond("bias_mant", 1), "node 'lif2': bias and the integers"),
        "scale.nir": (beyond("scale", [1, 2]), "node 'lif2': its scale in the metadata"),
        "huge.nir": (beyond("scale", [1, 10**400, 1, 1, 1]), "node 'lif2': its scale in the"),
        "current.nir": (scaled_current, "node 'lif1': the current from 'fc1' enters at a scale"),
        "dt.nir": (endless, "metadata key 'dt'"),
    }
    at = "--backend loihi --input x.npy --out no.npz".split()
    for name, (edit, says) in cases.items():
        refused("run", edited(home, name, edit), *at, cwd=home, says=says)

    def digest_kept(file: Any, told: Any) -> None:
        beyond("vth", 77)(file, told)
        told["digest"] = "0" * 64

    refused(
        "run",
        edited(home, "changed.nir", digest_kept),
        *at,
        cwd=home,
        says="threshold and the integers",
    )


def test_calibration_data_that_say_nothing_or_little(home: Path) -> None:
    np.save(home / "zeros.npy", np.zeros((20, 30, 8)))
    np.save(home / "ones.npy", np.ones((20, 30, 8)))
    words = ["quantise", "real.nir", *MEANS, "--calibrate"]
    refused(*words, "zeros.npy", "--out", "no.nir", cwd=home, says="are 0 everywhere")
    done = ok(*words, "ones.npy", "--out", "odd.nir", "--json", cwd=home)
    assert "warning: input 'in' is 1 everywhere" in done.stderr
    assert (
        json.loads(done.stdout)["doubts"][0] == "input 'in' is 1 everywhere in the calibration data"
    )


def test_a_verification_tells_the_doubts(home: Path) -> None:
    np.savez(home / "ones.npz", x=np.ones((20, 8)), y=np.arange(20) % 5)
    words = ["verify", "real.nir", *MEANS, "--data", "ones.npz", "--steps", "6"]
    done = ok(*words, "--backends", "reference,loihi", "--out", "odd", cwd=home)
    says = "input 'in' is 1 everywhere in the calibration data"
    assert f"loihi, a doubt: {says}" in done.stdout
    told = json.loads((home / "odd/report.json").read_text())["engines"]
    assert told[0]["doubts"] == [] and told[1]["doubts"][0] == says
    assert "is 1 everywhere in the calibration data" in (home / "odd/report.html").read_text()
