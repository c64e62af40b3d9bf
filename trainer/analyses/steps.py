"""Accuracy step by step (TET, A.5).

so far    the decision of the readout on the outputs of the first t steps: with readout mean,
          the class with the highest mean of the first t outputs
own       the class with the highest output at step t alone: the increment of the membrane
          potential in TET's table 4

The variance is the unbiased one over the steps beyond those of training only: this is what gives
the 3.81, 4.04, 1.41 and 0.08 that TET prints, which does not say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, variance

import numpy as np
from torch import nn

from ...core.errors import DataError
from ..data import DataSet
from ..evaluate import evaluating
from ..readouts import MEAN_T, logits
from .batches import heard


@dataclass(frozen=True)
class PerStep:
    """Accuracies, 0 to 1, at t = 1 ... T, over `samples` samples. trained: T of training."""

    so_far: tuple[float, ...]
    own: tuple[float, ...]
    samples: int
    trained: int

    @property
    def total(self) -> float:
        """Accuracy with all steps."""
        return self.so_far[-1]

    @property
    def mean_own(self) -> float:
        """Mean over the steps of `own`: what TET's A.4 holds against the total."""
        return mean(self.own)

    def variance(self, which: str = "own") -> float | None:
        """Of 'own' or 'so_far', in percentage points squared, as TET gives it; None where there
        are fewer than two steps beyond training."""
        beyond = getattr(self, which)[self.trained :]
        return variance([100 * a for a in beyond]) if len(beyond) > 1 else None


def per_step(
    model: nn.Module,
    data: DataSet,
    split: str,
    steps: int,
    *,
    trained: int | None = None,
    samples: int | None = None,
) -> PerStep:
    """Run a split for `steps` steps in eval mode and decide after each. trained: the number of
    steps of training; None: as many as are run. samples: the first so many; None: all.

    Errors where the data or a norm do not go so far; see `batches.heard`.
    """
    readout = getattr(model, "readout", MEAN_T)
    right = np.zeros((2, steps), np.int64)
    total = 0
    with evaluating(model):
        for x, y in heard(model, data, split, steps, samples):
            outputs = model(x)
            for t in range(steps):
                sums = logits(outputs[: t + 1], readout), outputs[t]
                for row, values in enumerate(sums):
                    right[row, t] += int((values.argmax(1).cpu().numpy() == y).sum())
            total += len(y)
    so_far, own = (tuple(float(n) for n in row / total) for row in right)
    return PerStep(so_far, own, total, steps if trained is None else trained)


def correlation(runs: Sequence[PerStep]) -> float:
    """Pearson's, of the mean accuracy of single steps with the total accuracy, over several
    trainings (TET A.4). DataError where there is none."""
    if len(runs) < 2:
        raise DataError(f"a correlation takes two trainings or more, there are {len(runs)}")
    pairs = np.array([(run.mean_own, run.total) for run in runs])
    if (pairs.std(axis=0) == 0).any():
        raise DataError("all trainings have the same accuracy, so that there is no correlation")
    return float(np.corrcoef(pairs.T)[0, 1])
