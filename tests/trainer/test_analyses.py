"""What is said about a trained model, held against the model's own numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError, DataError, NetworkError
from spikeport.trainer.analyses import (
    PerStep,
    correlation,
    direction,
    extension,
    landscape,
    per_step,
    rates,
    sharpness,
)
from spikeport.trainer.analyses.audit import gains, matching, training_cost, variances
from spikeport.trainer.analyses.extension import lengths
from spikeport.trainer.analyses.landscape import filter_normalised, moving
from spikeport.trainer.analyses.rates import Rate, Rates, sparsity
from spikeport.trainer.data.dataset import DataSet
from spikeport.trainer.evaluate import accuracy, run_recorded
from spikeport.trainer.losses import sdt
from spikeport.trainer.models import SpikingNet, build

Vector = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]


def model(*overrides: str) -> SpikingNet:
    """A net that fires in every layer, with norms that have seen something."""
    torch.manual_seed(1)
    small = ("model.channels=[4,6]", 'model.neuron={kind="lif",threshold=0.1}', *overrides)
    made = build(parse("", overrides=small).model, (1, 8, 8), 3)
    for _ in range(5):
        made(torch.rand(4, 16, 1, 8, 8))
    return made.eval()


@pytest.fixture(scope="module")
def learned(blobs: DataSet) -> SpikingNet:
    """A net that was trained for 3 steps, and not for long."""
    net = model()
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(8):
        x, y = blobs.take(blobs.indices("train"), 3)
        loss = sdt(net(torch.tensor(np.ascontiguousarray(x))), torch.tensor(y))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net


def outputs_of(net: SpikingNet, data: DataSet, steps: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = data.take(data.indices("train"), steps)
    with torch.no_grad():
        return net(torch.tensor(np.ascontiguousarray(x))).numpy(), y


def test_accuracy_of_each_step_and_of_all_up_to_it(learned: SpikingNet, blobs: DataSet) -> None:
    net = learned
    found = per_step(net, blobs, "train", 6, trained=3)
    outputs, y = outputs_of(net, blobs, 6)
    for t in range(6):
        assert found.own[t] == (outputs[t].argmax(1) == y).mean()
        assert found.so_far[t] == accuracy(net, blobs, "train", t + 1)
    assert found.total == accuracy(net, blobs, "train", 6)
    assert len(set(found.own)) > 2 and found.samples == 90
    beyond = [100 * a for a in found.own[3:]]
    assert found.variance() == pytest.approx(np.var(beyond, ddof=1), abs=1e-12)
    assert per_step(net, blobs, "train", 4, trained=3).variance() is None


@pytest.mark.parametrize("readout", ["max", "sum", "count", "first"])
def test_readouts_decide_on_what_there_was_so_far(readout: str, blobs: DataSet) -> None:
    net = model(f"model.readout={readout}")
    found = per_step(net, blobs, "train", 5)
    assert found.so_far == tuple(accuracy(net, blobs, "train", t) for t in range(1, 6))


def test_some_samples(blobs: DataSet) -> None:
    found = per_step(model(), blobs, "train", 2, samples=7)
    assert found.samples == 7 and all(a * 7 == pytest.approx(round(a * 7)) for a in found.own)
    with pytest.raises(DataError, match="samples is 0"):
        per_step(model(), blobs, "train", 2, samples=0)


def test_table_4_is_of_the_steps_beyond_training(vector: Vector) -> None:
    inputs, expected = vector("table4_variance_audit")
    printed = {"SDT_T3": 3.81, "SDT_T4": 4.04, "TET_T3": 1.41, "TET_T4": 0.08}
    for name, accuracies in inputs.items():
        trained = int(name[-1])
        found = variances(accuracies, trained)
        assert found == pytest.approx(expected[name], abs=1e-6)
        assert matching(printed[name], found) == ["var_beyond_train_T_unbiased"]
        as_run = PerStep(
            tuple(accuracies), tuple(a / 100 for a in accuracies), samples=1, trained=trained
        )
        wanted = expected[name]["var_beyond_train_T_unbiased"]
        assert as_run.variance() == pytest.approx(wanted, abs=1e-6)


def test_table_3_compares_with_another_row_than_it_says(vector: Vector) -> None:
    inputs, expected = vector("table3_text_audit")
    found = gains(inputs["tet_T2"], {"T6": inputs["tdbn_T6"], "T2": inputs["tdbn_T2"]})
    assert found == pytest.approx(expected, abs=1e-6)
    assert matching(1.82, found) == ["vs_T2"]


def test_training_at_fewer_steps_first_costs_half(vector: Vector) -> None:
    _, expected = vector("tit_cost")
    scratch, inherited = training_cost([(6, 300)]), training_cost([(2, 300), (6, 50)])
    assert (scratch, inherited) == (expected["scratch"], expected["tit"])
    assert inherited / scratch == expected["ratio"]


def test_correlation_over_trainings() -> None:
    def run(own: float, total: float) -> PerStep:
        return PerStep((total,), (own,), 10, 1)

    pairs = [(0.5, 0.6), (0.6, 0.65), (0.55, 0.7)]
    wanted = np.corrcoef(np.array(pairs).T)[0, 1]
    assert correlation([run(*p) for p in pairs]) == pytest.approx(wanted)
    assert correlation([run(0.1, 0.4), run(0.2, 0.3)]) == pytest.approx(-1)
    with pytest.raises(DataError, match="two trainings"):
        correlation([run(0.5, 0.6)])
    with pytest.raises(DataError, match="same accuracy"):
        correlation([run(0.5, 0.6), run(0.5, 0.6)])


def test_more_steps_than_were_trained(learned: SpikingNet, blobs: DataSet) -> None:
    net = learned
    assert lengths(3, 16) == (3, 6, 12, 16) and lengths(4, 4) == (4,)
    found = extension(net, blobs, "train", lengths(3, 16), trained=3)
    assert found.accuracy == {t: accuracy(net, blobs, "train", t) for t in (3, 6, 12, 16)}
    beyond = [100 * found.accuracy[t] for t in (6, 12, 16)]
    assert found.variance() == pytest.approx(np.var(beyond, ddof=1), abs=1e-12)
    with pytest.raises(ConfigError, match="extension to 2 is none"):
        lengths(3, 2)


def test_what_cannot_go_further_says_so(blobs: DataSet) -> None:
    net = model("model.norm=bntt", "model.norm_steps=4")
    assert per_step(net, blobs, "test", 4).samples == 30
    with pytest.raises(NetworkError, match="'norm1' is a BNTT with weights for 4 steps"):
        extension(net, blobs, "test", (4, 8), trained=4)
    with pytest.raises(ConfigError, match="steps is 0"):
        per_step(net, blobs, "test", 0)
    x = np.repeat(blobs.x[:, None], 3, axis=1)
    films = DataSet("films", x, blobs.y, blobs.splits, 3, temporal=True)
    with pytest.raises(DataError, match="films has 3 steps, 5 are asked for"):
        extension(model(), films, "test", (3, 5), trained=3)


def test_rates_of_the_vector(vector: Vector) -> None:
    inputs, expected = vector("spike_rate_metric")
    layers = {n: Rate(np.sum(s), np.shape(s)[1] * len(s)) for n, s in inputs.items()}
    found = Rates(layers, steps=1, samples=1, accuracy=0)
    assert found.pooled == pytest.approx(expected["pooled"], abs=1e-9)
    assert found.mean_of_layers == pytest.approx(expected["mean_of_layer_means"], abs=1e-9)


def test_rates_are_the_spikes_that_were_fired(learned: SpikingNet, blobs: DataSet) -> None:
    net = learned
    found = rates(net, blobs, "train", 4)
    x, _ = blobs.take(blobs.indices("train"), 4)
    _, spikes = run_recorded(net, x, torch.float32)
    assert found.rate == pytest.approx({name: s.mean() for name, s in spikes.items()})
    assert list(found.layers) == ["lif1", "lif2"] and found.rate["lif2"] > 0
    assert found.spikes == {name: s.sum() / 90 for name, s in spikes.items()}
    every = np.concatenate([s.ravel() for s in spikes.values()])
    assert found.pooled == pytest.approx(every.mean())
    assert found.accuracy == accuracy(net, blobs, "train", 4)
    point = (sum(found.spikes.values()), sum(found.spikes.values()) / 2, found.accuracy)
    silent = Rates({"lif1": Rate(0, 4)}, steps=1, samples=1, accuracy=0.1)
    assert sparsity([found, silent]) == [(0, 0, 0.1), pytest.approx(point)]
    counted = Rates({"lif1": Rate(6, 4), "last": Rate(9, 3)}, steps=1, samples=2, accuracy=0.5)
    assert sparsity([counted]) == [(3, 3, 0.5)]  # a readout that spikes is no hidden layer
    with pytest.raises(NetworkError, match="no layer of neurons"):
        rates(torch.nn.Sequential(torch.nn.Flatten(2), torch.nn.Linear(64, 3)), blobs, "test", 2)


def test_filters_of_a_direction_are_as_long_as_the_weights(vector: Vector) -> None:
    inputs, expected = vector("loss_landscape_filter_normalisation")
    d, w = (torch.tensor(inputs[k], dtype=torch.float64) for k in ("d", "w"))
    wanted = torch.tensor(expected["d_normalised"], dtype=torch.float64)
    assert torch.allclose(filter_normalised(d, w), wanted, rtol=0, atol=1e-9)
    net = model()
    for name, move in direction(net, 3).items():
        weight = net.get_parameter(name).detach()
        assert torch.allclose(move.flatten(1).norm(dim=1), weight.flatten(1).norm(dim=1))
    assert list(moving(net)) == ["conv1.weight", "conv2.weight", "classifier.weight"]


def test_which_weights_move() -> None:
    steps = model("model.norm=bntt", "model.norm_steps=4")
    assert list(moving(steps)) == ["conv1.weight", "conv2.weight", "classifier.weight"]
    v = "parametrizations.weight.original1"
    normed = model("model.norm=wn")
    assert list(moving(normed)) == [f"conv1.{v}", f"conv2.{v}", "classifier.weight"]


@pytest.mark.parametrize("norm", ["bn", "wn", "neunorm"])
def test_a_landscape_leaves_the_model_as_it_was(norm: str, blobs: DataSet) -> None:
    net = model(f"model.norm={norm}").train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    places = {n: p.data_ptr() for n, p in net.named_parameters()}
    found = landscape(net, blobs, "train", 3, (-0.5, 0.0, 0.5), axes=2, samples=40)
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert places == {n: p.data_ptr() for n, p in net.named_parameters()}
    assert found.loss.shape == (3, 3) and found.loss[1, 1] == found.centre
    assert len(np.unique(found.loss)) > 6


def test_a_landscape_is_the_loss_of_the_moved_model(blobs: DataSet) -> None:
    net = model()
    line = landscape(net, blobs, "train", 3, (0.0, 0.7), seed=5)
    plane = landscape(net, blobs, "train", 3, (0.0, 0.7), axes=2, seed=5)
    one, other = direction(net, 5), direction(net, 6)
    with torch.no_grad():
        for name in one:
            net.get_parameter(name).add_(0.7 * one[name])
        outputs, y = outputs_of(net, blobs, 3)
        assert line.loss[1] == pytest.approx(float(sdt(torch.tensor(outputs), torch.tensor(y))))
        assert plane.loss[1, 0] == pytest.approx(line.loss[1])
        for name in other:
            net.get_parameter(name).add_(0.7 * other[name])
        outputs, y = outputs_of(net, blobs, 3)
    assert plane.loss[1, 1] == pytest.approx(float(sdt(torch.tensor(outputs), torch.tensor(y))))


def test_sharpness_is_the_rise_at_a_radius(blobs: DataSet) -> None:
    net = model()
    found = sharpness(net, blobs, "train", 3, radius=0.5, directions=2, seed=5)
    rises = [
        landscape(net, blobs, "train", 3, (-0.5, 0.5), seed=seed).loss - found.centre
        for seed in (5, 6)
    ]
    assert found.mean_rise == pytest.approx(np.mean(rises))
    assert found.most_rise == pytest.approx(np.max(rises))
    with pytest.raises(ConfigError, match="radius is 0"):
        sharpness(net, blobs, "train", 3, radius=0)
    with pytest.raises(ConfigError, match="axes is 3"):
        landscape(net, blobs, "train", 3, (0.0,), axes=3)
