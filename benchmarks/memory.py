"""What a forward and backward pass keeps, whole and in segments of steps (run.checkpoint_steps).

Each in a process of its own, by the peak of its memory; the C library gives freed blocks back at
once (MALLOC_MMAP_THRESHOLD_), since its own keeping of them would hide the difference.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

from .figure import Figure

STEPS = (128, 256)
SEGMENTS = (0, 32, 8)  # 0: whole
PASS = """
import resource, torch
from spikeport.core.settings import ConvNet, Lif
from spikeport.trainer.models import build
from spikeport.trainer.segments import Segmented
net = build(ConvNet(norm="none", channels=(32, 64), neuron=Lif()), (1, 8, 8), 10)
model = Segmented(net, {segment}) if {segment} else net
x = (torch.rand({steps}, 64, 1, 8, 8) < 0.3).float()
model(x).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def figures() -> Iterator[Figure]:
    """Peaks, and what 128 more steps add to them."""
    for segment in SEGMENTS:
        peaks = [peak(segment, steps) for steps in STEPS]
        name = f"memory/segments of {segment}" if segment else "memory/whole"
        for steps, found in zip(STEPS, peaks, strict=True):
            yield Figure(f"{name}/T={steps}", found, "MiB")
        yield Figure(f"{name}/128 more steps", peaks[1] - peaks[0], "MiB")


def peak(segment: int, steps: int) -> float:
    """MiB of one process."""
    command = [sys.executable, "-c", PASS.format(segment=segment, steps=steps)]
    kept = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, env=kept, check=True, capture_output=True, text=True)
    return float(done.stdout)
