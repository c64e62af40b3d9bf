"""SLAYER's losses (Shrestha & Orchard 2018, as in its library) on output spikes [T, B, C].

    spike time    E = 1/2 sum_t (eps * (s - d))(t)^2           d: desired spikes
    spike count   E = 1/2 sum_t e(t)^2,  e = (count - wanted) / steps inside the region,
                                         eps * s outside of it

eps(t) = t / tau exp(1 - t / tau), a step being 1; sums run over the batch too. The count's error
is a constant to the gradient, which then goes back through eps: a spike is blamed for what it
does to the filtered train, not for one more in a count.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...core.errors import ConfigError


def kernel(tau: float, steps: int, cut: float = 0.0) -> Tensor:
    """eps(0 ... steps - 1) in float64. cut: past the peak, taps smaller than this are zero
    (0.01 in SLAYER's library, 77 taps for tau = 10)."""
    if not 0 < tau < float("inf"):
        raise ConfigError(f"tau of a spike loss is {tau}; give a finite number above 0")
    t = torch.arange(steps, dtype=torch.float64)
    taps: Tensor = t / tau * torch.exp(1 - t / tau)
    gone = ((t > tau) & (taps < cut)).cumsum(0) > 0
    return taps * ~gone


def filtered(signal: Tensor, tau: float, cut: float = 0.0) -> Tensor:
    """eps * signal along time, [T, ...] -> [T, ...]."""
    steps = len(signal)
    lag = torch.arange(steps)[:, None] - torch.arange(steps)
    taps = kernel(tau, steps, cut)[lag.clamp(min=0)] * (lag >= 0)
    out: Tensor = torch.tensordot(taps.to(signal), signal, dims=1)
    return out


def spike_time(spikes: Tensor, desired: Tensor, tau: float, cut: float = 0.0) -> Tensor:
    """Van Rossum-like distance between output and desired spikes, both [T, B, C]."""
    return 0.5 * filtered(spikes - desired, tau, cut).square().sum()


def spike_count(
    spikes: Tensor,
    labels: Tensor,
    true: float = 60.0,
    false: float = 10.0,
    tau: float = 10.0,
    region: tuple[int, int] | None = None,
    cut: float = 0.0,
) -> Tensor:
    """Distance of each class's number of spikes in steps [start, stop) (None: all) from `true`
    for the right class and `false` for the others; labels [B]."""
    start, stop = region or (0, len(spikes))
    if not 0 <= start < stop <= len(spikes):
        raise ConfigError(f"spikes are counted in steps {start} to {stop} of {len(spikes)}")
    inside = torch.zeros(len(spikes), 1, 1, dtype=spikes.dtype, device=spikes.device)
    inside[start:stop] = 1
    fixed = spikes.detach()
    wanted = torch.full_like(fixed[0], false).scatter_(1, labels[:, None], true)
    error = (fixed[start:stop].sum(0) - wanted) / (stop - start)
    return 0.5 * (filtered(spikes - inside * fixed, tau, cut) + inside * error).square().sum()


def even_trains(
    labels: Tensor, classes: int, steps: int, rates: Sequence[float], like: Tensor
) -> Tensor:
    """Desired spikes [T, B, C] at even distances: rates = (of the right class, of the others)
    in spikes per step, at most 1; the first one after a whole interval."""
    true, false = rates
    each = torch.full((len(labels), classes), false, dtype=torch.float64, device=labels.device)
    each.scatter_(1, labels[:, None], true)
    t = torch.arange(steps + 1, device=labels.device)[:, None, None]
    due = torch.floor(t * each + 1e-9)  # 10 x 0.1 is 1
    return (due[1:] - due[:-1]).to(like)
