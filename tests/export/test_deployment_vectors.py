"""What deployment does to a net, held against numbers that were worked out independently."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.core import interpreter
from spikeport.core.arrays import frozen
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import AvgPool2d, Conv, Input, Linear, Neuron, Output
from spikeport.core.schedule import compile
from spikeport.export.passes.base import run_passes
from spikeport.export.passes.lower_pooling import MergePools
from spikeport.verify.prepare import prepare


def test_an_average_pool_and_a_convolution_are_one_convolution(vector: Any) -> None:
    inputs, expected = vector("avgpool_then_conv_is_one_conv")
    weight = frozen(np.array(inputs["W"])[None, None])
    nodes = {
        "in": Input((1, 6, 6)),
        "pool": AvgPool2d((2, 2), (2, 2)),
        "conv": Conv(weight, None, (1, 1), (1, 1)),
        "out": Output((1, 3, 3)),
    }
    edges = (("in", "pool"), ("pool", "conv"), ("conv", "out"))
    network = Network(nodes, edges)
    merged = run_passes(network, (MergePools(),)).network
    conv = merged.nodes["conv"]
    assert isinstance(conv, Conv) and "pool" not in merged.nodes
    assert (conv.stride, conv.padding) == ((2, 2), (2, 2))
    assert np.abs(conv.weight[0, 0] - np.array(expected["W_combined"])).max() < 1e-9
    x = {"in": np.array(inputs["x"])[None, None, None]}
    for each in (network, merged):
        y = interpreter.run(compile(each), x).outputs["out"][0, 0, 0]
        assert np.abs(y - np.array(expected["y"])).max() < 1e-9


def biased(inputs: dict[str, Any]) -> Network:
    """One synapse into one neuron with a folded bias."""
    bias, threshold = frozen(inputs["b"]), frozen(inputs["v_th"])
    nodes = {
        "in": Input((1,), "spikes"),
        "w": Linear(frozen([[inputs["w"]]])),
        "n": Neuron((1,), frozen(inputs["tau"]), threshold, bias=bias),
        "out": Output((1,)),
    }
    return Network(nodes, (("in", "w"), ("w", "n"), ("n", "out")), Meaning(dt=1e-3))


def test_a_bias_is_gated_where_a_chip_is_late(vector: Any) -> None:
    inputs, expected = vector("pipeline_skew_and_bias")
    network = biased(inputs)
    s = np.array(inputs["s1"], float).reshape(-1, 1, 1)
    trained = interpreter.run(compile(network), {"in": s}, ("n",)).spikes["n"].ravel()
    assert trained.tolist() == expected["spikes_training"]
    gated = expected["spikes_hw_bias_gated"]
    assert gated == [0.0] * inputs["hop_delay"] + trained.tolist()
    # a chip's own timing, in which nothing is shifted back: the bias is on from step 0
    late = network.changed(meaning=replace(network.meaning, timing="pipelined"))
    more = np.concatenate([s, np.zeros((inputs["hop_delay"], 1, 1))])
    always = interpreter.run(compile(late), {"in": more}, ("n",)).spikes["n"].ravel()
    assert always.tolist() == expected["spikes_hw_bias_always_on"]


@pytest.mark.parametrize("name", ["lava-float", "norse", "reference"])
def test_an_engine_gives_the_trained_spikes(name: str, vector: Any) -> None:
    inputs, expected = vector("pipeline_skew_and_bias")
    engine = registry.get(name)
    network = prepare(biased(inputs), engine.capabilities()).network
    s = np.array(inputs["s1"], float).reshape(-1, 1, 1)
    with engine.open(network) as session:
        got = session.run({"in": s}, ("n",)).spikes["n"].ravel()
    assert got.tolist() == expected["spikes_training"]
