"""A trained ANN and the spiking net that it becomes."""

import copy
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikeport
from spikeport.core.errors import ConfigError, DataError, UnsupportedNode
from spikeport.core.settings.encoders import Poisson
from spikeport.trainer import data as sets
from spikeport.trainer.conversion import convert, cost
from spikeport.trainer.conversion.chain import chain
from spikeport.trainer.conversion.convert import spiking
from spikeport.trainer.conversion.scales import Scale
from spikeport.trainer.data.dataset import DataSet
from spikeport.trainer.layers import held
from spikeport.trainer.neurons import IF, Reset

Vector = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]
EXAMPLE = Path(__file__).parents[2] / "examples" / "conversion.py"
METHODS: tuple[Any, ...] = ("max", "percentile", "balance")


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return sets.load("digits")


@pytest.fixture(scope="module")
def ann(digits: DataSet) -> nn.Sequential:
    """A small ANN with every layer that can be converted, trained on real digits."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    optimiser = torch.optim.Adam(made.parameters(), lr=1e-2)
    x, y = (torch.tensor(v[digits.indices("train")]) for v in (digits.x, digits.y))
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(made(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return made.eval()


def weights(net: nn.Module, name: str, what: str = "weight") -> torch.Tensor:
    return net.get_parameter(f"{name}.{what}").detach()


@pytest.mark.parametrize("method", METHODS)
def test_digits_before_and_after(method: Any, ann: nn.Sequential, digits: DataSet) -> None:
    before = {k: v.clone() for k, v in ann.state_dict().items()}
    found = cost(ann, convert(ann, digits, method), digits, "test", (4, 64))
    x, y = (torch.tensor(v[digits.indices("test")]) for v in (digits.x, digits.y))
    assert found.ann == float((ann(x).argmax(1) == y).double().mean()) > 0.9
    assert found.spiking[64] > found.ann - 0.02
    assert all(torch.equal(before[k], v) for k, v in ann.state_dict().items())
    assert not any(layer.training for layer in ann.modules())


@pytest.mark.parametrize("method", METHODS)
def test_the_mean_output_nears_the_logits(method: Any, ann: nn.Sequential, digits: DataSet) -> None:
    """On the samples that the scales are of, so that nothing is clipped; bias included."""
    x = torch.tensor(digits.x[digits.indices("train")[:16]])
    apart = []
    for steps in (32, 512):
        converted = convert(ann, digits, method, samples=16, steps=steps)
        with torch.no_grad():
            apart.append(float((converted(held(x, steps)).mean(0) - ann(x)).abs().mean()))
    scale = float(ann(x).detach().std())
    assert apart[1] < 0.02 * scale and apart[1] < apart[0] / 4


def test_a_reset_to_zero_loses_what_is_above(ann: nn.Sequential, digits: DataSet) -> None:
    lost = [
        cost(ann, convert(ann, digits, reset=reset), digits, "test", (64,)).spiking[64]
        for reset in ("subtract", "value")
    ]
    x = held(torch.tensor(digits.x[:32]), 200)
    with torch.no_grad():
        soft, hard = (convert(ann, digits, reset=r)(x).mean(0) for r in ("subtract", "value"))
        wanted = ann(x[0])
    assert (soft - wanted).abs().mean() < 0.2 * (hard - wanted).abs().mean()
    assert lost[0] >= lost[1]


def test_constant_currents(vector: Vector, blobs: DataSet) -> None:
    """One neuron of scale 1: the vector's counts, in which rounding takes one spike of 0.3."""
    inputs, expected = vector("ann2snn_rate_hard_vs_soft_reset")
    links = chain(nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU()))
    with torch.no_grad():
        links[0].layer.weight.fill_(1.0)  # type: ignore[operator]
    x = torch.tensor(inputs["a"], dtype=torch.float64).view(1, 3, 1).expand(inputs["T"], 3, 1)
    rows: tuple[tuple[Reset, str], ...] = (("subtract", "soft"), ("value", "hard"))
    for reset, row in rows:
        made = spiking(links, {"1": Scale(1.0)}, reset)
        assert made.double()(x).sum(0).flatten().tolist() == expected[row]


def test_scales_in_the_weights(vector: Vector) -> None:
    inputs, expected = vector("ann2snn_weight_normalisation")
    layers = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1), nn.ReLU()).double()
    with torch.no_grad():
        for place, n in (("0", 1), ("2", 2)):
            weights(layers, place).fill_(inputs[f"W{n}"])
            weights(layers, place, "bias").fill_(inputs[f"b{n}"])
    first, second = inputs["lam"]
    made = spiking(chain(layers), {"1": Scale(first), "3": Scale(second)}, "subtract")
    for place, n in (("0", 1), ("2", 2)):
        assert float(weights(made, place)) == pytest.approx(expected[f"W{n}"], abs=1e-9)
        assert float(weights(made, place, "bias")) == pytest.approx(expected[f"b{n}"], abs=1e-9)


