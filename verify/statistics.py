"""Intervals for accuracies. 95 % unless said."""

import math
from collections.abc import Sequence
from statistics import NormalDist, mean, stdev

LEVEL = 0.95


def z_value(level: float = LEVEL) -> float:
    """The normal quantile of a two-sided interval."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(right: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a proportion (E. B. Wilson, JASA 22, 1927)."""
    if total == 0:
        return 0.0, 1.0
    z, p = z_value(level), right / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (p * (1 - p) / total + z * z / (4 * total**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_difference(
    first: Sequence[bool], second: Sequence[bool], level: float = LEVEL
) -> tuple[float, float, float]:
    """second - first as (difference, low, high) in proportions, on the same samples: Wald's
    interval with half a count added to each cell (A. Agresti and Y. Min, Stat. Med. 24, 2005)."""
    total = len(first)
    if total == 0:
        return 0.0, -1.0, 1.0
    gained = sum(b and not a for a, b in zip(first, second, strict=True))
    lost = sum(a and not b for a, b in zip(first, second, strict=True))
    n = total + 2
    middle = (gained - lost) / n
    spread = ((gained + lost + 1) - (gained - lost) ** 2 / n) ** 0.5 / n
    half = z_value(level) * spread
    return (gained - lost) / total, max(-1.0, middle - half), min(1.0, middle + half)


def mean_paired_difference(
    firsts: Sequence[Sequence[bool]], seconds: Sequence[Sequence[bool]], level: float = LEVEL
) -> tuple[float, float, float]:
    """The mean over several pairs of networks of second - first, as (difference, low, high) in
    proportions, every network on the same samples: a sample's differences are averaged first, so
    that what the networks have in common is not counted twice. Normal interval of these means.
    It speaks of other samples, not of other trainings."""
    pairs = list(zip(firsts, seconds, strict=True))
    each = [
        mean(int(b) - int(a) for a, b in zip(before, after, strict=True))
        for before, after in zip(
            zip(*(first for first, _ in pairs), strict=True),
            zip(*(second for _, second in pairs), strict=True),
            strict=True,
        )
    ]
    if len(each) < 2:
        return (each[0] if each else 0.0), -1.0, 1.0
    middle = mean(each)
    half = z_value(level) * stdev(each) / len(each) ** 0.5
    return middle, max(-1.0, middle - half), min(1.0, middle + half)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float, float]:
    """(mean, low, high) of a few runs: Student's t interval. Of one run the interval is without
    ends: it says nothing of others."""
    if len(values) < 2:
        return (values[0] if values else float("nan")), -math.inf, math.inf
    from scipy import stats

    middle, half = mean(values), stdev(values) / len(values) ** 0.5
    half *= float(stats.t.ppf(0.5 + level / 2, len(values) - 1))
    return middle, middle - half, middle + half


def paired_interval(
    first: Sequence[float], second: Sequence[float], level: float = LEVEL
) -> tuple[float, float, float]:
    """(mean, low, high) of first - second over runs that share their seeds, Student's t."""
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], level)
