"""Neurons over time are `core.neuron.step`, with gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.core.errors import ConfigError, NetworkError
from spikeport.core.neuron import State, real, step
from spikeport.core.nodes import Neuron as Node
from spikeport.trainer.neurons import IF, LIF, CubaLIF, Neuron
from spikeport.trainer.record import recording
from spikeport.trainer.surrogate import ATan, ForwardSigmoid, Triangle
from spikeport.trainer.surrogate_forms import forward_sigmoid


def run(neuron: Neuron, x: list[float]) -> tuple[list[float], list[float]]:
    """(spikes, membrane after the reset) of one neuron, in float64."""
    with recording(neuron, membrane=True) as traces:
        neuron(torch.tensor(x, dtype=torch.float64)[:, None, None])
    v = traces[""].v
    assert v is not None
    return traces[""].spikes.flatten().tolist(), v.flatten().tolist()


def interpreted(node: Node, x: np.ndarray[Any, Any]) -> tuple[list[Any], list[Any]]:
    """(spikes, membrane) of a population, step by step in numpy from the node's numbers."""
    law = real(
        fire=lambda v: (v > node.threshold) * 1.0,
        decay_v=node.decay_v,
        decay_u=node.decay_u,
        v_reset=node.v_reset,
        amount=node.amount if node.reset == "subtract" else None,
    )
    state, spikes, membrane = State(), [], []
    for drive in x:
        s, state = step(state, drive, law)
        spikes.append(s)
        membrane.append(state.v)
    return spikes, membrane


def test_tet_neuron(vector: Any) -> None:
    inputs, expected = vector("lif_tet_hard_reset_6steps")
    spikes, v = run(LIF(inputs["tau"], threshold=inputs["v_th"]), inputs["x"])
    assert spikes == expected["spikes"]
    assert v == pytest.approx(expected["u_post_reset"], abs=1e-9)


def test_at_the_threshold_there_is_no_spike(vector: Any) -> None:
    inputs, expected = vector("lif_threshold_edge")
    for neuron in (IF(), LIF(), CubaLIF()):
        assert run(neuron, inputs["x"])[0] == expected["strict_gt"]


@pytest.mark.parametrize("ours, theirs", [("value", "hard"), ("subtract", "soft")])
def test_both_resets(vector: Any, ours: Any, theirs: Any) -> None:
    inputs, expected = vector("if_hard_vs_soft_reset")
    spikes, v = run(IF(threshold=inputs["v_th"], reset=ours), inputs["x"])
    assert spikes == expected[theirs]["s"]
    assert v == pytest.approx(expected[theirs]["v"], abs=1e-9)


def test_tau_of_two_without_input_decay(vector: Any) -> None:
    inputs, expected = vector("lif_spikingjelly_decay_input")
    spikes, v = run(LIF(1 - 1 / inputs["tau"]), inputs["x"])
    assert spikes == expected["no_decay"]["s"]
    assert v == pytest.approx(expected["no_decay"]["v"], abs=1e-9)


def test_stbp_writes_the_same_reset_otherwise() -> None:
    """u <- tau u (1 - o) + x, with the last step's spike o (STBP-simple: tau 0.25, V_th 0.2)."""
    x = np.random.default_rng(2).normal(0.1, 0.2, 200)
    u, o, wanted = 0.0, 0.0, []
    for drive in x:
        u = 0.25 * u * (1 - o) + drive
        o = float(u > 0.2)
        wanted.append(o)
    assert run(LIF(0.25, threshold=0.2), x.tolist())[0] == wanted
    assert 0 < sum(wanted) < 200


@pytest.mark.parametrize("detached", [False, True])
def test_gradient_through_the_reset(vector: Any, detached: Any) -> None:
    inputs, expected = vector("lif_bptt_reset_gradient")
    x = torch.tensor(inputs["x"], dtype=torch.float64, requires_grad=True)
    spikes = LIF(0.5, detach_reset=detached, surrogate=Triangle())(x[:, None])
    assert spikes.flatten().tolist() == expected["s"]
    spikes[1].sum().backward()
    name = "dL_dx1_detached" if detached else "dL_dx1_attached"
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([expected[name], expected["dL_dx2"]], abs=1e-9)


@pytest.mark.parametrize("k", [1, 10, 20])
def test_a_sigmoid_forward(vector: Any, k: Any) -> None:
    inputs, expected = vector("tet_sigmoid_forward_ablation")
    spikes, _ = run(LIF(inputs["tau"], surrogate=forward_sigmoid(k)), inputs["x"])
    assert spikes == pytest.approx([s for _, s in expected[f"k={k}"]], abs=1e-9)


KINDS: list[tuple[Callable[..., Neuron], tuple[str, ...]]] = [
    (IF, ("threshold",)),
    (LIF, ("decay", "threshold")),
    (CubaLIF, ("decay", "decay_syn", "threshold")),
]


