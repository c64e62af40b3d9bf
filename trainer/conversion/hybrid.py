"""Hybrid training (Rathi et al. 2020): an ANN's weights and balanced thresholds, then spikes.

The converted net is only where training starts. Its thresholds are 0.7 of what balancing finds, so
that few steps are enough, and its neurons pass gradients on by the time since they fired (STDB).
DIET-SNN (Rathi & Roy 2021) learns leak and threshold of each layer too: learn=('decay',
'threshold') with a decay below 1.
"""

from collections.abc import Collection

import torch
from torch import nn

from ...core.errors import ConfigError
from ..data import DataSet
from ..evaluate import as_tensor
from ..losses import sdt
from ..machine import seed_all
from ..models import SpikingNet
from ..neurons import Neuron, SoftResetLIF
from ..spiking import heard_in_time
from ..surrogate_forms import stdb
from .chain import chain
from .convert import SAMPLES, net, still
from .scales import from_spikes

SCALING = 0.7


def hybrid(
    ann: nn.Module,
    data: DataSet,
    *,
    steps: int = 100,
    scaling: float = SCALING,
    decay: float = 1.0,
    test_first: bool = True,
    learn: Collection[str] = (),
    samples: int = SAMPLES,
) -> SpikingNet:
    """The net that hybrid training starts from; see `convert` for what an ANN may be.

    steps: that thresholds are balanced for. scaling: of the thresholds. decay: of the membranes.
    test_first: whether a membrane is tested before it is updated, as in the source; engines that
    lose nothing but the threshold at a spike take the other order. learn: see `Neuron`.
    """
    if not 0 < scaling <= 1:
        raise ConfigError(f"scaling is {scaling}; give a number above 0, up to 1")

    def neuron(threshold: float) -> Neuron:
        fires = {"threshold": threshold, "surrogate": stdb(threshold=threshold)}
        return SoftResetLIF(decay, test_first, learn=learn, **fires)  # type: ignore[arg-type]

    links = chain(ann)
    x = still(ann, data, samples)
    found = from_spikes(links, x, steps, lambda some, scales: net(some, scales, neuron), scaling)
    return net(links, found, neuron)


def tune(
    model: nn.Module,
    data: DataSet,
    steps: int,
    *,
    epochs: int = 5,
    batch: int = 32,
    lr: float = 1e-4,
    seed: int = 0,
) -> list[float]:
    """Train a converted net, or one in tandem, where it stands: Adam on the cross entropy of the
    mean output (hybrid training's own settings). Returns the mean loss of each epoch; the
    model is left in eval mode. What settings can say is for `trainer.loop.fit`."""
    if min(steps, epochs, batch) < 1 or not lr > 0:
        raise ConfigError(
            f"steps is {steps}, epochs {epochs}, batch {batch} and lr {lr}; all must be above 0"
        )
    heard_in_time(model, steps)
    seed_all(seed)
    weight = next(model.parameters())
    optimiser = torch.optim.Adam(model.parameters(), lr)
    losses = []
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for x, y in data.batches("train", steps, batch, shuffle=(seed, epoch)):
            labels = torch.from_numpy(y).to(weight.device)
            loss = sdt(model(as_tensor(x, weight.device, weight.dtype)), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(y)
        losses.append(total / len(data.indices("train")))
    model.eval()
    return losses
