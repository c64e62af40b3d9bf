"""One spike at a real-valued time: the closed form against the membrane it solves."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikeport.core.errors import ConfigError, NetworkError
from spikeport.core.neuron import State, real, step
from spikeport.trainer.neurons import SingleSpike
from spikeport.trainer.neurons.single_spike import NEVER

seeds = st.integers(0, 2**32 - 1)


def layer(weight: Any, threshold: float = 1.0) -> SingleSpike:
    weight = torch.as_tensor(weight, dtype=torch.float64)
    made = SingleSpike(weight.shape[1], weight.shape[0], threshold).double()
    made.weight.data = weight
    return made


def test_vector(vector: Any) -> None:
    inputs, expected = vector("single_spike_exponential_synapse")
    z = torch.tensor(inputs["t"], dtype=torch.float64).exp()
    assert z.tolist() == pytest.approx(expected["z"], abs=1e-9)
    (out,) = layer([inputs["w"]])(z).tolist()
    assert out == pytest.approx(expected["z_out"], abs=1e-9)
    assert math.log(out) == pytest.approx(expected["t_out"], abs=1e-9)
    causal = [t for t in inputs["t"] if t < math.log(out)]
    assert len(causal) == expected["causal_set_size"]


def crossing(times: Any, weight: Any, threshold: float) -> float:
    """First t at which sum w (1 - exp(t_i - t)) reaches the threshold, between one input and
    the next, where the membrane is a constant minus an exponential; inf: never."""
    order = np.argsort(times)
    for m in range(len(times)):
        now = order[: m + 1]
        until = times[order[m + 1]] if m + 1 < len(times) else math.inf
        level, fall = weight[now].sum(), (weight[now] * np.exp(times[now])).sum()
        at_end = level - fall * math.exp(-until)
        start = level - fall * math.exp(-times[order[m]])
        if start < threshold <= at_end and level > threshold:
            low, high = times[order[m]], min(until, 60.0)
            for _ in range(200):  # bisection: the formula under test is not used
                middle = (low + high) / 2
                reached = level - fall * math.exp(-middle) >= threshold
                low, high = (low, middle) if reached else (middle, high)
            return high
    return math.inf


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(1, 4), st.floats(0.5, 2.0), seeds)
def test_the_membrane_reaches_the_threshold_there(
    inputs: int, outputs: int, threshold: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    times = random.uniform(0, 2, (3, inputs))
    weight = random.normal(0.8, 1.0, (outputs, inputs))
    z = layer(weight, threshold)(torch.from_numpy(np.exp(times)))
    assert z.shape == (3, outputs)
    for row, found in zip(times, z.detach().numpy(), strict=True):
        for w, out in zip(weight, found, strict=True):
            right = crossing(row, w, threshold)
            if right > math.log(NEVER):
                assert out == NEVER
            else:
                assert math.log(out) == pytest.approx(right, abs=1e-7)


@settings(max_examples=20)
@given(seeds)
def test_gradient(seed: int) -> None:
    """d z_out / d w = (z - z_out) / (sum w - 1), d z_out / d z = w / (sum w - 1), causal only."""
    random = np.random.default_rng(seed)
    made = layer(random.uniform(0, 1, (4, 6)))
    z = torch.from_numpy(np.exp(random.uniform(0, 2, (1, 6)))).requires_grad_()
    out = made(z)
    assume(bool((out < NEVER).all()))
    grad_w, grad_z = torch.autograd.grad(out.sum(), (made.weight, z))
    weight = made.weight.detach()
    causal = z.detach() < out.detach().T  # [out, in]
    total = (weight * causal).sum(1, keepdim=True) - 1
    torch.testing.assert_close(grad_w, (z.detach() - out.detach().T) / total * causal)
    torch.testing.assert_close(grad_z[0], (weight * causal / total).sum(0))


def test_silence_is_passed_on_without_a_gradient() -> None:
    made = layer([[0.4, 0.5, 3.0], [0.9, 0.9, 0.0]])
    z = torch.tensor([[1.0, 1.5, NEVER]], dtype=torch.float64, requires_grad=True)
    out = made(z)
    assert out[0, 0] == NEVER and 1.5 < out[0, 1] < NEVER
    grad_w, grad_z = torch.autograd.grad(out.sum(), (made.weight, z))
    assert bool(grad_w[0].eq(0).all()) and bool(grad_w.isfinite().all())
    assert bool(grad_z.isfinite().all()) and grad_z[0, 2] == 0
    assert layer([[0.2, 0.2, 0.2]])(torch.full((2, 3), NEVER).double()).tolist() == [[NEVER]] * 2


@pytest.mark.parametrize("dt", [0.1, 0.01])
def test_steps_come_near(dt: float) -> None:
    """A current-based neuron without leak, held after its first spike, fires at the end of the
    step in which t_out lies, for inputs that come on the grid."""
    random = np.random.default_rng(4)
    steps = round(4 / dt)
    at = random.integers(0, round(1 / dt), (5, 12))  # [batch, in]
    weight = random.uniform(0, 0.6, (7, 12))
    drive = np.stack([(at == t) @ weight.T for t in range(steps)])
    law = real(
        fire=lambda v: (v >= 1) * 1.0,
        decay_u=math.exp(-dt),
        gain_v=1 - math.exp(-dt),
        refractory=steps,
    )
    state, spikes = State(), []
    for x in drive:
        s, state = step(state, x, law)
        spikes.append(s)
    fired = np.stack(spikes)
    out = layer(weight)(torch.from_numpy(np.exp(at * dt))).detach().log().numpy()
    assert set(fired.sum(0).ravel()) <= {0.0, 1.0} and fired.any()
    early = out < steps * dt - dt
    assert (fired.sum(0)[early] == 1).all()
    late = (fired.argmax(0) + 1) * dt - out  # a step's membrane is that of its end
    assert ((late[early] > -1e-9) & (late[early] < dt + 1e-9)).all()


def test_it_learns_a_time() -> None:
    torch.manual_seed(1)
    made = SingleSpike(6, 3)
    z = torch.linspace(1.0, 2.0, 6).expand(2, 6)
    wanted = torch.tensor([2.2, 2.6, 3.0])
    start = made.weight.detach().clone()
    assert 0 <= float(start.min()) and float(start.max()) <= 8 / 6
    first = None
    descent = torch.optim.SGD(made.parameters(), 0.05)
    for _ in range(200):
        loss = (made(z) - wanted).square().mean()
        first = float(loss) if first is None else first
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert not torch.equal(made.weight, start)
    assert first is not None and float(loss) < 1e-3 * first


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="threshold is -1.0"):
        SingleSpike(2, 2, -1.0)
    with pytest.raises(ConfigError, match="0 inputs"):
        SingleSpike(0, 2)
    with pytest.raises(NetworkError, match="3 inputs gets times of shape"):
        SingleSpike(3, 2)(torch.ones(1, 4))
