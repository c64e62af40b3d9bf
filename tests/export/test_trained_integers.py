"""What is trained is what is written: a graph trained in integers gives, forward, the bits of the
integer network that export writes of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.backends import registry
from spikeport.backends.conformance import BUILDERS, make
from spikeport.core import interpreter, store
from spikeport.core.arrays import frozen
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse
from spikeport.core.errors import NetworkError, QuantisationError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Linear, Neuron, Node, SumPool2d
from spikeport.core.schedule import compile
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.export.passes.lower_pooling import MergePools
from spikeport.export.quantise import Options, Quantise
from spikeport.export.quantise.again import at_scales
from spikeport.export.recipes import TRAINABLE
from spikeport.trainer.checkpoint import trained_digest
from spikeport.trainer.evaluate import run_recorded, run_single
from spikeport.trainer.graph import GraphNet, Start
from spikeport.trainer.graph.maps import ChipMap
from spikeport.trainer.record import recording

from .graphs import NETS, SHAPE, images, moved, real_network, started

CASES: list[tuple[str, Options]] = [
    *((name, Options(method="max")) for name in NETS),
    ("dense", Options(method="mse", bits=4)),
    ("conv", Options(bits=5)),
    ("conv", Options(method="max", equalise=True)),
    ("current", Options()),
]


REFUSED = {  # the chip has none of it, or training on it is not known
    "reset_to_value",
    "fires_at_threshold",
    "loop_nothing_at_t0",
    "two_synapse_loop",
    "two_synapse_loop_delayed",
    "delay",
    "delay_per_neuron",
    "several_ports",
    "listed_back_edges",
    "one_population_two_outputs",
    "scale_of_numbers",
    "scale_of_spikes",
    "threshold",
    "integrator",
    "leaky_readout",
    "leaky_readout_bias",
    "leaky_then_threshold",
    "cuba_readout",
    "reset_to_value_per_neuron",
    "delay_of_sums",
    "subtract_after_decay",
    "conv_loop_nothing_at_t0",
    "residual_stream",  # shared synapses whose readers have input gains of their own
    *(name for name in BUILDERS if name.startswith("pipelined")),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nets this small are slower on more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def same(wanted: Network, got: Network) -> None:
    """Every node's numbers, with ==."""
    assert wanted.edges == got.edges
    for name, node in wanted.nodes.items():
        assert node.kind == got.nodes[name].kind, name
        for key, values in described(node).items():
            assert np.array_equal(values, described(got.nodes[name])[key]), (name, key)


def described(node: Node) -> dict[str, Any]:
    told = node.described()
    if isinstance(node, ChipSynapse):
        told |= {f"synapse.{k}": v for k, v in told.pop("synapse").described().items()}
    return {k: "none" if v is None else v for k, v in told.items()}


@pytest.mark.parametrize("name, options", CASES, ids=str)
def test_the_forward_pass_is_the_integer_network(name: str, options: Options) -> None:
    net = moved(GraphNet(started(name, options)))
    written = lower(net, SHAPE)
    x = images(seed=3)
    wanted = interpreter.run(compile(written), {written.inputs[0]: x}, ("all",))
    for run in (run_recorded, run_single):  # whatever type the module is cast to
        outputs, spikes = run(net, x)
        assert set(spikes) == set(wanted.spikes)
        for layer, fired in spikes.items():
            assert np.array_equal(fired, wanted.spikes[layer]), layer
            assert 0.01 < fired.mean() < 0.9, layer
        assert np.allclose(outputs, next(iter(wanted.outputs.values())), rtol=1e-12, atol=1e-12)
    with torch.no_grad(), recording(net.eval(), membrane=True) as traces:  # the eager law
        net(torch.from_numpy(x))
    for layer, trace in traces.items():
        assert np.array_equal(trace.spikes.numpy(), wanted.spikes[layer])
        assert trace.v is not None
        assert np.array_equal(trace.v.numpy(), wanted.v[layer]), layer
    with registry.get("loihi").open(written) as session:
        engine = session.run({written.inputs[0]: x}, ("all",))
    for layer, fired in engine.spikes.items():
        assert np.array_equal(fired, wanted.spikes[layer])


@pytest.mark.parametrize("name", ["conv", "dense_subtract", "current", "recurrent"])
def test_in_real_numbers_it_is_the_network(name: str) -> None:
    net = moved(GraphNet(Start(real_network(name))))
    written = lower(net, SHAPE)
    assert written.number_format == "real"
    x = images(seed=3)
    wanted = interpreter.run(compile(written), {written.inputs[0]: x}, ("all",))
    _, spikes = run_recorded(net, x)
    for layer, fired in spikes.items():
        assert np.array_equal(fired, wanted.spikes[layer]), layer
        assert fired.any()


