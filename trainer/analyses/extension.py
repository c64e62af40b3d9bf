"""Accuracy at more steps than were trained (TET fig. 8), without training again."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import variance

from torch import nn

from ...core.errors import ConfigError
from ..data import DataSet
from .batches import checked
from .steps import per_step


@dataclass(frozen=True)
class Extension:
    """steps -> accuracy with all of them, 0 to 1. trained: T of training."""

    accuracy: dict[int, float]
    samples: int
    trained: int

    def variance(self) -> float | None:
        """Unbiased, over the lengths beyond training, in percentage points squared; None where
        there are fewer than two."""
        beyond = [100 * a for steps, a in self.accuracy.items() if steps > self.trained]
        return variance(beyond) if len(beyond) > 1 else None


def lengths(trained: int, most: int) -> tuple[int, ...]:
    """Steps to try: those of training, doubled up to `most`, and `most`."""
    if most < trained:
        raise ConfigError(f"training had {trained} steps, an extension to {most} is none")
    found = [trained]
    while found[-1] * 2 < most:
        found.append(found[-1] * 2)
    return tuple(dict.fromkeys([*found, most]))


def extension(
    model: nn.Module,
    data: DataSet,
    split: str,
    steps: Iterable[int],
    *,
    trained: int,
    samples: int | None = None,
) -> Extension:
    """The accuracy of a split at each number of steps, run anew each time, because an encoder, or
    a norm that looks at the whole window, may do otherwise in a longer one. NetworkError naming
    a norm with weights for each step, before anything is run."""
    steps = sorted(set(steps))
    if not steps:
        raise ConfigError("an extension takes at least one number of steps")
    for one in steps:
        checked(model, one)
    runs = [per_step(model, data, split, one, samples=samples) for one in steps]
    found = {len(run.own): run.total for run in runs}
    return Extension(found, runs[0].samples, trained)
