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
