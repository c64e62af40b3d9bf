"""Libraries that are timed, each in a process of its own and an environment of its own where it has
one: SPIKEPORT_BENCH_PYTHONS names their Pythons, "snntorch=/path/python,spikingjelly=/path/python";
on a GPU one of SpikingJelly's ways may have another (spikingjelly-cupy=/path/python).
One pass each in turn, so that a machine that slows down slows all; all have torch's number of
threads. SPIKEPORT_BENCH_DEVICE is cpu or cuda; on cuda whoever does not run there is left out,
which is said.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

NEIGHBOURS = ("norse", "snntorch", "spikingjelly", "sinabs", "lava-dl", "spyx")
LAYERS = ("sinabs", "lava-dl", "spyx")  # timed by one layer alone
ON_CPU = ("lava-dl", "spyx")  # timed there alone
# its kernels: of 2.0 its own in CUDA and Triton, of older ones cupy's; and plain torch
JELLIES = tuple(f"spikingjelly-{way}" for way in ("torch", "cuda", "triton", "cupy"))
DEVICE = "SPIKEPORT_BENCH_DEVICE"
HERE = Path(__file__).parent  # of the package `worker`, which stands alone


def device() -> str:
    """cpu, or cuda where torch sees a GPU; else the run ends, since nothing could be measured."""
    wanted = os.environ.get(DEVICE, "cpu")
    if wanted not in ("cpu", "cuda"):
        raise SystemExit(f"{DEVICE} is {wanted!r}; give cpu or cuda")
    if wanted == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise SystemExit(f"torch {torch.__version__} sees no GPU here: nothing is measured")
    return wanted


def others() -> dict[str, str]:
    """Library -> the Python that has it, as SPIKEPORT_BENCH_PYTHONS names them; norse is one of
    our own extras."""
    given = os.environ.get("SPIKEPORT_BENCH_PYTHONS", "")
    named = dict(part.split("=", 1) for part in given.split(",") if part)
    known = (*NEIGHBOURS, *JELLIES)
    if unknown := sorted(set(named) - set(known)):
        raise SystemExit(f"SPIKEPORT_BENCH_PYTHONS names {unknown[0]}; choose from {known}")
    return {"norse": sys.executable} | named


def pythons(ours: Iterable[str], where: str, without: Collection[str] = ()) -> dict[str, str]:
    """The same, and what runs in our own Python; on a GPU a SpikingJelly for each of its ways."""
    left_out = (*without, *(ON_CPU if where == "cuda" else JELLIES))
    named = {name: python for name, python in others().items() if name not in left_out}
    if where == "cuda" and (python := named.pop("spikingjelly", None)):
        named = dict.fromkeys(JELLIES, python) | named
    return {name: sys.executable for name in ours} | named


def started(
    ours: Iterable[str], opened: ExitStack, without: Collection[str] = ()
) -> "list[Library]":
    """A worker each."""
    where = device()
    named = pythons(ours, where, without).items()
    there = [Library(name, python, opened, where) for name, python in named]
    if where == "cpu":
        return there
    found = []
    for lib in there:
        if neighbour(lib.name) and not lib.answers():
            why = f"{lib.name} does not run here, and is left out: {lib.last_words()}"
            print(why, file=sys.stderr, flush=True)
        else:
            found.append(lib)
    return found


def neighbour(name: str) -> bool:
    """Whether it is not ours."""
    return name in (*NEIGHBOURS, *JELLIES)


def best(middle: dict[str, float]) -> str | None:
    """The quickest neighbour of those that were timed."""
    return min(filter(neighbour, middle), key=lambda n: middle[n], default=None)


class Library:
    """A worker that answers a line with a line."""

    def __init__(self, name: str, python: str, opened: ExitStack, device: str) -> None:
        command = [python, "-m", "worker", name, device]
        self.said = opened.enter_context(tempfile.TemporaryFile("w+"))
        self.process = opened.enter_context(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                text=True,
                cwd=HERE,
            )
        )
        opened.callback(self.end)
        self.name = name

    def end(self) -> None:
        """Ask no more. What one that had ended was asked is still there, which Popen bears ill."""
        self.process.terminate()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def ask(self, **what: Any) -> Any:
        """Seconds of one pass, or the digest of its spikes (spikes=True), of what is named."""
        self.send(**what)
        return self.received()

    def received(self) -> Any:
        """What it answers to what was sent."""
        line = self.line()
        if not line:
            raise SystemExit(f"the worker of {self.name} ended: {self.last_words()}")
        return json.loads(line)

    def last_words(self) -> str:
        """The last line of what it complained of."""
        self.said.seek(0)
        return (self.said.read().strip().splitlines() or ["nothing was said"])[-1]

    def answers(self) -> bool:
        """Whether it runs at all."""
        self.send(shape=(2, 1, 64))
        return bool(self.line())

    def send(self, **what: Any) -> None:
        """Ask; a worker that has ended hears nothing."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            print(json.dumps(what), file=self.process.stdin, flush=True)

    def line(self) -> str:
        """The next one, empty where the worker has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def digests(there: Iterable[Library], **what: Any) -> dict[str, Any]:
    """Library -> the digest of its spikes; all get ready side by side."""
    asked = list(there)
    for lib in asked:
        lib.send(**what, spikes=True)
    return {lib.name: lib.received() for lib in asked}


def timed(there: list[Library], repeats: int, **what: Any) -> dict[str, list[float]]:
    """Library -> milliseconds, in turns."""
    taken: dict[str, list[float]] = {lib.name: [] for lib in there}
    for _ in range(repeats):
        for lib in there:
            taken[lib.name].append(1e3 * float(lib.ask(**what)))
    return taken
