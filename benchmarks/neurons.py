"""One LIF layer, forward and backward: ours fused and eager, torch.compile, the neighbours.

Spikes are checked equal first. `library` says where the neighbours come from.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from .figure import Figure
from .library import NEIGHBOURS, Library, pythons, timed

SIZES = {(4, 128, 6272): 3.5, (16, 32, 12544): 3.5, (100, 16, 512): 12.0}  # [T, B, N]: bar
OURS = ("fused", "eager", "compiled")
COPY_BAR = 1.5  # times the copying of what must move
REPEATS = 15


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to the best neighbour and to copying."""
    with ExitStack() as opened:
        there = [Library(name, python, opened) for name, python in pythons((*OURS, "copy")).items()]
        for shape, bar in SIZES.items():
            yield from of_size(there, shape, bar)


def of_size(there: list[Library], shape: tuple[int, ...], bar: float) -> Iterator[Figure]:
    """One size."""
    name = "neurons/" + "x".join(map(str, shape))
    digests = {lib.name: lib.ask(shape=shape, spikes=True) for lib in there if lib.name != "copy"}
    for library, digest in digests.items():
        assert digest == digests["eager"], f"{library} fires {digest}, eager {digests['eager']}"
    taken = timed(there, REPEATS, shape=shape)
    middle = {library: statistics.median(ms) for library, ms in taken.items()}
    for library, ms in taken.items():
        yield Figure(f"{name}/{library}", middle[library], "ms", None, min(ms), max(ms))
    best = min((n for n in NEIGHBOURS if n in middle), key=lambda n: middle[n])
    ratio = middle[best] / middle["fused"]
    yield Figure(f"{name}/fused over {best}", ratio, "times faster", bar)
    copies = middle["copy"] / middle["fused"]
    yield Figure(f"{name}/copying over fused", copies, "share of the time", 1 / COPY_BAR)
