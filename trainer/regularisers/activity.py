"""What is paid for spikes, layer by layer. Spikes are [T, B, *shape], 0 or 1; zeta is a neuron's
number of spikes in a sample, M the neurons of the layer.

    penalty   1/2 mean S^order            order 2 and 1 have one value, half the spike rate; at
                                          order 2 only neurons that fired get a gradient
                                          (thesis eq. 3.1)
    upper     [mean_i zeta_i - bound]_+^power       per sample: the population
    lower     1/M sum_i [bound - zeta_i]_+^2        per sample: every neuron
    total     sum S + mean_i (sum_bt S_i)^2         over the batch, as in the SpyTorch tutorial

upper and lower (Zenke & Vogels 2021) are means over the batch, and all are added to the loss.
"""

from torch import Tensor


def penalty(spikes: Tensor, order: int = 2) -> Tensor:
    """Half the mean of S or S^2."""
    return 0.5 * (spikes if order == 1 else spikes.square()).mean()


def counts(spikes: Tensor) -> Tensor:
    """zeta [B, M]."""
    return spikes.sum(0).flatten(1)


def upper(spikes: Tensor, bound: float, power: int = 1) -> Tensor:
    """More spikes a neuron than `bound` in the mean over the population."""
    over = (counts(spikes).mean(1) - bound).relu()
    return (over if power == 1 else over.square()).mean()


def lower(spikes: Tensor, bound: float) -> Tensor:
    """Neurons with fewer spikes than `bound`."""
    return (bound - counts(spikes)).relu().square().mean()


def total_spikes(spikes: Tensor) -> Tensor:
    """The number of spikes, and the mean square of each neuron's over the batch."""
    return spikes.sum() + counts(spikes).sum(0).square().mean()
