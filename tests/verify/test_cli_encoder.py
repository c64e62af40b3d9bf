"""A network trained on encoded samples is verified on the same spikes."""

import json
from pathlib import Path

import numpy as np

from .in_process import ok, refused

CONFIG = """
[data]
name = "digits"
steps = 4
encoder = "poisson"
[model]
channels = [6]
readout = "count"
[model.neuron]
threshold = 0.5
[train]
epochs = 3
batch = 32
lr = 1e-2
loss = "sum"
[run]
loggers = ["csv"]
"""


def test_poisson(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    done = ok("train", "config.toml", "--out", "run", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["test_accuracy"] > 0.5
    accuracy = json.loads(done.stdout)["test_accuracy"]
    ok("export", "run/best.ckpt", "--out", "model.nir", cwd=tmp_path)
    words = "verify model.nir --data digits --backends reference".split()
    ok(*words, "--against", "run/best.ckpt", "--out", "report", cwd=tmp_path)
    told = json.loads((tmp_path / "report/report.json").read_text())
    reference = told["engines"][0]
    assert reference["spikes"]["differing"] == 0
    assert reference["accuracy"]["value"] == accuracy  # of the same draw
    assert set(reference["layers"]) == {"lif1", "last"}
    refused(*words, "--out", "other", cwd=tmp_path, says="the network hears spikes; give --against")


def test_fine_tuned_on_encoded_samples(tmp_path: Path) -> None:
    """The encoder of the checkpoint stands before the data; its spikes go straight to the chip."""
    quick = CONFIG.replace('["csv"]', "[]\nthreads = 1").replace("epochs = 3", "epochs = 2")
    (tmp_path / "config.toml").write_text(quick)
    ok("train", "config.toml", "--out", "run", cwd=tmp_path)
    tune = (
        '[finetune]\nstart = "run/best.ckpt"\nmethod = "max"\n[train]\nepochs = 1\nloss = "sum"\n'
    )
    (tmp_path / "tune.toml").write_text(tune + "[run]\nloggers = []\nthreads = 1\n")
    done = ok("train", "tune.toml", "--out", "whole", "--json", cwd=tmp_path)
    accuracy = json.loads(done.stdout)["test_accuracy"]
    ok("export", "whole/best.ckpt", "--out", "whole.nir", cwd=tmp_path)
    words = "verify whole.nir --data digits --backends reference,loihi --json".split()
    done = ok(*words, "--against", "whole/best.ckpt", "--out", "report", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert told["verdict"] == "agrees"
    for engine in told["engines"]:
        assert engine["spikes"]["differing"] == 0
        assert engine["accuracy"]["value"] == accuracy


DENSE = """
[model]
name = "feedforward"
hidden = [16]
norm = "none"
[train]
epochs = 2
batch = 20
[run]
loggers = []
threads = 1
"""


def verified(folder: Path, settings: str) -> tuple[dict[str, float], dict[str, float]]:
    """(metrics of a training, the reference's accuracy on the set of that name)."""
    (folder / "config.toml").write_text(settings + DENSE)
    told = json.loads(ok("train", "config.toml", "--out", "run", "--json", cwd=folder).stdout)
    ok("export", "run/best.ckpt", "--out", "model.nir", cwd=folder)
    name = settings.split('"')[1]
    words = f"verify model.nir --data {name} --against run/best.ckpt --backends reference --json"
    done = json.loads(ok(*words.split(), "--out", "report", cwd=folder).stdout)
    assert done["verdict"] == "agrees"
    return told, done["engines"][0]["accuracy"] | {"samples": done["engines"][0]["samples"]}


def test_manifolds_are_those_of_the_training(tmp_path: Path) -> None:
    """Their number, steps and seed, not the defaults of the set."""
    more = "manifolds = { samples = 40, seed = 9 }"
    told, found = verified(tmp_path, f'[data]\nname = "random-manifolds"\nsteps = 30\n{more}\n')
    assert found["samples"] == 80  # a fifth of ten classes of 40
    assert found["value"] == told["test_accuracy"]


def test_recordings_are_framed_as_in_training(tmp_path: Path) -> None:
    """Read sample by sample, from the folder and by the events' settings of the training."""
    random = np.random.default_rng(2)
    for half in ("Train", "Test"):
        for label in range(10):
            place = tmp_path / "events" / half / str(label)
            place.mkdir(parents=True)
            for n in range(3):
                each = random.integers(0, 34, (40, 5), np.uint8)
                each[:, 2] = random.integers(0, 2, 40) << 7
                each[:, 3] = np.arange(40)  # times rise
                (place / f"{n}.bin").write_bytes(each.tobytes())
    where = f"folder = '{tmp_path / 'events'}'\nsteps = 3\nevents = {{ size = 8, by = 'number' }}"
    told, found = verified(tmp_path, f'[data]\nname = "n-mnist"\n{where}\n')
    assert found["samples"] == 30
    assert found["value"] == told["test_accuracy"]
