"""The settings of torch that hold for a whole process, put back when training ends; how freed
memory is treated stays."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ..core.settings import Run
from . import kernels
from .memory import keep_freed


@contextmanager
def settled(run: Run) -> Iterator[None]:
    """Threads, determinism and kernels as asked for, inside the block."""
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    if run.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
        torch.use_deterministic_algorithms(True)
        # a guard for code that reads memory before it writes it; ours does not, and it is slow
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if run.threads:
        torch.set_num_threads(run.threads)
    keep_freed()
    try:
        with kernels.asked(run.kernels):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def seed_all(*words: int) -> None:
    """Seed every generator from some numbers, such as (seed, epoch, process)."""
    seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
