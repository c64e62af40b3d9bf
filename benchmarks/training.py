"""A whole training step: the same net with our neurons, with ReLU in their place, and with the
neighbours' neurons. Forward, loss, backward, Adam.

The conv net hears an image that is held for T steps: ours and the twin compute its first layer
once, which the neighbours' users do not get. Spikes are compared first: fused and eager are equal;
a neighbour that rounds otherwise may differ in one of ten thousand. `library` says on which device;
on a GPU batches are larger, and ResNet-19 is trained beside its ReLU twin.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from .figure import Figure
from .library import LAYERS, Library, best, device, digests, neighbour, started, timed

# net, [T, B], how many times as fast as the best neighbour, where neighbours are asked
CASES: dict[str, tuple[tuple[str, tuple[int, ...], float | None], ...]] = {
    "cpu": (("conv", (4, 64), 1.5), ("conv", (16, 32), 2.0), ("recurrent", (100, 32), 2.0)),
    "cuda": (
        ("resnet19", (4, 64), None),
        *(("conv", (4, 1024), 1.5), ("conv", (16, 256), 2.0), ("recurrent", (100, 256), 2.0)),
    ),
}
TWIN = 1.15  # times its ReLU twin's
ROUNDING = 1e-4  # share of spikes that a neighbour's own rounding may move
REPEATS = {"cpu": 11, "cuda": 5}  # on a GPU each is of ten steps
UNIT = "times faster"


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to ReLU and to the best neighbour."""
    where = device()
    with ExitStack() as opened:
        there = started(("fused", "eager", "relu"), opened, without=LAYERS)
        for net, shape, bar in CASES[where]:
            asked = [lib for lib in there if bar is not None or not neighbour(lib.name)]
            place = " on cuda" if where == "cuda" else ""
            name = f"training/{net}, T={shape[0]}, B={shape[1]}{place}"
            yield from of_case(asked, {"net": net, "shape": shape}, name, bar, REPEATS[where])


def of_case(
    there: list[Library], what: dict[str, Any], name: str, bar: float | None, repeats: int
) -> Iterator[Figure]:
    """One net at one size."""
    fired = digests((lib for lib in there if lib.name != "relu"), **what)
    ours = fired["eager"]
    assert fired["fused"] == ours, f"fused fires {fired['fused']}, eager {ours}"
    for library, (count, _) in fired.items():
        assert abs(count - ours[0]) <= ROUNDING * ours[0], f"{library} fires {count}, eager {ours}"
    taken = timed(there, repeats, **what)
    middle = {library: statistics.median(ms) for library, ms in taken.items()}
    for library, ms in taken.items():
        yield Figure(f"{name}/{library}", middle[library], "ms", None, min(ms), max(ms))
    twin = middle["relu"] / middle["fused"]
    yield Figure(f"{name}/ReLU over fused", twin, "share of the time", 1 / TWIN)
    if bar is not None and (other := best(middle)) is not None:
        yield Figure(f"{name}/fused over {other}", middle[other] / middle["fused"], UNIT, bar)
