"""Where layers go, and what is said of those that find no room."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from spikeport.backends.conformance import make
from spikeport.core.arrays import frozen
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse
from spikeport.core.errors import ConfigError, QuantisationError, UnsupportedNode
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import AvgPool2d, Conv, Delay, Flatten, Input, Linear, Neuron, Output
from spikeport.export.passes.base import run_passes
from spikeport.export.quantise import Quantise
from spikeport.verify.emulated import chip_capabilities
from spikeport.verify.fit.chips import CORE, Chip, Limit, chips
from spikeport.verify.fit.facts import facts, verdict
from spikeport.verify.fit.layers import layers_of
from spikeport.verify.fit.place import Placed, Placer, shares
from spikeport.verify.fit.verdict import Fit, judge
from spikeport.verify.prepare import passes_for

from ..core.nets import networks

LOIHI1, LOIHI2 = chips()["loihi1"], chips()["loihi2"]


def chip(**core: int | None) -> Chip:
    """A Loihi 1 whose core has more or less of something."""
    limits = {name: Limit(value, "of this test") for name, value in core.items()}
    return replace(LOIHI1, core={**LOIHI1.core, **limits})


def net(nodes: dict[str, Any], *edges: tuple[str, str]) -> Network:
    """Nodes in a row, and further edges."""
    names = list(nodes)
    return Network(nodes, (*zip(names, names[1:], strict=False), *edges), Meaning(dt=1e-3))


def lif(*shape: int, **how: Any) -> Neuron:
    return Neuron(shape, frozen(0.5), frozen(1.0), **how)


def ones(*shape: int) -> Any:
    return frozen(np.ones(shape))


def dense(inputs: int, *sizes: int, **how: Any) -> Network:
    """Dense layers in a row, fed with spikes."""
    nodes: dict[str, Any] = {"in": Input((inputs,), "spikes")}
    for i, size in enumerate(sizes):
        nodes[f"fc{i}"] = Linear(ones(size, inputs))
        nodes[f"lif{i}"] = lif(size, **how)
        inputs = size
    return net(nodes | {"out": Output((inputs,))})


def placed(fit: Fit, name: str) -> Placed:
    found = next(x for x in fit.layers if x.layer.name == name)
    assert isinstance(found, Placed)
    return found


def lowered(network: Network) -> Network:
    return run_passes(network, passes_for(network, chip_capabilities())).network


# --- it fits ---------------------------------------------------------------------------------


def test_small_network_fits() -> None:
    fit = judge(dense(100, 200, 10), LOIHI1)
    assert fit.fits and fit.cores == 2 and fit.chips_needed == 1
    first, last = placed(fit, "lif0"), placed(fit, "lif1")
    assert {r: first.most(r) for r in CORE} == {
        "compartments": 200,
        "synapse_bits": 100 * 1856,  # of lists of 200 dense synapses
        "input_axons": 100,
        "output_axons": 200,
        "decay_profiles": 1,
        "thresholds": 1,
    }
    assert last.most("input_axons") == 200 and last.most("output_axons") == 0
    assert first.limiting == "compartments" and first.shares["compartments"] == 200 / 1024
    assert verdict(fit) == "fits 1 chip of Loihi 1: 2 of 128 cores"


def test_layer_is_cut_where_its_memory_ends() -> None:
    """4,096 bits an input: 2,048 inputs leave 512 bits each, which is 62 neurons."""
    fit = judge(dense(2048, 620), LOIHI1)
    only = placed(fit, "lif0")
    assert only.cut.count == 10 and only.cut.size == (62, 1, 1)
    assert only.most("synapse_bits") == 2048 * 512 == LOIHI1.core["synapse_bits"].value
    assert only.limiting == "synapse_bits"
    assert placed(judge(dense(2048, 621), LOIHI1), "lif0").cut.count == 11


def test_fewer_bits_take_fewer_cores() -> None:
    counts = [judge(dense(2048, 620), LOIHI1, bits=b).cores for b in (8, 7, 4, 1)]
    assert counts[0] == counts[1] > counts[2] > counts[3]


def test_output_axons_cut_the_layer_before() -> None:
    """Each of 300 neurons sends to the 14 cores behind it: 4,200 axons, of which 2,048 fit."""
    fit = judge(dense(20, 300, 5000), chip(output_axons=2048))
    assert placed(fit, "lif1").cut.count == 14
    first = placed(fit, "lif0")
    assert first.cut.count == 3 and first.most("output_axons") == 100 * 14
    assert first.limiting == "output_axons"


def test_population_that_hears_itself() -> None:
    """What it sends grows with the cores that it is cut into."""
    nodes = {
        "in": Input((10,), "spikes"),
        "fc": Linear(ones(60, 10)),
        "lif": lif(60),
        "out": Output((60,)),
        "again": Linear(ones(60, 60)),
    }
    edges = (("in", "fc"), ("fc", "lif"), ("lif", "out"), ("lif", "again"), ("again", "lif"))
    network = Network(nodes, edges, Meaning(dt=1e-3))
    fit = judge(network, chip(compartments=25))
    only = placed(fit, "lif")
    assert only.cut.count == 3
    assert only.most("input_axons") == 70 and only.most("output_axons") == 20 * 3
    lost = judge(network, chip(compartments=25, output_axons=20))
    (excess,) = lost.exceeded
    assert excess.resource == "output_axons" and excess.need > 20
    assert "however 'lif' is cut" in excess.what


def test_loop_of_two_populations_is_cut_until_nothing_moves() -> None:
    """b is cut before a, and again when it is known that it sends to 8 cores of a."""
    nodes: dict[str, Any] = {
        "in": Input((10,), "spikes"),
        "fc": Linear(ones(400, 10)),
        "a": lif(400),
        "ab": Linear(frozen(np.eye(400))),
        "b": lif(400),
        "ba": Linear(ones(400, 400)),
        "out": Output((400,)),
    }
    nodes["late"] = Delay(1)  # two synapses round the loop, two steps to cross them in
    edges = [("in", "fc"), ("fc", "a"), ("a", "ab"), ("ab", "b"), ("b", "out"), ("b", "ba")]
    edges += [("ba", "late"), ("late", "a")]
    network = Network(nodes, tuple(edges), Meaning(dt=1e-3))
    fit = judge(network, chip(compartments=50, output_axons=99))
    assert placed(fit, "a").cut.count == 8 and placed(fit, "a").most("output_axons") == 50
    assert placed(fit, "b").cut.count == 34 and placed(fit, "b").most("output_axons") == 12 * 8


def test_convolution_that_hears_itself() -> None:
    """Its shared axons go to its own cores, two slots each."""
    nodes = {
        "in": Input((4, 8, 8), "spikes"),
        "conv": Conv(ones(4, 4, 1, 1)),
        "lif": lif(4, 8, 8),
        "out": Output((4, 8, 8)),
        "again": Conv(ones(4, 4, 3, 3), padding=(1, 1)),
    }
    edges = (("in", "conv"), ("conv", "lif"), ("lif", "out"), ("lif", "again"), ("again", "lif"))
    network = Network(nodes, edges, Meaning(dt=1e-3))
    fit = judge(network, chip(compartments=128))
    only = placed(fit, "lif")
    assert only.shared and only.cut.size == (4, 8, 4)
    # of 32 pixels of a core, 24 reach their own core alone, 8 the other one too
    assert only.needs["output_axons"].ravel().tolist() == [2 * (24 + 2 * 8)] * 2
    assert axons_sent(fit) == axons_heard(fit) == 0
    layers = layers_of(network, 8)
    own = Placer(layers, LOIHI1).tried(layers[0], only.cut, False)
    again = [p.synapse for p in own.layer.projections].index("again")
    assert own.needs["output_axons"].sum() == own.each[again].axons.sum() > 0


def test_reset_by_subtraction_takes_two_compartments_of_loihi_1() -> None:
    network = dense(10, 1000, reset="subtract")
    two = placed(judge(network, LOIHI1), "lif0")
    assert two.cut.count == 2 and two.needs["compartments"].sum() == 2000
    one = placed(judge(network, LOIHI2), "lif0")
    assert one.cut.count == 1 and one.most("compartments") == 1000


def test_many_decays_and_thresholds_cut_a_layer() -> None:
    decays = frozen(np.repeat(np.linspace(0.1, 0.9, 40), 5))
    network = net(
        {
            "in": Input((4,), "spikes"),
            "fc": Linear(ones(200, 4)),
            "lif": Neuron((200,), decays, frozen(1.0)),
            "out": Output((200,)),
        }
    )
    only = placed(judge(network, LOIHI1), "lif")
    assert only.cut.count == 2 and only.most("decay_profiles") <= 32
    equal = Neuron((200,), frozen(np.linspace(0.5, 0.50001, 200)), frozen(1.0))
    same = judge(network.changed(nodes={**network.nodes, "lif": equal}), LOIHI1)
    assert placed(same, "lif").most("decay_profiles") == 1, "12-bit registers hold one number"


def skip(steps: int) -> Network:
    """The second population hears the first `steps` late, of which its synapse takes one."""
    nodes: dict[str, Any] = {
        "in": Input((8,), "spikes"),
        "fc0": Linear(ones(8, 8)),
        "first": lif(8),
        "late": Delay(steps),
        "fc1": Linear(ones(600, 8)),
        "last": lif(600),
        "out": Output((600,)),
    }
    return net(nodes)


def test_delays_take_bits_and_compartments() -> None:
    soon, late = (placed(judge(skip(n), LOIHI1), "last") for n in (7, 8))
    assert soon.layer.delay == 6 and soon.cut.count == 1 and soon.limits["compartments"] == 1024
    assert late.cut.count == 2 and late.limits["compartments"] == 512
    none = placed(judge(skip(1), LOIHI1), "last")
    assert none.most("synapse_bits") < soon.most("synapse_bits")


def test_delay_beyond_the_field() -> None:
    (excess,) = judge(skip(71), LOIHI1).exceeded
    assert (excess.resource, excess.need, excess.limit, excess.over) == ("delay", 70, 62, 8)
    assert "'first' -> 'fc1' -> 'last'" in excess.what and "skip" in excess.help


def test_skip_edges_wait_for_the_long_way() -> None:
    """The chip takes a step a synapse, so a skip over one layer waits one step."""
    nodes: dict[str, Any] = {
        "in": Input((8,), "spikes"),
        "fc0": Linear(ones(8, 8)),
        "a": lif(8),
        "fc1": Linear(ones(8, 8)),
        "b": lif(8),
        "fc2": Linear(ones(8, 8)),
        "c": lif(8),
        "out": Output((8,)),
        "short": Linear(ones(8, 8)),
    }
    edges = [("in", "fc0"), ("fc0", "a"), ("a", "fc1"), ("fc1", "b"), ("b", "fc2"), ("fc2", "c")]
    edges += [("c", "out"), ("a", "short"), ("short", "c")]
    fit = judge(Network(nodes, tuple(edges), Meaning(dt=1e-3)), LOIHI1)
    delays = {p.synapse: p.delay for x in fit.layers for p in x.layer.projections}
    assert delays == {"fc0": 0, "fc1": 0, "fc2": 0, "short": 1}


def test_what_no_limit_counts_is_noted() -> None:
    case = make("cuba_biases")
    real = lowered(case.network)
    for network in (real, Quantise(case.inputs).apply(real).network):
        notes = [note for x in judge(network, LOIHI1).layers for note in x.layer.notes]
        assert notes and all("a constant current" in note for note in notes)
    spikes = dense(6, 5, 4)
    real = spikes.changed(nodes={**spikes.nodes, "in": Input((6,), "analogue")})
    for network in (real, Quantise({"in": np.ones((3, 2, 6))}).apply(real).network):
        fit = judge(network, LOIHI1)
        assert [p.synapse for x in fit.layers for p in x.layer.projections] == ["fc1"]
        assert fit.layers[0].layer.notes == ("a current enters from 'fc0', on the host",)


# --- it does not -----------------------------------------------------------------------------


def test_too_many_inputs_of_one_neuron() -> None:
    fit = judge(dense(5000, 3), LOIHI1)
    (excess,) = fit.exceeded
    assert (excess.layer, excess.resource) == ("lif0", "input_axons")
    assert (excess.need, excess.limit, excess.over) == (5000, 4096, 904)
    assert excess.what == (
        "a neuron of 'lif0' alone takes 5,000 input axons (through 'in' -> 'fc0' -> 'lif0'); a "
        "core of Loihi 1 has 4,096: 904 too many (22.1 % over)"
    )
    assert "pool or stride more" in excess.help
    assert verdict(fit) == "does not fit 1 chip of Loihi 1"


def test_what_is_unknown_is_counted_and_not_judged() -> None:
    fit = judge(dense(5000, 3), LOIHI2)
    assert fit.fits and placed(fit, "lif0").most("input_axons") == 5000
    assert "input_axons" in fit.unjudged
    assert "exceeds no published limit" in verdict(fit) and "input axons" in verdict(fit)
    told = facts(fit)
    used = told["layers"][0]["resources"]["input_axons"]
    assert used["most"] == 5000 and used["limit"] is None and used["share"] is None
    assert told["limits"]["input_axons"]["value"] is None


def test_too_much_memory_for_one_neuron() -> None:
    """200,000 weights of 8 bits are more than 192 KB; of 7 bits they are not."""
    fit = judge(dense(200_000, 2), LOIHI2)
    (excess,) = fit.exceeded
    assert (excess.layer, excess.resource) == ("lif0", "synapse_bits")
    assert (excess.need, excess.limit, excess.over) == (1_600_000, 1_572_864, 27_136)
    assert "with 7 bits a weight it would fit" in excess.help
    assert judge(dense(200_000, 2), LOIHI2, bits=7).fits


def test_too_much_memory_for_all_chips() -> None:
    """11 cores where there are 8."""
    few = replace(LOIHI1, chip={**LOIHI1.chip, "cores": Limit(8, "of this test")})
    fit = judge(dense(2048, 621), few)
    (excess,) = fit.exceeded
    assert (excess.layer, excess.resource, excess.need, excess.limit) == (None, "cores", 11, 8)
    assert excess.over == 3 and "--chips 2" in excess.help
    assert "'lif0' (11 cores, limited by bits of synapse memory)" in excess.help
    assert judge(dense(2048, 621), few, chips=2).fits


def test_more_synapses_than_chips_hold() -> None:
    few = replace(LOIHI2, chip={**LOIHI2.chip, "synapses": Limit(1000, "of this test")})
    fit = judge(dense(100, 30), few)
    (excess,) = fit.exceeded
    assert (excess.resource, excess.need, excess.limit) == ("synapses", 3000, 1000)
    assert fit.chips_needed == 3 and judge(dense(100, 30), few, chips=3).fits


def test_all_that_is_in_the_way_is_said() -> None:
    fit = judge(dense(5000, 4200, 3), LOIHI1)
    assert [(e.layer, e.need) for e in fit.exceeded] == [("lif0", 5000), ("lif1", 4200)]
    assert facts(fit)["cores"]["all_layers_placed"] is False


def test_options_without_meaning() -> None:
    with pytest.raises(ConfigError, match="--bits 0"):
        judge(dense(4, 4), LOIHI1, bits=0)
    with pytest.raises(ConfigError, match="--chips 0"):
        judge(dense(4, 4), LOIHI1, chips=0)


def test_weights_wider_than_a_synapse() -> None:
    narrow = replace(LOIHI1, synapse={**LOIHI1.synapse, "weight_bits": Limit(4, "of this test")})
    with pytest.raises(ConfigError, match="--bits 8: a synapse of Loihi 1 has 4 bits"):
        judge(dense(4, 4), narrow)
    made = Quantise({"in": np.ones((3, 2, 4))}).apply(lowered(dense(4, 4))).network
    (excess,) = judge(made, narrow, bits=4).exceeded
    assert (excess.resource, excess.need, excess.over) == ("weight_bits", 8, 4)


# --- convolutions ----------------------------------------------------------------------------


def conv_net(size: int = 16, outputs: int = 32) -> Network:
    random = np.random.default_rng(0)
    first = Conv(frozen(random.normal(size=(8, 2, 3, 3))), padding=(1, 1))
    second = Conv(frozen(random.normal(size=(outputs, 8, 3, 3))), padding=(1, 1))
    last = outputs * size * size
    return net(
        {
            "in": Input((2, size, size), "spikes"),
            "conv0": first,
            "lif0": lif(8, size, size),
            "conv1": second,
            "lif1": lif(outputs, size, size),
            "flat": Flatten(),
            "fc": Linear(frozen(random.normal(size=(5, last)))),
            "out": Output((5,)),
        }
    )


def test_convolution_is_kept_in_the_way_that_takes_fewer_cores() -> None:
    """Shared, pixels are axons and the kernel is kept for each kind of pixel, zeros too. Where
    most of it is zeros, lists of each neuron's own synapses take less."""
    second = placed(judge(conv_net(), LOIHI1), "lif1")
    assert second.shared and second.cut.count == 8
    assert second.most("input_axons") <= 256, "an axon a pixel"
    each = np.zeros((64, 64, 3, 3))
    each[np.arange(64), np.arange(64)] = 1  # a channel hears one channel
    small = chip(synapse_bits=262_144)
    found = {}
    for name, weight in (("full", ones(64, 64, 3, 3)), ("sparse", frozen(each))):
        nodes = {"in": Input((64, 8, 8), "spikes"), "conv": Conv(weight, padding=(1, 1))}
        nodes |= {"lif": lif(64, 8, 8), "out": Output((64, 8, 8))}
        found[name] = placed(judge(net(nodes), small), "lif")
    assert found["full"].shared
    assert not found["sparse"].shared and found["sparse"].cut.count == 4
    assert found["sparse"].most("synapse_bits") == 1024 * 192  # 9 x (8 + 10) + 10 in three words


