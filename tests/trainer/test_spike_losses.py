"""SLAYER's losses, cross-entropy of other readouts, readout layers."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeport.core.errors import ConfigError, NetworkError
from spikeport.core.settings import SpikeTargets
from spikeport.trainer.losses import (
    LOSSES,
    even_trains,
    filtered,
    kernel,
    max_over_time,
    spike_count,
    spike_time,
    sum_over_time,
    total,
)
from spikeport.trainer.readouts import LeakyReadout, Vote, first_spike_time, logits

STEPS_BATCH_CLASSES = st.tuples(st.integers(2, 8), st.integers(1, 3), st.integers(2, 4))


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def trains(sizes: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    """Spikes [T, B, C] and labels [B]."""
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.rand(sizes, dtype=torch.float64, generator=generator) < 0.4
    labels = torch.randint(0, sizes[2], (sizes[1],), generator=generator)
    return spikes.double().requires_grad_(), labels


def slow_psp(signal: Any, tau: float) -> Any:
    """eps * signal by its definition."""
    out = np.zeros_like(signal)
    for t in range(len(signal)):
        for s in range(t + 1):
            out[t] += (t - s) / tau * math.exp(1 - (t - s) / tau) * signal[s]
    return out


def test_spike_time(vector: Any) -> None:
    inputs, expected = vector("slayer_spiketime_loss")
    out, desired = (double(inputs[k])[:, None, None] for k in ("out", "desired"))
    error = filtered(out - desired, inputs["tau_s"])
    assert error.flatten().tolist() == pytest.approx(expected["e"], abs=1e-9)
    assert float(spike_time(out, desired, inputs["tau_s"])) == pytest.approx(
        expected["E"], abs=1e-9
    )


def test_the_kernel(vector: Any) -> None:
    inputs, expected = vector("srm_alpha_kernel_tau10")
    taps = kernel(10.0, 200, cut=0.01)
    assert int((taps > 0).sum()) == 76 and float(taps[0]) == 0 and float(taps[10]) == 1
    assert torch.equal(taps[:77], kernel(10.0, 77)) and not taps[77:].any()
    assert inputs and expected


@given(STEPS_BATCH_CLASSES, st.floats(0.5, 20), st.integers(0, 2**31))
def test_spike_time_and_its_gradient(sizes: tuple[int, ...], tau: float, seed: int) -> None:
    out, _ = trains(sizes, seed)
    desired, _ = trains(sizes, seed + 1)
    error = slow_psp((out - desired).detach().numpy(), tau)
    loss = spike_time(out, desired.detach(), tau)
    assert float(loss.detach()) == pytest.approx(0.5 * (error**2).sum(), abs=1e-9)
    (grad,) = torch.autograd.grad(loss, out)
    back = slow_psp(error[::-1].copy(), tau)[::-1]  # eps backwards in time
    assert torch.allclose(grad, double(back.copy()), atol=1e-9)


@given(
    STEPS_BATCH_CLASSES, st.floats(0.5, 20), st.floats(0, 9), st.floats(0, 3), st.integers(0, 2**31)
)
def test_spike_count_and_its_gradient(
    sizes: tuple[int, ...], tau: float, true: float, false: float, seed: int
) -> None:
    out, labels = trains(sizes, seed)
    start, stop = seed % (sizes[0] - 1), sizes[0]
    values = out.detach().numpy()
    wanted = np.where(np.arange(sizes[2]) == labels.numpy()[:, None], true, false)
    outside = values.copy()
    outside[start:stop] = 0
    error = slow_psp(outside, tau)
    error[start:stop] += (values[start:stop].sum(0) - wanted) / (stop - start)
    loss = spike_count(out, labels, true, false, tau, (start, stop))
    assert float(loss.detach()) == pytest.approx(0.5 * (error**2).sum(), abs=1e-9)
    (grad,) = torch.autograd.grad(loss, out)
    back = slow_psp(error[::-1].copy(), tau)[::-1]
    assert torch.allclose(grad, double(back.copy()), atol=1e-9)


def test_desired_trains() -> None:
    labels = torch.tensor([1, 0])
    found = even_trains(labels, 3, 10, (0.5, 0.1), like=double(0.0))
    assert found.shape == (10, 2, 3) and found.dtype == torch.float64
    assert found.sum(0).tolist() == [[1, 5, 1], [5, 1, 1]]
    assert found[:, 0, 1].tolist() == [0, 1] * 5
    assert found[:, 0, 0].nonzero().flatten().tolist() == [9]


@given(STEPS_BATCH_CLASSES, st.integers(0, 2**31))
def test_max_and_sum_over_time(sizes: tuple[int, ...], seed: int) -> None:
    _, labels = trains(sizes, seed)
    outputs = torch.randn(sizes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    values = outputs.numpy()
    for loss, seen in ((max_over_time, values.max(0)), (sum_over_time, values.sum(0))):
        shifted = seen - seen.max(1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        wanted = -log_p[np.arange(sizes[1]), labels.numpy()].mean()
        assert float(loss(outputs, labels)) == pytest.approx(wanted, abs=1e-12)
    leaf = outputs.clone().requires_grad_()
    (grad,) = torch.autograd.grad(max_over_time(leaf, labels), leaf)
    at_best = grad.gather(0, outputs.argmax(0, keepdim=True))[0]
    assert torch.allclose(grad.sum(0), at_best)  # only each class's own best step


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_mean_over_the_batch(name: str) -> None:
    out, labels = trains((6, 4, 3), 3)
    targets = SpikeTargets(true=0.5, false=0.1, tau=2.0)
    once = total(out, labels, name, targets=targets)
    twice = total(torch.cat([out, out], 1), labels.repeat(2), name, targets=targets)
    assert torch.allclose(once, twice)
    (grad,) = torch.autograd.grad(once, out)
    assert grad.isfinite().all() and grad.any()


def test_the_first_spike() -> None:
    spikes = double([[[0, 1, 0, 0]], [[1, 1, 0, 0]], [[1, 0, 0, 1]]]).requires_grad_()
    assert first_spike_time(spikes).tolist() == [[1, 0, 3, 2]]
    assert logits(spikes, "first_spike").argmax(1).tolist() == [1]
    (grad,) = torch.autograd.grad(first_spike_time(spikes).sum(), spikes)
    assert grad[:, 0, 2].tolist() == [-3, -2, -1]  # earlier by as much as a spike there brings
    smooth = torch.rand(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(first_spike_time, (smooth,))


def test_voting(vector: Any) -> None:
    inputs, expected = vector("voting_layer")
    y = Vote(inputs["voting_size"])(double(inputs["x"])[None])
    assert y[0].tolist() == [pytest.approx(expected["y"][0], abs=1e-9)]
    with pytest.raises(NetworkError, match="20 outputs are no multiple of 3 votes"):
        Vote(3)(torch.zeros(1, 1, 20))


@given(st.integers(1, 9), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**31))
def test_the_leaky_readout(steps: int, decay: float, decay_syn: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(steps, 2, 3))
    initial = float(random.normal())
    for syn in (None, decay_syn):
        u, i = np.full((2, 3), initial), np.zeros((2, 3))
        found = LeakyReadout(decay, syn, initial)(double(x)).numpy()
        for n in range(steps):
            assert np.allclose(found[n], u, rtol=1e-12, atol=1e-12)
            u = decay * u + (1 - decay) * (x[n] if syn is None else i)
            i = syn * i + x[n] if syn is not None else i
        assert np.allclose(logits(double(found), "max_t"), found.max(0))
        assert np.allclose(logits(double(found), "sum_t"), found.sum(0))


def test_numbers_out_of_range() -> None:
    with pytest.raises(ConfigError, match="decay_syn of a leaky readout is 2"):
        LeakyReadout(0.5, 2.0)
    with pytest.raises(ConfigError, match="tau of a spike loss is 0"):
        spike_time(torch.zeros(2, 1, 1), torch.zeros(2, 1, 1), 0.0)
    with pytest.raises(ConfigError, match="steps 1 to 4 of 3"):
        spike_count(torch.zeros(3, 1, 2), torch.zeros(1, dtype=torch.int64), region=(1, 4))


def test_count_equals_cross_entropy_inputs() -> None:
    out, labels = trains((6, 4, 3), 9)
    assert torch.equal(logits(out, "count"), out.sum(0))
    assert total(out, labels, "sum") == F.cross_entropy(out.sum(0), labels)
