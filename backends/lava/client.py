"""The parent's side of the Lava worker: start it, ask it, end it and all its children."""

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...core.errors import WorkerError, WorkerTimeout
from . import group
from .worker import wire

HERE = Path(__file__).resolve().parent
TROUBLE = "trouble"  # where the worker writes why it gives up
CHUNK = 1 << 20  # bytes that are read or written at a time
LOOK_S = 0.1  # how often the worker's death is looked for
TAIL = 4000  # characters of its last words


class Worker:
    """One worker process in a session of its own. Use as a context manager."""

    def __init__(self, python: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spikeport-lava-"))
        self.ended = False
        self.last_words = ""
        with (self.folder / "stderr").open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-s", "-m", "worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=HERE,  # Python 3.10 puts the current folder first on sys.path
                env=environment(self.folder),
                start_new_session=True,
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.to, self.back = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.to, False)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(
        self, head: Mapping[str, Any], arrays: Mapping[str, wire.Array], limit_s: float
    ) -> wire.Message:
        """Send one frame, wait at most limit_s seconds for the answer.

        WorkerError carries the remote traceback; the worker lives on. WorkerTimeout, a dead
        worker and an interrupt end it and everything that it started.
        """
        until = time.monotonic() + limit_s
        try:
            for piece in wire.pack(head, arrays):
                self._write(piece, until, limit_s)
            told, got = wire.unpack(lambda n: self._read(n, until, limit_s))
        except (OSError, EOFError, wire.WireError, ValueError) as error:
            self.end()
            raise WorkerError(f"the Lava worker died: {error}\n{self.last_words}") from error
        except BaseException:
            self.end()
            raise
        if not told.pop("ok"):
            raise WorkerError(f"the Lava worker failed:\n{told['traceback']}")
        return told, got

    def _write(self, piece: memoryview, until: float, limit_s: float) -> None:
        """Write all of it."""
        while piece:
            self._ready(self.to, selectors.EVENT_WRITE, until, limit_s)
            piece = piece[os.write(self.to, piece[:CHUNK]) :]

    def _read(self, count: int, until: float, limit_s: float) -> bytearray:
        """Read count bytes."""
        data = bytearray()
        while len(data) < count:
            self._ready(self.back, selectors.EVENT_READ, until, limit_s)
            piece = os.read(self.back, min(count - len(data), CHUNK))
            if not piece:
                raise EOFError(f"end of file, exit status {self.process.wait(1)}")
            data += piece
        return data

    def _ready(self, end: int, event: int, until: float, limit_s: float) -> None:
        """Wait for a pipe; notice a death even while children hold the other end."""
        with selectors.DefaultSelector() as wait:
            wait.register(end, event)
            while True:
                left = until - time.monotonic()
                if left <= 0:
                    raise WorkerTimeout(
                        f"no answer from the Lava worker in {limit_s:.0f} s, so it was ended. "
                        "Run fewer samples or steps at a time, set SPIKEPORT_LAVA_MODE=stepped, "
                        "which is faster, or raise SPIKEPORT_LAVA_LIMIT_S"
                    )
                if wait.select(min(left, LOOK_S)):
                    return
                if self.process.poll() is not None:
                    raise EOFError(f"exit status {self.process.returncode}")

    def _listen(self) -> str:
        """Why the worker gave up, else the last of what it printed."""
        for name in (TROUBLE, "stderr"):
            try:
                said = (self.folder / name).read_text(errors="replace")
            except OSError:
                continue
            if said.strip():
                return said[-TAIL:]
        return ""

    def end(self) -> None:
        """End the worker's whole group, take its shared memory and folder away. Idempotent."""
        if self.ended:
            return
        self.ended = True
        self.last_words = self._listen()
        group.end(self.process, self.folder)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def environment(folder: Path) -> dict[str, str]:
    """The worker's environment: this package's worker on its path and nothing else of ours; one
    thread for each product of matrices unless the user says otherwise, since Lava starts many
    processes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    threads = {k: kept.get(k, "1") for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    ours = {"PYTHONPATH": str(HERE), "TMPDIR": str(folder), "SPIKEPORT_FOLDER": str(folder)}
    return kept | threads | ours
