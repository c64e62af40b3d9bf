"""torch's work in a thread of its own, while numpy's goes on here; half of the threads each.

Threads that share one layer's work wait for each other after every layer, and share the core of
whatever else goes on. Two computations side by side wait once, at the end.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import torch

from ...core.threads import libraries, limited, own

Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")


class Begun(Generic[Theirs]):
    """Work of torch's that has begun. Users set torch's number of threads, and both sides share
    it; where it is 1, or numpy's threads cannot be told theirs, nothing begins before it is asked
    for."""

    def __init__(self, work: Callable[[], Theirs]) -> None:
        self.work = work
        self.threads = torch.get_num_threads()
        self.half = self.threads // 2
        self.waiting: Future[Theirs] | None = None
        if self.half and libraries() is not None:
            pool = ThreadPoolExecutor(1, "torch beside")
            self.waiting = pool.submit(self.shared)
            pool.shutdown(wait=False)  # the thread ends with its work

    def shared(self) -> Theirs:
        """The work, on what numpy leaves."""
        own(torch, self.threads - self.half)
        return self.work()

    def beside(self, ours: Callable[[], Ours]) -> tuple[Ours, Theirs]:
        """What ours gives, which numpy computes, and the work. What either raises is raised when
        both are over, first that of ours."""
        if self.waiting is None:
            return ours(), self.work()
        try:
            with limited(self.half):
                found = ours()
        finally:
            wait((self.waiting,))
        return found, self.waiting.result()
