"""The Triton kernels by themselves on a GPU: bytes a second beside a plain copy's, by how they are
launched (`launch.Tuning`). The first of each size is what is shipped.

Forward reads x and writes spikes and membranes; backward reads gradient and membranes and writes a
gradient. The copy moves as many bytes.
"""

import os
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ..trainer.kernels import on_gpu, passes
from ..trainer.kernels.form import Form, Shape
from ..trainer.kernels.launch import Tuning
from ..trainer.kernels.layout import Signal
from .figure import Figure
from .worker.device import seconds

SIZES = ((4, 1 << 24), (16, 1 << 22), (100, 1 << 13))  # T and neurons; the last is latency's
KINDS = (torch.float32, torch.bfloat16)
BAR = 0.8  # of the copy's bytes a second
REPEATS = 7
LATE, FORM = 0, Form(False, False, False)
HOW = FORM, Shape.ATAN, True, (), True


def figures() -> Iterator[Figure]:
    """GB/s of the copy, then shares of it."""
    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} sees no GPU here: nothing is measured")
    for shape in SIZES:
        for kind in KINDS:
            yield from of_size(shape, kind)


def of_size(shape: tuple[int, int], kind: torch.dtype) -> Iterator[Figure]:
    """All ways to launch at one size."""
    steps, size = shape
    name = f"kernels-gpu/{steps}x{size} {str(kind).removeprefix('torch.')}"
    x = torch.randn(shape, device="cuda").to(kind)
    moved = steps * size * (2 * x.element_size() + 4)  # the membrane is float32
    source = torch.empty(moved // 8, dtype=torch.float32, device="cuda")
    there = torch.empty_like(source)
    copied = speed(lambda: there.copy_(source), moved)
    yield Figure(f"{name}/copy", copied / 1e9, "GB/s")
    shipped = on_gpu.tuning(size)
    others = {
        Tuning(block, warps, stages)
        for block in (128, 256, 512, 1024)
        for warps in (4, 8)
        for stages in (1, 2, 4)
        if block >= 32 * warps
    }
    tunings = (shipped, *sorted(others - {shipped}))
    compiled(x, tunings)
    for tuned in tunings:
        for way, work in passes_of(x, tuned).items():
            bar = BAR if tuned == shipped and size > on_gpu.FEW else None
            label = f"{name}/{way}, {', '.join(map(str, tuned))}"
            yield Figure(label, speed(work, moved) / copied, "of the copy", bar)


def compiled(x: Tensor, tunings: Iterable[Tuning]) -> None:
    """All ways side by side, on a few neurons: a kernel is the same for any number of them that 16
    divides."""

    def work(tuned: Tuning) -> None:
        for run in passes_of(x[:, :1024].contiguous(), tuned).values():
            run()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, tunings))


def passes_of(x: Tensor, tuned: Tuning) -> dict[str, Callable[[], object]]:
    """Launches of a LIF's passes, one way."""
    steps, size = x.shape
    signal, span = Signal(steps, size, (size,)), passes.Span(LATE, 0, steps)
    given: passes.Given = [0.5, 0.0, 1.0, 1.0, -0.0, 1.0, -0.0, 0.0, 1.0, 1.0]
    numbers = on_gpu.numbers(given, x)
    ahead = on_gpu.Forward(x, numbers, FORM, signal, (True, False), tuned=tuned)
    ahead.run(x, span)
    told = passes.Told(x, ahead.kept, None, None, numbers)
    back = on_gpu.Backward(told, HOW, signal, False, tuned=tuned)
    return {"forward": lambda: ahead.run(x, span), "backward": lambda: back.run(x, span)}


def speed(work: Callable[[], object], moved: int) -> float:
    """Bytes a second."""
    work()
    return moved / statistics.median(seconds(work, "cuda") for _ in range(REPEATS))
