"""Where a benchmark ran: processor, load, threads, versions, also of the neighbours' Pythons."""

import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .library import others

LIBRARIES = ("spikeport", "numpy", "torch", "numba", "triton", "h5py", "nir", "norse", "matplotlib")
SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TELL = (
    "from importlib.metadata import distributions as d\n"
    "for p in d(): print(p.metadata['Name'], p.version)"
)


def described() -> dict[str, Any]:
    """All of it, as it is now. The load is that of the last minute: what else was running."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "threads": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "gpus": gpus(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in LIBRARIES if (found := installed(name))},
        "neighbours": {name: there(name, python) for name, python in others().items()},
    }


def processor() -> str:
    """The model's name."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf8").splitlines() if told.exists() else ()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def gpus() -> list[str]:
    """Name, memory and driver of each, as the driver's own tool says; none where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()


def installed(name: str) -> str | None:
    """The version of a package in this Python."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def there(name: str, python: str) -> dict[str, str]:
    """A library, and what it computes with, in another Python."""
    if python == sys.executable:
        return {}
    done = subprocess.run([python, "-c", TELL], check=True, capture_output=True, text=True)
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    wanted = (name, "lava-dl", "numpy", "torch", "jax", "triton")
    return {each: found[each] for each in wanted if each in found}
