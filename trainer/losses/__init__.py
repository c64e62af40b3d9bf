"""What is minimised: outputs [T, B, C] and labels [B] -> one number."""

from .choice import LOSSES, total
from .cross_entropy import first_spike, max_over_time, mse, sdt, sum_over_time, tet
from .slayer import even_trains, filtered, kernel, spike_count, spike_time

__all__ = [
    "LOSSES",
    "even_trains",
    "filtered",
    "first_spike",
    "kernel",
    "max_over_time",
    "mse",
    "sdt",
    "spike_count",
    "spike_time",
    "sum_over_time",
    "tet",
    "total",
]
