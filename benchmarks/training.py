"""A whole training step: the same net with our neurons, with ReLU in their place, and with the
neighbours' neurons. Forward, loss, backward, Adam.

The conv net hears an image that is held for T steps: ours and the twin compute its first layer
once, which the neighbours' users do not get. Spikes are compared first: fused and eager are equal;
a neighbour that rounds otherwise may differ in one of ten thousand.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from .figure import Figure
from .library import NEIGHBOURS, Library, pythons, timed

# net, [T, B], how many times as fast as the best neighbour
CASES = (("conv", (4, 64), 1.5), ("conv", (16, 32), 2.0), ("recurrent", (100, 32), 2.0))
TWIN = 1.15  # times its ReLU twin's
ROUNDING = 1e-4  # share of spikes that a neighbour's own rounding may move
REPEATS = 11


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to ReLU and to the best neighbour."""
    with ExitStack() as opened:
        named = pythons(("fused", "eager", "relu")).items()
        there = [Library(name, python, opened) for name, python in named]
        for net, shape, bar in CASES:
            yield from of_case(there, net, shape, bar)


def of_case(there: list[Library], net: str, shape: tuple[int, ...], bar: float) -> Iterator[Figure]:
    """One net at one size."""
    what: dict[str, Any] = {"net": net, "shape": shape}
    name = f"training/{net}, T={shape[0]}, B={shape[1]}"
    digests = {lib.name: lib.ask(**what, spikes=True) for lib in there if lib.name != "relu"}
    ours = digests["eager"]
    assert digests["fused"] == ours, f"fused fires {digests['fused']}, eager {ours}"
    for library, (count, _) in digests.items():
        assert abs(count - ours[0]) <= ROUNDING * ours[0], f"{library} fires {count}, eager {ours}"
    taken = timed(there, REPEATS, **what)
    middle = {library: statistics.median(ms) for library, ms in taken.items()}
    for library, ms in taken.items():
        yield Figure(f"{name}/{library}", middle[library], "ms", None, min(ms), max(ms))
    twin = middle["relu"] / middle["fused"]
    yield Figure(f"{name}/ReLU over fused", twin, "share of the time", 1 / TWIN)
    best = min((n for n in NEIGHBOURS if n in middle), key=lambda n: middle[n])
    ratio = middle[best] / middle["fused"]
    yield Figure(f"{name}/fused over {best}", ratio, "times faster", bar)
