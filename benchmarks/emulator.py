"""The emulator against Lava: the same integer network, the same spikes out, T = 16, input 10 %.

Lava's runtime is timed by its own `run()` alone, after a warm-up, without compiling or reading
back, with its own convolution; the stepped Lava by the wall clock of its models' steps, with
im2col and a worker a core. Ours is timed whole, arrays in to arrays out.
"""

import os
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from ..backends.lava.engines import LavaFixed
from ..backends.loihi.engine import Loihi
from ..backends.protocol import Session
from ..core.arrays import Numbers
from ..core.network import Network
from ..verify.emulated import chip_capabilities
from ..verify.prepare import prepare
from .figure import REPEATS, Figure, rate
from .nets import conv_net, dense_net

STEPS, RATE = 16, 0.1
STEPPED_BAR = 5.0


def spikes(net: Network, samples: int, steps: int = STEPS, share: float = RATE) -> Numbers:
    """Random spikes for the one input, uint8 [T, B, *shape]."""
    shape = net.nodes["in"].output_shape(())
    random = np.random.default_rng(1)
    return (random.random((steps, samples, *shape)) < share).astype(np.uint8)


def integers(net: Network) -> Network:
    """In the chip's integers, lowered for engines that merge pools."""
    calibration = {"in": spikes(net, 16)}
    return prepare(net, chip_capabilities(), calibration).network


def figures() -> Iterator[Figure]:
    """Everything."""
    yield from against_lava("conv", integers(conv_net()), 32, 1024, 300.0)
    yield from against_lava("dense", integers(dense_net()), 256, 16384, 500.0)
    yield from growth()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure("emulator/peak memory of this process", peak, "MiB")


def against_lava(
    name: str, network: Network, samples: int, ours: int, bar: float
) -> Iterator[Figure]:
    """Ratios on one network, taken in turns. samples: for Lava; ours: for the emulator, which
    would be over before the clock has looked twice."""
    cores = os.cpu_count() or 1
    few, many = spikes(network, samples), spikes(network, ours)
    with ExitStack() as opened:

        def start(engine: Loihi | LavaFixed) -> Session:
            return opened.enter_context(engine.open(network))

        emulator = start(Loihi())
        runtime = start(LavaFixed("runtime", states=False, stand_ins=False))
        stepped = start(LavaFixed("stepped", workers=cores, states=False))
        equal(emulator, (runtime, stepped), few)
        seconds: dict[str, list[float]] = {"loihi": [], "runtime": [], "stepped": []}
        emulator.run({"in": many})
        for _ in range(REPEATS):
            seconds["loihi"].append(wall(emulator, many) / ours)
            seconds["runtime"].append(lavas_own(runtime, few) / samples)
            seconds["stepped"].append(lavas_own(stepped, few) / cores / samples)
    for engine, each in seconds.items():
        yield rate(f"emulator/{name}/{engine}", 1, each, "samples/s")
    for engine, least in (("runtime", bar), ("stepped", STEPPED_BAR)):
        pairs = zip(seconds[engine], seconds["loihi"], strict=True)
        ratios = [lava / here for lava, here in pairs]
        yield Figure(
            f"emulator/{name}/loihi over {engine} Lava",
            statistics.median(ratios),
            "times",
            least,
            min(ratios),
            max(ratios),
        )


def equal(emulator: Session, others: tuple[Session, ...], inputs: Numbers) -> None:
    """AssertionError unless every spike is the same."""
    wanted = emulator.run({"in": inputs}, ("all",)).spikes
    for other in others:
        got = other.run({"in": inputs}, ("all",)).spikes
        for population, there in wanted.items():
            assert (got[population] == there).all(), population


def wall(session: Session, inputs: Numbers) -> float:
    """Seconds of a whole run."""
    start = time.perf_counter()
    session.run({"in": inputs})
    return time.perf_counter() - start


def lavas_own(session: Session, inputs: Numbers) -> float:
    """Seconds of Lava's own running, summed over its workers."""
    return float(session.run({"in": inputs}).header["lava"]["seconds"])


def growth() -> Iterator[Figure]:
    """How the time of a run grows with batch, steps, width and spike rate, on the conv net."""
    network = integers(conv_net())
    for batch in (1, 8, 64, 512):
        yield grown("batch", batch, network, batch, STEPS, RATE)
    for steps in (4, 16, 64, 256):
        yield grown("steps", steps, network, 64, steps, RATE)
    for share in (0.0, 0.02, 0.1, 0.3, 1.0):
        yield grown("rate", share, network, 64, STEPS, share)
    for width in (8, 16, 32, 64):
        yield grown("width", width, integers(conv_net(width)), 64, STEPS, RATE)


def grown(
    what: str, value: float, network: Network, batch: int, steps: int, share: float
) -> Figure:
    """Microseconds a sample and step."""
    inputs = spikes(network, batch, steps, share)
    with Loihi().open(network) as session:
        session.run({"in": inputs})
        seconds = [wall(session, inputs) / (batch * steps) * 1e6 for _ in range(REPEATS)]
    name = f"emulator/growth/{what}={value:g}"
    middle = statistics.median(seconds)
    return Figure(name, middle, "us/sample-step", None, min(seconds), max(seconds))
