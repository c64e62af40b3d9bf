"""Compiled loops over blocks, on as many threads as torch has been given.

They are torch's own wherever these are OpenMP's: what waits there for torch's next operation need
not be woken, and does not stand in the way. Else they are some of Python's that are kept.
"""

import array
import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.threads import over

ALONE = 1 << 20  # neuron-steps that one thread does before others are awake
EACH = 1 << 17  # neuron-steps that are worth a thread, where there are more
ALIGNED = 64  # bytes of a line of the cache
SIZE = 32  # numbers of a job, at most
_pools: dict[int, ThreadPoolExecutor] = {}
_lock = threading.Lock()
_own = threading.local()
_child = False  # of a fork


def run(loop: Any, given: Sequence[int], blocks: int, size: int, room: int = 0) -> None:
    """A loop of `jobs`, until all its blocks are done. given: what it is told; memory that is
    named there must outlive the call. size: neuron-steps in all. room: bytes, of each thread."""
    count = many(blocks, size)
    parallel = team() if count > 1 else None
    if parallel:
        count = torch.get_num_threads()  # OpenMP ends those whom a smaller team leaves out
    kept = array.array("q", (0, blocks, own(count * room), room, *given))
    assert len(kept) <= SIZE
    job = kept.buffer_info()[0]
    if count == 1:
        called(loop)(job)
    elif parallel:
        parallel(loop.address, job, count, 0)
    else:
        others: list[Future[None]] = []
        try:
            for _ in range(count - 1):
                others.append(pool(count - 1).submit(called(loop), job))
            called(loop)(job)
        finally:
            over(others, cancel=True)  # nothing is left for who has not begun


def many(blocks: int, size: int) -> int:
    """How many threads some blocks of so many neuron-steps in all are worth."""
    if size < ALONE:
        return 1
    return max(1, min(torch.get_num_threads(), blocks, size // EACH))


@cache
def called(loop: Any) -> Callable[..., None]:
    """What calls it; without the GIL."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(loop.address)


def own(size: int) -> int:
    """Where memory of the calling thread is, `size` bytes of anything, until it asks again: fresh
    pages would cost more than a small pass does."""
    there: Any = _own.__dict__.get("room")
    if there is None or there[1] < size:
        memory = np.empty(size + ALIGNED, np.uint8)
        start = memory.ctypes.data
        there = _own.room = -(-start // ALIGNED) * ALIGNED, size, memory
    return int(there[0])


@cache
def team() -> Callable[..., None] | None:
    """What runs a loop on torch's threads: GOMP_parallel of the very OpenMP that it is linked
    with. None where that has another interface, or there is none, and in a child of a fork."""
    if _child:
        return None
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        found = library.GOMP_parallel
    except (OSError, AttributeError):
        return None
    found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    found.restype = None
    return found


def pool(count: int) -> ThreadPoolExecutor:
    """Threads that are kept; they hold nothing but compiled loops, which take no GIL."""
    with _lock:
        if count not in _pools:
            _pools[count] = ThreadPoolExecutor(count, "spikeport-kernels")
        return _pools[count]


def forked() -> None:
    """A child has none of its parent's threads, of either kind, and OpenMP does not know it."""
    global _child
    _child = True
    _pools.clear()
    team.cache_clear()


os.register_at_fork(after_in_child=forked)
