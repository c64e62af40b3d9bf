"""A network trained on encoded samples is verified on the same spikes."""

import json
from pathlib import Path

from .test_cli import ok, refused

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
