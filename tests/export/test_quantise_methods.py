"""Each way to choose scales does what its name says, on weights where the ways differ."""

from typing import Any

import numpy as np
import pytest

from spikeport.core.arrays import frozen
from spikeport.core.chip_nodes import ChipSynapse
from spikeport.core.errors import QuantisationError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Conv, Input, Linear, Neuron, Node, Output
from spikeport.export.quantise import Options, Quantise, Quantised
from spikeport.export.quantise.scale import HEADROOM, MOST_UNEQUAL, STEPS

SHAPE = (4, 5, 5)


def weights(unequal: bool = False) -> Any:
    """A bell, and one outlier of thrice its end; or channels of unlike size."""
    random = np.random.default_rng(3)
    weight = random.normal(0.03, 0.2, (6, 4, 3, 3))
    if unequal:
        return weight * np.array([1, 0.5, 0.25, 0.125, 0.5, 1]).reshape(-1, 1, 1, 1)
    weight[2, 1, 0, 0] = 3 * np.abs(weight).max()
    return weight


def made(kind: str, options: Options, weight: Any = None, bias: Any = None) -> Quantised:
    """One population behind a convolution, or behind the dense layer of its middle pixel."""
    weight = weights() if weight is None else weight
    shape: tuple[int, ...] = SHAPE
    synapse: Node = Conv(weight, bias)
    if kind == "dense":
        shape, synapse = (36,), Linear(weight.reshape(6, 36), bias)
    size = synapse.output_shape(shape)
    nodes: dict[str, Node] = {
        "in": Input(shape, "spikes"),
        "w": synapse,
        "lif": Neuron(size, frozen(0.9), frozen(1.0)),
        "out": Output(size),
    }
    edges = (("in", "w"), ("w", "lif"), ("lif", "out"))
    x = (np.random.default_rng(4).random((12, 16, *shape)) < 0.3).astype(float)
    return Quantise({"in": x}, options).apply(Network(nodes, edges, Meaning(dt=1e-3)))


def units(found: Quantised) -> tuple[Any, Any]:
    """(weights as the chip has them, in real units; the same as a share of the range)."""
    node = found.network.nodes["w"]
    assert isinstance(node, ChipSynapse) and isinstance(node.synapse, Conv | Linear)
    weight = node.synapse.weight.reshape(6, 4, 3, 3)
    scale = np.asarray(node.scale).reshape(-1, 1, 1, 1)
    return weight * 2.0**node.weight_exp / scale, np.abs(weight) / 254


def wrong(found: Quantised, weight: Any = None) -> float:
    return float(((units(found)[0] - (weights() if weight is None else weight)) ** 2).sum())


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_max_clips_no_weight_and_percentile_so_many(kind: str) -> None:
    assert made(kind, Options("max")).chosen["lif"].clipped_weights == 0
    clipped = made(kind, Options("percentile", percentile=90)).chosen["lif"].clipped_weights
    most = round(0.1 * weights().size)  # an exponent, a power of two, may clip fewer
    assert 0 < clipped <= most and (kind == "dense" or clipped > 0.8 * most)


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("bits", [3, 4, 8])
def test_mse_errs_least(kind: str, bits: int) -> None:
    others = (Options("max", bits), Options("percentile", bits, percentile=99))
    least = wrong(made(kind, Options("mse", bits)))
    found = [wrong(made(kind, other)) for other in others]
    assert least <= min(found) * (1 + 1e-9)
    assert bits == 8 or least < 0.8 * found[0], "the outlier is worth clipping"


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_spikes_flips_fewer(kind: str, bits: int) -> None:
    """Among what it tries is the scale of `max`."""
    best, plain = (made(kind, Options(m, bits)).chosen["lif"] for m in ("spikes", "max"))
    assert best.flipped <= plain.flipped
    if kind == "conv" and bits < 8:
        assert best.flipped < plain.flipped
        assert np.isclose(float(best.scale / plain.scale), STEPS, rtol=1e-9).any()


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_equalised_channels_use_their_range(kind: str) -> None:
    weight = weights(unequal=True)
    plain, equal = (made(kind, Options("max", equalise=e), weight) for e in (False, True))
    used = units(equal)[1].max(axis=(1, 2, 3))
    assert units(plain)[1].max(axis=(1, 2, 3)).min() < 0.2 and used.min() > 0.49 * used.max()
    assert wrong(equal, weight) < 0.5 * wrong(plain, weight)
    scale = np.asarray(equal.chosen["lif"].scale)
    assert 4 < scale.max() / scale.min() <= MOST_UNEQUAL


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_corrected_biases_take_the_mean_error_away(kind: str) -> None:
    """What a channel hears on average, in integers and in real numbers."""
    for bits in (3, 8):
        options = (Options("max", bits, correct_bias=correct) for correct in (False, True))
        missed = [mean_error(made(kind, each)) for each in options]
        assert np.abs(missed[1]).max() < max(0.1 * np.abs(missed[0]).max(), 1e-3)


def mean_error(found: Quantised) -> Any:
    """Of sums and biases, in real units, one a channel."""
    layer, neuron = found.layers["lif"], found.chosen["lif"].neuron
    chip = found.network.nodes["w"]
    assert isinstance(chip, ChipSynapse)
    heard = layer.heard["w"].reshape(-1, *layer.heard["w"].shape[2:])
    bias = np.broadcast_to((neuron.bias_mant << neuron.bias_exp) / 64, neuron.shape)
    units = (chip.total(frozen(heard)) + bias) / float(neuron.scale)
    error = units.reshape(-1, *neuron.shape) - layer.sums("w").reshape(-1, *neuron.shape)
    return error.mean(axis=(0, *range(2, error.ndim)))


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_what_biases_and_currents_may_do_is_bounded(kind: str) -> None:
    """A drift that is allowed is kept to; one that no scale keeps to is refused."""
    bias = np.full(6, 1 / 3)
    for most in (0.05, 0.002):
        chosen = made(kind, Options(max_drift=most), bias=bias).chosen["lif"]
        assert 0 < chosen.drift <= most and chosen.largest_drive <= 1 / HEADROOM
    with pytest.raises(QuantisationError, match="needs 35 bits"):
        made(kind, Options(max_drift=1e-9), bias=bias)
    if kind == "conv":  # a dense layer's exponent leaves it finer scales
        with pytest.raises(QuantisationError, match=r"0\.001 of the threshold, over 0\.0001"):
            made(kind, Options(max_drift=1e-4), bias=bias)
