"""From outputs per step [T, B, C] to logits [B, C].

A model's last layer is linear, without leak or threshold, and gives one output per step; its
`readout` names how they become logits. With `mean_t` (TET sec. 3.1) the mean output equals the
layer applied to the mean spikes, so spike counts are enough to decide.
"""

from torch import Tensor

from ..core.errors import NetworkError

MEAN_T = "mean_t"


def logits(outputs: Tensor, readout: str = MEAN_T) -> Tensor:
    """Logits [B, C] of outputs [T, B, C]."""
    if readout != MEAN_T:
        raise NetworkError(f"readout {readout!r} is unknown; '{MEAN_T}' is the one there is")
    return outputs.mean(0)
