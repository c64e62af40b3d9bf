"""Which way down, and how fast: the optimiser and its learning rate."""

import math

import torch
from torch import nn

from ..core.settings import Train
from .layers import Whole
from .optimisers import SMORMS3, AdaBelief


def optimiser(model: nn.Module, train: Train) -> torch.optim.Optimizer:
    """The optimiser of a model's parameters. Weight decay pulls at weights only: not at biases,
    norms or the numbers of neurons, which have no business at zero.

    It is added to the gradient (sgd, adam, smorms3, adabelief-0.0.5: g + weight_decay w) or
    decoupled from it (adamw, adabelief: w shrinks by lr weight_decay). The thesis' loss term
    lambda |w|^2 is train.regularisers.l2, whose gradient is 2 lambda w.
    """
    weights = decayed(model)
    ours = {id(p) for p in weights}
    others = [p for p in model.parameters() if id(p) not in ours]
    groups = [
        {"params": weights, "weight_decay": train.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if train.optimiser == "sgd":
        return torch.optim.SGD(groups, train.lr, train.momentum)
    if train.optimiser == "adam":
        return torch.optim.Adam(groups, train.lr)
    if train.optimiser == "smorms3":
        return SMORMS3(groups, train.lr)
    if train.optimiser == "adabelief":
        return AdaBelief(groups, train.lr)
    if train.optimiser == "adabelief-0.0.5":
        return AdaBelief(groups, train.lr, eps=1e-8, decoupled=False, rectify=False)
    return torch.optim.AdamW(groups, train.lr)


def decayed(model: nn.Module) -> list[nn.Parameter]:
    """The weights of synapses: not those of norms, nor the sizes g of weight norm."""
    norms = (m for m in model.modules() if isinstance(m, Whole))
    kept = {id(p) for m in norms for p in m.parameters(recurse=False)}
    return [
        p
        for name, p in model.named_parameters()
        if p.ndim > 1
        and id(p) not in kept
        and not name.endswith("parametrizations.weight.original0")
    ]


def learning_rate(train: Train, epoch: float, per_epoch: int) -> float:
    """The rate at a point in training, counted in epochs; per_epoch: steps in one.

    cosine: lr / 2 (1 + cos(pi e / epochs)), falling with every step to 0, after a rise over
    `warmup` epochs.
    """
    if epoch < train.warmup:
        return train.lr * min(1.0, (epoch + 1 / per_epoch) / train.warmup)
    if train.schedule == "constant":
        return train.lr
    left = train.epochs - train.warmup
    return train.lr * 0.5 * (1 + math.cos(math.pi * (epoch - train.warmup) / left))