@pytest.mark.parametrize("kind, learn", KINDS)
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_gradients_are_those_of_the_step(
    kind: Callable[..., Neuron], learn: tuple[str, ...], reset: Any
) -> None:
    smooth = ForwardSigmoid(0.3)
    neuron = kind(reset=reset, detach_reset=False, surrogate=smooth, learn=learn).double()
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    learned = list(neuron.parameters())
    assert len(learned) == len(learn)
    assert torch.autograd.gradcheck(lambda x, *_: neuron(x), (x, *learned))


decays = st.floats(0, 1)
signals = st.integers(0, 2**32 - 1)


@st.composite
def populations(draw: st.DrawFn) -> Neuron:
    kind, learnable = draw(st.sampled_from(KINDS))
    reset = draw(st.sampled_from(["value", "subtract"]))
    options: dict[str, Any] = {
        "threshold": draw(st.floats(0.1, 2)),
        "reset": reset,
        "v_reset": draw(st.floats(-0.5, 0.5)) if reset == "value" else 0.0,
        "learn": draw(st.sets(st.sampled_from(learnable))),
    }
    for name in learnable:
        if name.startswith("decay"):
            options[name] = draw(st.floats(0.01, 0.99) if name in options["learn"] else decays)
    made: Neuron = kind(**options)
    return made


@settings(max_examples=60)
@given(populations(), signals)
def test_the_nodes_numbers_give_the_same_bits(neuron: Neuron, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0.3, 1.0, (12, 3, 5))
    neuron = neuron.double()
    with torch.no_grad(), recording(neuron, membrane=True) as traces:
        neuron(torch.from_numpy(x))
    spikes, membrane = interpreted(neuron.node((5,)), x)
    v = traces[""].v
    assert v is not None
    assert np.array_equal(traces[""].spikes.numpy(), np.stack(spikes))
    assert np.array_equal(v.numpy(), np.stack(membrane))
    assert sum(s.sum() for s in spikes) > 0 or neuron.node((5,)).threshold is not None


@settings(max_examples=30)
@given(populations(), signals)
def test_every_call_starts_from_rest(neuron: Neuron, seed: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).normal(0.5, 1, (6, 4, 3))).float()
    whole = neuron(x)
    assert whole.dtype == x.dtype
    assert torch.equal(whole, neuron(x))
    assert torch.equal(whole[:4], neuron(x[:4]))  # the future changes nothing
    assert torch.equal(whole[:, 1:2], neuron(x[:, 1:2]))  # nor do the neighbours


def test_a_node_says_what_kind_it_is() -> None:
    kinds = {IF: "IF", LIF: "LIF", CubaLIF: "CubaLIF"}
    for kind, name in kinds.items():
        made: Neuron = kind(threshold=0.7, reset="subtract")
        node = made.node((2, 3))
        assert (node.kind, node.shape, node.reset) == (name, (2, 3), "subtract")
        assert float(node.amount) == float(node.threshold) == 0.7  # type: ignore[arg-type]


def test_learned_numbers_move_and_stay_in_range() -> None:
    neuron = CubaLIF(0.9, 0.8, surrogate=ATan(), learn=("decay", "decay_syn", "threshold"))
    before = neuron.node((2,))
    assert float(before.decay_v) == pytest.approx(0.9)
    descent = torch.optim.SGD(neuron.parameters(), 5.0)
    for _ in range(5):
        neuron(torch.full((6, 1, 2), 0.4)).sum().backward()
        descent.step()
    after = neuron.node((2,))
    assert float(after.decay_v) != float(before.decay_v)
    assert 0 < float(after.decay_v) < 1


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: LIF(1.5), "decay is 1.5"),
        (lambda: LIF(float("nan")), "decay is nan"),
        (lambda: LIF(1.0, learn=("decay",)), "decay is 1.0; it must be between 0 and 1"),
        (lambda: CubaLIF(0.5, -0.1), "decay_syn is -0.1"),
        (lambda: IF(threshold=0.0), "threshold is 0.0"),
        (lambda: IF(learn=("decay",)), "'decay' cannot be learned"),
        (lambda: IF(learn=("gain",)), "'gain' cannot be learned"),
        (lambda: IF(reset="hard"), "reset is 'hard'"),  # type: ignore[arg-type]
        (lambda: IF(reset="subtract", v_reset=0.5), "v_reset is 0.5"),
    ],
)
def test_what_is_no_neuron(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize("shape", [(0, 2, 3), (4,)])
def test_what_is_no_input(shape: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="at least one step"):
        LIF()(torch.zeros(shape))


def test_one_neuron_in_two_places_cannot_be_recorded() -> None:
    neuron = LIF()
    with recording(neuron), pytest.raises(NetworkError, match="called twice"):
        neuron(neuron(torch.ones(2, 1, 1)))
    assert neuron.watch is None
    assert torch.equal(neuron(torch.ones(2, 1, 1)), neuron(torch.ones(2, 1, 1)))
