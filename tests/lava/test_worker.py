"""The Lava worker runs, fails and dies without leaving anything behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.backends.lava import LavaFloat
from spikeport.backends.lava.client import Worker
from spikeport.backends.lava.environment import ensure
from spikeport.backends.lava.session import FloatSession
from spikeport.core.errors import ConfigError, WorkerError, WorkerTimeout
from spikeport.core.network import Network
from spikeport.core.nodes import Input, Linear, Neuron, Node, Output

from .cases import chain, definition

STEPS = 100_000  # far more than Lava's runtime makes in the time of a test
ENDS_WITHIN_S = 5.0


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def shared(group: int) -> list[Path]:
    """Shared memory of the worker with that pid."""
    return list(Path("/dev/shm").glob(f"sp{group}_*"))


def network() -> Network:
    nodes: list[tuple[str, Node]] = [
        ("in", Input((20,), "spikes")),
        ("w", Linear(np.random.default_rng(1).normal(0, 0.4, (30, 20)))),
        ("n", Neuron((30,), np.array(0.9), np.array(1.0))),
        ("out", Output((30,))),
    ]
    return chain(*nodes)


def spikes(steps: int) -> dict[str, Any]:
    return {"in": np.broadcast_to(np.ones((1, 1, 20)), (steps, 1, 20))}


class Opened:
    """A session on Lava's runtime, and its worker."""

    def __init__(self) -> None:
        self.session: FloatSession = LavaFloat("runtime").open(network())
        self.session.run(spikes(3))

    @property
    def worker(self) -> Worker:
        worker = self.session.pool.desks[0].worker
        assert worker is not None
        return worker

    @property
    def group(self) -> int:
        return self.worker.process.pid


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Afterwards nothing of the worker is left: no process, no shared memory, no folder."""
    made = Opened()
    workers = [made.worker]
    yield made
    workers.append(made.worker)
    made.session.close()
    for worker in workers:
        assert not members(worker.process.pid)
        assert not shared(worker.process.pid)
        assert not worker.folder.exists()


def in_mid_run(group: int) -> list[int]:
    """Wait until Lava's processes are at work; returns them."""
    until = time.monotonic() + 30
    while not (len(members(group)) > 4 and shared(group)):
        assert time.monotonic() < until, (members(group), shared(group))
        time.sleep(0.05)
    time.sleep(0.7)
    return members(group)


def meanwhile(opened: Opened, what: Any) -> tuple[threading.Thread, list[float]]:
    """Do something in the middle of the run; the list gets the time."""
    at: list[float] = []

    def wait() -> None:
        running = in_mid_run(opened.group)
        at.append(time.monotonic())
        what(running)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, at


def test_warm_worker_gets_the_weights_once(opened: Opened) -> None:
    group, desk = opened.group, opened.session.pool.desks[0]
    for steps in (5, 5, 7):
        x = {"in": (np.random.default_rng(steps).random((steps, 2, 20)) < 0.3).astype(float)}
        got = opened.session.run(x)
        assert np.array_equal(got.outputs["out"], definition(network(), x).outputs["out"])
    assert opened.group == group
    plan = desk.holds
    opened.session.run(spikes(7))
    assert desk.holds is plan


def test_remote_traceback_and_the_worker_lives_on(opened: Opened) -> None:
    worker = opened.worker
    with pytest.raises(WorkerError, match="KeyError: 'pieces'"):
        plan = {"fixed": False, "interval": 1, "count": 1, "mode": "stepped"}
        worker.ask({"command": "run", "fresh": True, "keep": [], "plan": plan}, {}, 60)
    told, _ = worker.ask({"command": "versions"}, {}, 60)
    assert told["versions"]["lava-nc"] == "0.10.0"


@pytest.mark.parametrize("mode", ["stepped", "runtime"])
def test_error_inside_a_lava_process(mode: str) -> None:
    """Lava's runtime would hang in silence; here the traceback comes back at once."""
    with LavaFloat(mode).open(network()) as session:
        assert isinstance(session, FloatSession)
        plan = session.chip.plan(4)
        plan.arrays["node/n/bias_mant"] = np.zeros(7)  # 30 neurons
        start = time.monotonic()
        with pytest.raises(WorkerError, match="could not (be )?broadcast"):
            session.run(spikes(4))
        assert time.monotonic() - start < 15


