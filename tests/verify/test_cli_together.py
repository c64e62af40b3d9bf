"""spikeport train in two processes: one speaks, and none is left behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from .test_cli import CONFIG, SPIKEPORT, ok

TWO = [
    "--set=run.devices=2",
    '--set=run.accelerator="cpu"',
    "--set=run.threads=1",
    "--set=data.samples=64",
    "--set=data.validation_samples=32",
]


def test_one_process_speaks(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    words = ["train", "config.toml", "--out", "run", "--json", "--set=train.epochs=1", *TWO]
    assert json.loads(ok(*words, cwd=tmp_path).stdout)["processes"] == 2


def test_what_is_left_when_the_leader_is_killed(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    words = ["train", "config.toml", "--out", "run", "--set=train.epochs=100000", *TWO]
    leader = subprocess.Popen(
        [*SPIKEPORT, *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 240
        while not (tmp_path / "run/last.ckpt").exists() and time.monotonic() < end:
            time.sleep(0.1)
        leader.kill()
        _, said = leader.communicate(timeout=60)  # the other has it open until it ends, too
    finally:
        try:
            os.killpg(leader.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert "spikeport: another process of this run has ended; run/last.ckpt is good" in said
    assert "Traceback" not in said
