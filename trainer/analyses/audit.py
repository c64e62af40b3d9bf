"""Claims that a paper prints, held against the numbers that it prints."""

from collections.abc import Iterable, Sequence
from statistics import pvariance, variance


def variances(accuracies: Sequence[float], trained: int) -> dict[str, float]:
    """Every reading of 'the variance' of accuracies at steps 1 ... T: over all steps, over all
    but the first, and over those beyond the `trained` ones; biased and unbiased."""
    readings = {
        "all": accuracies,
        f"t2_to_{len(accuracies)}": accuracies[1:],
        "beyond_train_T": accuracies[trained:],
    }
    kinds = {"biased": pvariance, "unbiased": variance}
    return {
        f"var_{which}_{kind}": float(of(values))
        for which, values in readings.items()
        for kind, of in kinds.items()
    }


def matching(claim: float, values: dict[str, float], digits: int = 2) -> list[str]:
    """Which values a printed number may be, cut or rounded to its digits."""
    unit = 10.0**-digits
    return [name for name, value in values.items() if abs(value - claim) < unit]


def training_cost(stages: Iterable[tuple[int, int]]) -> int:
    """Steps that a sample is simulated for in training: the sum of T * epochs over stages (T,
    epochs), of which time inheritance (TET sec. 4.3) saves some."""
    return sum(steps * epochs for steps, epochs in stages)


def gains(accuracy: float, others: dict[str, float]) -> dict[str, float]:
    """How many points an accuracy is above each of the others."""
    return {f"vs_{name}": accuracy - other for name, other in others.items()}
