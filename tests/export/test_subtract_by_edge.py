"""A reset by subtraction as an edge: every spike kept, and the states that were."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeport.backends.conformance import make
from spikeport.backends.protocol import Capabilities, complaints
from spikeport.core import interpreter, store
from spikeport.core.arrays import frozen
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Input, Linear, Neuron, Node, Output, Scale
from spikeport.core.recording import wanted_nodes
from spikeport.core.schedule import compile
from spikeport.export.passes.base import run_passes
from spikeport.export.passes.subtract_by_edge import SubtractByEdge
from spikeport.verify.prepare import prepare
from spikeport.verify.rename import as_original, recorded_for

from ..fuzz.graphs import grown
from ..lava.cases import signals


def kept(network: Network, steps: int = 12) -> str:
    """What the pass did, held to every spike, output and state over a run."""
    after = run_passes(network, (SubtractByEdge(),)).network
    if after is network:
        return "same"
    inputs = signals(network, np.random.default_rng(5), steps, 2)
    wanted, got = (interpreter.run(compile(n), inputs, ("all",)) for n in (network, after))
    got = as_original(got, after, network, {})
    for name, spikes in wanted.spikes.items():
        np.testing.assert_array_equal(got.spikes[name], spikes, name)
    for group in ("outputs", "v", "u"):
        here, there = getattr(wanted, group), getattr(got, group)
        assert set(here) == set(there), group
        for name, values in here.items():
            np.testing.assert_allclose(there[name], values, 1e-9, 1e-9, err_msg=f"{group} {name}")
    return "apart"


def test_random_graphs() -> None:
    found = Counter(kept(network) for network in map(grown, range(600)) if network)
    assert found["apart"] > 50, found


@pytest.mark.parametrize(
    "name",
    ["subtract_lif", "subtract_gently", "subtract_if", "subtract_cuba", "one_synapse_loop_cuba"],
)
def test_cases(name: str) -> None:
    assert kept(make(name).network) == ("apart" if name in ALL else "same")


PLAIN = Capabilities(
    frozenset("Input Output Linear Affine Scale I LI IF LIF CubaLI CubaLIF Threshold".split())
)
ALL = {"subtract_lif", "subtract_gently", "subtract_cuba"}


def pair(node: Neuron, **told: Any) -> Network:
    """Two neurons that hear the input and, a step later, each other."""
    weight = np.array([[1.5, -0.5], [0.25, 1.75]])
    nodes: dict[str, Node] = {
        "in": Input((2,)),
        "fc": Linear(weight),
        "one": node,
        "rec": Linear(-0.3 * weight, np.array([0.125, 0.25])),
        "out": Output((2,)),
    }
    edges = (("in", "fc"), ("fc", "one"), ("one", "rec"), ("rec", "one"), ("one", "out"))
    return Network(nodes, edges, Meaning(dt=1e-3, **told))


def lif(**told: Any) -> Neuron:
    known: dict[str, Any] = {"decay_v": frozen(0.75), "threshold": frozen(1.0)} | told
    return Neuron((2,), reset="subtract", **known)


@pytest.mark.parametrize("late", [None, (("rec", "one"),)])
@pytest.mark.parametrize("at_t0", ["bias", "nothing"])
@pytest.mark.parametrize(
    "node",
    [
        lif(),
        lif(gain_v=frozen([0.5, -2.0]), bias=frozen(0.125)),
        lif(decay_u=frozen([0.5, 0.25]), gain_u=frozen(2.0), gain_v=frozen(0.75)),
        lif(reset_amount=frozen(0.0), compare=">="),
        lif(reset_amount=frozen([0.5, 3.0]), threshold=frozen([0.0, -0.25])),
        lif(decay_v=frozen(1.0), threshold=frozen([1.0, -0.25])),  # at rest over its threshold
    ],
)
def test_in_a_loop(node: Neuron, at_t0: str, late: Any) -> None:
    """Its own edge is one more back edge, listed where the others are."""
    network = pair(node, back_edge_at_t0=at_t0, back_edges=late)
    assert kept(network) == "apart"
    after = SubtractByEdge().apply(network)
    first = "one.u" if node.decay_u is not None else "one.v"
    assert compile(after).back_edges == {("rec", first), ("one.reset", "one.v")}


def test_for_an_engine_that_cannot_subtract_at_all() -> None:
    able = replace(PLAIN, resets={"IF": frozenset({"value"})})
    for node, kinds in ((lif(decay_v=frozen(1.0)), {"I", "Threshold"}), (lif(), {"LIF"})):
        network = pair(node)
        made = prepare(network, able).network
        found = {n.kind for n in made.nodes.values() if isinstance(n, Neuron)}
        assert (found, list(complaints(made, able))) == (kinds, [])
    bare = replace(able, nodes=able.nodes - {"Threshold"})
    (why,) = complaints(prepare(pair(lif(decay_v=frozen(1.0))), bare).network, bare)
    assert "'one' (IF) resets by 'subtract'" in why


def test_states_are_left_out_where_they_were_not_recorded() -> None:
    network = pair(lif())
    after = SubtractByEdge().apply(network)
    inputs = signals(network, np.random.default_rng(5), 4, 1)
    program = compile(after)
    bare = as_original(interpreter.run(program, inputs, ("one",)), after, network, {})
    assert (set(bare.spikes), set(bare.v)) == ({"one"}, set())
    asked = recorded_for(("one",), after, network)
    whole = as_original(interpreter.run(program, inputs, asked), after, network, {})
    assert (set(whole.spikes), set(whole.v)) == ({"one"}, {"one"})
    part = as_original(interpreter.run(program, inputs, ("one.v",)), after, network, {})
    assert (set(part.spikes), set(part.v)) == (set(), {"one.v"})


@pytest.mark.parametrize("asked", [("one", "one"), ("one", "one.v")])
def test_what_is_asked_for_twice_is_recorded_once(asked: tuple[str, ...]) -> None:
    network = pair(lif())
    after = SubtractByEdge().apply(network)
    assert wanted_nodes(after, recorded_for(asked, after, network)) == ("one", "one.v")


@pytest.mark.parametrize("decay_u", [None, frozen(0.5)])
@pytest.mark.parametrize("origin", [{"one": "trained"}, {"one": "one.v"}, {"one": "in"}])
def test_under_the_trained_name(origin: dict[str, str | None], decay_u: Any) -> None:
    """A file says it where it differs; the numbers are still those of the given node."""
    network = pair(lif(decay_u=decay_u)).changed(origin=origin)
    after = SubtractByEdge().apply(network)
    inputs = signals(network, np.random.default_rng(5), 12, 2)
    wanted, got = (
        as_original(interpreter.run(compile(n), inputs, ("all",)), n, network, {})
        for n in (network, after)
    )
    for group in ("spikes", "v", "u"):
        here, there = getattr(wanted, group), getattr(got, group)
        assert set(here) == set(there), group
        for name, values in here.items():
            np.testing.assert_allclose(there[name], values, 1e-9, 1e-9, err_msg=f"{group} {name}")


def test_it_survives_a_file(tmp_path: Any) -> None:
    after = SubtractByEdge().apply(pair(lif(decay_u=frozen(0.5))))
    store.write(after, tmp_path / "a.nir")
    assert store.digest(store.read(tmp_path / "a.nir")) == store.digest(after)


@pytest.mark.parametrize(
    "node",
    [
        lif(decay_v=frozen(1.0)),  # takes off the threshold, now or after its decay
        lif(reset_amount=frozen(4 / 3)),
        lif(refractory=1),  # a membrane that is held
        lif(gain_v=frozen([0.0, 1.0])),  # nothing reaches a membrane through its drive
        replace(lif(), reset="value"),
    ],
)
def test_what_stays(node: Neuron) -> None:
    network = pair(node)
    assert SubtractByEdge().apply(network) is network


def test_an_engine_names_what_could_not_be_taken_apart() -> None:
    able = replace(PLAIN, subtracts="threshold / decay")
    (why,) = complaints(pair(lif(refractory=1)), able)
    assert "'one'" in why and "other than threshold / decay" in why
    assert isinstance(SubtractByEdge().apply(pair(lif())).nodes["one.reset"], Scale)
