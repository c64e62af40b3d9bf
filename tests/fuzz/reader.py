"""The other end of `worker.py`: hands it file after file, and starts another when it dies."""

import json
import os
import selectors
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).resolve().parent
SECONDS = 5.0  # of processor time, a file
PATIENCE = 30.0  # of the clock: the machine may be busy with something else
BYTES = 1 << 30


class Reader:
    """A warm worker."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self) -> subprocess.Popen[str]:
        """A new worker."""
        env = os.environ | {"PYTHONPATH": str(HERE.parents[1] / ".dev"), "OMP_NUM_THREADS": "1"}
        env |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-X", "faulthandler", str(HERE / "worker.py")]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(command, env=env, text=True, **pipes)

    def end(self) -> None:
        """End the worker, if there is one."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            for pipe in (self.child.stdin, self.child.stdout):
                if pipe is not None:
                    pipe.close()
            self.child = None

    def read(self, path: Path) -> dict[str, Any]:
        """What the worker says of the file: end, text, seconds, bytes; or that it died."""
        if self.child is None:
            self.child = self.start()
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{path}\n")
        self.child.stdin.flush()
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.child.stdout, selectors.EVENT_READ)
            if not waiting.select(PATIENCE):
                self.end()
                return {"end": "hung", "text": f"over {PATIENCE} s"}
        line = self.child.stdout.readline()
        if not line:
            code = self.child.wait()
            self.end()
            return {"end": "died", "text": f"exit status {code}"}
        told: dict[str, Any] = json.loads(line)
        return told


def complaint(told: dict[str, Any]) -> str | None:
    """What is wrong with what became of a file; None if nothing is."""
    if told["end"] not in ("network", "refused"):
        return f"{told['end']}: {told['text']}"
    if told["seconds"] > SECONDS:
        return f"took {told['seconds']:.1f} s: {told['text'][:300]}"
    if told["bytes"] > BYTES or "does not fit into memory" in told["text"]:
        return f"took {told['bytes'] >> 20} MiB: {told['text'][:300]}"
    if len(told["text"]) > 5000:
        return f"a message of {len(told['text'])} characters: {told['text'][:300]}"
    return None
