"""One LIF layer, forward and backward: ours fused and eager, torch.compile, the neighbours.

Spikes are checked first. All must fire the same number at the same places; lava-dl, which counts
membranes in steps of 2^-22 and fires at the threshold, may differ in one of ten thousand. Spyx has
no reset to 0 and fires a step late: it is held to our interpreter with that rule, and told apart.
`library` says where the neighbours come from, and on which device. On a GPU the sizes are some that
do not fit its cache, torch.compile is left out (a hundred steps take it minutes), and a neighbour
whose kernel contracts may differ in one spike of ten thousand.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from .figure import Figure
from .library import Library, best, device, digests, neighbour, started, timed

# [T, B, N]: how many times as fast as the best neighbour
SIZES: dict[str, dict[tuple[int, ...], float]] = {
    "cpu": {(4, 128, 6272): 3.5, (16, 32, 12544): 3.5, (100, 16, 512): 12.0},
    "cuda": {(4, 128, 131072): 1.2, (16, 32, 131072): 1.2, (100, 64, 4096): 1.2},
}
OURS = {"cpu": ("fused", "eager", "compiled"), "cuda": ("fused", "eager")}
COPY_BAR = {"cpu": 1 / 1.5, "cuda": 0.8}  # the time of copying what must move, of ours
ROUNDING = 1e-4  # share of spikes that a neighbour's own rounding may move, on a GPU or of ROUNDS
ROUNDS = ("lava-dl", "spyx")
REPEATS = {"cpu": 15, "cuda": 7}  # on a GPU each is of ten passes
OTHER = {"spyx": "late"}  # library with another neuron -> ours that is the same


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to the best neighbour and to copying."""
    where = device()
    with ExitStack() as opened:
        held = OTHER.values() if where == "cpu" else ()
        there = started((*OURS[where], *held, "copy"), opened)
        for shape, bar in SIZES[where].items():
            yield from of_size(there, shape, bar, where)


def of_size(
    there: list[Library], shape: tuple[int, ...], bar: float, where: str
) -> Iterator[Figure]:
    """One size."""
    name = f"neurons/{'x'.join(map(str, shape))}" + (" on cuda" if where == "cuda" else "")
    checked(there, shape, where)
    timing = [lib for lib in there if lib.name not in OTHER.values()]
    taken = timed(timing, REPEATS[where], shape=shape)
    middle = {library: statistics.median(ms) for library, ms in taken.items()}
    for library, ms in taken.items():
        yield Figure(f"{name}/{library}", middle[library], "ms", None, min(ms), max(ms))
    quickest = best({library: ms for library, ms in middle.items() if library not in OTHER})
    for library in filter(neighbour, middle):
        ratio = middle[library] / middle["fused"]
        wanted = bar if library == quickest else None
        yield Figure(f"{name}/fused over {library}", ratio, "times faster", wanted)
    copies = middle["copy"] / middle["fused"]
    yield Figure(f"{name}/copying over fused", copies, "share of the time", COPY_BAR[where])


def checked(there: list[Library], shape: tuple[int, ...], where: str) -> None:
    """AssertionError unless all fire what they should."""
    told_by = digests((lib for lib in there if lib.name != "copy"), shape=shape)
    for library, (count, places) in told_by.items():
        right = told_by[OTHER.get(library, "eager")]
        if library in OTHER.values():
            continue
        told = f"{library} fires {count, places}, and {right} is right"
        if library in ROUNDS or (where == "cuda" and neighbour(library)):
            assert abs(count - right[0]) <= ROUNDING * right[0], told
        else:
            assert [count, places] == right, told
