"""What is said of a trained cell beside its accuracy: flat numbers by name.

rates       rate, rate_layers, spikes (a sample, all hidden layers), rate/LAYER
steps       so_far/t, own/t for t = 1 ..., own_variance, so_far_variance (beyond training)
losses      loss_sdt, loss_tet
sharpness   rise of the loss at a filter-normalised radius
"""

from collections.abc import Iterator

import torch

from ..analyses import per_step, rates, sharpness
from ..analyses.batches import heard
from ..checkpoint import Trained
from ..data import DataSet
from ..evaluate import evaluating
from ..losses import sdt, tet
from .plan import Measure

SPLIT = "test"


def measured(trained: Trained, data: DataSet, measure: Measure) -> dict[str, float]:
    """All that is asked for."""
    return dict(_all(trained, data, measure))


def _all(trained: Trained, data: DataSet, measure: Measure) -> Iterator[tuple[str, float]]:
    samples = measure.samples or None
    steps = trained.config.data.steps
    if measure.rates:
        found = rates(trained.model, data, SPLIT, steps, samples=samples)
        yield from (("rate", found.pooled), ("rate_layers", found.mean_of_layers))
        yield "spikes", sum(found.spikes.values())
        yield from ((f"rate/{name}", rate) for name, rate in found.rate.items())
    if measure.steps:
        yield from _steps(trained, data, measure.steps, samples)
    if measure.losses:
        yield from _losses(trained, data, steps, samples)
    if measure.sharpness:
        found_at = sharpness(
            trained.model, data, SPLIT, steps, radius=measure.sharpness, samples=samples
        )
        yield "sharpness", found_at.mean_rise


def _steps(
    trained: Trained, data: DataSet, most: int, samples: int | None
) -> Iterator[tuple[str, float]]:
    steps = trained.config.data.steps
    found = per_step(trained.model, data, SPLIT, most, trained=steps, samples=samples)
    for which in ("so_far", "own"):
        yield from ((f"{which}/{t}", a) for t, a in enumerate(getattr(found, which), 1))
        if (spread := found.variance(which)) is not None:
            yield f"{which}_variance", spread


@torch.no_grad()
def _losses(
    trained: Trained, data: DataSet, steps: int, samples: int | None
) -> Iterator[tuple[str, float]]:
    total = {"loss_sdt": 0.0, "loss_tet": 0.0}
    count = 0
    with evaluating(trained.model):
        for x, y in heard(trained.model, data, SPLIT, steps, samples):
            outputs, labels = trained.model(x), torch.from_numpy(y)
            for name, loss in zip(total, (sdt, tet), strict=True):
                total[name] += float(loss(outputs, labels)) * len(y)
            count += len(y)
    yield from ((name, value / count) for name, value in total.items())
