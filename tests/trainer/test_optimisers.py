"""Optimisers that torch does not have."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from spikeport.core.config import parse
from spikeport.trainer.optimiser import optimiser
from spikeport.trainer.optimisers import SMORMS3, AdaBelief

GRADIENTS = [0.5, -0.2, 0.1, 0.4, 0.3, 0.2, 0.1]


def stepped(made: torch.optim.Optimizer, w: nn.Parameter, gradients: list[float]) -> list[float]:
    """The weight after each gradient."""
    found = []
    for g in gradients:
        w.grad = torch.tensor([g], dtype=torch.float64)
        made.step()
        found.append(w.item())
    return found


def one(value: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.tensor([value], dtype=torch.float64))


def test_smorms3(vector: Any) -> None:
    given, expected = vector("smorms3_steps")
    w = one(given["p0"])
    found = stepped(SMORMS3([w], given["lr"]), w, given["grads"])
    assert found == pytest.approx(expected["p"], abs=1e-9)


@pytest.mark.parametrize("decoupled", [True, False])
def test_adabelief_without_rectification(decoupled: bool) -> None:
    """The paper's formulas, written out."""
    lr, b1, b2, eps, decay = 0.01, 0.9, 0.999, 1e-8, 0.1
    w = one()
    made = AdaBelief([w], lr, eps=eps, weight_decay=decay, decoupled=decoupled, rectify=False)
    found = stepped(made, w, GRADIENTS)
    p, m, s = 1.0, 0.0, 0.0
    for t, gradient in enumerate(GRADIENTS, 1):
        g = gradient
        if decoupled:
            p *= 1 - lr * decay
        else:
            g += decay * p
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps
        p -= lr * m / (1 - b1**t) / (math.sqrt(s / (1 - b2**t)) + eps)
        assert found[t - 1] == pytest.approx(p, rel=1e-12)


def test_adabelief_is_momentum_for_five_steps() -> None:
    """While rectification has fewer than five degrees of freedom."""
    w = one()
    found = stepped(AdaBelief([w], 0.01), w, GRADIENTS)
    p, m = 1.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m = 0.9 * m + 0.1 * g
        p -= 0.01 * m / (1 - 0.9**t)
        same = found[t - 1] == pytest.approx(p, rel=1e-12)
        assert same is (t <= 5), t


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("smorms3", SMORMS3, {}),
        ("adabelief", AdaBelief, {"eps": 1e-16, "decoupled": True, "rectify": True}),
        ("adabelief-0.0.5", AdaBelief, {"eps": 1e-8, "decoupled": False, "rectify": False}),
    ],
)
def test_settings_and_state(name: str, kind: type[Any], options: dict[str, Any]) -> None:
    train = parse(f"[train]\noptimiser = '{name}'\nlr = 0.01\nweight_decay = 0.1").train
    model = nn.Linear(3, 2)
    made = optimiser(model, train)
    assert isinstance(made, kind)
    decays = [g["weight_decay"] for g in made.param_groups]
    assert decays == [0.1, 0.0] and all(made.param_groups[0][k] == v for k, v in options.items())

    def move(model: nn.Module, made: torch.optim.Optimizer, count: int) -> None:
        for n in range(count):
            made.zero_grad()
            model(torch.full((1, 3), n + 1.0)).square().sum().backward()
            made.step()

    move(model, made, 3)
    twin = copy.deepcopy(model)
    again = optimiser(twin, train)
    again.load_state_dict(copy.deepcopy(made.state_dict()))
    move(model, made, 4)
    move(twin, again, 4)
    assert torch.equal(model.weight, twin.weight) and torch.equal(model.bias, twin.bias)
