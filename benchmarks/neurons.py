"""One LIF layer, forward and backward: ours fused and eager, torch.compile, the neighbours.

Spikes are checked equal first. `library` says where the neighbours come from, and on which device.
On a GPU the sizes are some that do not fit its cache, torch.compile is left out (a hundred steps
take it minutes), and a neighbour whose kernel contracts may differ in one spike of ten thousand.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from .figure import Figure
from .library import Library, best, device, neighbour, started, timed

# [T, B, N]: how many times as fast as the best neighbour
SIZES: dict[str, dict[tuple[int, ...], float]] = {
    "cpu": {(4, 128, 6272): 3.5, (16, 32, 12544): 3.5, (100, 16, 512): 12.0},
    "cuda": {(4, 128, 131072): 1.2, (16, 32, 131072): 1.2, (100, 64, 4096): 1.2},
}
OURS = {"cpu": ("fused", "eager", "compiled"), "cuda": ("fused", "eager")}
COPY_BAR = {"cpu": 1 / 1.5, "cuda": 0.8}  # the time of copying what must move, of ours
ROUNDING = 1e-4  # share of spikes that a neighbour's own rounding may move on a GPU
REPEATS = 15


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to the best neighbour and to copying."""
    where = device()
    with ExitStack() as opened:
        there = started((*OURS[where], "copy"), opened)
        for shape, bar in SIZES[where].items():
            yield from of_size(there, shape, bar, where)


def of_size(
    there: list[Library], shape: tuple[int, ...], bar: float, where: str
) -> Iterator[Figure]:
    """One size."""
    name = f"neurons/{'x'.join(map(str, shape))}" + (" on cuda" if where == "cuda" else "")
    digests = {lib.name: lib.ask(shape=shape, spikes=True) for lib in there if lib.name != "copy"}
    ours = digests["eager"]
    for library, digest in digests.items():
        near = abs(digest[0] - ours[0]) <= ROUNDING * ours[0]
        rounds = where == "cuda" and neighbour(library)
        assert near if rounds else digest == ours, f"{library} fires {digest}, eager {ours}"
    taken = timed(there, REPEATS, shape=shape)
    middle = {library: statistics.median(ms) for library, ms in taken.items()}
    for library, ms in taken.items():
        yield Figure(f"{name}/{library}", middle[library], "ms", None, min(ms), max(ms))
    if (other := best(middle)) is not None:
        ratio = middle[other] / middle["fused"]
        yield Figure(f"{name}/fused over {other}", ratio, "times faster", bar)
    copies = middle["copy"] / middle["fused"]
    yield Figure(f"{name}/copying over fused", copies, "share of the time", COPY_BAR[where])
