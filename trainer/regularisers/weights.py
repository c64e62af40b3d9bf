"""What is paid for weights, [out, in, *kernel]."""

from torch import Tensor


def l2(weight: Tensor) -> Tensor:
    """Sum of squares (thesis eq. 2.1); the gradient is 2 w, twice what weight_decay adds."""
    return weight.square().sum()


def weight_sum(weight: Tensor, target: float = 1.0) -> Tensor:
    """mean_j [target - sum_i w_ij]_+: what neuron j lacks to be able to fire when all its inputs
    did (single-spike networks, Mostafa 2017)."""
    return (target - weight.flatten(1).sum(1)).relu().mean()
