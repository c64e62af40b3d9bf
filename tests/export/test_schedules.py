"""A norm with moments for every step: neurons with numbers for every step, where an engine can."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.backends import registry
from spikeport.core import interpreter, store
from spikeport.core.arrays import frozen
from spikeport.core.errors import NetworkError, UnsupportedNode
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Input, Linear, Neuron, Output
from spikeport.core.schedule import compile
from spikeport.core.timed import Schedule
from spikeport.export import recipes
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.trainer import layers
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.joins import Add
from spikeport.trainer.neurons import IF, LIF, SRM, CubaLIF, SoftResetLIF, SpikingJellyLIF
from spikeport.trainer.norms import BNTT
from spikeport.verify.portable import differences
from spikeport.verify.prepare import prepare
from spikeport.verify.run import Request, verify
from spikeport.verify.trained import TrainedBaseline

STEPS = 4


def model_with(neuron: nn.Module, steps: int = STEPS) -> nn.Module:
    """conv - BNTT - neurons - conv - BNTT - LIF - linear, with moments of its own."""
    torch.manual_seed(0)
    model = nn.Sequential(
        layers.Conv2d(1, 4, 3, padding=1, bias=False),
        BNTT(steps, 4),
        neuron,
        layers.Conv2d(4, 3, 3, bias=False),
        BNTT(steps, 3),
        LIF(0.9, threshold=0.5),
        layers.Flatten(),
        layers.Linear(48, 3),
    ).double()
    with torch.no_grad():
        for p in (m.weight for m in model if isinstance(m, BNTT)):
            p.copy_(1.5 * torch.rand_like(p) + 2.5)
        for _ in range(8):
            model.train()(torch.rand(steps, 6, 1, 6, 6, dtype=torch.float64))
    return model.eval()


def image(steps: int = STEPS) -> Any:
    return np.random.default_rng(0).random((steps, 12, 1, 6, 6))


KINDS = [IF(), LIF(0.5), LIF(0.8, reset="subtract"), SoftResetLIF(0.95), SpikingJellyLIF(2.0)]


@pytest.mark.parametrize("neuron", KINDS, ids=lambda kind: type(kind).__name__)
def test_it_is_what_was_trained(neuron: nn.Module, tmp_path: Any) -> None:
    model = model_with(neuron)
    network = run_passes(lower(model, (1, 6, 6)), recipes.PLAIN).network
    assert network.scheduled == network.meaning.steps == STEPS
    outputs, spikes = run_recorded(model, image())
    store.write(network, tmp_path / "x.nir")
    back = store.read(tmp_path / "x.nir")
    assert store.digest(back) == store.digest(network)
    for each in (network, back):
        ours = interpreter.run(compile(each), {"input": image()}, ("all",))
        for layer, theirs in spikes.items():
            assert theirs.any() and theirs.mean() < 0.99
            assert (ours.spikes[layer] == theirs).all(), layer
        assert np.abs(ours.outputs["output"] - outputs).max() < 1e-9


def test_the_file_says_so_and_plain_readers_are_named(tmp_path: Any) -> None:
    network = run_passes(lower(model_with(LIF(0.5)), (1, 6, 6)), recipes.PLAIN).network
    store.write(network, tmp_path / "x.nir")
    assert store.plainly_readable(tmp_path / "x.nir") is None
    assert any("numbers for every step" in line for line in differences(network))


def test_the_digest_knows_the_schedule() -> None:
    network = lower(model_with(LIF(0.5)), (1, 6, 6))
    node = network.nodes["2"]
    assert isinstance(node, Neuron) and node.schedule is not None
    given = node.schedule.given()
    other = Schedule(**{**given, "bias": frozen(given["bias"] + 1e-15)})
    changed = network.changed(nodes={**network.nodes, "2": replace(node, schedule=other)})
    assert store.digest(changed) != store.digest(network)


@pytest.mark.parametrize("steps", [STEPS - 1, STEPS + 1])
def test_another_number_of_steps_is_refused(steps: int) -> None:
    network = lower(model_with(LIF(0.5)), (1, 6, 6))
    with pytest.raises(NetworkError, match=f"each of {STEPS} steps and is run for {steps}"):
        interpreter.run(compile(network), {"input": image(steps)})


def test_verification_holds_the_reference_to_it() -> None:
    model = model_with(LIF(0.5))
    network = run_passes(lower(model, (1, 6, 6)), recipes.PLAIN).network
    baseline = TrainedBaseline(lambda x: run_recorded(model, x), network.spiking)
    (outcome,) = verify(network, [(image(), None)], [Request("reference")], baseline).outcomes
    assert not outcome.complaints and not outcome.run.tally.differing


@pytest.mark.parametrize("engine", ["norse", "loihi", "lava-float", "lava-fixed"])
def test_an_engine_without_refuses_by_name(engine: str) -> None:
    network = run_passes(lower(model_with(LIF(0.5)), (1, 6, 6)), recipes.PLAIN).network
    backend = registry.get(engine)
    with pytest.raises(NetworkError, match=r"'2'.*each of 4 steps.*approximate"):
        backend.open(prepare(network, backend.capabilities(), {"input": image()}).network)


@pytest.mark.parametrize(
    ("neuron", "word"),
    [
        (CubaLIF(), "synaptic current"),
        (SRM(), "spike response|synaptic current"),
        (LIF(v_reset=0.2), "resets to or by"),
        (layers.AvgPool2d(2), "heard by layer '2'"),
        (layers.Recurrent(LIF(), nn.Linear(4, 4)), "heard by layer '2'"),
    ],
)
def test_what_cannot_be_is_refused(neuron: nn.Module, word: str) -> None:
    flat = isinstance(neuron, layers.Recurrent)
    first = layers.Linear(4, 4) if flat else layers.Conv2d(1, 4, 3, padding=1)
    model = nn.Sequential(first, BNTT(STEPS, 4), neuron)
    with pytest.raises(UnsupportedNode, match=word):
        lower(model, (4,) if flat else (1, 6, 6))


def test_a_sum_of_two_such_norms_is_refused() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.join, self.lif = BNTT(3, 4), BNTT(3, 4), Add(), LIF()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.lif(self.join(self.one(x), self.two(x)))
            return y

    with pytest.raises(UnsupportedNode, match=r"layer 'one'.*heard by layer 'join'"):
        lower(Two(), (4,))


def test_a_gain_that_is_not_positive_is_refused() -> None:
    model = model_with(LIF(0.5))
    with torch.no_grad():
        model[1].weight[1, 2] = -0.1  # type: ignore[index]
    with pytest.raises(UnsupportedNode, match="1 of 16 gains of a BNTT are not positive"):
        lower(model, (1, 6, 6))


@pytest.mark.parametrize(
    ("schedule", "word"),
    [
        (lambda: Schedule(), "number of steps"),
        (lambda: Schedule(bias=frozen([1.0]), threshold=frozen([1.0, 2.0])), "number of steps"),
        (lambda: Schedule(bias=frozen([[[1.0]]])), r"\[T\] or \[T, channels\]"),
        (lambda: Schedule(bias=frozen([np.nan])), "not finite"),
        (lambda: Schedule(bias=frozen([[1.0, 2.0]])), "2 channels"),
        (lambda: Schedule(decay_u=frozen([1.0])), "which has none"),
    ],
)
def test_a_schedule_is_checked(schedule: Any, word: str) -> None:
    with pytest.raises(NetworkError, match=word):
        Neuron((3,), frozen(0.5), frozen(1.0), schedule=schedule())


def test_a_schedule_is_one_law_a_step() -> None:
    """By hand: what each step does with its own numbers."""
    rows = {"decay_v": [0.0, 0.5, 2.0], "threshold": [1.0, 0.2, 3.0], "bias": [0.1, 0.0, 0.3]}
    node = Neuron((1,), frozen(0.9), frozen(9.0), schedule=Schedule.of(rows))
    nodes = {"in": Input((1,)), "w": Linear(frozen([[1.0]])), "n": node, "out": Output((1,))}
    edges = (("in", "w"), ("w", "n"), ("n", "out"))
    network = Network(nodes, edges, Meaning(dt=1e-3))
    x = np.array([0.5, 0.6, 0.4]).reshape(3, 1, 1)
    got = interpreter.run(compile(network), {"in": x}, ("all",))
    assert got.spikes["n"].ravel().tolist() == [0, 1, 0]
    assert got.v["n"].ravel().tolist() == [0.6, 0.0, 0.7]
