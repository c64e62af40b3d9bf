"""The trainer's own norms -> nodes, or a refusal with its reason."""

import numpy as np
from torch import Tensor

from ...core import nodes
from ...core.arrays import Array, Shape, frozen
from ...core.errors import UnsupportedNode
from ...core.nodes import Node
from ...trainer.norms import (
    MeanOnlyBatchNorm,
    NeuNorm,
    PspBatchNorm,
    PspLayerNorm,
)


def numbers(values: Tensor) -> Array:
    """A tensor as float64."""
    return frozen(values.detach().double().cpu().numpy())


def mean_only(layer: MeanOnlyBatchNorm, shape: Shape) -> Node:
    """A batch norm whose variance is 1."""
    bias, mean = numbers(layer.bias), numbers(layer.running_mean)
    ones = np.ones_like(mean)
    weight = ones if layer.weight is None else numbers(layer.weight)
    return nodes.BatchNorm(frozen(weight), bias, mean, frozen(ones), 0.0)


def psp_batch_norm(layer: PspBatchNorm, shape: Shape) -> Node:
    """A batch norm without a mean; eps is lambda."""
    return pure_scale(numbers(layer.running), layer.lam)


def psp_layer_norm(layer: PspLayerNorm, shape: Shape) -> Node:
    """Only with a constant E."""
    if layer.over != "calibrated":
        why = {
            "window": "divides by a number taken over all steps, so that step 0 waits for the last",
            "causal": "divides by a number that changes with every sample and step",
        }[layer.over]
        raise UnsupportedNode(
            f"is a PSP-LN over {layer.over!r}: it {why}, which no fixed weight does; calibrate it "
            "with spikeport.trainer.approximate, which says what that costs, or train with "
            "model.norm=psp-bn"
        )
    return pure_scale(np.full(shape[0], float(layer.running.detach().double())), layer.lam)


def pure_scale(found: Array, lam: float) -> Node:
    """x / sqrt(E + lam), E per channel."""
    ones, zeros = np.ones_like(found), np.zeros_like(found)
    return nodes.BatchNorm(frozen(ones), frozen(zeros), frozen(zeros), frozen(found), lam)


def neunorm(layer: NeuNorm, shape: Shape) -> tuple[Node, ...]:
    """The nodes that hear the spikes one after the other and whose output is added to them: the
    sum over maps, a leaky integrator per pixel, and the learned inhibition."""
    weight = numbers(layer.weight)
    space, maps = shape[1:], shape[0]
    pixels = nodes.Neuron(
        shape=(1, *space), decay_v=frozen(layer.k), gain_v=frozen(layer.share), threshold=None
    )
    if not space:
        return nodes.Linear(frozen(np.ones((1, maps)))), pixels, nodes.Linear(-weight[:, None])
    one = (1,) * len(space)
    gather = nodes.Conv(frozen(np.ones((1, maps, *one))))
    spread = nodes.Conv(frozen(np.ones((maps, 1, *one))))
    return gather, pixels, spread, nodes.Scale(frozen(-weight))
