"""Order, shapes, loops, and when a pipelined engine sees what."""

from collections import Counter

import numpy as np
import pytest

from spikeport.core.errors import NetworkError
from spikeport.core.linear import has_synapses
from spikeport.core.network import Edge, Meaning, Network
from spikeport.core.nodes import Conv, Delay, Input, Linear, Neuron, Node, Output
from spikeport.core.pipeline import Pipeline, pipeline
from spikeport.core.schedule import compile, find_back_edges


def neuron() -> Neuron:
    return Neuron((2,), np.array(0.5), np.array(1.0))


def dense() -> Linear:
    return Linear(np.eye(2))


def net(nodes: dict[str, Node], *edges: str, **meaning: object) -> Network:
    """Edges as 'a>b>c'."""
    pairs = [p for text in edges for p in zip(text.split(">"), text.split(">")[1:], strict=False)]
    ports: dict[str, Node] = {"in": Input((2,)), "out": Output((2,))}
    return Network({**ports, **nodes}, tuple(pairs), Meaning(**meaning))  # type: ignore[arg-type]


def timed(network: Network) -> Pipeline:
    return pipeline(compile(network), lambda node: int(has_synapses(node)))


def test_back_edge_is_the_one_into_the_path() -> None:
    network = net({"fc": dense(), "n": neuron(), "rec": dense()}, "in>fc>n>out", "n>rec>n")
    assert find_back_edges(network) == {("rec", "n")}


def test_self_loop() -> None:
    network = net({"n": neuron()}, "in>n>out", "n>n")
    assert find_back_edges(network) == {("n", "n")}


def test_two_inputs_that_cut_differently_are_refused() -> None:
    network = net({"b": Input((2,)), "n": neuron(), "rec": dense()}, "in>n>out", "n>rec>n", "b>rec")
    with pytest.raises(NetworkError, match="more than one way.*back_edges"):
        compile(network)
    told = network.changed(meaning=Meaning(back_edges=(("rec", "n"),)))
    assert compile(told).back_edges == {("rec", "n")}


def test_walking_order_that_matters_is_refused() -> None:
    """Two branches into a loop from both sides: irreducible, so no edge is the back edge."""
    network = net(
        {"a": dense(), "b": dense(), "n": neuron()}, "in>a", "in>b", "a>b", "b>a", "a>n>out"
    )
    with pytest.raises(NetworkError, match="more than one way"):
        compile(network)


def test_names_do_not_decide_where_a_loop_is_cut() -> None:
    """y and z hear each other, y before and after z in any order of b, c and d: by names y would
    always come first, and with other names would not."""
    loop = {"y": neuron(), "z": neuron(), "to_z": dense(), "to_y": dense()}
    ways = ("in>b>y", "in>c>z", "in>d>y", "y>to_z>z>to_y>y", "y>out")
    with pytest.raises(NetworkError, match="more than one way"):
        compile(net({**loop, **{n: dense() for n in "bcd"}}, *ways))


def walked(network: Network, random: np.random.Generator) -> frozenset[Edge]:
    """The edges into the path of a depth-first walk that takes targets in any order."""
    cut: set[Edge] = set()
    seen: set[str] = set()

    def go(name: str, path: tuple[str, ...]) -> None:
        seen.add(name)
        for target in random.permutation(network.targets[name]):
            if target in (*path, name):
                cut.add((name, str(target)))
            elif target not in seen:
                go(str(target), (*path, name))

    go("in", ())
    return frozenset(cut)


def test_what_is_accepted_is_what_every_walk_cuts() -> None:
    random = np.random.default_rng(0)
    ends = Counter[str]()
    for _ in range(400):
        names = [f"n{i}" for i in range(random.integers(2, 7))]
        chance = random.uniform(0.1, 0.4)
        edges = {("in", names[0]), (names[-1], "out")}
        edges |= {(a, b) for a in ("in", *names) for b in names if random.random() < chance}
        ports: dict[str, Node] = {"in": Input((2,)), "out": Output((2,))}
        network = Network({**ports, **{n: neuron() for n in names}}, tuple(edges))
        cuts = {walked(network, random) for _ in range(200)}
        try:
            found = find_back_edges(network)
        except NetworkError:
            assert len(cuts) > 1
            ends["refused"] += 1
        else:
            assert cuts == {found}
            ends["loops" if found else "none"] += 1
    assert min(ends["loops"], ends["refused"]) > 50, ends


def test_shapes_are_checked_edge_by_edge() -> None:
    network = net({"fc": Linear(np.ones((3, 2))), "n": neuron()}, "in>fc>n>out")
    with pytest.raises(NetworkError, match=r"'n' \(LIF\) takes shape \[2\], gets \[3\], from 'fc'"):
        compile(network)


def test_rectangular_and_grouped_convolutions_have_right_shapes() -> None:
    conv = Conv(np.ones((4, 1, 3, 5)), groups=2)
    network = Network(
        {"in": Input((2, 10, 10)), "c": conv, "out": Output((4, 8, 6))},
        (("in", "c"), ("c", "out")),
    )
    assert compile(network).shapes["c"] == (4, 8, 6)


@pytest.mark.parametrize(
    ("edges", "word"),
    [
        (("in>out", "fc>n", "n>fc"), "loop through fc, n"),
        (("in>out", "fc>n"), "'fc' .* gets nothing"),
        (("in>fc>n",), "'out' gets nothing"),
    ],
)
def test_unreached_nodes(edges: tuple[str, ...], word: str) -> None:
    with pytest.raises(NetworkError, match=word):
        compile(net({"fc": dense(), "n": neuron()}, *edges))


def test_a_chain_is_one_step_a_synapse() -> None:
    nodes = {"f1": dense(), "n1": neuron(), "f2": dense(), "n2": neuron()}
    found = timed(net(nodes, "in>f1>n1>f2>n2>out"))
    assert [found.shift[n] for n in ("in", "f1", "n1", "f2", "n2", "out")] == [0, 1, 1, 2, 2, 2]
    assert found.depth == 2 and not any(found.wait.values())


def test_a_skip_waits_for_the_long_way() -> None:
    nodes = {"f1": dense(), "n1": neuron(), "f2": dense(), "n2": neuron()}
    nodes |= {"f3": dense(), "n3": neuron(), "s": dense()}
    found = timed(net(nodes, "in>f1>n1>f2>n2>f3>n3>out", "n1>s>n3"))
    assert found.wait["n1", "s"] + found.wait["s", "n3"] == 1
    assert sum(found.wait.values()) == 1


def test_one_synapse_loop_fits_and_two_do_not() -> None:
    one = net({"f": dense(), "n": neuron(), "r": dense()}, "in>f>n>out", "n>r>n")
    assert not any(timed(one).wait.values())
    nodes = {"f": dense(), "n": neuron(), "there": dense(), "m": neuron(), "back": dense()}
    with pytest.raises(NetworkError, match="crosses 2 synapses.*hold 1") as caught:
        timed(net(nodes, "in>f>n>out", "n>there>m>back>n"))
    for name in ("n", "there", "m", "back"):
        assert name in str(caught.value)


def test_delays_pay_for_synapses() -> None:
    nodes: dict[str, Node] = {"f": dense(), "n": neuron(), "there": dense(), "m": neuron()}
    nodes |= {"back": dense(), "late": Delay(1)}
    found = timed(net(nodes, "in>f>n>out", "n>there>m>late>back>n"))
    assert not any(found.wait.values())
    nodes["late"] = Delay(3)
    found = timed(net(nodes, "in>f>n>out", "n>there>m>late>back>n"))
    assert sum(found.wait.values()) == 2
