"""A measured number, and the interleaved repeats that it comes from."""

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """bar: what it has to reach; None: reported only. low, high: the range of the repeats."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the bar is reached; None without one."""
        return None if self.bar is None else self.value >= self.bar

    def line(self) -> str:
        """For machines."""
        told = {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "bar": self.bar,
            "ok": self.ok,
        }
        if self.low is not None and self.high is not None:
            told |= {"low": round(self.low, 4), "high": round(self.high, 4)}
        return json.dumps(told)


def interleaved(
    works: Mapping[str, Callable[[], object]], repeats: int = REPEATS
) -> dict[str, list[float]]:
    """Seconds of each piece of work, taken in turns after one warm-up each, so that a machine
    that slows down slows all of them."""
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def rate(name: str, amount: float, seconds: list[float], unit: str) -> Figure:
    """An amount a second: the median with its range."""
    rates = [amount / s for s in seconds]
    return Figure(name, statistics.median(rates), unit, None, min(rates), max(rates))
