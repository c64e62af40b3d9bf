"""Reads files in a process of its own, and says of each what became of it, how much processor
time it took and how much memory: a line of JSON for every line `path`.

"network": it was read, and could be ordered and digested, or that was refused by a NetworkError;
"refused": a NetworkError; "raised": anything else. Of data_*.nir: a recording was read, or a
DataError raised.
"""

import json
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from spikeport.core import nir_data, store
from spikeport.core.errors import DataError, NetworkError
from spikeport.core.schedule import compile

LIMIT = 1 << 30  # bytes, over what the process holds before the first file


def status(key: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) << 10
    raise LookupError(key)


def stated(name: str) -> store.Stated:
    """What the file cannot say."""
    if name.startswith("foreign_"):
        return store.Stated(dt=1e-3, if_r="ode")
    return store.Stated(dt=1e-3 if name.endswith(".net") else None)


def read(path: Path) -> dict[str, Any]:
    """What became of it."""
    if path.name.startswith("data_"):
        try:
            nir_data.read(path, 1e-3)
        except DataError as error:
            return {"end": "refused", "text": str(error)}
        return {"end": "network", "text": ""}
    try:
        network = store.read(path, stated(path.name))
    except NetworkError as error:
        return {"end": "refused", "text": str(error)}
    try:
        compile(network)
        store.digest(network)
    except NetworkError as error:
        return {"end": "network", "text": str(error)}
    return {"end": "network", "text": ""}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + LIMIT,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = time.process_time()
        try:
            told = read(Path(line.rstrip("\n")))
        except BaseException:  # all that is not ours is what is looked for
            told = {"end": "raised", "text": traceback.format_exc()[-3000:]}
        told["seconds"] = time.process_time() - start
        told["bytes"] = status("VmHWM")
        print(json.dumps(told), file=answers, flush=True)


main()