def test_timeout(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEPORT_LAVA_LIMIT_S", "2")
    start = time.monotonic()
    with pytest.raises(WorkerTimeout, match="in 2 s.*SPIKEPORT_LAVA_LIMIT_S"):
        opened.session.run(spikes(STEPS))
    assert time.monotonic() - start < 2 + ENDS_WITHIN_S
    monkeypatch.setenv("SPIKEPORT_LAVA_LIMIT_S", "soon")
    with pytest.raises(ConfigError, match="soon"):
        opened.session.run(spikes(2))
    monkeypatch.delenv("SPIKEPORT_LAVA_LIMIT_S")
    assert opened.session.run(spikes(2)).outputs["out"].shape == (2, 1, 30)  # a new worker


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_worker_is_killed(opened: Opened, sign: signal.Signals) -> None:
    group = opened.group
    thread, at = meanwhile(opened, lambda _: os.kill(group, sign))
    with pytest.raises(WorkerError, match=f"-{int(sign)}"):
        opened.session.run(spikes(STEPS))
    thread.join()
    assert time.monotonic() - at[0] < ENDS_WITHIN_S


def test_one_of_lavas_processes_is_killed(opened: Opened) -> None:
    """As when memory runs out."""
    group = opened.group

    def kill(running: list[int]) -> None:
        children = Path(f"/proc/{group}/task/{group}/children").read_text().split()
        actors = [int(pid) for pid in children if b"tracker" not in cmdline(int(pid))]
        os.kill(max(actors), signal.SIGKILL)

    thread, at = meanwhile(opened, kill)
    with pytest.raises(WorkerError, match="ended by itself, exit status -9"):
        opened.session.run(spikes(STEPS))
    thread.join()
    assert time.monotonic() - at[0] < ENDS_WITHIN_S


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


PARENT = """
import numpy as np
from spikeport.backends.lava import LavaFloat
from spikeport.core.network import Network
from spikeport.core.nodes import Input, Linear, Output
nodes = {"in": Input((20,), "spikes"), "w": Linear(np.eye(20)), "out": Output((20,))}
network = Network(nodes, (("in", "w"), ("w", "out")))
with LavaFloat("runtime").open(network) as session:
    session.run({"in": np.ones((2, 1, 20))})
    worker = session.pool.desks[0].worker
    print(worker.process.pid, worker.folder, flush=True)
    session.run({"in": np.ones((100_000, 1, 20))})
"""


def test_a_session_that_nobody_closes() -> None:
    """It ends with its parent."""
    code = PARENT.replace("with LavaFloat", "if session := LavaFloat").replace(" as session", "")
    code = "\n".join(code.splitlines()[:-1])
    told = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    until = time.monotonic() + ENDS_WITHIN_S
    while (members(int(told[0])) or Path(told[1]).exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not members(int(told[0]))
    assert not Path(told[1]).exists()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_parent_dies(sign: signal.Signals) -> None:
    """Killed or interrupted, it takes everything along."""
    told = [sys.executable, "-c", PARENT]
    parent = subprocess.Popen(told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, folder = parent.stdout.readline().split()
    group = int(pid)
    in_mid_run(group)
    parent.send_signal(sign)
    _, said = parent.communicate(timeout=10)
    if sign == signal.SIGINT:
        assert "KeyboardInterrupt" in said
    until = time.monotonic() + ENDS_WITHIN_S
    while (members(group) or shared(group) or Path(folder).exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not members(group)
    assert not shared(group)
    assert not Path(folder).exists()


def test_stopped_worker_times_out() -> None:
    """One that reads nothing must not hold up the parent either."""
    with Worker(ensure()) as worker:
        os.kill(worker.process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerTimeout):
            worker.ask({"command": "versions"}, {"x": np.zeros(10_000_000)}, 1.0)
    assert not members(worker.process.pid)


def test_printing_does_not_break_the_wire() -> None:
    """Whatever Lava prints goes to the log."""
    with Worker(ensure()) as worker:
        for _ in range(2):
            assert "versions" in worker.ask({"command": "versions"}, {}, 60)[0]
