"""Neurons of the papers against their own definitions, written out plainly in float64.

The definitions here are the papers' sums and recurrences, not the house's step; spikes are
compared with ==, membranes and gradients as the vectors' file says (1e-9).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.core.errors import ConfigError, NetworkError
from spikeport.core.neuron import State
from spikeport.trainer import kernels
from spikeport.trainer.layers import Recurrent
from spikeport.trainer.neurons import (
    PLIF,
    SRM,
    Neuron,
    SoftResetLIF,
    SpikingJellyLIF,
    ZenkeLIF,
)
from spikeport.trainer.record import recording

seeds = st.integers(0, 2**32 - 1)


def run(neuron: Neuron, x: list[float]) -> tuple[list[float], list[float]]:
    """(spikes as others hear them, membrane after the reset) of one neuron, in float64."""
    neuron = neuron.double()
    with torch.no_grad(), recording(neuron, membrane=True) as traces:
        heard = neuron(torch.tensor(x, dtype=torch.float64)[:, None, None])
    v = traces[""].v
    assert v is not None
    return heard.flatten().tolist(), v.flatten().tolist()


def signal(seed: int, steps: int = 20, shape: tuple[int, ...] = (2, 3)) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0.4, 1.0, (steps, *shape)))


def same_gradients(model: nn.Module, definition: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Spikes ==, and the gradients that come back through both, to x and to all parameters."""
    weight = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)
    x = x.detach().requires_grad_()
    found = []
    for run in (model, definition):
        with kernels.asked("eager"):  # test_kernels holds the fused ones to this, a few, compiled
            spikes = run(x)
        wanted = (x, *model.parameters())
        found.append((spikes, *torch.autograd.grad((spikes * weight).sum(), wanted)))
    (ours, *grads), (theirs, *right) = found
    assert torch.equal(ours, theirs)
    assume(bool(ours.any()))
    torch.testing.assert_close(grads, right, rtol=1e-9, atol=1e-9)


# --- SpikingJelly's LIF and PLIF -----------------------------------------------------------------


@pytest.mark.parametrize("decay_input, row", [(True, "decay_input"), (False, "no_decay")])
def test_spikingjelly_lif(vector: Any, decay_input: bool, row: str) -> None:
    inputs, expected = vector("lif_spikingjelly_decay_input")
    spikes, v = run(SpikingJellyLIF(inputs["tau"], decay_input), inputs["x"])
    assert (spikes, v) == (expected[row]["s"], expected[row]["v"])


def test_spikingjelly_fires_at_the_threshold(vector: Any) -> None:
    inputs, expected = vector("lif_threshold_edge")
    assert run(SpikingJellyLIF(2.0, False), inputs["x"])[0] == expected["ge"]
    assert run(SpikingJellyLIF(2.0, False, compare=">"), inputs["x"])[0] == expected["strict_gt"]


def test_plif(vector: Any) -> None:
    inputs, expected = vector("plif_step")
    neuron = PLIF().double()
    with torch.no_grad():
        neuron.learned_decay.fill_(-inputs["w"])  # type: ignore[operator]
    assert float(neuron.w.detach()) == inputs["w"]
    assert 1 / float(torch.as_tensor(neuron.tau).detach()) == pytest.approx(
        expected["inv_tau"], abs=1e-9
    )
    spikes, v = run(neuron, inputs["x"])
    assert spikes == expected["s"]
    assert v == pytest.approx(
        [h * (1 - s) for h, s in zip(expected["h"], expected["s"], strict=True)], abs=1e-9
    )
    assert float(PLIF(2.0).w.detach()) == expected["w_init_for_tau0_2"]
    assert float(PLIF(16.0).w.detach()) == pytest.approx(expected["w_init_for_tau0_16"], abs=1e-6)


@settings(max_examples=25)
@given(
    st.sampled_from([1.0, 1.5, 2.0, 4.0, 7.3]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, -0.3]),
    seeds,
)
def test_spikingjelly_definition(
    tau: float, decay_input: bool, soft: bool, v_reset: float, seed: int
) -> None:
    v_rest = 0.0 if soft else v_reset

    neuron = SpikingJellyLIF(
        tau,
        decay_input,
        reset="subtract" if soft else "value",
        v_reset=v_rest,
        detach_reset=False,
        learn=["threshold"],
    ).double()

    def definition(x: Tensor) -> Tensor:
        v, spikes = torch.zeros_like(x[0]), []
        for drive in x:
            if decay_input:
                v = v + (drive - (v - v_rest)) / tau
            else:
                v = v - (v - v_rest) / tau + drive
            s = neuron.surrogate(v, neuron.threshold, ">=")
            v = v - neuron.threshold * s if soft else (1 - s) * v + s * v_rest
            spikes.append(s)
        return torch.stack(spikes)

    same_gradients(neuron, definition, 2 * signal(seed))


