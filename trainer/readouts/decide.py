"""From outputs per step [T, B, C] to logits [B, C].

mean_t        mean over steps. Of a linear layer it equals the layer applied to the mean
              spikes, so spike counts are enough to decide (TET sec. 3.1)
sum_t         sum over steps
max_t         each class at its own highest step (Zenke & Vogels 2021)
count         spikes of each class's neuron
first_spike   minus the step of its first spike; T if there is none
"""

from collections.abc import Callable

from torch import Tensor

from ...core.errors import NetworkError

MEAN_T = "mean_t"


def first_spike_time(spikes: Tensor) -> Tensor:
    """Step [B, C] of the first spike in [T, B, C]; T if there is none. It is the number of steps
    up to which nothing has fired, sum over t of prod over k <= t of (1 - s[k]), so that spikes
    with a surrogate derivative give it a gradient."""
    return (1 - spikes).cumprod(0).sum(0)


READ: dict[str, Callable[[Tensor], Tensor]] = {
    MEAN_T: lambda outputs: outputs.mean(0),
    "sum_t": lambda outputs: outputs.sum(0),
    "max_t": lambda outputs: outputs.amax(0),
    "count": lambda outputs: outputs.sum(0),
    "first_spike": lambda outputs: -first_spike_time(outputs),
}


def logits(outputs: Tensor, readout: str = MEAN_T) -> Tensor:
    """Logits [B, C] of outputs [T, B, C]."""
    if readout not in READ:
        raise NetworkError(f"readout {readout!r} is unknown; there are {', '.join(READ)}")
    return READ[readout](outputs)
