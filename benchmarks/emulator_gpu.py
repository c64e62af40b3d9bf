"""The emulator on a GPU against itself on the processor: the same integer networks, the same bits.

Both are timed whole, arrays in to arrays out, transfers included, in turns: the processor's path
on two cores, the GPU's with all that are there, when it has answered. What bringing the input there
takes torch by itself is told apart. Where torch sees no GPU there is nothing to measure, which is
said.
"""

import statistics
import time
from collections.abc import Iterator

from ..backends.loihi.engine import Loihi
from ..core.arrays import Numbers
from ..core.network import Network
from .emulator import equal, integers, spikes, wall
from .figure import REPEATS, Figure, rate
from .nets import conv_net, dense_net

BAR = 50.0
CORES = 2
ON_CPU, ON_GPU = 512, 16384  # samples; few would not fill a GPU, and many take minutes on a core


def figures() -> Iterator[Figure]:
    """Both nets."""
    import torch

    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} sees no GPU here: nothing is measured")
    yield from ratios("conv", integers(conv_net()))
    yield from ratios("dense", integers(dense_net()))
    yield Figure("emulator-gpu/peak memory", torch.cuda.max_memory_allocated() / 2**20, "MiB")


def brought(inputs: Numbers) -> float:
    """Seconds that copying an input to the GPU takes, by torch alone."""
    import torch

    start = time.perf_counter()
    torch.from_numpy(inputs).to("cuda")
    torch.cuda.synchronize()
    return time.perf_counter() - start


def ratios(name: str, network: Network) -> Iterator[Figure]:
    """Samples a second on each, then how many times as many on the GPU."""
    import torch

    few, many = spikes(network, ON_CPU), spikes(network, ON_GPU)
    with Loihi(device="cpu").open(network) as here, Loihi(device="cuda").open(network) as there:
        equal(here, (there,), few)
        there.run({"in": many})
        seconds: dict[str, list[float]] = {"cpu": [], "cuda": [], "bringing the input": []}
        all_cores = torch.get_num_threads()
        for _ in range(REPEATS):
            torch.set_num_threads(CORES)
            seconds["cpu"].append(wall(here, few) / ON_CPU)
            torch.set_num_threads(all_cores)
            seconds["cuda"].append(wall(there, many) / ON_GPU)
            seconds["bringing the input"].append(brought(many) / ON_GPU)
    for device, each in seconds.items():
        yield rate(f"emulator-gpu/{name}/{device}", 1, each, "samples/s")
    times = [a / b for a, b in zip(seconds["cpu"], seconds["cuda"], strict=True)]
    middle = statistics.median(times)
    yield Figure(f"emulator-gpu/{name}/cuda over cpu", middle, "times", BAR, min(times), max(times))
