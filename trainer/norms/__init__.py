"""Norms: what they do in training, and which of them a deployed network can have.

    batch     BN over time, tdBN                     after a synapse     fold into its weight
    mean      mean-only BN                           after a synapse     folds into its weight
    step      BNTT                                   after a synapse     numbers for every step
    weight    weight norm, data-dependent start      in a synapse        is its weight
    psp       PSP-BN, PSP-LN                         before a synapse    the constant ones fold
    neunorm   NeuNorm                                behind the neurons  more neurons

`choice.NORMS` lists what a settings file can name, with the answer for deployment.
"""

from .batch import EPS, MOMENTUM, BatchNorm1d, BatchNorm2d, TdBatchNorm1d, TdBatchNorm2d
from .choice import NORMS, Norm
from .mean import MeanOnlyBatchNorm
from .neunorm import NeuNorm
from .psp import PspBatchNorm, PspLayerNorm, effective_threshold
from .step import BNTT, PerStep, schedule
from .weight import data_dependent_start, start_of, weight_normed

__all__ = [
    "BNTT",
    "EPS",
    "MOMENTUM",
    "NORMS",
    "BatchNorm1d",
    "BatchNorm2d",
    "MeanOnlyBatchNorm",
    "NeuNorm",
    "Norm",
    "PerStep",
    "PspBatchNorm",
    "PspLayerNorm",
    "TdBatchNorm1d",
    "TdBatchNorm2d",
    "data_dependent_start",
    "effective_threshold",
    "schedule",
    "start_of",
    "weight_normed",
]
