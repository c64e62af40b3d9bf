"""Two processes see what one would: the same losses with every norm, on still and moving input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Real processes: Lightning Fabric starts them with gloo, as `spikeport train` does.
SCRIPT = """
import json, sys
from pathlib import Path
from spikeport.core.config import parse
from spikeport.trainer.loop import Run, fit

losses, checked = [], Run.checked

def noting(run, loss, where):
    value = checked(run, loss, where)
    losses.append(value)
    return value

Run.checked = noting
out, devices = sys.argv[1], sys.argv[2]
found = {}
for words in json.loads(sys.argv[3]):
    config = parse('''
[data]
steps = 3
samples = 60
validation_samples = 20
[model]
channels = [3]
[train]
batch = 20
epochs = 2
lr = 0.01
[run]
accelerator = "cpu"
progress = false
loggers = []
threads = 1
''', "here", [*words, f"run.devices={devices}"])
    losses.clear()
    made = fit(config, Path(out) / str(len(found)))
    found[" ".join(words)] = [list(losses), float(made.metrics["last_test_accuracy"])]
if made.metrics["processes"] == int(devices):
    (Path(out) / "told.json").write_text(json.dumps(found))
"""
NORMS = ["bn", "tdbn", "mobn", "wn-mobn", "psp-bn", "psp-ln-calibrated", "none"]
CASES = [[f"model.norm={norm}"] for norm in NORMS]
CASES += [["model.norm=bntt", "model.norm_steps=3"], ["model.norm=bn", "data.encoder=poisson"]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[float]]]:
    """case -> losses, of one process and of two."""
    found = []
    for devices in ("1", "2"):
        out = tmp_path_factory.mktemp(f"processes{devices}")
        file = out / "script.py"
        file.write_text(SCRIPT)
        command = [sys.executable, str(file), str(out), devices, json.dumps(CASES)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "FutureWarning" not in done.stderr
        found.append(json.loads((Path(out) / "told.json").read_text()))
    return found


@pytest.mark.slow  # two processes are among the quick tests of test_loop
@pytest.mark.parametrize("case", [" ".join(words) for words in CASES])
def test_losses_are_those_of_one_process(case: str, told: list[dict[str, list[float]]]) -> None:
    (ones, _), (twos, _) = (found[case] for found in told)
    assert len(ones) == len(twos) == 6  # type: ignore[arg-type]
    assert twos == pytest.approx(ones, abs=1e-5)


# Processes that Fabric starts run this script from its top, each with its rank in LOCAL_RANK.
FULL = """
import os, resource, signal, sys
from pathlib import Path
from spikeport.core.config import parse
from spikeport.core.errors import SpikeportError
from spikeport.trainer.loop import Run, fit

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
whole = Run.keep

def keep(run):
    whole(run)
    if run.leads:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

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
accelerator = "cpu"
devices = 2
progress = false
loggers = []
threads = 1
''')
try:
    fit(config, Path(sys.argv[1]))
except SpikeportError as error:
    # to a file of its own: lines of two processes in one pipe may mingle
    ended = Path(sys.argv[1], f"ended-{os.environ.get('LOCAL_RANK', '0')}")
    ended.write_text(f"{type(error).__name__} {error}")
"""


def test_where_the_leading_process_cannot_write_all_end(tmp_path: Path) -> None:
    """The one that only computes is told, and does not wait for a checkpoint that never comes."""
    script = tmp_path / "script.py"
    script.write_text(FULL)
    command = [sys.executable, str(script), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    said = {p.name: p.read_text() for p in (tmp_path / "run").glob("ended-*")}
    assert set(said) == {"ended-0", "ended-1"} and said["ended-0"] == said["ended-1"]
    assert said["ended-0"].startswith("CheckpointError ")
    assert "Make room and resume" in said["ended-0"]
