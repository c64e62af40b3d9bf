"""What a model says: its last layers, and how their outputs per step become logits."""

from .choice import READOUTS
from .decide import MEAN_T, first_spike_time, logits
from .layers import LeakyReadout, Vote

__all__ = ["MEAN_T", "READOUTS", "LeakyReadout", "Vote", "first_spike_time", "logits"]