@settings(max_examples=15)
@given(st.floats(1.1, 50.0), st.booleans(), st.sampled_from([0.0, -0.3]), seeds)
def test_plif_definition(tau: float, decay_input: bool, v_reset: float, seed: int) -> None:
    """The gradient to w is minus the one to what is kept of it."""
    neuron = PLIF(tau, decay_input, v_reset=v_reset, detach_reset=False).double()

    def definition(x: Tensor) -> Tensor:
        v, spikes = torch.zeros_like(x[0]), []
        rate = neuron.w.sigmoid()
        for drive in x:
            if decay_input:
                v = v + (drive - (v - v_reset)) * rate
            else:
                v = v - (v - v_reset) * rate + drive
            s = neuron.surrogate(v, 1.0, ">=")
            v = (1 - s) * v + s * v_reset
            spikes.append(s)
        return torch.stack(spikes)

    same_gradients(neuron, definition, 2 * signal(seed) * (tau if decay_input else 1))


# --- Zenke & Vogels ------------------------------------------------------------------------------


def zenke(neuron: Neuron, x: Tensor, back: Tensor | None) -> Tensor:
    """S by 002 eq. 2, 4, 5, 6; back [N, N]: V."""
    decay, decay_syn = neuron.needed("decay"), neuron.needed("decay_syn")
    u = current = torch.zeros_like(x[0])
    spikes = []
    for drive in x:
        s = neuron.surrogate(u, neuron.threshold)
        spikes.append(s)
        dead = s.detach() if neuron.detach_reset else s
        u = (decay * u + (1 - decay) * current) * (1 - dead)
        current = decay_syn * current + drive + (0 if back is None else s @ back.T)
    return torch.stack(spikes)


def recurrent(neuron: Neuron, weight: Any) -> Recurrent:
    """A recurrent layer without a bias."""
    linear = nn.Linear(len(weight), len(weight), bias=False).double()
    linear.weight.data = torch.as_tensor(weight, dtype=torch.float64)
    return Recurrent(neuron, linear)


def test_zenke_recurrent(vector: Any) -> None:
    inputs, expected = vector("cuba_lif_zenke_recurrent_12steps")
    layer = recurrent(ZenkeLIF(inputs["beta_mem"], inputs["beta_syn"]), inputs["V"])
    x = torch.tensor(inputs["S_in"], dtype=torch.float64) @ torch.tensor(inputs["W"]).double().T
    states: list[State] = []
    layer.neuron.watch = lambda spikes, state: states.append(state)
    with torch.no_grad():
        assert layer(x[:, None])[:, 0].tolist() == expected["S"]
    v, u = (torch.stack([s[n][0] for s in states]) for n in (1, 0))
    np.testing.assert_allclose(v[:-2], expected["U"][2:], rtol=0, atol=1e-9)
    np.testing.assert_allclose(u[:-1], expected["I"][1:], rtol=0, atol=1e-9)


@settings(max_examples=30)
@given(
    st.floats(0.05, 0.95),
    st.floats(0.05, 0.95),
    st.sets(st.sampled_from(["decay", "decay_syn", "threshold"])),
    st.booleans(),
    st.booleans(),
    seeds,
)
def test_zenke_definition(
    decay: float, decay_syn: float, learn: set[str], detach: bool, loop: bool, seed: int
) -> None:
    neuron = ZenkeLIF(decay, decay_syn, detach_reset=detach, learn=learn).double()
    weight = np.random.default_rng(seed).normal(0, 2, (3, 3))
    layer = recurrent(neuron, weight) if loop else neuron
    back = layer.linear.weight if isinstance(layer, Recurrent) else None
    same_gradients(layer, lambda x: zenke(neuron, x, back), 4 * signal(seed, 16))


# --- the spike response model --------------------------------------------------------------------

