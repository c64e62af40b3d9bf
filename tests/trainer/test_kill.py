"""kill -9 at any moment, checkpoints half written included: the end has the same bits."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikeport.trainer import checkpoint

SCRIPT = """
import sys
from pathlib import Path
from spikeport.core.config import parse
from spikeport.trainer.loop import fit

config = parse('''
[data]
steps = 3
samples = 120
validation_samples = 30
[model]
channels = [6, 6]
[train]
optimiser = "%s"
epochs = 12
batch = 20
lr = 0.01
before = [{epochs = 8, steps = 2, lr = 0.02}]
[run]
progress = false
loggers = []
threads = 1
''' % sys.argv[2])
print("begun", flush=True)
fit(config, Path(sys.argv[1]), resume=True)
"""
KILLS = 4


def begun(out: Path, optimiser: str) -> "subprocess.Popen[str]":
    """A run in a process of its own, all imports done."""
    command = [sys.executable, "-c", SCRIPT, str(out), optimiser]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize(
    "optimiser",
    [
        "smorms3",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("adabelief", "sgd", "adamw")),
    ],
)
def test_killed_at_any_moment(optimiser: str, tmp_path: Path) -> None:
    whole = begun(tmp_path / "whole", optimiser)
    start = time.monotonic()
    assert whole.wait(timeout=600) == 0
    lasts = time.monotonic() - start
    moments, killed = random.Random(optimiser), 0
    for _ in range(KILLS):
        process = begun(tmp_path / "run", optimiser)
        time.sleep(moments.uniform(0.1, 0.9) * lasts / KILLS * 2)
        killed += process.poll() is None
        process.kill()
        process.wait()
        last = tmp_path / "run" / "last.ckpt"
        if last.exists():
            assert checkpoint.load(last).state["epoch"] > 0
    assert killed > 0
    assert begun(tmp_path / "run", optimiser).wait(timeout=600) == 0
    ends = [checkpoint.load(tmp_path / name / "last.ckpt").model for name in ("whole", "run")]
    assert len({checkpoint.trained_digest(model) for model in ends}) == 1