def test_readout_stays_on_the_host() -> None:
    assert [x.layer.name for x in judge(conv_net(), LOIHI1).layers] == ["lif0", "lif1"]


def test_flatten_before_the_neurons_changes_nothing() -> None:
    before = conv_net()
    nodes = dict(before.nodes) | {"early": Flatten(), "lif1": lif(32 * 256)}
    del nodes["flat"]
    edges = [e for e in before.edges if "flat" not in e and e != ("conv1", "lif1")]
    edges += [("conv1", "early"), ("early", "lif1"), ("lif1", "fc")]
    after = judge(Network(nodes, tuple(edges), Meaning(dt=1e-3)), LOIHI1)
    wanted = placed(judge(before, LOIHI1), "lif1")
    found = placed(after, "lif1")
    assert found.cut == wanted.cut
    assert all((found.needs[r] == wanted.needs[r]).all() for r in CORE)


def test_pool_without_neurons_has_no_place() -> None:
    nodes = {
        "in": Input((2, 9, 9), "spikes"),
        "conv0": Conv(ones(4, 2, 3, 3), padding=(1, 1)),
        "lif0": lif(4, 9, 9),
        "pool": AvgPool2d((3, 3), (2, 2)),
        "conv1": Conv(ones(4, 4, 3, 3)),
        "lif1": lif(4, 2, 2),
        "out": Output((4, 2, 2)),
    }
    with pytest.raises(UnsupportedNode, match="'pool'.*no neurons between.*has no place"):
        judge(lowered(net(nodes)), LOIHI1)
    nodes["pool"] = AvgPool2d((3, 3), (3, 3))
    nodes["conv1"] = Conv(ones(4, 4, 2, 2))
    assert judge(lowered(net(nodes)), LOIHI1).fits, "merged into the weights"


