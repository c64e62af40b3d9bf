"""Where work runs, and how its time is taken."""

import time
from collections.abc import Callable
from typing import Any

import torch

ROUNDS = 10  # of work that a GPU is given at once, so that it never waits for the next launch


def seconds(work: Callable[[], object], device: str) -> float:
    """Of one round of work: by the clock on a processor; on a GPU by its own events, around
    rounds that follow each other."""
    if device == "cpu":
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    begun: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    done: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    begun.record()
    for _ in range(ROUNDS):
        work()
    done.record()
    done.synchronize()
    return float(begun.elapsed_time(done)) / 1e3 / ROUNDS