@pytest.mark.parametrize("name", NETS)
def test_the_file_holds_the_same_bits(name: str, tmp_path: Path) -> None:
    written = lower(moved(GraphNet(started(name))), SHAPE, 1e-4, steps=3)
    store.write(written, tmp_path / "net.nir")
    again = store.read(tmp_path / "net.nir")
    same(written, again)
    assert store.digest(again) == store.digest(written)
    assert (again.meaning.dt, again.meaning.steps) == (1e-4, 3)
    assert again.history[-1] == "trained_in_integers"
    x = {written.inputs[0]: images(seed=4)}
    ours = interpreter.run(compile(written), x, ("all",))
    theirs = interpreter.run(compile(again), x, ("all",))
    for layer, fired in ours.spikes.items():
        assert np.array_equal(fired, theirs.spikes[layer])
        assert np.array_equal(ours.v[layer], theirs.v[layer])


@pytest.mark.parametrize("name", ["conv", "dense", "current", "conv_max"])
def test_untrained_it_is_the_quantised_network(name: str) -> None:
    """Training begins at what `quantise` would have written, pools merged, to the bit."""
    start = started(name)
    wanted = run_passes(start.real, (MergePools(),)).network
    inputs = {wanted.inputs[0]: images()}
    quantised = Quantise(inputs, Options(method="max")).apply(wanted).network
    same(quantised, at_scales(wanted, start.chip))  # type: ignore[arg-type]


def test_pools_are_merged_in_the_file_and_shared_in_training() -> None:
    net = moved(GraphNet(started("conv")))
    written = lower(net, SHAPE)
    assert not any(isinstance(getattr(n, "synapse", n), SumPool2d) for n in written.nodes.values())
    kernel = written.nodes["4"]
    assert isinstance(kernel, ChipSynapse) and isinstance(kernel.synapse, Conv)
    assert kernel.synapse.weight.shape == (6, 4, 6, 6)
    assert dict(net.named_parameters())["4.weight"].shape == (6, 4, 3, 3)
    assert written.meaning.trained_digest == trained_digest(net)


@pytest.mark.parametrize("name", BUILDERS)
def test_every_kind_of_graph_gives_the_integers_or_is_refused(name: str) -> None:
    case = make(name)
    try:
        real = run_passes(case.network, TRAINABLE).network
        chip = Quantise(case.inputs).apply(real).network
        net = GraphNet(Start(real, chip))
    except (QuantisationError, UnsupportedNode) as error:
        assert name in REFUSED, str(error)
        return
    assert name not in REFUSED
    written = at_scales(net.network(), chip)
    wanted = interpreter.run(compile(written), case.inputs, ("all",))
    _, spikes = run_recorded(net, next(iter(case.inputs.values())))
    for layer, fired in spikes.items():
        assert np.array_equal(fired, wanted.spikes[layer]), layer


# --- gradients ----------------------------------------------------------------------------------


def on_the_grid() -> Start:
    """A network whose numbers the integers hold exactly: weights that are multiples of 2 / 64,
    decays of a half, and a scale of 64 for both."""
    random = np.random.default_rng(5)

    def weight(out: int, into: int) -> Any:
        return frozen(random.integers(-30, 40, (out, into)) * 2 / 64)

    real = real_network("dense")
    nodes = dict(real.nodes)
    for name, size in (("1", (14, 36)), ("3", (14, 14)), ("5", (5, 14))):
        bias = frozen(random.integers(-8, 9, size[0]) / 64)
        nodes[name] = Linear(weight(*size), bias)
    for name in ("2", "4"):
        nodes[name] = Neuron((14,), frozen(0.5), frozen(1.0))
    nodes["input"] = replace(nodes["input"], content="spikes")  # type: ignore[call-arg]
    real = real.changed(nodes=nodes)
    chip = dict(nodes)
    for name in ("1", "3"):
        layer = nodes[name]
        assert isinstance(layer, Linear)
        chip[name] = ChipSynapse(Linear(frozen(layer.weight * 64)), scale=frozen(64.0))
    for name in ("2", "4"):
        du, dv, vth, mant = (np.asarray(n) for n in (4095, 2048, 64, 0))
        chip[name] = ChipNeuron((14,), du, dv, vth, mant, scale=frozen(64.0))
    return Start(real, real.changed(nodes=chip))


@pytest.mark.parametrize("detached", [True, False])
def test_where_nothing_is_rounded_gradients_are_those_of_the_real_numbers(detached: bool) -> None:
    start = on_the_grid()
    whole = GraphNet(start, detach_reset=detached).double()
    real = GraphNet(Start(start.real), detach_reset=detached).double()
    x = torch.from_numpy((np.random.default_rng(6).random((4, 7, *SHAPE)) < 0.3).astype(float))
    answers = []
    for net in (whole, real):
        outputs = net(x)
        torch.autograd.backward(outputs.square().sum())
        answers.append((outputs.detach(), {n: p.grad for n, p in net.named_parameters()}))
    assert torch.equal(answers[0][0], answers[1][0])
    for name, grad in answers[1][1].items():
        assert grad is not None and grad.abs().max() > 0, name
        torch.testing.assert_close(answers[0][1][name], grad, rtol=1e-4, atol=1e-5)  # float32 sums


