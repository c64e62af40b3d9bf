"""What a forward and backward pass keeps: whole, in segments of steps (run.checkpoint_steps), and
with spikes in bytes (run.spike_bytes), of which the time is measured, too.

Peaks are each of a process of its own; the C library gives freed blocks back at once
(MALLOC_MMAP_THRESHOLD_), since its own keeping of them would hide the difference.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator

import torch

from ..core.settings import AnyNet, ConvNet, ResNet
from ..trainer.memory import keep_freed
from ..trainer.models import build
from ..trainer.segments import Segmented
from ..trainer.spike_bytes import SpikeBytes
from .figure import Figure, interleaved

STEPS = (128, 256)
SEGMENTS = (0, 32, 8)  # 0: whole
BATCH, SHAPE, CLASSES = 64, (1, 8, 8), 10
CONV = ConvNet(norm="none", channels=(32, 64))
NETS: dict[str, tuple[AnyNet, int]] = {  # and its steps
    "conv": (CONV, 128),
    "resnet": (
        ResNet(stem_channels=32, channels=(32, 64), blocks=(3, 3), strides=(1, 2), hidden=0),
        32,
    ),
}
WAYS = {"whole": "0", "spikes in bytes": "bytes"}
REPEATS = 7
PEAK = """
import resource, sys
from spikeport.benchmarks.memory import passed
passed(*sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def figures() -> Iterator[Figure]:
    """Peaks, and what 128 more steps add to them; peaks and time with spikes in bytes."""
    for segment in SEGMENTS:
        peaks = [peak("conv", str(steps), str(segment)) for steps in STEPS]
        name = f"memory/segments of {segment}" if segment else "memory/whole"
        for steps, found in zip(STEPS, peaks, strict=True):
            yield Figure(f"{name}/T={steps}", found, "MiB")
        yield Figure(f"{name}/128 more steps", peaks[1] - peaks[0], "MiB")
    for net, (_, steps) in NETS.items():
        for said, way in WAYS.items():
            found = peak(net, str(steps), way)
            yield Figure(f"memory/{net}, T={steps}/{said}", found, "MiB")
    for net in NETS:  # after all peaks: a process is said to have had what its parent has
        yield from of_time(net)


def of_time(net: str) -> Iterator[Figure]:
    """Milliseconds of a pass forward and backward with and without, in turn in one process."""
    keep_freed()  # as in training
    steps = NETS[net][1]
    name = f"memory/{net}, T={steps}"
    works = {said: work(net, steps, way) for said, way in WAYS.items()}
    seconds = interleaved(works, REPEATS)
    middle = {said: statistics.median(taken) for said, taken in seconds.items()}
    for said, taken in seconds.items():
        ms = [1e3 * s for s in taken]
        yield Figure(f"{name}/{said}", 1e3 * middle[said], "ms", None, min(ms), max(ms))
    ratio = middle["spikes in bytes"] / middle["whole"]
    yield Figure(f"{name}/bytes over whole", ratio, "times as long")


def passed(net: str, steps: str, way: str) -> None:
    """One pass forward and backward."""
    work(net, int(steps), way)()


def work(net: str, steps: int, way: str) -> Callable[[], None]:
    """Such a pass of a net; way: 'bytes', or the steps of a segment."""
    torch.manual_seed(0)
    plain = build(NETS[net][0], SHAPE, CLASSES)
    model: torch.nn.Module = plain
    if way == "bytes":
        model = SpikeBytes(plain)
    elif int(way):
        model = Segmented(plain, int(way))
    x = (torch.rand(steps, BATCH, *SHAPE) < 0.3).float()

    def run() -> None:
        plain.zero_grad()
        model(x).sum().backward()

    return run


def peak(*what: str) -> float:
    """MiB of one process."""
    kept = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", PEAK, *what]
    done = subprocess.run(command, env=kept, check=True, capture_output=True, text=True)
    return float(done.stdout)
