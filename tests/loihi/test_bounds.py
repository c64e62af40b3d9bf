"""Sums at the bounds where number types change, with every spike there at once."""

from typing import Any

import numpy as np
import pytest
import torch

from spikeport.backends.loihi import sums
from spikeport.backends.loihi.bounds import FLOAT32, INT16
from spikeport.backends.loihi.engine import Loihi
from spikeport.backends.loihi.gpu import device
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from spikeport.core.errors import DataError, QuantisationError
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Conv, Delay, Flatten, Input, Linear, Node, Output

from ..lava.cases import definition, same

ALL = {"dense": 0.0, "events": 1.1}


def chain(*nodes: Node) -> Network:
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    names = list(named)
    return Network(named, tuple(zip(names, names[1:], strict=False)))


def population(*shape: int, **more: Any) -> ChipNeuron:
    """Remembers nothing of its current, so that u shows each sum."""
    told: dict[str, Any] = {"du": 4095, "dv": 1000, "vth": 131071, "bias_mant": 0} | more
    ready: dict[str, Any] = {k: np.array(v) for k, v in told.items()}
    return ChipNeuron(shape, **ready)


def graded_dense(weight: Any) -> Network:
    """Whole numbers into a dense layer whose sums are the output: they may be larger than a
    current can be."""
    out, into = weight.shape
    return chain(Input((into,)), ToChip((into,), 1.0), ChipSynapse(Linear(weight)), Output((out,)))


def ran(network: Network, inputs: Any, synapse: str) -> tuple[Any, str]:
    with Loihi().open(network) as session:
        got = session.run(inputs, ("all",))
    return got, got.header["loihi"]["sums"][synapse]


