"""Workers that are kept between runs, and the jobs that they share."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

from ...core.errors import ConfigError
from .client import Worker
from .environment import ensure
from .plan import Plan
from .worker import wire

LIMIT = "SPIKEPORT_LAVA_LIMIT_S"
Result = TypeVar("Result")


class Desk:
    """One worker, and which plan it holds. A worker that has ended is replaced."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.holds: Plan | None = None

    def run(
        self, plan: Plan, head: dict[str, Any], arrays: dict[str, wire.Array], limit_s: float
    ) -> wire.Message:
        """Run a plan; its weights travel if this worker does not hold them."""
        if self.worker is None or self.worker.ended:
            self.worker, self.holds = Worker(ensure()), None
        fresh = self.holds is not plan
        keep = plan.arrays if fresh else {}
        self.holds = None
        head = {"command": "run", "fresh": fresh, "keep": list(keep), "plan": head}
        answer = self.worker.ask(head, {**keep, **arrays}, limit_s)
        self.holds = plan
        return answer

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.end()


class Pool:
    """Some desks, each with one job at a time."""

    def __init__(self, workers: int) -> None:
        self.desks = [Desk() for _ in range(workers)]

    def map(self, work: Callable[[Desk, Any], Result], jobs: Sequence[Any]) -> list[Result]:
        """work(desk, job) of every job, in order. The first failure ends all workers."""
        if len(self.desks) == 1 or len(jobs) == 1:
            return [work(self.desks[0], job) for job in jobs]
        free: SimpleQueue[Desk] = SimpleQueue()
        for desk in self.desks:
            free.put(desk)

        def take(job: Any) -> Result:
            desk = free.get()
            try:
                return work(desk, job)
            finally:
                free.put(desk)

        with ThreadPoolExecutor(len(self.desks)) as threads:
            futures = [threads.submit(take, job) for job in jobs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                for future in futures:
                    future.cancel()
                self.close()
                raise

    def close(self) -> None:
        """End the workers."""
        for desk in self.desks:
            desk.close()


def limit_s(estimate: float) -> float:
    """Seconds a run may take: the user's number, or a generous estimate."""
    given = os.environ.get(LIMIT)
    if not given:
        return estimate
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(f"{LIMIT} is {given!r}; a positive number of seconds is meant")
    return seconds