def test_what_balancing_finds(ann: nn.Sequential, digits: DataSet) -> None:
    """Weights stay, thresholds are the highest input that a population gets, biases follow."""
    steps = 20
    made = convert(ann, digits, "balance", steps=steps, samples=12).double()
    x = held(torch.tensor(digits.x[digits.indices("train")[:12]]).double(), steps)
    assert torch.equal(weights(made, "2").float(), weights(ann, "2"))
    unit = 1.0
    with torch.no_grad():
        for place, name in ((0, "0_2"), (2, "3"), (7, "8")):
            neuron = made.get_submodule(name)
            before = nn.Sequential(*list(made)[: list(made).index(neuron)])
            most = float(before(x).max())
            assert isinstance(neuron, IF) and most == pytest.approx(neuron.threshold, rel=1e-5)
            if place:
                biases = (weights(n, str(place), "bias").double() for n in (made, ann))
                assert torch.allclose(next(biases) * unit, next(biases), rtol=1e-5)
            unit *= most


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("engine", ["reference", "loihi"])
def test_a_converted_net_is_deployed(
    method: Any, engine: str, ann: nn.Sequential, digits: DataSet
) -> None:
    made = convert(ann, digits, method)
    network = spikeport.lower(made, (1, 8, 8), steps=32)
    x, y = digits.take(digits.indices("test")[:40], 32)
    requests = [spikeport.Request(engine)]
    found = spikeport.verify(network, [(x, y)], requests, calibration=lambda: x, max_drop=10.0)
    assert found.agrees, [o.complaints for o in found.outcomes]


def reasons() -> list[tuple[nn.Module, str]]:
    relu = nn.Linear(64, 9), nn.ReLU()
    return [
        (nn.Linear(64, 3), "the ANN is a Linear; an nn.Sequential"),
        (nn.Sequential(*relu, nn.Sigmoid()), "'2' is a Sigmoid.*follows a ReLU and no other"),
        (nn.Sequential(*relu, nn.Softmax(1)), "'2' is a Softmax.*changes no decision"),
        (nn.Sequential(nn.MaxPool2d(2), *relu), "'0' is a MaxPool2d.*OR of spikes"),
        (nn.Sequential(*relu, nn.BatchNorm1d(9)), "'2' is a BatchNorm1d that does not come right"),
        (nn.Sequential(nn.Linear(64, 3)), "has no ReLU"),
        (nn.Sequential(*relu, nn.ReLU()), "'2' is a ReLU with no Conv2d or Linear"),
        (nn.Sequential(nn.Flatten(), nn.ReLU(), *relu), "'1' is a ReLU with no"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), nn.ReLU()),
            "'0' pads with 'circular'",
        ),
        (
            nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(64, 9)), nn.ReLU()),
            "'0' has a weight that is computed",
        ),
        (nn.Sequential(nn.Sequential(nn.Tanh()), *relu), "'0.0' is a Tanh"),
        (
            nn.Sequential(nn.Linear(64, 9), nn.BatchNorm1d(9, track_running_stats=False), *relu),
            "'1' keeps no running statistics",
        ),
    ]


@pytest.mark.parametrize("number", range(len(reasons())))
def test_what_cannot_be_converted(number: int, blobs: DataSet) -> None:
    layers, why = reasons()[number]
    with pytest.raises(UnsupportedNode, match=why):
        convert(layers, blobs)


def test_options_that_have_no_meaning(blobs: DataSet) -> None:
    small = nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 3))
    with pytest.raises(ConfigError, match="method is 'best'; there are max, percentile, balance"):
        convert(small, blobs, "best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="percentile is 0"):
        convert(small, blobs, percentile=0)
    with pytest.raises(ConfigError, match="samples 0"):
        convert(small, blobs, samples=0)
    with pytest.raises(DataError, match="'0' cannot take the data"):
        convert(nn.Sequential(nn.Linear(3, 9), nn.ReLU()), blobs)
    for timed in (
        sets.encoded(blobs, Poisson()),
        DataSet(
            "films", np.repeat(blobs.x[:, None], 2, 1), blobs.y, blobs.splits, 3, temporal=True
        ),
    ):
        with pytest.raises(DataError, match="has samples in time"):
            convert(small, timed)
    silent = copy.deepcopy(small)
    nn.init.zeros_(weights(silent, "1"))
    nn.init.constant_(weights(silent, "1", "bias"), -1)
    for method in METHODS:
        with pytest.raises(DataError, match="scale of '2' is .* on this data"):
            convert(silent, blobs, method)


def test_norms_are_folded_with_their_epsilon() -> None:
    torch.manual_seed(2)
    norm = nn.BatchNorm2d(3, eps=1e-2)
    for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        nn.init.uniform_(values, 0.01, 0.1)  # type: ignore[arg-type]
    layers = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), norm, nn.ReLU()).double().eval()
    folded = nn.Sequential(*(link.layer for link in chain(layers)))
    x = torch.rand(4, 2, 5, 5, dtype=torch.float64)
    assert len(folded) == 2 and torch.allclose(folded(x), layers(x), rtol=1e-12, atol=1e-12)
    assert np.isfinite(folded(x).detach().numpy()).all()


@pytest.mark.slow
def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Every way of conversion is at most two points below its ANN where it should be."""
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    before, _, *rows = capsys.readouterr().out.splitlines()
    ann = float(before.split()[1])
    found = {}
    for line in rows:
        name, *cells = [cell.strip() for cell in line.strip("| ").split("|")]
        found[name] = list(map(float, cells))
    assert ann > 95 and len(found) == 7
    for name, accuracies in found.items():
        at = 1 if "trained at" in name or "tandem" in name else 5
        assert accuracies[at] > ann - 2, name
