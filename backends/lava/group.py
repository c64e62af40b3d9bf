"""End a process group whole: every child, its shared memory, its folder."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

SHM = Path("/dev/shm")
PATIENCE_S = 2.0  # for each signal


def alive(group: int) -> bool:
    """Whether a process of the group still runs; a zombie that nobody reaps does not count."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, member = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(member) == group and state not in "ZX":
            return True
    return False


def end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """End the group that `process` leads, and what it leaves behind.

    SIGTERM first: Python's resource tracker lives through it long enough to give the shared
    memory back, after SIGKILL that is left to us.
    """
    group = process.pid
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, sign)
        except ProcessLookupError:
            break
        until = time.monotonic() + PATIENCE_S
        while alive(group) and time.monotonic() < until:
            process.poll()
            time.sleep(0.01)
    process.wait()
    for left in SHM.glob(f"sp{group}_*"):
        left.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
