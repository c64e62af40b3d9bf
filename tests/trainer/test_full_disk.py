"""A disk that is full while a checkpoint is written: the kernel itself refuses to write on."""

import subprocess
import sys
from pathlib import Path

import pytest

from spikeport.trainer import checkpoint

# After the first epoch no file may grow past a few kB: writes fail as they do on a full disk.
SCRIPT = """
import resource, signal, sys
from pathlib import Path
from spikeport.core.config import parse
from spikeport.core.errors import SpikeportError
from spikeport.trainer.loop import Run, fit

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
whole, limit = Run.keep, int(sys.argv[2])

def keep(run):
    whole(run)
    if run.epoch == 1:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

Run.keep = keep
config = parse('''
[data]
samples = 64
validation_samples = 32
[model]
channels = [4]
[train]
epochs = 3
[run]
progress = false
''' + f"loggers = {sys.argv[3:]}" + '''
''')
try:
    fit(config, Path(sys.argv[1]), resume=True)
except SpikeportError as error:
    print(type(error).__name__, error)
"""


def run(out: Path, limit: int, *loggers: str) -> str:
    command = [sys.executable, "-c", SCRIPT, str(out), str(limit), *loggers]
    return subprocess.check_output(command, text=True)


@pytest.mark.slow
def test_the_last_checkpoint_stays_and_the_run_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    told = run(out, 2000)
    assert told.startswith("CheckpointError") and told.count("\n") == 1
    assert (
        f"{out}/" in told
        and "cannot be written: File too large;" in told
        and "is as it was before. Make room and resume" in told
    )
    last = checkpoint.load(out / "last.ckpt")
    assert last.state["epoch"] == 1
    assert not [p for p in out.iterdir() if p.suffix == ".part"]
    assert run(out, -1) == ""
    assert run(tmp_path / "whole", -1) == ""
    ends = [checkpoint.load(tmp_path / n / "last.ckpt").model for n in ("run", "whole")]
    digests = {checkpoint.trained_digest(model) for model in ends}
    assert len(digests) == 1


def test_a_log_without_room_is_told_in_one_line_and_leaves_the_last_checkpoint(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    told = run(out, 0, "csv", "tensorboard")
    assert told.startswith("TrainingError") and told.count("\n") == 1
    assert f"{out / 'last.ckpt'} is that of the last whole epoch. Make room and resume" in told
    assert checkpoint.load(out / "last.ckpt").state["epoch"] == 1
    assert run(out, -1, "csv", "tensorboard") == ""
    assert checkpoint.load(out / "last.ckpt").state["epoch"] == 3