def test_what_cannot_lie_on_a_chip_is_named() -> None:
    with pytest.raises(UnsupportedNode, match="nothing in this network spikes"):
        judge(net({"in": Input((3,)), "fc": Linear(ones(3, 3)), "out": Output((3,))}), LOIHI1)
    silent = Neuron((4,), frozen(0.5))
    nodes = {"in": Input((4,), "spikes"), "fc": Linear(ones(4, 4)), "li": silent}
    nodes |= {"fc1": Linear(ones(4, 4)), "lif": lif(4), "out": Output((4,))}
    with pytest.raises(QuantisationError, match="'li'"):
        judge(net(nodes), LOIHI1)


# --- whatever the network --------------------------------------------------------------------

TIGHT = chip(compartments=9, synapse_bits=12_000, input_axons=70, output_axons=60)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_every_neuron_has_a_core_with_room(network: Network) -> None:
    try:
        fit = judge(lowered(network), TIGHT, chips=1000)
    except (UnsupportedNode, QuantisationError):
        return  # refused by name
    told = facts(fit)
    for x in fit.placed:
        cores = [core for core in told["allocation"] if core["layer"] == x.layer.name]
        held = np.zeros(x.layer.view, int)
        for core in cores:
            axes = (core["channels"], core["rows"], core["columns"])
            held[tuple(slice(*axis) for axis in axes)] += 1
            for resource, limit in x.limits.items():
                assert limit is None or core[resource] <= limit
        assert (held == 1).all()
    if len(fit.placed) == len(fit.layers):
        assert axons_sent(fit) == axons_heard(fit)


