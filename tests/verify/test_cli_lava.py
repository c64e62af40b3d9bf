"""The program on Lava: what happens when its worker dies, and what is left after Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spikeport.backends.conformance import make
from spikeport.core import store
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Input, Linear, Neuron, Output

RUN = [sys.executable, "-m", "spikeport", "run", "net.nir", "--input", "x.npy", "--out", "r.npz"]
MANY = {"SPIKEPORT_LAVA_MODE": "runtime"}  # an OS process for each Lava process


def workers(parent: int) -> list[int]:
    """Worker processes whose parent is `parent`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def group(leader: int) -> list[int]:
    """Living members of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def long_run(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`spikeport run` on Lava's runtime, in the middle of something long; and its worker."""
    nodes = {
        "in": Input((20,)),
        "fc": Linear(np.ones((30, 20))),
        "lif": Neuron((30,), np.array(0.5), np.array(1.0)),
        "out": Output((30,)),
    }
    edges = (("in", "fc"), ("fc", "lif"), ("lif", "out"))
    store.write(Network(nodes, edges, Meaning(dt=1e-3)), tmp_path / "net.nir")
    np.save(tmp_path / "x.npy", np.ones((1000, 300, 20)))
    program = subprocess.Popen(
        [*RUN, "--backend", "lava-float"],
        cwd=tmp_path,
        env=os.environ | MANY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (found := workers(program.pid)) or len(group(found[0])) < 4:
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    yield program, found[0]
    until = time.monotonic() + 10
    while group(found[0]) and time.monotonic() < until:
        time.sleep(0.1)
    assert not group(found[0])
    assert not list(Path("/dev/shm").glob(f"sp{found[0]}_*"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.nir", "x.npy"]


def test_worker_killed_in_mid_run(long_run: tuple[subprocess.Popen[str], int]) -> None:
    program, worker = long_run
    start = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    _, said = program.communicate(timeout=600)
    assert time.monotonic() - start < 10
    assert program.returncode == 2
    assert said.startswith("spikeport: the Lava worker died") and "-9" in said


def test_interrupt(long_run: tuple[subprocess.Popen[str], int]) -> None:
    program, _ = long_run
    os.kill(program.pid, signal.SIGINT)
    _, said = program.communicate(timeout=600)
    assert program.returncode == 130
    assert said.strip() == "spikeport: interrupted"


@pytest.mark.parametrize("backend", ["lava-float", "lava-fixed"])
def test_loop_that_cannot_be_timed(tmp_path: Path, backend: str) -> None:
    case = make("two_synapse_loop")
    store.write(case.network, tmp_path / "net.nir")
    np.save(tmp_path / "x.npy", case.inputs["in"])
    words = ["--backend", backend, "--calibrate", "x.npy"]
    done = subprocess.run([*RUN, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "the loop" in line and "one" in line and "two" in line
    assert not (tmp_path / "r.npz").exists()
