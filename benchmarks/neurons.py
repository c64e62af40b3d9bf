"""One LIF layer, forward and backward: ours fused and eager, torch.compile, the neighbours.

Every library runs in a process of its own, in an environment of its own where it has one:
SPIKEPORT_BENCH_PYTHONS names their Pythons, "snntorch=/path/python,spikingjelly=/path/python".
One pass each in turn, so that a machine that slows down slows all; spikes are checked equal
first. All have the same number of threads, torch's.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from .figure import Figure

SIZES = {(4, 128, 6272): 3.5, (16, 32, 12544): 3.5, (100, 16, 512): 12.0}  # [T, B, N]: bar
NEIGHBOURS = ("norse", "snntorch", "spikingjelly")
OURS = ("fused", "eager", "compiled")
COPY_BAR = 1.5  # times the copying of what must move
REPEATS = 15
WORKER = Path(__file__).with_name("neurons_worker.py")


def pythons() -> dict[str, str]:
    """Library -> the Python that has it; norse is one of our own extras."""
    given = os.environ.get("SPIKEPORT_BENCH_PYTHONS", "")
    named = dict(part.split("=", 1) for part in given.split(",") if part)
    if unknown := sorted(set(named) - set(NEIGHBOURS)):
        raise SystemExit(f"SPIKEPORT_BENCH_PYTHONS names {unknown[0]}; choose from {NEIGHBOURS}")
    return {name: sys.executable for name in (*OURS, "copy", "norse")} | named


class Library:
    """A worker that answers a line with a line."""

    def __init__(self, name: str, python: str, opened: ExitStack) -> None:
        command = [python, str(WORKER), name]
        self.process = opened.enter_context(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        opened.callback(self.process.terminate)
        self.name = name

    def ask(self, shape: tuple[int, ...], spikes: bool = False) -> list[float] | float:
        """Seconds of one pass, or the digest of its spikes."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps({"shape": shape, "spikes": spikes}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"the worker of {self.name} ended; run {WORKER} {self.name} to see why"
            )
        found: list[float] | float = json.loads(line)
        return found


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to the best neighbour and to copying."""
    with ExitStack() as opened:
        there = [Library(name, python, opened) for name, python in pythons().items()]
        for shape, bar in SIZES.items():
            yield from of_size(there, shape, bar)


def of_size(there: list[Library], shape: tuple[int, ...], bar: float) -> Iterator[Figure]:
    """One size."""
    name = "neurons/" + "x".join(map(str, shape))
    digests = {lib.name: lib.ask(shape, spikes=True) for lib in there if lib.name != "copy"}
    for library, digest in digests.items():
        assert digest == digests["eager"], f"{library} fires {digest}, eager {digests['eager']}"
    taken: dict[str, list[float]] = {lib.name: [] for lib in there}
    for _ in range(REPEATS):
        for lib in there:
            seconds = lib.ask(shape)
            assert isinstance(seconds, float)
            taken[lib.name].append(1e3 * seconds)
    middle = {library: statistics.median(ms) for library, ms in taken.items()}
    for library, ms in taken.items():
        yield Figure(f"{name}/{library}", middle[library], "ms", None, min(ms), max(ms))
    best = min((n for n in NEIGHBOURS if n in middle), key=lambda n: middle[n])
    ratio = middle[best] / middle["fused"]
    yield Figure(f"{name}/fused over {best}", ratio, "times faster", bar)
    copies = middle["copy"] / middle["fused"]
    yield Figure(f"{name}/copying over fused", copies, "share of the time", 1 / COPY_BAR)