SRMS: dict[str, dict[str, Any]] = {
    "a_exp_refr_tau10": {},
    "b_alpha_refr_tau10": {"kernel": "alpha"},
    "c_alpha_refr_tau1": {"kernel": "alpha", "tau_r": 1.0},
}


def at(times: list[int], steps: int, weight: float) -> list[float]:
    return [weight if t in times else 0.0 for t in range(steps)]


@pytest.mark.parametrize("row", SRMS)
def test_srm_spike_times(vector: Any, row: str) -> None:
    inputs, expected = vector("srm_neuron_spike_times")
    neuron = SRM(inputs["tau_s"], threshold=inputs["theta"], **SRMS[row])
    spikes, _ = run(neuron, at(inputs["input_spike_times"], inputs["T"], inputs["W"]))
    assert [t for t, s in enumerate(spikes) if s] == expected[row]


@pytest.mark.parametrize("tau_r", [10.0, 10.0000001])
def test_srm_potential(vector: Any, tau_r: float) -> None:
    """Both ways of computing it: the reset in the filter, and beside it."""
    inputs, expected = vector("srm_neuron_spike_times")
    neuron = SRM(inputs["tau_s"], tau_r, threshold=inputs["theta"])
    assert neuron.merged == (tau_r == 10)
    x = at(inputs["input_spike_times"], inputs["T"], inputs["W"])
    spikes, v = run(neuron, x)
    wanted = expected["u_a_first20"]
    before = [v[t] + (20 if neuron.merged else 0) * spikes[t + 1] for t in range(19)]
    quiet = [t for t in range(19) if neuron.merged or not spikes[t + 1]]  # else v was reset to 0
    assert [before[t] for t in quiet] == pytest.approx(
        [wanted[t + 1] for t in quiet], abs=1e-9 if neuron.merged else 1e-6
    )


@pytest.mark.parametrize(
    "name, kernel",
    [
        ("srm_equals_cuba_soft_reset_2theta", "exponential"),
        ("srm_alpha_refractory_equals_self_synapse", "alpha"),
    ],
)
def test_srm_as_other_neurons(vector: Any, name: str, kernel: Any) -> None:
    inputs, expected = vector(name)
    neuron = SRM(inputs["tau"], inputs["tau"], kernel, threshold=inputs["theta"])
    spikes, _ = run(neuron, at(inputs["input_spike_times"], inputs["T"], inputs["W"]))
    assert [t for t, s in enumerate(spikes) if s] == expected["spike_times"]


def test_srm_kernel(vector: Any) -> None:
    """One input spike, too weak to fire: the potential is eps, one step early."""
    inputs, expected = vector("srm_alpha_kernel_tau10")
    wanted = expected["first12"]
    _, v = run(SRM(inputs["tau"]), at([0], 12, 1.0))
    assert v[:11] == pytest.approx(wanted[1:], abs=1e-9)


@settings(max_examples=25)
@given(
    st.sampled_from([1.0, 3.0, 10.0]),
    st.sampled_from([1.0, 3.0, 7.7]),
    st.sampled_from(["exponential", "alpha"]),
    st.sampled_from([1.0, 2.0]),
    st.booleans(),
    st.booleans(),
    seeds,
)
def test_srm_definition(
    tau_s: float, tau_r: float, kernel: Any, scale: float, detach: bool, learn: bool, seed: int
) -> None:
    """The sums of eq. 1 to 4, over all past inputs and spikes."""
    neuron = SRM(
        tau_s,
        tau_r,
        kernel,
        scale_ref=scale,
        threshold=1.0,
        detach_reset=detach,
        learn=["threshold"] if learn else [],
    ).double()

    def nu(t: int) -> float:
        decay = math.exp(-t / tau_r)
        return -scale * (decay if kernel == "exponential" else t / tau_r * math.e * decay)

    def definition(x: Tensor) -> Tensor:
        spikes: list[Tensor] = []
        threshold = neuron.threshold
        for t in range(len(x)):
            u = torch.zeros_like(x[0])
            for past in range(t):
                lag = t - past
                s = spikes[past].detach() if detach else spikes[past]
                u = u + lag / tau_s * math.exp(1 - lag / tau_s) * x[past]
                u = u + nu(lag) * threshold * s
            spikes.append(neuron.surrogate(u, threshold, ">="))
        return torch.stack(spikes)

    same_gradients(neuron, definition, signal(seed, 14))


