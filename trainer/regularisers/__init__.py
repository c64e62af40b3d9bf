"""What is added to the loss: for spikes, for silence, for weights."""

from .activity import counts, lower, penalty, total_spikes, upper
from .choice import REGULARISERS, listening, listens, regularised
from .weights import l2, weight_sum

__all__ = [
    "REGULARISERS",
    "counts",
    "l2",
    "listening",
    "listens",
    "lower",
    "penalty",
    "regularised",
    "total_spikes",
    "upper",
    "weight_sum",
]
