"""The losses that settings can name, and the one number that is minimised.

total   (1 - mse_weight) L + mse_weight MSE      (TET eq. 13)
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ...core.settings import SpikeTargets
from ..methods import Answer
from .cross_entropy import first_spike, max_over_time, mse, sdt, sum_over_time, tet
from .slayer import even_trains, spike_count, spike_time

Value = Callable[[Tensor, Tensor, SpikeTargets], Tensor]


@dataclass(frozen=True)
class Loss:
    """spikes: whether outputs must be spikes."""

    value: Value
    deployed: Answer
    spikes: bool = False


def _spike_time(outputs: Tensor, labels: Tensor, targets: SpikeTargets) -> Tensor:
    steps, batch, classes = outputs.shape
    rates = targets.true, targets.false
    desired = even_trains(labels, classes, steps, rates, like=outputs)
    return spike_time(outputs, desired, targets.tau) / batch


def _spike_count(outputs: Tensor, labels: Tensor, targets: SpikeTargets) -> Tensor:
    steps, batch, _ = outputs.shape
    true, false = targets.true * steps, targets.false * steps
    return spike_count(outputs, labels, true, false, targets.tau) / batch


GONE = Answer("training only", "leaves the outputs as they are; decide with readout {}")


def _gone(readout: str) -> Answer:
    return Answer(GONE.outcome, GONE.how.format(readout))


LOSSES: dict[str, Loss] = {
    "sdt": Loss(lambda o, y, _: sdt(o, y), _gone("mean")),
    "tet": Loss(lambda o, y, _: tet(o, y), _gone("mean")),
    "max": Loss(lambda o, y, _: max_over_time(o, y), _gone("max, li-max")),
    "sum": Loss(lambda o, y, _: sum_over_time(o, y), _gone("sum, li-sum")),
    "first-spike": Loss(lambda o, y, _: first_spike(o, y), _gone("first"), spikes=True),
    "spike-time": Loss(_spike_time, _gone("count"), spikes=True),
    "spike-count": Loss(_spike_count, _gone("count"), spikes=True),
}


def total(
    outputs: Tensor,
    labels: Tensor,
    loss: str = "tet",
    mse_weight: float = 0.0,
    mse_target: float = 1.0,
    targets: SpikeTargets | None = None,
) -> Tensor:
    """The loss with its regulariser. The spike losses are means over the batch here."""
    value = LOSSES[loss].value(outputs, labels, targets or SpikeTargets())
    if not mse_weight:
        return value
    return (1 - mse_weight) * value + mse_weight * mse(outputs, mse_target)
