"""Penalties and bounds: the papers' numbers, and plain definitions."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.core import settings
from spikeport.core.settings import ConvNet, RecurrentNet, Regularisers
from spikeport.trainer.losses import LOSSES
from spikeport.trainer.models import build
from spikeport.trainer.readouts import READOUTS
from spikeport.trainer.regularisers import (
    REGULARISERS,
    l2,
    listening,
    lower,
    penalty,
    regularised,
    total_spikes,
    upper,
    weight_sum,
)


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_settings_and_code_have_the_same() -> None:
    assert set(get_args(settings.LossName)) == set(LOSSES)
    assert set(get_args(settings.ReadoutName)) == set(READOUTS)
    assert {n for n, loss in LOSSES.items() if loss.spikes} == set(settings.SPIKE_LOSSES)
    assert {n for n, r in READOUTS.items() if r.spikes} == set(settings.SPIKING_READOUTS)
    assert set(REGULARISERS) < set(Regularisers.model_fields)


def test_spike_penalty(vector: Any) -> None:
    inputs, expected = vector("spike_penalty_eq31")
    for order, value, grad in ((2, "L_r", "second"), (1, "L_first_order", "first")):
        spikes = double(inputs["S"])
        found = penalty(spikes, order)
        assert float(found.detach()) == pytest.approx(expected[value], abs=1e-9)
        assert float(found.detach()) == pytest.approx(expected["spike_rate"] / 2, abs=1e-9)
        (by,) = torch.autograd.grad(found, spikes)
        assert torch.allclose(by, double(expected[f"grad_{grad}_order"]), atol=1e-9)


def test_the_tutorials_regulariser(vector: Any) -> None:
    inputs, expected = vector("spytorch_regulariser")
    spikes = double(inputs["spk"]).transpose(0, 1)
    assert 1e-5 * float(total_spikes(spikes)) == pytest.approx(expected["reg"], abs=1e-14)


def test_weight_sum(vector: Any) -> None:
    inputs, expected = vector("single_spike_weight_sum_cost")
    assert float(weight_sum(double(inputs["w"]).T)) == pytest.approx(expected["cost"], abs=1e-9)


def test_l2_is_twice_weight_decay(vector: Any) -> None:
    inputs, expected = vector("weight_decay_forms")
    w = double(inputs["w"])
    loss = inputs["g"] * w + inputs["weight_decay"] * l2(w)
    (grad,) = torch.autograd.grad(loss, w)
    assert float(grad) == pytest.approx(expected["eq21_grad"], abs=1e-9)


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    st.just(0.0) | st.floats(1e-3, 4),  # the gradient of a bound near 1e-320 is no float64
    st.integers(0, 2**31),
)
def test_bounds_are_their_definitions(sizes: tuple[int, ...], bound: float, seed: int) -> None:
    spikes = (np.random.default_rng(seed).random(sizes) < 0.5).astype(np.float64)
    zeta = [spikes[:, b].sum(0).ravel() for b in range(sizes[1])]
    for power in (1, 2):
        wanted = np.mean([max(0.0, z.mean() - bound) ** power for z in zeta])
        assert float(upper(double(spikes), bound, power)) == pytest.approx(wanted, abs=1e-12)
    wanted = np.mean([sum(max(0.0, bound - n) ** 2 for n in z) / len(z) for z in zeta])
    assert float(lower(double(spikes), bound)) == pytest.approx(wanted, abs=1e-12)
    # above the bound only, and towards fewer spikes; below it only, and towards more
    x = double(spikes)
    (grad,) = torch.autograd.grad(upper(x, bound), x)
    over = torch.tensor([z.mean() > bound for z in zeta])
    assert bool(((grad > 0) == over[None, :, None, None]).all())
    (grad,) = torch.autograd.grad(lower(x, bound), x)
    assert bool(((grad < 0) == (x.sum(0) < bound)).all())


@pytest.mark.parametrize("family", [ConvNet, RecurrentNet])
def test_every_one_over_a_model(family: Any) -> None:
    torch.manual_seed(1)
    net = build(family(readout="count"), (1, 8, 8), 3)
    x = torch.rand(4, 5, 1, 8, 8) * 3
    for name, each in REGULARISERS.items():
        given = Regularisers.model_validate({name: 0.5, "lower_bound": 9.0, "upper_bound": 0.0})
        with listening(net, given) as heard:
            net(x)
        hidden = 2 if family is ConvNet else 1  # the output's neurons are left out
        assert len(heard) == (hidden if each.on == "spikes" else 0)
        found = regularised(net, given, heard)
        assert found is not None
        layers = heard
        if each.on != "spikes":
            layers = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        wanted = sum(0.5 * float(each.cost(layer, given)) for layer in layers)
        assert float(found.detach()) == pytest.approx(wanted, rel=1e-5) and wanted > 0
        grads = torch.autograd.grad(found, list(net.parameters()), allow_unused=True)
        assert any(g is not None and g.any() for g in grads)


def test_a_readout_that_only_reads_need_not_fire() -> None:
    net = build(ConvNet(), (1, 8, 8), 3)
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(1.0)
        net.get_parameter("classifier.weight").fill_(-1.0)
    found = regularised(net, Regularisers(weight_sum=1.0), [])
    assert found is not None and float(found.detach()) == 0.0


def test_nothing_asked_for_costs_nothing() -> None:
    net = build(ConvNet(), (1, 8, 8), 3)
    with listening(net, Regularisers()) as heard:
        net(torch.rand(2, 1, 1, 8, 8))
    assert heard == [] and regularised(net, Regularisers(), heard) is None
