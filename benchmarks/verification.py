"""A whole check on Fashion-MNIST's test images: baseline, engine, comparison, root flips, counts.

The net of `engines` with random weights, each check in a process of its own. Time must grow with
samples and steps as they do, and with the width as the multiplications do; memory must not grow
with samples. An engine in integers has to quantise before the first sample, which is told apart.

SPIKEPORT_BENCH_ENGINES ("norse,loihi") and SPIKEPORT_BENCH_ROWS (of "samples,steps,width") choose.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .figure import Figure

ENGINES = ("reference", "norse", "loihi")
ROWS = ("samples", "steps", "width")
SAMPLES, STEPS, WIDTHS = (500, 2_500, 10_000), (4, 8, 16), (16, 32)
FEW = 500  # samples where steps or width grow
FLAT = 1.1  # peak with most samples over the peak with fewer, at most
LINEAR = 1.25  # time of one unit with most over that with fewest, at most


@dataclass(frozen=True)
class Check:
    """What one check took. opening: before the first sample; engine: the engine alone, of
    `streaming`, all samples; peak in MiB."""

    opening: float
    streaming: float
    engine: float
    peak: float


def figures() -> Iterator[Figure]:
    """Seconds and peaks of every check, and how they grow."""
    rows = chosen("SPIKEPORT_BENCH_ROWS", ROWS)
    for engine in chosen("SPIKEPORT_BENCH_ENGINES", ENGINES):
        if "samples" in rows:
            yield from grown(engine, "samples", {n: (n, STEPS[0], WIDTHS[0]) for n in SAMPLES})
        if "steps" in rows:
            yield from grown(engine, "steps", {t: (FEW, t, WIDTHS[0]) for t in STEPS})
        if "width" in rows:
            yield from grown(engine, "width", {w: (FEW, STEPS[0], w) for w in WIDTHS})


def chosen(variable: str, all_of: tuple[str, ...]) -> tuple[str, ...]:
    """What the environment asks for, or everything."""
    asked = tuple(part for part in os.environ.get(variable, "").split(",") if part)
    if unknown := [part for part in asked if part not in all_of]:
        raise SystemExit(f"{variable} names {unknown[0]}; choose from {', '.join(all_of)}")
    return asked or all_of


def grown(engine: str, what: str, sizes: dict[int, tuple[int, int, int]]) -> Iterator[Figure]:
    """One thing varied, then the largest against the smallest; memory against the second largest
    number of samples, since a full batch is the least that is held."""
    name, found = f"verification/{engine}", dict[int, Check]()
    for value, size in sizes.items():
        found[value] = checked(engine, *size)
        for part, seconds in asdict(found[value]).items():
            unit = "MiB" if part == "peak" else "s"
            yield Figure(f"{name}/{what}={value}/{part}", seconds, unit)
    few, many = min(sizes), max(sizes)
    units = {n: multiplications(n) if what == "width" else n for n in (few, many)}
    each = {n: found[n].streaming / units[n] for n in units}
    unit = "multiplication" if what == "width" else what.rstrip("s")
    share = each[few] / each[many]
    yield Figure(f"{name}/time a {unit}, {few} over {many}", share, "share", 1 / LINEAR)
    if what == "samples":
        flat = found[sorted(sizes)[-2]].peak / found[many].peak
        yield Figure(f"{name}/memory of fewer over most samples", flat, "share", 1 / FLAT)


def multiplications(width: int) -> int:
    """Of one step of the net, see `engines.network`."""
    return 28 * 28 * 9 * width + 14 * 14 * 9 * width * 2 * width + 10 * 98 * width


def checked(engine: str, samples: int, steps: int, width: int) -> Check:
    """One check in a process of its own."""
    asked = json.dumps([engine, samples, steps, width])
    command = [sys.executable, "-m", __spec__.name, asked]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the check {asked} ended with status {done.returncode}")
    return Check(**json.loads(done.stdout.splitlines()[-1]))


def check(engine: str, samples: int, steps: int, width: int) -> Check:
    """In this process."""
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
    first: list[float] = []

    def held(lo: int, hi: int) -> Any:
        x = images[lo:hi].astype(np.float64)
        return np.broadcast_to(x, (steps, *x.shape))

    def batches() -> Iterator[Any]:
        first.append(time.perf_counter())
        for lo in range(0, samples, size):
            yield held(lo, lo + size), labels[lo : lo + size]

    start = time.perf_counter()
    request = [Request(engine)]
    result = verify(net, batches(), request, calibration=lambda: held(0, 64), max_drop=100.0)
    ended = time.perf_counter()
    assert result.agrees and result.samples == samples, result.outcomes[0].complaints
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Check(first[0] - start, ended - first[0], result.outcomes[0].run.seconds, peak)


if __name__ == "__main__":
    print(json.dumps(asdict(check(*json.loads(sys.argv[1])))))
