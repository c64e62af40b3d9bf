"""Blocks of neurons side by side, on as many threads as torch has been given.

Who does which block, and in what order, moves no bit: a block writes its own part of memory.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

ALONE = 1 << 17  # neuron-steps that one thread does by itself
_pools: dict[int, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def side_by_side(work: Callable[[range], None], blocks: int, size: int) -> None:
    """work(blocks of one thread), for all of them. size: neuron-steps in all."""
    count = min(torch.get_num_threads(), blocks, max(1, size // ALONE))
    if count == 1:
        work(range(blocks))
        return
    edges = [blocks * n // count for n in range(count + 1)]
    shares = [range(lo, hi) for lo, hi in zip(edges, edges[1:], strict=False)]
    others = [pool(count - 1).submit(work, share) for share in shares[1:]]
    try:
        work(shares[0])
    finally:
        for other in others:
            other.result()


def pool(count: int) -> ThreadPoolExecutor:
    """Threads that are kept; they hold nothing but numba's loops, which take no GIL."""
    with _lock:
        if count not in _pools:
            _pools[count] = ThreadPoolExecutor(count, "spikeport-kernels")
        return _pools[count]


os.register_at_fork(after_in_child=_pools.clear)  # a child has none of its parent's threads
