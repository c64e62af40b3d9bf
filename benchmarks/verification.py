"""A whole check on Fashion-MNIST's test images: baseline, engine, comparison, root flips, counts.

The net of `engines` with random weights, each check in a process of its own. How its time grows
with samples, steps and width; memory must not grow with samples.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from .figure import Figure

ENGINES = ("reference", "norse", "loihi")
SAMPLES, STEPS, WIDTHS = (2_500, 10_000), (4, 8, 16), (16, 32)
FEW = 500  # samples where steps or width grow
FLAT = 1.1  # peak with most samples over the peak with fewest, at most


def figures() -> Iterator[Figure]:
    """Seconds and peaks of every check."""
    for engine in ENGINES:
        peaks = []
        for samples in SAMPLES:
            found = checked(engine, samples, STEPS[0], WIDTHS[0])
            peaks.append(found["peak"])
            yield from told(f"{engine}/samples={samples}", found)
        share = peaks[0] / peaks[-1]
        yield Figure(f"verification/{engine}/memory of fewest over most", share, "share", 1 / FLAT)
        for steps in STEPS:
            found = checked(engine, FEW, steps, WIDTHS[0])
            yield from told(f"{engine}/steps={steps}", found)
        for width in WIDTHS:
            found = checked(engine, FEW, STEPS[0], width)
            yield from told(f"{engine}/width={width}", found)


def told(name: str, found: dict[str, float]) -> Iterator[Figure]:
    """The figures of one check."""
    yield Figure(f"verification/{name}", found["seconds"], "s")
    yield Figure(f"verification/{name}/engine alone", found["engine"], "s")
    yield Figure(f"verification/{name}/peak", found["peak"], "MiB")


def checked(engine: str, samples: int, steps: int, width: int) -> dict[str, float]:
    """One check in a process of its own."""
    asked = json.dumps([engine, samples, steps, width])
    command = [sys.executable, "-m", __spec__.name, asked]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def check(engine: str, samples: int, steps: int, width: int) -> dict[str, float]:
    """Seconds of the whole and of the engine alone, and the peak of memory in MiB."""
    import resource
    import time

    import numpy as np

    from ..trainer import data
    from ..verify.run import Request, batch_size, verify
    from .engines import network

    found = data.load("fashion-mnist")
    chosen = found.indices("test")[:samples]
    images, labels = found.x[chosen], found.y[chosen]
    assert len(images) == samples, f"{len(images)} images; {samples} are wanted"
    net = network(width)
    size = batch_size(net)

    def held(lo: int, hi: int) -> Any:
        x = images[lo:hi].astype(np.float64)
        return np.broadcast_to(x, (steps, *x.shape))

    def batches() -> Iterator[Any]:
        for lo in range(0, samples, size):
            yield held(lo, lo + size), labels[lo : lo + size]

    start = time.perf_counter()
    request = [Request(engine)]
    result = verify(net, batches(), request, calibration=lambda: held(0, 64), max_drop=100.0)
    seconds = time.perf_counter() - start
    assert result.agrees and result.samples == samples, result.outcomes[0].complaints
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "engine": result.outcomes[0].run.seconds, "peak": peak}


if __name__ == "__main__":
    print(json.dumps(check(*json.loads(sys.argv[1]))))