@pytest.mark.parametrize("name", NETS)
def test_gradients_reach_every_weight(name: str) -> None:
    net = GraphNet(started(name)).train()
    torch.autograd.backward(net(torch.from_numpy(images()).float()).square().mean())
    for key, values in net.named_parameters():
        assert values.grad is not None and torch.isfinite(values.grad).all(), key
        assert values.grad.abs().max() > 0, key


def test_training_lowers_the_loss_on_a_coarse_grid() -> None:
    net = moved(GraphNet(started("conv", Options(method="max", bits=3))), 0.3)
    before = kept(lower(net, SHAPE), "4")
    x = torch.from_numpy(images()).float()
    labels = torch.arange(x.shape[1]) % 5
    descent = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(net(x).mean(0), labels)
        descent.zero_grad()
        torch.autograd.backward(loss)
        descent.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.2
    after = kept(lower(net.eval(), SHAPE), "4")
    assert (before % 64 == 0).all() and (after % 64 == 0).all() and (before != after).any()


def kept(network: Network, name: str) -> Any:
    node = network.nodes[name]
    assert isinstance(node, ChipSynapse) and isinstance(node.synapse, Linear | Conv)
    return node.synapse.weight


# --- what cannot be -----------------------------------------------------------------------------


def changed(network: Network, name: str, **fields: Any) -> Network:
    return network.changed(nodes={**network.nodes, name: replace(network.nodes[name], **fields)})


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"compare": ">="}, "node '2': fires at >= its threshold"),
        ({"threshold": frozen(np.linspace(0.5, 1.5, 14))}, "node '2': threshold differs"),
        ({"threshold": None}, "node '2': a LI is not fine-tuned"),
    ],
)
def test_neurons_that_cannot_be_trained_are_named(fields: Any, words: str) -> None:
    with pytest.raises(UnsupportedNode, match=words):
        GraphNet(Start(changed(real_network("dense"), "2", **fields)))


@pytest.mark.parametrize(
    "case, words",
    [
        ("max_pool", "node '.*': a MaxPool2d is not fine-tuned"),
        ("two_synapse_loop", "lies in a loop with .*; only loops from a population"),
        ("loop_nothing_at_t0", "has a bias that its loop does not carry"),
        ("several_ports", "one Input and one Output"),
        ("delay", "node '.*': a Delay is not fine-tuned"),
        ("pipelined_chain", "timing is 'pipelined'"),
    ],
)
def test_graphs_that_cannot_be_trained_are_named(case: str, words: str) -> None:
    with pytest.raises(UnsupportedNode, match=words):
        GraphNet(Start(make(case).network))


def test_nodes_may_be_called_anything() -> None:
    network = real_network("conv")
    others = dict(zip(network.nodes, ("train", "forward", "a.b", "a", "a.b.c"), strict=False))
    nodes = {others.get(n, n): node for n, node in network.nodes.items()}
    edges = tuple((others.get(a, a), others.get(b, b)) for a, b in network.edges)
    named = network.changed(nodes=nodes, edges=edges)
    outputs, spikes = run_recorded(GraphNet(Start(named)), images())
    plain, wanted = run_recorded(GraphNet(Start(network)), images())
    assert np.array_equal(outputs, plain)
    for layer, fired in wanted.items():
        assert np.array_equal(fired, spikes[others.get(layer, layer)])


def test_a_graph_of_another_network_is_refused() -> None:
    with pytest.raises(NetworkError, match="has no node"):
        Start(real_network("conv"), started("dense").chip)
    with pytest.raises(QuantisationError, match="node '6' was not quantised before.*nothing"):
        at_scales(real_network("conv"), started("dense").chip)  # type: ignore[arg-type]


def test_a_bias_that_outgrows_its_registers_is_named() -> None:
    net = GraphNet(started("dense"))
    dict(net.named_parameters())["3.bias"].data[0] = 1e4
    with pytest.raises(QuantisationError, match="node '4': training made a bias of .*lower"):
        net(torch.from_numpy(images()))


def test_no_convolution_by_a_transform() -> None:
    """NNPACK's Winograd, which torch takes where oneDNN is off, sums no whole numbers."""
    random = np.random.default_rng(0)
    weight = random.integers(-127, 128, (16, 16, 3, 3)) * 2
    node = Conv(weight.astype(np.float64), None, padding=(1, 1))
    synapse = ChipMap(node, ChipSynapse(node), trained=False, heard=256)
    assert synapse.kind == torch.float32
    x = random.integers(0, 257, (1, 32, 16, 14, 14)).astype(np.float32)
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        got = synapse(torch.from_numpy(x)).numpy()
    assert np.array_equal(got[0], ChipSynapse(node).total(frozen(x[0])))
