"""What an experiment claims, and whether it was seen. Verdicts are computed from the cells.

A claim is about groups: all seeds of one point of the grid. `where` picks groups by keys of the
grid and `case`; every key must match. Accuracies are in 0 to 1 in the cells, differences and
margins of them in percentage points here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Annotated, Any, Literal

from pydantic import Field

from ...core.errors import ConfigError
from ...core.settings import Section
from ..statistics import mean_interval, paired_interval

Where = dict[str, Any]
PERCENT = ("accuracy", "so_far/", "own/")  # values that are shares, told in percent


@dataclass(frozen=True)
class Group:
    """The seeds of one point. keys: its place, `case` among them; values: name -> one a seed."""

    label: str
    keys: Mapping[str, Any]
    values: Mapping[str, Sequence[float]]

    def of(self, name: str) -> list[float]:
        """A value of every seed, shares in percent. ConfigError if it was not measured."""
        if name not in self.values:
            known = ", ".join(sorted(self.values))
            raise ConfigError(f"group {self.label!r} has no value {name!r}; it has {known}")
        return [scale(name) * v for v in self.values[name]]

    def mean(self, name: str) -> float:
        """Over the seeds."""
        return mean(self.of(name))


@dataclass(frozen=True)
class Verdict:
    """seen: whether the numbers bear the claim out; told: with which."""

    text: str
    seen: bool
    told: str


class _Claim(Section):
    """text: the claim in words; value: the number that it is about."""

    text: str
    value: str = "accuracy"


class Monotone(_Claim):
    """Means fall (or rise) from each group to the next along a key."""

    kind: Literal["monotone"]
    along: str
    direction: Literal["falls", "rises"] = "falls"
    where: Where = {}


class Factor(_Claim):
    """Some group has the value at most 1 / factor of the base's, and loses no more than `most`
    points of accuracy."""

    kind: Literal["factor-at-cost"]
    base: Where
    where: Where = {}
    factor: float
    most: float  # percentage points


class Higher(_Claim):
    """The first group's mean is above the second's by more than `margin`: the lower end of the
    paired interval over seeds is."""

    kind: Literal["higher"]
    first: Where
    second: Where
    margin: float = 0.0


class Within(_Claim):
    """Means of all groups lie within `margin` of each other; best_over: a key over which each
    group's best mean counts."""

    kind: Literal["within"]
    where: Where = {}
    margin: float
    best_over: str = ""


class Bound(_Claim):
    """The mean is above (or below) a number; every seed, where each is said."""

    kind: Literal["bound"]
    where: Where
    above: float | None = None
    below: float | None = None


class Inside(_Claim):
    """The best mean along a key is at neither end."""

    kind: Literal["inside"]
    along: str
    where: Where = {}


AnyClaim = Annotated[
    Monotone | Factor | Higher | Within | Bound | Inside, Field(discriminator="kind")
]


def judged(claim: AnyClaim, groups: Sequence[Group]) -> Verdict:
    """Whether it was seen. ConfigError if it is about groups or values that are not there."""
    seen, told = JUDGES[type(claim)](claim, groups)
    return Verdict(claim.text, seen, told)


def picked(groups: Sequence[Group], where: Where) -> list[Group]:
    """All groups with these keys."""
    found = [g for g in groups if all(g.keys.get(k) == v for k, v in where.items())]
    if not found:
        raise ConfigError(f"a claim is about {where}, and no group is that")
    return found


def one(groups: Sequence[Group], where: Where) -> Group:
    """The only group with these keys."""
    found = picked(groups, where)
    if len(found) > 1:
        raise ConfigError(f"a claim is about {where}, which are {len(found)} groups; say which")
    return found[0]


def scale(name: str) -> float:
    """100 for what is told in percent."""
    return 100.0 if name.startswith(PERCENT) else 1.0


def along(claim: Monotone | Inside, groups: Sequence[Group]) -> list[Group]:
    """The groups in the order of a key."""
    return sorted(picked(groups, claim.where), key=lambda g: g.keys[claim.along])


def _monotone(claim: Monotone, groups: Sequence[Group]) -> tuple[bool, str]:
    means = [g.mean(claim.value) for g in along(claim, groups)]
    sign = 1 if claim.direction == "rises" else -1
    seen = all(sign * (b - a) > 0 for a, b in zip(means, means[1:], strict=False))
    return seen, " → ".join(f"{m:.4g}" for m in means)


def _factor(claim: Factor, groups: Sequence[Group]) -> tuple[bool, str]:
    base = one(groups, claim.base)
    tried = []
    for group in picked(groups, claim.where):
        if group is base or group.mean(claim.value) <= 0:
            continue
        factor = base.mean(claim.value) / group.mean(claim.value)
        tried.append((factor, base.mean("accuracy") - group.mean("accuracy"), group.label))
    affordable = [t for t in tried if t[1] <= claim.most]
    if not affordable:
        return False, f"no group loses at most {claim.most:g} points"
    factor, lost, label = max(affordable)
    return factor >= claim.factor, f"{factor:.2f} x lower at {lost:+.2f} points lost ({label})"


def _higher(claim: Higher, groups: Sequence[Group]) -> tuple[bool, str]:
    first, second = (one(groups, w).of(claim.value) for w in (claim.first, claim.second))
    middle, low, high = paired_interval(first, second)
    return low > claim.margin, f"{middle:+.3g} ({low:+.3g} .. {high:+.3g})"


def _within(claim: Within, groups: Sequence[Group]) -> tuple[bool, str]:
    best: dict[Any, float] = {}
    for group in picked(groups, claim.where):
        kept = tuple((k, str(v)) for k, v in group.keys.items() if k != claim.best_over)
        best[kept] = max(best.get(kept, float("-inf")), group.mean(claim.value))
    spread = max(best.values()) - min(best.values())
    return spread <= claim.margin, f"{len(best)} means within {spread:.3g}"


def _bound(claim: Bound, groups: Sequence[Group]) -> tuple[bool, str]:
    low, high = claim.above, claim.below
    seen, told = True, []
    for group in picked(groups, claim.where):
        values = group.of(claim.value)
        middle, start, end = mean_interval(values)
        seen &= (low is None or middle > low) and (high is None or middle < high)
        told.append(f"{group.label}: {middle:.4g} ({start:.4g} .. {end:.4g})")
    return seen, "; ".join(told)


def _inside(claim: Inside, groups: Sequence[Group]) -> tuple[bool, str]:
    line = along(claim, groups)
    means = [g.mean(claim.value) for g in line]
    best = means.index(max(means))
    told = f"best {means[best]:.4g} at {claim.along}={line[best].keys[claim.along]}"
    ends = f"ends {means[0]:.4g} and {means[-1]:.4g}"
    return 0 < best < len(means) - 1, f"{told}, {ends}"


JUDGES: dict[type[Section], Callable[[Any, Sequence[Group]], tuple[bool, str]]] = {
    Monotone: _monotone,
    Factor: _factor,
    Higher: _higher,
    Within: _within,
    Bound: _bound,
    Inside: _inside,
}
