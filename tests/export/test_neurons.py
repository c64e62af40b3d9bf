"""Every kind of neuron is lowered to nodes that give its spikes, or refused with a reason; and
docs/trainer.md says which."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikeport.backends import registry
from spikeport.backends.protocol import complaints
from spikeport.core import interpreter, nodes
from spikeport.core.errors import QuantisationError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.schedule import compile
from spikeport.core.store import read, write
from spikeport.export.from_torch import lower
from spikeport.trainer import layers, neurons, surrogate_forms
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.neurons import (
    LIF,
    PLIF,
    SRM,
    Neuron,
    SingleSpike,
    SoftResetLIF,
    SpikingJellyLIF,
    ZenkeLIF,
)
from spikeport.trainer.neurons.kinds import KINDS, Kind
from spikeport.trainer.surrogate import SHAPES
from spikeport.verify.prepare import prepare

DOCS = Path(__file__).parents[2] / "docs" / "trainer.md"


def agree(model: nn.Module, seed: int, steps: int = 20, size: int = 5) -> Network:
    """Lower, and hold a long run against torch with ==, spikes of populations and of delays."""
    network = lower(model, (size,))
    x = np.random.default_rng(seed).normal(0.5, 2, (steps, 3, size))
    (name,) = network.inputs
    got = interpreter.run(compile(network), {name: x}, ("all",))
    outputs, spikes = run_recorded(model.eval(), x)
    for layer, fired in spikes.items():
        assert (got.spikes[layer] == fired).all(), layer
    (out,) = network.outputs
    np.testing.assert_allclose(got.outputs[out], outputs, rtol=1e-9, atol=1e-9)
    return network


@st.composite
def populations(draw: st.DrawFn) -> Neuron:
    decay, other = draw(st.floats(0.05, 0.95)), draw(st.floats(0.05, 0.95))
    threshold = draw(st.floats(0.2, 2.0))
    tau = draw(st.floats(1.1, 20.0))
    compare: Any = draw(st.sampled_from([">", ">="]))
    soft = draw(st.booleans())
    v_reset = 0.0 if soft else draw(st.sampled_from([0.0, -0.4, 0.1]))
    common: Any = {
        "threshold": threshold,
        "compare": compare,
        "learn": draw(st.sampled_from([(), ("threshold",)])),
    }
    reset: Any = {"reset": "subtract" if soft else "value", "v_reset": v_reset}
    tau_r = draw(st.sampled_from([tau, other * 10 + 0.1]))
    kernel: Any = draw(st.sampled_from(["exponential", "alpha"]))
    made: Neuron = draw(
        st.sampled_from(
            [
                LIF(decay, **common, **reset),
                SpikingJellyLIF(tau, soft, **common, **reset),
                PLIF(tau, soft, **common, **reset),
                ZenkeLIF(decay, other, **common),
                SoftResetLIF(decay, soft, **common),
                SRM(tau, tau_r, kernel, scale_ref=2 * other, **common),
            ]
        )
    )
    for parameter in made.parameters():
        parameter.data += draw(st.floats(-1, 1, width=32))
    return made


@settings(max_examples=40)
@given(populations(), st.booleans(), st.integers(0, 2**32 - 1))
def test_random_neurons_keep_every_spike(neuron: Neuron, loop: bool, seed: int) -> None:
    torch.manual_seed(seed % 2**31)
    first: nn.Module = layers.Recurrent(neuron, nn.Linear(5, 5)) if loop else neuron
    network = agree(nn.Sequential(first, layers.Linear(5, 4), LIF(), layers.Linear(4, 2)), seed)
    late = [node for node in network.nodes.values() if isinstance(node, nodes.Delay)]
    assert sum(node.steps for node in late) == neuron.delay


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.call)
@pytest.mark.parametrize("loop", [False, True])
def test_every_kind_fires_and_is_kept(kind: Kind, loop: bool, tmp_path: Path) -> None:
    torch.manual_seed(3)
    neuron = kind.make()
    if isinstance(neuron, SingleSpike):
        return  # refused, below
    assert isinstance(neuron, Neuron)
    first: nn.Module = layers.Recurrent(neuron, nn.Linear(5, 5)) if loop else neuron
    gain = layers.Linear(5, 5)
    gain.weight.data = 6 * torch.eye(5)
    model = nn.Sequential(gain, first)
    network = agree(model, 4)
    x = np.random.default_rng(4).normal(0.5, 2, (20, 3, 5))
    _, spikes = run_recorded(model, x)
    (fired,) = spikes.values()
    assert 0 < fired.mean() < 1
    # and from a file
    write(network, tmp_path / "net.nir")
    again = read(tmp_path / "net.nir")
    (name,) = again.inputs
    got = interpreter.run(compile(again), {name: x}, ("all",))
    (population,) = spikes
    assert (got.spikes[population] == fired).all()


def test_two_late_layers_in_a_row() -> None:
    torch.manual_seed(2)
    gain = layers.Linear(5, 5)
    gain.weight.data *= 8
    model = nn.Sequential(
        gain, ZenkeLIF(0.8, 0.7), layers.Linear(5, 6), SRM(2.0, 3.0, threshold=0.4),
        layers.Linear(6, 2),
    )  # fmt: skip
    network = agree(model, 1, steps=30)
    assert {
        n: node.steps for n, node in network.nodes.items() if isinstance(node, nodes.Delay)
    } == {
        "1.delay": 2,
        "3.delay": 1,
    }


def test_what_the_loop_of_a_late_neuron_looks_like() -> None:
    model = nn.Sequential(layers.Recurrent(ZenkeLIF(), nn.Linear(5, 5)))
    network = lower(model, (5,))
    assert network.meaning.back_edges == (("0.linear", "0.neuron"),)
    assert network.sources["0.linear"] == network.sources["0.neuron.delay"] == ("0.neuron.back",)


# --- what is refused -----------------------------------------------------------------------------


def test_a_single_spike_is_refused() -> None:
    class Timed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = SingleSpike(5, 4)

        def forward(self, z: torch.Tensor) -> Any:
            return self.first(z)

    with pytest.raises(UnsupportedNode) as caught:
        lower(Timed(), (5,))
    for words in ("layer 'first'", "self.first(z)", "real-valued time", "Train CubaLIF over steps"):
        assert words in str(caught.value)


@pytest.mark.parametrize("loop", [False, True])
def test_a_smooth_spike_is_refused(loop: bool) -> None:
    neuron: nn.Module = LIF(surrogate=surrogate_forms.forward_sigmoid(4))
    if loop:
        neuron = layers.Recurrent(neuron, nn.Linear(5, 5))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedNode, match="layer '0'.*ForwardSigmoid.*are no spikes; train on"):
        lower(nn.Sequential(neuron), (5,))


def test_a_layer_nobody_knows_names_what_there_is() -> None:
    with pytest.raises(
        UnsupportedNode, match="there are Neuron, Recurrent, Add, And, Iand, Linear"
    ):
        lower(nn.Sequential(nn.Softmax(-1)), (5,))


# --- the tables ----------------------------------------------------------------------------------


def said(node: nodes.Node) -> str:
    """A node in a table: what is special about it."""
    if isinstance(node, nodes.Delay):
        return f"Delay {node.steps}"
    assert isinstance(node, nodes.Neuron)
    if not node.spiking:
        return node.kind
    words = [f"v {node.compare} θ"] + ["no memory"] * (not node.decay_v.any())
    if node.reset == "subtract":
        words.append(f"subtract {float(node.amount):.4g}")
    if node.refractory:
        words.append(f"refractory {node.refractory}")
    return f"**{node.kind}** ({', '.join(words)})"


def exported(kind: Kind) -> tuple[str, str]:
    """(what the kind becomes, why it is refused), found out by lowering it."""
    try:
        network = lower(nn.Sequential(kind.make()), (5,))
    except UnsupportedNode as error:
        return "", str(error).split(": ", 1)[1]
    order = compile(network).order
    inner = [n for n in order if not isinstance(network.nodes[n], nodes.Input | nodes.Output)]
    loops = [source for source, _ in network.meaning.back_edges or ()]
    chain = " → ".join(said(network.nodes[n]) for n in inner if n not in loops)
    return chain + "".join(f"; back edge through {said(network.nodes[n])}" for n in loops), ""


def engines(kind: Kind) -> str:
    """The engines that take a net with a layer of this kind, by what they say of themselves."""
    torch.manual_seed(0)
    first = layers.Linear(5, 6)
    first.weight.data *= 8
    second = kind.make()
    model = nn.Sequential(first, second, layers.Linear(6, 4), LIF(), layers.Linear(4, 2))
    network = lower(model, (5,), content="spikes")
    x = (np.random.default_rng(0).random((10, 8, 5)) < 0.5).astype(np.float64)
    able = []
    for name in (n for n, entry in registry.BUILT_IN.items() if not entry.optional):
        capabilities = registry.get(name).capabilities()
        try:
            prepared = prepare(network, capabilities, {network.inputs[0]: x})
        except QuantisationError:
            continue
        able += [name] * (not any(complaints(prepared.network, capabilities)))
    return ", ".join(able)


def neuron_table() -> list[str]:
    rows = [
        "| neuron | formula | exported as | engines | refused because |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        became, refused = exported(kind)
        taken = "" if refused else engines(kind)
        rows.append(f"| `{kind.call}` | {kind.source} | {became} | {taken} | {refused} |")
    return rows


def surrogate_table() -> list[str]:
    rows = ["| form | ds / dv | kind | width | scale |", "|---|---|---|---|---|"]
    names = {shape: name for name, shape in SHAPES.items()}
    for name, make in surrogate_forms.FORMS.items():
        made = make()
        defaults = zip(make.__code__.co_varnames, make.__defaults__ or (), strict=True)
        call = f"{name}({', '.join(f'{p}={v:g}' for p, v in defaults)})"
        formula = (make.__doc__ or "").split(": ")[0].replace("\n    ", " ").replace("|", "\\|")
        kind = names.get(type(made), "none: no spikes")
        rows.append(f"| `{call}` | {formula} | {kind} | {made.width:g} | {made.scale:g} |")
    return rows


@pytest.mark.parametrize("table", [neuron_table, surrogate_table])
def test_the_docs_say_so(table: Any) -> None:
    wanted = table()
    found = DOCS.read_text().splitlines()
    start = found.index(wanted[0])
    end = next(n for n in range(start, len(found)) if not found[n].startswith("|"))
    assert found[start:end] == wanted, "docs/trainer.md should have\n" + "\n".join(wanted)


def test_every_kind_of_neuron_is_in_the_table() -> None:
    classes = {
        value
        for name in neurons.__all__
        if isinstance(value := getattr(neurons, name), type) and issubclass(value, nn.Module)
    }
    assert classes - {Neuron} == {type(kind.make()) for kind in KINDS}
    for kind in KINDS:
        made = eval(kind.call, vars(neurons))  # the call in the table makes this very neuron
        assert repr(made) == repr(kind.make())
        assert not math.isnan(sum(float(p.detach().sum()) for p in made.parameters()))
