"""Libraries that are timed, each in a process of its own and an environment of its own where it has
one: SPIKEPORT_BENCH_PYTHONS names their Pythons, "snntorch=/path/python,spikingjelly=/path/python".
One pass each in turn, so that a machine that slows down slows all; all have torch's number of
threads.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

NEIGHBOURS = ("norse", "snntorch", "spikingjelly")
HERE = Path(__file__).parent  # of the package `worker`, which stands alone


def others() -> dict[str, str]:
    """Library -> the Python that has it, as SPIKEPORT_BENCH_PYTHONS names them; norse is one of
    our own extras."""
    given = os.environ.get("SPIKEPORT_BENCH_PYTHONS", "")
    named = dict(part.split("=", 1) for part in given.split(",") if part)
    if unknown := sorted(set(named) - set(NEIGHBOURS)):
        raise SystemExit(f"SPIKEPORT_BENCH_PYTHONS names {unknown[0]}; choose from {NEIGHBOURS}")
    return {"norse": sys.executable} | named


def pythons(ours: Iterable[str]) -> dict[str, str]:
    """The same, and what runs in our own Python."""
    return {name: sys.executable for name in ours} | others()


class Library:
    """A worker that answers a line with a line."""

    def __init__(self, name: str, python: str, opened: ExitStack) -> None:
        command = [python, "-m", "worker", name]
        self.process = opened.enter_context(
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=HERE,
            )
        )
        opened.callback(self.process.terminate)
        self.name = name

    def ask(self, **what: Any) -> Any:
        """Seconds of one pass, or the digest of its spikes (spikes=True), of what is named."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(what), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"the worker of {self.name} ended; run python -m worker {self.name} in {HERE}"
            )
        return json.loads(line)


def timed(there: list[Library], repeats: int, **what: Any) -> dict[str, list[float]]:
    """Library -> milliseconds, in turns."""
    taken: dict[str, list[float]] = {lib.name: [] for lib in there}
    for _ in range(repeats):
        for lib in there:
            taken[lib.name].append(1e3 * float(lib.ask(**what)))
    return taken
