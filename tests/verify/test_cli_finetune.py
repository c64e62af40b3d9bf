"""Fine-tuning from the command line: what was measured is what the engines give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.trainer import checkpoint

from . import test_cli
from .in_process import ok, refused
from .test_cli import CONFIG

TUNE = """
[finetune]
start = "run/best.ckpt"
[train]
epochs = 2
batch = 32
lr = 1e-3
[run]
loggers = []
threads = 1
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained checkpoint, tuned in integers and in real numbers."""
    folder = tmp_path_factory.mktemp("home")
    config = CONFIG.replace("epochs = 5", "epochs = 8").replace('["csv"]', "[]\nthreads = 1")
    (folder / "config.toml").write_text(config)
    (folder / "tune.toml").write_text(TUNE)
    ok("train", "config.toml", "--out", "run", cwd=folder)
    test_cli.ok("train", "tune.toml", "--out", "whole", cwd=folder)
    ok("train", "tune.toml", "--out", "real", "--set", "finetune.numbers=real", cwd=folder)
    return folder


def metrics(home: Path, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / run / "metrics.json").read_text())
    return found


@pytest.mark.parametrize("run", ["whole", "real"])
def test_engines_give_what_was_measured(home: Path, run: str) -> None:
    ok("export", f"{run}/best.ckpt", "--out", f"{run}.nir", cwd=home)
    engines = "reference,loihi" if run == "whole" else "reference"
    words = f"verify {run}.nir --data digits --against {run}/best.ckpt --json".split()
    done = ok(*words, "--backends", engines, "--out", f"{run}-report", cwd=home)
    told = json.loads(done.stdout)
    assert told["verdict"] == "agrees" and told["samples"] == 360
    for engine in told["engines"]:
        assert engine["accuracy"]["value"] == metrics(home, run)["test_accuracy"]
        if engine["in_verdict"]:
            assert engine["spikes"]["differing"] == 0
    assert metrics(home, run)["test_accuracy"] > 0.7


def test_a_run_is_not_overwritten_but_resumed(home: Path) -> None:
    refused("train", "tune.toml", "--out", "whole", cwd=home, says="already holds a run")
    before = metrics(home, "whole")
    test_cli.ok("train", "tune.toml", "--out", "whole", "--resume", cwd=home)
    assert metrics(home, "whole") == before


def test_doubts_of_the_calibration_data_are_told_and_kept(home: Path) -> None:
    np.savez(home / "ones.npz", x=np.ones((100, 1, 8, 8), np.float32), y=np.arange(100) % 10)
    about = ["--set", "data.name=ones.npz", "--set", "train.epochs=1"]
    done = ok("train", "tune.toml", "--out", "odd", *about, cwd=home)
    says = "input 'input' is 1 everywhere in the calibration data"
    assert f"warning: {says}" in done.stderr
    assert metrics(home, "odd")["doubts"].startswith(says)
    assert "doubts" not in metrics(home, "whole")
    held = checkpoint.load(home / "odd/best.ckpt").start
    assert held is not None and held.doubts[0] == says


@pytest.mark.parametrize(
    "change, says",
    [
        ("finetune.bits=9", "finetune.bits is 9"),
        ("finetune.start=''", "finetune.start names no checkpoint"),
        ("finetune.start=tune.toml", "cannot be read as a checkpoint"),
        ("model.channels=[6]", "is a checkpoint of another model: its model.channels is (6, 8)"),
        ("data.name=nothing", "there is no data set 'nothing'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(home: Path, change: str, says: str) -> None:
    refused("train", "tune.toml", "--out", "bad", "--set", change, cwd=home, says=says)
