"""Passes keep every spike, refuse by name what they cannot keep, and say what they did."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeport.backends.conformance import make
from spikeport.core import interpreter
from spikeport.core.arrays import frozen
from spikeport.core.errors import PassError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import (
    AvgPool2d,
    BatchNorm,
    Conv,
    Flatten,
    Input,
    Linear,
    MaxPool2d,
    Neuron,
    Node,
    Output,
    SumPool2d,
)
from spikeport.core.schedule import compile
from spikeport.export.passes.base import Pass, run_passes
from spikeport.export.passes.fold_gain import FoldGain
from spikeport.export.passes.fold_norms import FoldNorms
from spikeport.export.passes.identity_synapses import IdentitySynapses
from spikeport.export.passes.lower_pooling import (
    AvgToSum,
    MaxPoolToSpikes,
    MergePools,
    PoolsToConv,
)
from spikeport.export.passes.move_bias import BiasToSynapse, QuietBackEdges
from spikeport.export.passes.square_convs import ExpandGroups, SquareKernels

from ..core.nets import networks, signal

ALL: tuple[Pass, ...] = (
    FoldNorms(),
    MaxPoolToSpikes(),
    MergePools(),
    AvgToSum(),
    PoolsToConv(),
    ExpandGroups(),
    SquareKernels(),
    FoldGain("one", "one"),
    FoldGain("leak", scale=True),
    IdentitySynapses(),
    IdentitySynapses(analogue=True, unless=FoldGain("leak")),
    BiasToSynapse(),
    QuietBackEdges(),
)


def same(before: Network, after: Network, inputs: dict[str, Any]) -> None:
    """Every spike with ==, every output to 1e-9."""
    first = interpreter.run(compile(before), inputs, ("all",))
    second = interpreter.run(compile(after), inputs, ("all",))
    for name, spikes in first.spikes.items():
        assert (spikes == second.spikes[name]).all(), name
    for name, values in first.outputs.items():
        np.testing.assert_allclose(second.outputs[name], values, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks(), chosen=st.lists(st.sampled_from(ALL), min_size=1, max_size=5))
def test_any_passes_in_any_order_keep_every_spike(network: Network, chosen: list[Pass]) -> None:
    lowered = run_passes(network, chosen)
    same(network, lowered.network, signal(network))


def graph(*named: tuple[str, Node]) -> Network:
    names = [name for name, _ in named]
    return Network(dict(named), tuple(zip(names, names[1:], strict=False)), Meaning(dt=1e-3))


def norm(channels: int) -> BatchNorm:
    random = np.random.default_rng(5)
    mean, bias = random.normal(size=channels), random.normal(size=channels)
    weight, var = random.normal(1, 0.5, channels), random.uniform(1e-4, 2, channels)
    return BatchNorm(frozen(weight), frozen(bias), frozen(mean), frozen(var), 1e-5)


def lif(*shape: int) -> Neuron:
    return Neuron(shape, frozen(0.5), frozen(0.4))


def test_norm_of_two_branches_folds_into_both() -> None:
    random = np.random.default_rng(0)
    nodes: dict[str, Node] = {
        "in": Input((4,)),
        "a": Linear(random.normal(size=(3, 4)), random.normal(size=3)),
        "b": Linear(random.normal(size=(3, 4))),
        "norm": norm(3),
        "lif": lif(3),
        "out": Output((3,)),
    }
    edges = [("in", "a"), ("in", "b"), ("a", "norm"), ("b", "norm")]
    network = Network(nodes, (*edges, ("norm", "lif"), ("lif", "out")))
    lowered = FoldNorms().apply(network)
    assert "norm" not in lowered.nodes
    same(network, lowered, signal(network))


def test_eps_is_not_left_out() -> None:
    """A variance below eps: leaving eps out would give gains of ten and not of one."""
    small = BatchNorm(frozen([1.0]), frozen([0.0]), frozen([0.0]), frozen([1e-7]), 1e-5)
    fc = Linear(frozen([[1.0]]))
    network = graph(("in", Input((1,))), ("fc", fc), ("n", small), ("out", Output((1,))))
    folded = FoldNorms().apply(network).nodes["fc"]
    assert isinstance(folded, Linear)
    np.testing.assert_allclose(folded.weight, 1 / np.sqrt(1.01e-5))


@pytest.mark.parametrize("before", [lif(3), None])
def test_norm_without_its_own_layer_is_refused(before: Node | None) -> None:
    nodes: list[tuple[str, Node]] = [("in", Input((3,)))]
    nodes += [("before", before)] if before else []
    network = graph(*nodes, ("norm", norm(3)), ("out", Output((3,))))
    with pytest.raises(PassError, match="norm 'norm' cannot be folded: it hears"):
        FoldNorms().apply(network)


def test_norm_behind_a_shared_layer_is_refused() -> None:
    nodes: dict[str, Node] = {"in": Input((3,)), "fc": Linear(np.eye(3)), "norm": norm(3)}
    nodes |= {"a": Output((3,)), "b": Output((3,))}
    network = Network(nodes, (("in", "fc"), ("fc", "norm"), ("norm", "a"), ("fc", "b")))
    with pytest.raises(PassError, match="goes nowhere else"):
        FoldNorms().apply(network)


@pytest.mark.parametrize(
    ("pool", "conv", "merges"),
    [
        (SumPool2d((2, 2), (2, 2)), {"padding": (1, 1)}, True),
        (AvgPool2d((2, 4), (2, 4)), {"stride": (2, 1)}, True),
        (AvgPool2d((3, 3), (3, 3)), {}, True),  # 3 does not divide 8; no padding
        (AvgPool2d((3, 3), (3, 3)), {"padding": (1, 1)}, False),
        (SumPool2d((2, 2), (1, 1)), {}, False),
        (SumPool2d((2, 2), (2, 2), (1, 1)), {}, False),
        (SumPool2d((2, 2), (2, 2)), {"dilation": (2, 2)}, False),
    ],
)
def test_pools_merge_where_that_is_exact(pool: Node, conv: Any, merges: bool) -> None:
    random = np.random.default_rng(1)
    layer = Conv(random.normal(size=(3, 2, 2, 2)), random.normal(size=3), **conv)
    shape = layer.output_shape(pool.output_shape((2, 8, 8)))
    network = graph(
        ("in", Input((2, 8, 8), "spikes")),
        ("one", lif(2, 8, 8)),
        ("pool", pool),
        ("conv", layer),
        ("two", lif(*shape)),
        ("out", Output(shape)),
    )
    lowered = MergePools().apply(network)
    assert ("pool" not in lowered.nodes) == merges
    assert (lowered is network) == (not merges)
    same(network, lowered, signal(network))


def test_pool_merges_into_dense_layers() -> None:
    random = np.random.default_rng(1)
    network = graph(
        ("in", Input((2, 5, 6), "spikes")),
        ("pool", AvgPool2d((2, 3), (2, 3))),
        ("flat", Flatten()),
        ("fc", Linear(random.normal(size=(3, 8)))),
        ("out", Output((3,))),
    )
    lowered = MergePools().apply(network)
    assert "pool" not in lowered.nodes
    same(network, lowered, signal(network))


@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
def test_max_pool_of_spikes_is_an_or(padding: tuple[int, int]) -> None:
    case = make("max_pool")
    pool = MaxPool2d((2, 2), (2, 2), padding)
    size = 5 if padding[0] else 4
    nodes = {n: x for n, x in case.network.nodes.items() if n in ("in", "conv1", "one")}
    network = Network(
        {**nodes, "pool": pool, "out": Output((3, size, size))},
        (("in", "conv1"), ("conv1", "one"), ("one", "pool"), ("pool", "out")),
    )
    lowered = MaxPoolToSpikes().apply(network)
    assert lowered.original("pool.or") is None
    assert lowered.nodes["pool.or"].kind == "IF"
    same(network, lowered, dict(case.inputs))


def test_max_pool_of_graded_values_is_refused() -> None:
    network = graph(
        ("in", Input((2, 4, 4))), ("pool", MaxPool2d((2, 2), (2, 2))), ("out", Output((2, 2, 2)))
    )
    with pytest.raises(PassError, match="'pool' hears in .Input., which is not one population"):
        MaxPoolToSpikes().apply(network)


def test_square_kernels() -> None:
    case = make("conv_rectangular")
    lowered = run_passes(case.network, (SquareKernels(),)).network
    conv = lowered.nodes["conv"]
    assert isinstance(conv, Conv)
    assert conv.kernel == (5, 5) and tuple(conv.padding) == (2, 0)
    same(case.network, lowered, dict(case.inputs))


def test_loop_biases_become_quiet() -> None:
    case = make("one_synapse_loop_bias")
    lowered = QuietBackEdges().apply(case.network)
    assert lowered.meaning.back_edge_at_t0 == "nothing"
    same(case.network, lowered, dict(case.inputs))


@dataclass(frozen=True)
class Breaks:
    """A pass that loses spikes."""

    name: str = "breaks"

    def apply(self, network: Network) -> Network:
        node = network.nodes["one"]
        assert isinstance(node, Neuron)
        louder = Neuron(node.shape, node.decay_v, frozen(1.3))
        return network.changed(nodes={**network.nodes, "one": louder})


def test_a_pass_that_moves_a_spike_is_caught() -> None:
    case = make("avg_pool")
    with pytest.raises(PassError, match=r"pass breaks \(after: merge_pools\): \d+ spikes of 'one'"):
        run_passes(case.network, (MergePools(), Breaks()))


def test_records_say_what_changed() -> None:
    lowered = run_passes(make("batch_norm").network, (FoldNorms(), MergePools()))
    (record,) = lowered.records  # merge_pools found nothing to do
    assert record.name == "fold_norms"
    assert record.changed == ("conv",) and record.removed == ("norm",)
    assert record.probe_spikes is not None and record.probe_spikes > 0
    assert lowered.network.history == ("fold_norms",)
