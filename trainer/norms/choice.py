"""The norms that settings can name: where each goes in a block, and what export does with it.

A block is [before] synapse [after] neurons [behind]; weight norm is in the synapse.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ...core import settings as config
from ..methods import Answer
from .batch import BatchNorm1d, BatchNorm2d, TdBatchNorm1d, TdBatchNorm2d
from .mean import MeanOnlyBatchNorm
from .neunorm import NeuNorm
from .psp import PspBatchNorm, PspLayerNorm
from .step import BNTT

Made = Callable[[config.Net, tuple[int, ...]], nn.Module]  # for samples [C, *space]


@dataclass(frozen=True)
class Norm:
    """before, after, behind: what makes the layer there; weight: whether the synapse has
    weight norm."""

    deployed: Answer
    before: Made | None = None
    after: Made | None = None
    behind: Made | None = None
    weight: bool = False


def _bn(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return BatchNorm1d(shape[0]) if len(shape) == 1 else BatchNorm2d(shape[0])


def _tdbn(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    kind = TdBatchNorm1d if len(shape) == 1 else TdBatchNorm2d
    return kind(shape[0], settings.neuron.threshold)


def _mean(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return MeanOnlyBatchNorm(shape[0])


def _bntt(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return BNTT(settings.norm_steps, shape[0])


def _tau_s(settings: config.Net) -> float | None:
    """Of the potential whose filter is in the neurons; None: they have none."""
    return settings.neuron.tau_s if isinstance(settings.neuron, config.Srm) else None


def _psp_bn(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return PspBatchNorm(shape[0], settings.norm_lambda, tau_s=_tau_s(settings))


def _psp_ln(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return PspLayerNorm(settings.norm_lambda, "window", _tau_s(settings))


def _causal(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return PspLayerNorm(settings.norm_lambda, "causal", _tau_s(settings))


def _calibrated(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return PspLayerNorm(settings.norm_lambda, "calibrated", _tau_s(settings))


def _neunorm(settings: config.Net, shape: tuple[int, ...]) -> nn.Module:
    return NeuNorm(shape, settings.norm_keep)


FOLDS = Answer("exact", "folds into the synapse before it: W g, b = beta + (b - mu) g")
SCALES = Answer("exact", "folds into the input axis of the synapse behind it")
MOVES = "calibrate it with trainer.approximate, which says what that costs"

NORMS: dict[str, Norm] = {
    "none": Norm(Answer("exact", "nothing to do")),
    "bn": Norm(FOLDS, after=_bn),
    "tdbn": Norm(Answer("exact", f"{FOLDS.how}, g with alpha V_th"), after=_tdbn),
    "bntt": Norm(
        Answer(
            "exact",
            "a threshold, leak and bias for every step of the neurons behind it, for the T of "
            f"training; engines but reference refuse that: {MOVES}, or train with bn",
        ),
        after=_bntt,
    ),
    "wn": Norm(Answer("exact", "is the synapse's weight"), weight=True),
    "mobn": Norm(Answer("exact", f"{FOLDS.how}, g = gamma"), after=_mean),
    "wn-mobn": Norm(
        Answer("exact", "is the synapse's weight, then folds as mobn"), after=_mean, weight=True
    ),
    "psp-bn": Norm(SCALES, before=_psp_bn),
    "psp-ln": Norm(Answer("refused", f"needs the whole window; {MOVES}"), before=_psp_ln),
    "psp-ln-causal": Norm(
        Answer("refused", f"changes with every sample and step; {MOVES}"), before=_causal
    ),
    "psp-ln-calibrated": Norm(SCALES, before=_calibrated),
    "neunorm": Norm(
        Answer("exact", "a leaky integrator per pixel; engines without graded values refuse it"),
        behind=_neunorm,
    ),
}
