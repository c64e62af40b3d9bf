"""Blocks of neurons side by side, on as many threads as torch has been given.

Who does which block, and in what order, moves no bit: a block writes its own part of memory. A
thread that is done takes what is left, so that one on a busy core does not hold up the others.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

ALONE = 1 << 17  # neuron-steps that one thread does by itself
SHARES = 4  # a thread's on average
_pools: dict[int, ThreadPoolExecutor] = {}
_lock = threading.Lock()
_own = threading.local()


def side_by_side(work: Callable[[range], None], blocks: int, size: int) -> None:
    """work(some of the blocks), until all are done. size: neuron-steps in all."""
    count = min(torch.get_num_threads(), blocks, max(1, size // ALONE))
    if count == 1:
        work(range(blocks))
        return
    shares = min(blocks, SHARES * count)
    edges = [blocks * n // shares for n in range(shares + 1)]
    left = iter([range(lo, hi) for lo, hi in zip(edges, edges[1:], strict=False)])

    def go_on() -> None:
        for share in left:  # a list's iterator gives each to one thread
            work(share)

    others = [pool(count - 1).submit(go_on) for _ in range(count - 1)]
    try:
        go_on()
    finally:
        for other in others:
            other.result()


def room(size: int, dtype: Any) -> Any:
    """A thread's own memory, [size] of anything, until it asks again: fresh pages would cost more
    than a small pass does."""
    there = _own.__dict__.get("room")
    wanted = size * np.dtype(dtype).itemsize
    if there is None or there.nbytes < wanted:
        there = _own.room = np.empty(wanted, np.uint8)
    return there[:wanted].view(dtype)


def pool(count: int) -> ThreadPoolExecutor:
    """Threads that are kept; they hold nothing but numba's loops, which take no GIL."""
    with _lock:
        if count not in _pools:
            _pools[count] = ThreadPoolExecutor(count, "spikeport-kernels")
        return _pools[count]


os.register_at_fork(after_in_child=_pools.clear)  # a child has none of its parent's threads