@pytest.mark.parametrize("way", ALL)
@pytest.mark.parametrize("message", [1 << 13, 1 << 15, 1 << 16, 1 << 19])
@pytest.mark.parametrize("sign", [1, -1])
def test_dense_sums(way: str, message: int, sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """254 x 8 x message, one short of it by a single unit, below and over 2^24."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, ALL[way]))
    weight = np.full((3, 8), 254 * sign)
    weight[1, 0] = 2
    weight[2] = -weight[2]
    inputs = {"n0": np.full((2, 2, 8), float(message))}
    inputs["n0"][1, :, 0] -= 1
    network = graded_dense(weight)
    got, told = ran(network, inputs, "n2")
    same(definition(network, inputs), got)
    bound = 254 * 8 * message
    if way == "dense":
        assert told == f"dense in float{32 if bound < FLOAT32 else 64}"
    else:
        assert told == "events in int32"


@pytest.mark.parametrize(("second", "kind"), [(6, "float32"), (8, "float64")])
def test_a_bound_of_exactly_2_to_the_24(
    second: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(8 + 8) 2^20 is the bound itself, which is float64's; (8 + 6) 2^20 is float32's."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, 0.0))
    network = graded_dense(np.array([[8, second], [-8, -second]]))
    inputs = {"n0": np.array([[[1 << 20, 1 << 20]], [[1 << 20, (1 << 20) - 1]]], float)}
    got, told = ran(network, inputs, "n2")
    assert told == f"dense in {kind}"
    same(definition(network, inputs), got)


def test_odd_sums_just_below_and_over_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^24 - 1 is held by float32, 2^24 + 1 is not: the bound decides in time."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, 0.0))
    for message, kind in ((1 << 20, "float32"), (1 << 21, "float64")):
        weight = np.array([[8, 6, 0], [8, 2, -2]])
        inputs = {"n0": np.array([[[message, message // 4 + 1, 1.0]]])}
        network = graded_dense(weight)
        got, told = ran(network, inputs, "n2")
        assert told == f"dense in {kind}"
        same(definition(network, inputs), got)


@pytest.mark.parametrize("way", ALL)
@pytest.mark.parametrize("channels", [14, 15, 130])
def test_convolution_sums(way: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 x 3 x channels x 254 lies below and above 2^15: 9 x 14 x 254 = 32,004."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, ALL[way]))
    weight = np.full((4, channels, 3, 3), 254)
    weight[1] *= -1
    weight[2, ::2] *= -1
    network = chain(
        Input((channels, 5, 4), "spikes"),
        ChipSynapse(Conv(weight, None, padding=(1, 1))),
        population(4, 5, 4),
        Output((4, 5, 4)),
    )
    inputs = {"n0": np.ones((2, 3, channels, 5, 4), np.uint8)}
    got, told = ran(network, inputs, "n1")
    same(definition(network, inputs), got)
    if way == "events":
        assert told == f"events in int{16 if 9 * channels * 254 < INT16 else 32}"


@pytest.mark.parametrize("elsewhere", ["no oneDNN", "ARM"])
def test_no_convolution_by_a_transform(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NNPACK's Winograd, which torch takes where oneDNN is off, has wrong sums below 2^24."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, 0.0))
    if elsewhere == "ARM":
        monkeypatch.setattr(sums, "machine", lambda: "aarch64")
    random = np.random.default_rng(0)
    for channels, groups in ((16, 1), (8, 8)):
        weight = random.integers(-127, 128, (channels, channels // groups, 3, 3)) * 2
        weight[0] = 254
        most = FLOAT32 // 2 // int(np.abs(weight).sum(axis=(1, 2, 3)).max())
        most = 1 << most.bit_length()  # bounds are taken of powers of two
        shape = (channels, 14, 14)
        network = chain(
            Input(shape),
            ToChip(shape, 1.0),
            ChipSynapse(Conv(weight.astype(np.float64), None, padding=(1, 1), groups=groups)),
            Output(shape),
        )
        inputs = {"n0": random.integers(0, most + 1, (1, 32, *shape)).astype(np.float64)}
        with torch.backends.mkldnn.flags(enabled=elsewhere == "ARM"):
            got, told = ran(network, inputs, "n2")
        same(definition(network, inputs), got)
        assert told == "dense in float64"


@pytest.mark.parametrize("size", [100, 129, 1000])
def test_dense_events_in_groups(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than 16 bits hold are added up group by group."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, 1.1))
    weight = np.full((5, size), 254)
    weight[1] = -256
    weight[2, size // 2 :] = -256
    network = chain(
        Input((size,), "spikes"), ChipSynapse(Linear(weight)), population(5), Output((5,))
    )
    inputs = {"n0": np.ones((2, 2, size), bool)}
    got, told = ran(network, inputs, "n1")
    assert told == "events in int16"
    same(definition(network, inputs), got)


def test_merged_pools_are_summed_first() -> None:
    """A kernel kron(W, ones(2, 2)), with padding; maps whose size the pool does not divide."""
    random = np.random.default_rng(0)
    small = random.integers(-120, 120, (6, 3, 3, 3)) * 2
    weight = small.repeat(2, axis=2).repeat(2, axis=3).astype(np.float64)
    for size, padding in ((8, 2), (8, 0), (9, 2), (9, 0)):
        node = Conv(weight, None, stride=(2, 2), padding=(padding, padding))
        shape = node.output_shape((3, size, size))
        network = chain(
            Input((3, size, size), "spikes"),
            ChipSynapse(node),
            population(*shape, vth=300),
            Flatten(),
            Output((int(np.prod(shape)),)),
        )
        inputs = {"n0": random.integers(0, 2, (4, 3, 3, size, size)).astype(np.uint8)}
        same(definition(network, inputs), ran(network, inputs, "n1")[0])


def test_sums_over_32_bits_are_refused() -> None:
    network = graded_dense(np.full((1, 40), 254))
    inputs = {"n0": np.full((1, 1, 40), float(1 << 18))}
    with pytest.raises(QuantisationError, match=r"n2.*over the 2147483648"):
        ran(network, inputs, "n2")


@pytest.mark.parametrize("wrong", [2, 0.5, -1])
def test_a_spike_is_zero_or_one(wrong: float) -> None:
    network = chain(
        Input((4,), "spikes"), ChipSynapse(Linear(np.full((2, 4), 2))), population(2), Output((2,))
    )
    inputs = {"n0": np.zeros((3, 2, 4))}
    inputs["n0"][1, 0, 2] = wrong
    with pytest.raises(DataError, match=rf"n0.*spikes, 0 or 1, and is given {wrong:g}"):
        ran(network, inputs, "n1")


def test_minus_one_is_no_spike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound of 1 on what arrives does not say that it is 0 or 1."""
    monkeypatch.setattr(sums, "EVENTS_BELOW", dict.fromkeys(sums.EVENTS_BELOW, 1.1))
    random = np.random.default_rng(1)
    weight = random.integers(-127, 128, (3, 40)) * 2
    inputs = {"n0": random.choice([-1.0, 0.0, 1.0], (4, 3, 40))}
    network = graded_dense(weight)
    got, told = ran(network, inputs, "n2")
    assert told == "events in int16"
    same(definition(network, inputs), got)


def test_currents_over_32_bits_are_refused() -> None:
    """One that enters, and two that together are too much."""
    one = chain(Input((2,)), ToChip((2,), 1.0), population(2), Output((2,)))
    for top in (2.0**31, 1e30):
        inputs = {"n0": np.full((1, 1, 2), top)}
        for run in (lambda i=inputs: ran(one, i, ""), lambda i=inputs: definition(one, i)):
            with pytest.raises(QuantisationError, match=r"n1.*32 bits"):
                run()
    nodes = {**one.nodes, "other": ToChip((2,), 1.0)}
    two = one.changed(nodes=nodes, edges=(*one.edges, ("n0", "other"), ("other", "n2")))
    with pytest.raises(QuantisationError, match=r"n2.*32 bits"):
        ran(two, {"n0": np.full((1, 1, 2), 2.0**30)}, "")


def test_a_loop_through_a_delay() -> None:
    """A late edge before the synapse of a loop: its bound comes from the population."""
    nodes: dict[str, Node] = {
        "in": Input((4,), "spikes"),
        "w": ChipSynapse(Linear(np.full((4, 4), 60))),
        "p": population(4, vth=100),
        "late": Delay(2),
        "r": ChipSynapse(Linear(np.full((4, 4), -20))),
        "out": Output((4,)),
    }
    edges = (("in", "w"), ("w", "p"), ("p", "late"), ("late", "r"), ("r", "p"), ("p", "out"))
    for back in (None, (("late", "r"),), (("p", "late"),)):
        network = Network(nodes, edges, Meaning(back_edges=back))
        inputs = {"in": np.ones((9, 2, 4), np.uint8)}
        with Loihi().open(network) as session:
            same(definition(network, inputs), session.run(inputs, ("all",)))


def test_a_current_that_outgrows_32_bits_is_refused() -> None:
    """Wrapped once a step, a drive over two turns adds up: held where it stays within, refused
    where it does not, by the emulator and by the definition."""
    network = chain(Input((2,)), ToChip((2,), 1.0), population(2, du=100), Output((2,)))
    for top, fits in (((1 << 24) - 1, False), (1 << 18, True), (1 << 19, True)):
        inputs = {"n0": np.full((6, 1, 2), float(top)) * np.array([1, -1])}
        with Loihi().open(network) as session:
            if fits:
                same(definition(network, inputs), session.run(inputs, ("all",)))
                continue
            with pytest.raises(QuantisationError, match="'n2' .* past the chip's 32 bits"):
                session.run(inputs, ("all",))
        with pytest.raises(QuantisationError, match="'n2'.* past the chip's 32 bits"):
            definition(network, inputs)


def test_currents_up_to_the_ends_of_31_bits() -> None:
    """What ToChip lets in is told as it is; so is what several bring together."""
    top = (1 << 31) - 1
    network = chain(Input((2,)), ToChip((2,), 1.0), population(2), Output((2,)))
    inputs = {"n0": np.array([[[top, -top]], [[top - 1, (1 << 30) + 1]]], float)}
    with (
        Loihi().open(network) as session,
        pytest.raises(QuantisationError, match=f"'n2' .* drive can reach {top} a step"),
    ):
        session.run(inputs, ("all",))
    nodes: dict[str, Node] = {
        "a": Input((2,)),
        "b": Input((2,)),
        "to_a": ToChip((2,), 1.0),
        "to_b": ToChip((2,), 1.0),
        "n": population(2),
        "out": Output((2,)),
    }
    edges = (("a", "to_a"), ("b", "to_b"), ("to_a", "n"), ("to_b", "n"), ("n", "out"))
    x = np.full((2, 1, 2), float(top))
    with (
        Loihi().open(Network(nodes, edges)) as session,
        pytest.raises(QuantisationError, match=rf"'n' .ChipNeuron.: .* can reach {2 * top}"),
    ):
        session.run({"a": x, "b": x})


def test_products_are_ieee_whatever_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 products, which processors with AMX have, would not hold the sums; what the user
    asked for is there again afterwards."""
    mkldnn: Any = torch.backends.mkldnn
    kinds = mkldnn.matmul, mkldnn.conv
    seen: list[tuple[str, ...]] = []
    inner = sums.Synapse.run

    def spied(self: sums.Synapse, x: Any) -> Any:
        seen.append(tuple(k.fp32_precision for k in kinds))
        return inner(self, x)

    monkeypatch.setattr(sums.Synapse, "run", spied)
    before = torch.get_float32_matmul_precision(), kinds[1].fp32_precision
    torch.set_float32_matmul_precision("medium")
    kinds[1].fp32_precision = "bf16"
    try:
        assert kinds[0].fp32_precision == "bf16"
        ran(graded_dense(np.array([[8, 2, -2]])), {"n0": np.ones((1, 1, 3))}, "n2")
        assert seen == [("ieee", "ieee")]
        assert tuple(k.fp32_precision for k in kinds) == ("bf16", "bf16")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before[0])
        kinds[1].fp32_precision = before[1]


@pytest.mark.parametrize("said", ["bf16", "tf32"])
def test_products_are_exact_whichever_way_torch_was_told_of_others(said: str) -> None:
    """It does not answer by the older name what it was told by the newer one."""
    mkldnn: Any = torch.backends.mkldnn
    kinds = [mkldnn.matmul, torch.backends.cuda.matmul]
    if not all(hasattr(kind, "fp32_precision") for kind in kinds):
        pytest.skip("an older torch")
    told: Any = kinds[said == "tf32"]
    before, told.fp32_precision = told.fp32_precision, said
    try:
        with device.exact_products():
            assert [kind.fp32_precision for kind in kinds] == ["ieee", "ieee"]
        assert told.fp32_precision == said
    finally:
        told.fp32_precision = before
    assert torch.get_float32_matmul_precision() == "highest"