def axons_sent(fit: Fit) -> int:
    """To all projections whose axons are not shared."""
    total = sum(int(x.needs["output_axons"].sum()) for x in fit.placed)
    heard = [(p, x) for x in fit.placed for p in x.layer.projections if p.from_chip]
    for p, x in heard:
        if shares(p, x.shared):
            source = placed(fit, p.source)
            reach = p.map.reach(x.cut, True)
            for channels in source.cut.ranges(0):  # a population axon of 2 slots, pixel by pixel
                wide = source.layer.view[0] // len(reach)
                groups = {c // wide for c in range(*channels)}
                total -= 2 * sum(int(reach[g].sum()) for g in groups)
    return total


def axons_heard(fit: Fit) -> int:
    """From populations, by all projections whose axons are not shared: an output axon is an
    input axon of one other core."""
    return sum(
        int(need.axons.sum())
        for x in fit.placed
        for p, need in zip(x.layer.projections, x.each, strict=True)
        if p.from_chip and not shares(p, x.shared)
    )


@pytest.mark.parametrize(
    "name", ["conv_padded", "avg_pool", "one_synapse_loop_bias", "cuba_biases"]
)
def test_integers_take_what_the_real_numbers_do(name: str) -> None:
    """A quantised network has the same layers; its zeros are zeros of the integers."""
    case = make(name)
    real = lowered(case.network)
    made = Quantise(case.inputs).apply(real).network
    assert any(isinstance(n, ChipSynapse) for n in made.nodes.values()) or name == "cuba_biases"
    before, after = judge(real, LOIHI1), judge(made, LOIHI1)
    assert [x.layer.name for x in before.layers] == [x.layer.name for x in after.layers]
    for a, b in zip(before.placed, after.placed, strict=True):
        assert isinstance(made.nodes[b.layer.name], ChipNeuron)
        assert (a.cut, a.layer.delay) == (b.cut, b.layer.delay)
        assert b.most("input_axons") <= a.most("input_axons")
        assert a.most("compartments") == b.most("compartments")


def test_every_limit_has_a_source() -> None:
    for known in chips().values():
        limits = {**known.core, **known.chip, **known.synapse}
        assert all(x.source for x in limits.values()) and all(known.also.values())
        assert set(known.core) == set(CORE)
    assert [r for r in CORE if LOIHI1.core[r].value is None] == []
    assert LOIHI2.core["input_axons"].value is None