# --- soft reset ----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.floats(0.05, 0.99), st.floats(0.2, 2.0), st.booleans(), st.booleans(), seeds)
def test_soft_reset_definition(
    leak: float, threshold: float, test_first: bool, detach: bool, seed: int
) -> None:
    neuron = SoftResetLIF(
        leak, test_first, threshold=threshold, detach_reset=detach, learn=["decay", "threshold"]
    ).double()

    def definition(x: Tensor) -> Tensor:
        v, spikes = torch.zeros_like(x[0]), []
        theta, decay = neuron.threshold, neuron.needed("decay")
        for drive in x:
            if test_first:
                s = neuron.surrogate(v, theta)
                v = decay * v + drive - theta * (s.detach() if detach else s)
            else:
                v = decay * v + drive
                s = neuron.surrogate(v, theta)
                v = v - theta * (s.detach() if detach else s)
            spikes.append(s)
        return torch.stack(spikes)

    same_gradients(neuron, definition, signal(seed, 14))


# --- learning, and what is refused ---------------------------------------------------------------

LEARNERS: list[Callable[[], Neuron]] = [
    lambda: PLIF(learn=["threshold"]),
    lambda: SpikingJellyLIF(3.0, learn=["decay", "threshold"]),
    lambda: ZenkeLIF(learn=["decay", "decay_syn", "threshold"]),
    lambda: SRM(threshold=1.0, learn=["threshold"]),
    lambda: SRM(3.0, 2.0, "alpha", threshold=1.0, learn=["threshold"]),
    lambda: SoftResetLIF(0.95, learn=["decay", "threshold"]),
    lambda: SoftResetLIF(0.9, True, learn=["decay", "threshold"]),
]


@pytest.mark.parametrize("make", LEARNERS)
@pytest.mark.parametrize("lr", [0.05, 10.0])
def test_what_is_learned_moves_and_stays_in_range(make: Callable[[], Neuron], lr: float) -> None:
    torch.manual_seed(0)
    neuron = make()
    start = {name: float(p) for name, p in neuron.named_parameters()}
    assert len(start) == len(neuron.learn) > 0
    x = torch.rand(12, 4, 5) * 1.5
    descent = torch.optim.SGD(neuron.parameters(), lr)
    for n in range(6):
        descent.zero_grad()
        (neuron(x).mean() * (1 if n < 3 else -1)).backward()  # fewer spikes, then more
        assert all(p.grad is not None and bool(p.grad.isfinite()) for p in neuron.parameters())
        descent.step()
        if n == 0:
            for name, parameter in neuron.named_parameters():
                assert float(parameter) != start[name], name
        for name in neuron.learn:
            value = float(getattr(neuron, name))
            assert 0 < value < (math.inf if name == "threshold" else 1), name


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: SpikingJellyLIF(0.5), "tau is 0.5 steps"),
        (lambda: SpikingJellyLIF(math.inf), "tau is inf steps"),
        (lambda: PLIF(1.0), "init_tau is 1"),
        (lambda: ZenkeLIF(1.2), "decay is 1.2"),
        (lambda: ZenkeLIF(compare=">>"), "compare is '>>'"),  # type: ignore[arg-type]
        (lambda: SRM(0.0), "tau_s is 0.0"),
        (lambda: SRM(tau_r=-1.0), "tau_r is -1.0"),
        (lambda: SRM(threshold=0.0), "threshold is 0.0"),
        (lambda: SRM(scale_ref=math.nan), "scale_ref is nan"),
        (lambda: SRM(kernel="beta"), "kernel is 'beta'"),  # type: ignore[arg-type]
        (lambda: SRM(learn=["decay"]), "'decay' cannot be learned"),
        (lambda: SoftResetLIF(0.0, True), "decay is 0"),
    ],
)
def test_what_is_no_neuron(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize("make", LEARNERS)
def test_shorter_than_its_delay(make: Callable[[], Neuron]) -> None:
    neuron = make()
    whole = neuron(signal(1, 6).float())
    assert torch.equal(neuron(signal(1, 6).float()[:1]), whole[:1])
    with pytest.raises(NetworkError, match="at least one step"):
        neuron(torch.zeros(0, 2, 3))
