"""The rate follows its schedule; weight decay pulls at weights alone."""

from typing import Any

import pytest
import torch
from torch import nn

from spikeport.core.settings import Train
from spikeport.trainer.optimiser import learning_rate, optimiser


def test_cosine(vector: Any) -> None:
    inputs, expected = vector("cosine_annealing_lr")
    train = Train(lr=inputs["lr0"], epochs=inputs["T_max"])
    rates = [learning_rate(train, epoch, 10) for epoch in inputs["epochs"]]
    assert rates == pytest.approx(expected["lr"], abs=1e-12)


def test_warmup_rises_to_the_whole_rate() -> None:
    train = Train(lr=0.1, epochs=10, warmup=2.0)
    rates = [learning_rate(train, step / 5, 5) for step in range(50)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[:10] == sorted(rates[:10])
    assert max(rates) == pytest.approx(0.1) == rates[10]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(Train(lr=0.1, schedule="constant"), 7.5, 5) == 0.1


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_pulls_at_weights_alone(name: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = {name: values.detach().clone() for name, values in model.named_parameters()}
    stepper = optimiser(model, Train(optimiser=name, lr=0.1, weight_decay=0.1))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    stepper.step()
    for which, values in model.named_parameters():
        factor = 0.99 if which == "0.weight" else 1.0
        assert torch.allclose(values, factor * before[which]), which


@pytest.mark.parametrize("name, row", [("sgd", "torch_sgd_w_next"), ("adamw", "adamw_w_next")])
def test_weight_decay(vector: Any, name: Any, row: Any) -> None:
    inputs, expected = vector("weight_decay_forms")
    model = nn.Linear(1, 1).double()
    nn.init.constant_(model.weight, inputs["w"])
    nn.init.constant_(model.bias, inputs["w"])
    train = Train(
        optimiser=name, lr=inputs["lr"], weight_decay=inputs["weight_decay"], momentum=0.0
    )
    stepper = optimiser(model, train)
    model.weight.grad = torch.full_like(model.weight, inputs["g"])
    model.bias.grad = torch.zeros_like(model.bias)
    stepper.step()
    assert float(model.weight.detach()) == pytest.approx(expected[row], abs=1e-7)
    assert float(model.bias.detach()) == inputs["w"]
