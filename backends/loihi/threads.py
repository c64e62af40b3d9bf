"""Chunks of samples side by side, each on one core from its inputs to its outputs.

Threads that share one layer's work wait for each other after every layer, and on a busy machine
each wait lasts until the slowest has been given its core back. Chunks wait for nothing.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ...core.threads import limited, own

Job = TypeVar("Job")


def torch_or_none() -> Any:
    """torch, if it is there; the event kernels need none."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    return torch


def cores() -> int:
    """How many threads to use: torch's number, which users set, else the cores that we may use."""
    torch = torch_or_none()
    return int(torch.get_num_threads()) if torch else len(os.sched_getaffinity(0))


def side_by_side(work: Callable[[Job], None], jobs: Sequence[Job]) -> None:
    """work(job) for each job. The first failure is raised when what had begun is over."""
    count = min(cores(), len(jobs))
    if count <= 1:
        for job in jobs:
            work(job)
        return
    with limited(1):  # numpy's own threads would wait for each other within every product
        in_threads(work, jobs, count, alone)


def in_threads(
    work: Callable[[Job], None],
    jobs: Sequence[Job],
    count: int,
    begin: Callable[[], None] | None = None,
) -> None:
    """work(job) for each job in `count` threads, each of which calls `begin` first. The first
    failure is raised when what had begun is over."""
    with ThreadPoolExecutor(count, "loihi", initializer=begin) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def alone() -> None:
    """A thread of ours computes on one core."""
    torch = torch_or_none()
    if torch:
        own(torch, 1)
